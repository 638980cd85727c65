import { expect, it } from "vitest";
import { contains, rangeText, singleCell, stepped } from "./gridRange";

const size = { rows: 100, columns: 5, page: 10 };
const keys = (key: string, more = {}) => ({
  key,
  shiftKey: false,
  ctrlKey: false,
  metaKey: false,
  altKey: false,
  ...more,
});
const at = (row: number, column: number) => singleCell({ row, column });

it.each([
  ["ArrowDown", {}, at(4, 2), at(5, 2)],
  ["ArrowUp", {}, at(0, 2), at(0, 2)],
  ["ArrowRight", {}, at(4, 4), at(4, 4)],
  ["PageDown", {}, at(95, 2), at(99, 2)],
  ["Home", {}, at(4, 2), at(4, 0)],
  ["End", {}, at(4, 2), at(4, 4)],
  ["Home", { ctrlKey: true }, at(4, 2), at(0, 0)],
  ["End", { ctrlKey: true }, at(4, 2), at(99, 4)],
  ["ArrowDown", { ctrlKey: true }, at(4, 2), at(99, 2)],
])("%s %o moves", (key, more, from, to) => expect(stepped(keys(key, more), from, size)).toEqual(to));

it("keeps the anchor with Shift, and takes all with Ctrl+A", () => {
  expect(stepped(keys("ArrowDown", { shiftKey: true }), at(1, 1), size)).toEqual({
    anchor: { row: 1, column: 1 },
    head: { row: 2, column: 1 },
  });
  const all = stepped(keys("a", { ctrlKey: true }), null, size);
  expect(contains(all, { row: 99, column: 4 })).toBe(true);
});

it("leaves other keys alone, also those that every object has", () => {
  expect(stepped(keys("x"), at(1, 1), size)).toBeNull();
  expect(stepped(keys("constructor"), at(1, 1), size)).toBeNull();
});

it("copies lines of cells; a cell alone as it is", () => {
  const rows = [
    ["a", "b\tc"],
    ["d", "e\nf"],
  ];
  const columns = [0, 1].map((index) => ({ text: (row: string[]) => row[index] ?? "" }));
  const range = { anchor: { row: 1, column: 1 }, head: { row: 0, column: 0 } };
  expect(rangeText(range, columns, (index) => rows[index])).toBe("a\tb c\nd\te f");
  expect(rangeText(at(1, 1), columns, (index) => rows[index])).toBe("e\nf");
});
