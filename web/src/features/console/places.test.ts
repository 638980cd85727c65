import { expect, test } from "vitest";
import { statementAt, unitsOf, wordAt } from "./places";

test("characters beyond the first plane are two units", () => {
  expect([0, 1, 2, 3, 9].map((count) => unitsOf("a🧀b", count))).toEqual([0, 1, 3, 4, 4]);
});

test("an error marks the word that it is at", () => {
  expect(wordAt("select nope from", 7)).toEqual({ from: 7, to: 11 });
  expect(wordAt("select *", 99)).toEqual({ from: 7, to: 8 });
  expect(wordAt("", 3)).toEqual({ from: 0, to: 0 });
});

test("the statement at the cursor is the one that begins last before it", () => {
  const statements = [
    { start: 2, end: 10 },
    { start: 12, end: 20 },
  ];
  expect([0, 2, 11, 12, 99].map((cursor) => statementAt(statements, cursor)?.start)).toEqual([2, 2, 2, 12, 12]);
  expect(statementAt([], 3)).toBeUndefined();
});
