import { expect, test } from "vitest";
import { dump, isCut, lineOf, textOf } from "./cells";

test("NULL, an empty text, the text NULL and bytes look different", () => {
  const cells = [null, "", "NULL", { base64: "AP8=", length: 2 }] as const;
  expect(cells.map(lineOf)).toEqual(["NULL", "", "NULL", "0x00ff (2 B)"]);
  expect(cells.map(textOf)).toEqual(["", "", "NULL", "0x00ff"]);
});

test("a cell is one short line, however long it is", () => {
  expect(lineOf("a\nb\r\nc")).toBe("a⏎b⏎c");
  expect(lineOf("x".repeat(5_000_000)).length).toBeLessThan(400);
  expect(lineOf({ text: "abc", length: 52_428_800 })).toBe("abc… (50.0 MiB)");
});

test("what is not all there is told", () => {
  expect(isCut({ text: "a", length: 9 })).toBe(true);
  expect(isCut({ base64: "AP8=", length: 3 })).toBe(true);
  expect(isCut({ base64: "AP8=", length: 2 })).toBe(false);
  expect(isCut("a")).toBe(false);
});

test("bytes are shown with their characters", () => {
  expect(dump(new Uint8Array([65, 0, 66]))).toBe(`00000000  ${"41 00 42".padEnd(47)}  A.B`);
});
