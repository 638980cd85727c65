import { Store } from "@/api/store";
import type { Cell } from "@/ui/cells";
import { asWritten, type Column, type Written } from "./cells";

/** Changes of rows that were made on the page and not sent yet. Rows are known by their key, as text. */
export interface Staged {
  edits: ReadonlyMap<string, RowEdit>;
  deletes: ReadonlyMap<string, RowDelete>;
  inserts: readonly NewRow[];
}

export interface RowEdit {
  keys: ReadonlyMap<string, Written>;
  changes: ReadonlyMap<string, Written>;
  old: ReadonlyMap<string, Written>;
}

export interface RowDelete {
  keys: ReadonlyMap<string, Written>;
  old: ReadonlyMap<string, Written>;
}

export interface NewRow {
  id: number;
  /** What is left out gets its default. */
  values: ReadonlyMap<string, Written>;
}

export const NOTHING: Staged = { edits: new Map(), deletes: new Map(), inserts: [] };

const stores = new Map<string, Store<Staged>>();
let lastId = 0;

/** The changes of a table; they outlive its page, so that a look elsewhere loses nothing. */
export function stagedOf(table: string): Store<Staged> {
  let store = stores.get(table);
  if (store === undefined) {
    store = new Store(NOTHING);
    stores.set(table, store);
  }
  return store;
}

export function countOf(staged: Staged): number {
  return staged.edits.size + staged.deletes.size + staged.inserts.length;
}

/** A row's key as a text; empty where it has none (no key, or a part of it was cut). */
export function rowId(columns: readonly Column[], row: readonly Cell[]): string {
  const parts: unknown[] = [];
  for (const [index, column] of columns.entries()) {
    if (!column.key) continue;
    const value = asWritten(row[index] ?? null);
    if (value === undefined) return "";
    parts.push(value);
  }
  return parts.length > 0 ? JSON.stringify(parts) : "";
}

function keysOf(columns: readonly Column[], row: readonly Cell[]): Map<string, Written> {
  return known(columns, row, (column) => column.key);
}

/** The values of these columns, without those that were cut. */
function known(
  columns: readonly Column[],
  row: readonly Cell[],
  wanted: (column: Column) => boolean,
): Map<string, Written> {
  const found = new Map<string, Written>();
  for (const [index, column] of columns.entries()) {
    const value = asWritten(row[index] ?? null);
    if (wanted(column) && value !== undefined) found.set(column.name, value);
  }
  return found;
}

function same(left: Written | undefined, right: Written): boolean {
  return JSON.stringify(left) === JSON.stringify(right);
}

/**
 * A new value for a cell; the old one takes the change back.
 *
 * `whole` is what a cell that was cut holds in full, once it has been read.
 */
export function withEdit(
  staged: Staged,
  columns: readonly Column[],
  row: readonly Cell[],
  column: Column,
  value: Written,
  whole?: Written,
): Staged {
  const id = rowId(columns, row);
  if (!id) return staged;
  const before = staged.edits.get(id);
  const changes = new Map(before?.changes);
  const old = new Map(before?.old);
  const was = whole ?? known(columns, row, (other) => other === column).get(column.name);
  if (was !== undefined && same(was, value)) {
    changes.delete(column.name);
    old.delete(column.name);
  } else {
    changes.set(column.name, value);
    if (was !== undefined) old.set(column.name, was);
  }
  const edits = new Map(staged.edits);
  if (changes.size > 0) edits.set(id, { keys: keysOf(columns, row), changes, old });
  else edits.delete(id);
  return { ...staged, edits };
}

/** Marks rows to be deleted, or unmarks them if all of them are. */
export function withDeletes(staged: Staged, columns: readonly Column[], rows: readonly (readonly Cell[])[]): Staged {
  const ids = rows.map((row) => rowId(columns, row));
  const deletes = new Map(staged.deletes);
  const all = ids.every((id) => deletes.has(id));
  for (const [index, id] of ids.entries()) {
    const row = rows[index];
    if (!id || !row) continue;
    if (all) deletes.delete(id);
    else deletes.set(id, { keys: keysOf(columns, row), old: known(columns, row, (column) => !column.key) });
  }
  return { ...staged, deletes };
}

export function withNewRow(staged: Staged, values: ReadonlyMap<string, Written> = new Map()): Staged {
  lastId += 1;
  return { ...staged, inserts: [...staged.inserts, { id: lastId, values }] };
}

export function withNewValue(staged: Staged, id: number, column: string, value: Written): Staged {
  const inserts = staged.inserts.map((row) => {
    if (row.id !== id) return row;
    const values = new Map(row.values);
    if (typeof value === "object" && value !== null && "default" in value) values.delete(column);
    else values.set(column, value);
    return { ...row, values };
  });
  return { ...staged, inserts };
}

export function withoutNewRows(staged: Staged, ids: readonly number[]): Staged {
  return { ...staged, inserts: staged.inserts.filter((row) => !ids.includes(row.id)) };
}

/** The body of the call. Names are any text, `__proto__` too: `Object.fromEntries` takes that for a name like others. */
export function bodyOf(staged: Staged, schema: string) {
  const plain = (values: ReadonlyMap<string, Written>) => Object.fromEntries(values) as Record<string, Written>;
  return {
    schema,
    // What is deleted need not be changed before.
    edits: [...staged.edits]
      .filter(([id]) => !staged.deletes.has(id))
      .map(([, edit]) => ({ keys: plain(edit.keys), changes: plain(edit.changes), old: plain(edit.old) })),
    inserts: staged.inserts.map((row) => ({ values: plain(row.values) })),
    deletes: [...staged.deletes.values()].map((item) => ({ keys: plain(item.keys), old: plain(item.old) })),
  };
}
