import { beforeEach, expect, test, vi } from "vitest";
import type { Column } from "./cells";
import { base64Of, hexText, readHex } from "./hexText";
import { keep, kept, shapeOf } from "./keeping";
import { bodyOf, NOTHING, withDeletes, withEdit, withNewRow, withNewValue } from "./staging";

function column(name: string, more: Partial<Column> = {}): Column {
  return {
    ...{ name, type: "text", kind: "text", logicalType: "text", nullable: true, default: null },
    ...{ writable: true, automatic: false, key: false, comment: "", members: [] },
    ...more,
  };
}

const columns = [column("id", { key: true }), column("__proto__"), column("raw", { kind: "binary" })];
const shape = shapeOf(columns);

beforeEach(() => sessionStorage.clear());

test("changes come back as they were after a reload", () => {
  let staged = withEdit(NOTHING, columns, ["1", "old", null], columns[1] as Column, "new");
  staged = withEdit(staged, columns, ["1", "old", null], columns[2] as Column, { base64: "AP8=" });
  staged = withDeletes(staged, columns, [["2", null, null]]);
  staged = withNewRow(staged);
  staged = withNewValue(staged, staged.inserts[0]?.id ?? 0, "__proto__", null);
  expect(keep("t", shape, staged)).toBe(true);
  const found = kept("t", shape);
  expect(found).not.toBe("misfit");
  expect(found && found !== "misfit" && JSON.stringify(bodyOf(found, "s"))).toBe(JSON.stringify(bodyOf(staged, "s")));
  expect(kept("another", shape)).toBeNull();
});

test("changes do not come back into a table of another shape, nor what no version of this page has written", () => {
  keep("t", shape, withNewRow(NOTHING));
  expect(kept("t", shapeOf([...columns, column("more")]))).toBe("misfit");
  expect(kept("t", shapeOf(columns.map((one) => ({ ...one, key: false }))))).toBe("misfit");
  keep("t", shape, NOTHING);
  expect(kept("t", shape)).toBeNull();
  sessionStorage.setItem("mainstem.changes.t", '{"shape": 1}');
  expect(kept("t", shape)).toBe("misfit");
});

test("what there is no room for is told, and nothing older stays", () => {
  keep("t", shape, withNewRow(NOTHING));
  const full = vi.spyOn(Storage.prototype, "setItem").mockImplementation(() => {
    throw new DOMException("full", "QuotaExceededError");
  });
  expect(keep("t", shape, withNewRow(withNewRow(NOTHING)))).toBe(false);
  full.mockRestore();
  expect(kept("t", shape)).toBeNull();
});

test("bytes are typed in hex, however they are grouped", () => {
  const all = Uint8Array.from({ length: 256 }, (_, index) => index);
  expect(readHex(hexText(all), 256)).toEqual({ bytes: all });
  for (const typed of ["0x00fF", "\\x00FF", " 00 \n ff ", "00ff"])
    expect(readHex(typed, 9)).toEqual({ bytes: Uint8Array.of(0, 255) });
  expect(readHex("", 9)).toEqual({ bytes: new Uint8Array() });
  expect(base64Of(new Uint8Array(100_000))).toBe(btoa("\0".repeat(100_000)));
});

test.each([
  ["0x0", "only one digit"],
  ["zz", '"z" is no hex digit'],
  ["00 0x11", '"x" is no hex digit'],
  ["001122", "more than 2 bytes"],
])("%s is no bytes", (typed, problem) => {
  expect(readHex(typed, 2)).toEqual({ problem: expect.stringContaining(problem) });
});
