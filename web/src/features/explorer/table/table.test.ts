import { expect, test } from "vitest";
import type { Column } from "./cells";
import { filterJson, readFilter } from "./filter";
import { readAsked, sortedBy, writeOrder } from "./rowsState";
import { bodyOf, countOf, NOTHING, withDeletes, withEdit, withNewRow, withNewValue } from "./staging";

function column(name: string, more: Partial<Column> = {}): Column {
  return {
    ...{ name, type: "text", kind: "text", logicalType: "text", nullable: true, default: null },
    ...{ writable: true, automatic: false, key: false, comment: "", members: [] },
    ...more,
  };
}

const columns = [column("id", { key: true }), column("__proto__"), column("raw")];
const row = ["7", "old", { base64: "AAE=", length: 9 }];

test("an edit remembers what was there, and going back takes it away", () => {
  const proto = columns[1] as Column;
  const edited = withEdit(NOTHING, columns, row, proto, "new");
  expect(JSON.stringify(bodyOf(edited, "s").edits)).toBe(
    '[{"keys":{"id":"7"},"changes":{"__proto__":"new"},"old":{"__proto__":"old"}}]',
  );
  expect(countOf(withEdit(edited, columns, row, proto, "old"))).toBe(0);
});

test("a value that was cut is no proof of what was there", () => {
  const edited = withEdit(NOTHING, columns, row, columns[2] as Column, null);
  expect(bodyOf(edited, "").edits[0]?.old).toEqual({});
});

test("a row that is deleted is not edited too, and a second time takes it back", () => {
  const edited = withEdit(NOTHING, columns, row, columns[1] as Column, null);
  const deleted = withDeletes(edited, columns, [row]);
  expect(bodyOf(deleted, "").edits).toEqual([]);
  expect(bodyOf(deleted, "").deletes).toHaveLength(1);
  expect(bodyOf(withDeletes(deleted, columns, [row]), "").deletes).toEqual([]);
});

test("a new row sends what was given and nothing else", () => {
  let staged = withNewRow(NOTHING);
  const id = staged.inserts[0]?.id ?? 0;
  staged = withNewValue(withNewValue(staged, id, "id", "8"), id, "raw", null);
  expect(bodyOf(withNewValue(staged, id, "raw", { default: true }), "").inserts).toEqual([{ values: { id: "8" } }]);
});

test("filters and orders survive the address", () => {
  const json = filterJson({ match: "any", rows: [{ column: "a", operator: "IN", value: "1, 2" }] });
  expect(JSON.parse(json)).toEqual({ any: [{ column: "a", operator: "IN", value: ["1", "2"] }] });
  expect(readFilter(json).rows).toEqual([{ column: "a", operator: "IN", value: "1, 2" }]);
  expect(readFilter("[").rows).toEqual([]);
  const order = sortedBy(sortedBy([], "a,b", false), "a,b", false);
  expect(readAsked(new URLSearchParams({ sort: writeOrder(order), size: "7", offset: "-1" }))).toMatchObject({
    order: [{ column: "a,b", descending: true }],
    limit: 100,
    offset: 0,
  });
  expect(sortedBy(order, "a,b", false)).toEqual([]);
});
