import { expect, test } from "vitest";
import { dump, isCut, lengthOf, lineOf, sizeOf, textOf } from "./cells";

test("NULL, an empty text, the text NULL and bytes look different", () => {
  const cells = [null, "", "NULL", { base64: "AP8=", length: 2 }] as const;
  expect(cells.map(lineOf)).toEqual(["NULL", "", "NULL", "0x00ff"]);
  expect(cells.map(textOf)).toEqual(["", "", "NULL", "\\x00ff"]);
  expect(cells.map(sizeOf)).toEqual(["", "", "", "2 B"]);
});

test("a cell is one short line, however long it is", () => {
  expect(lineOf("a\nb\r\nc")).toBe("a⏎b⏎c");
  expect(lineOf("x".repeat(5_000_000)).length).toBeLessThan(400);
  const cut = { text: "abc", length: 52_428_800 };
  expect([lineOf(cut), sizeOf(cut)]).toEqual(["abc…", "50.0 MiB"]);
  expect(lineOf({ base64: btoa("\0".repeat(33)), length: 33 })).toBe(`0x${"00".repeat(32)}…`);
});

test("what is not all there is told", () => {
  expect(isCut({ text: "a", length: 9 })).toBe(true);
  expect(isCut({ base64: "AP8=", length: 3 })).toBe(true);
  expect(isCut({ base64: "AP8=", length: 2 })).toBe(false);
  expect(isCut("a")).toBe(false);
});

test("bytes are counted without being decoded", () => {
  expect(["", "a", "ab", "abc", "abcd"].map((text) => lengthOf(btoa(text)))).toEqual([0, 1, 2, 3, 4]);
});

test("bytes are shown with their characters", () => {
  expect(dump(new Uint8Array([65, 0, 66]))).toBe(`00000000  ${"41 00 42".padEnd(47)}  A.B`);
  expect(dump(Uint8Array.from({ length: 17 }, (_, index) => index + 64))).toContain("00000010  50");
});
