import type { Column, Written } from "./cells";
import { countOf, type NewRow, type RowDelete, type RowEdit, type Staged } from "./staging";

/**
 * Changes that are not sent yet, kept by this browser tab over a reload. A tab that is closed forgets them, and so does
 * a sign-out.
 */
const PREFIX = "mainstem.changes.";

type Pairs = [string, Written][];

/** As text of JSON: maps as lists of pairs, since names may be `__proto__`. */
interface Kept {
  shape: string;
  edits: [string, { keys: Pairs; changes: Pairs; old: Pairs }][];
  deletes: [string, { keys: Pairs; old: Pairs }][];
  inserts: Pairs[];
}

/** What changes of rows depend on: with other columns, or another key, they mean something else. */
export function shapeOf(columns: readonly Column[]): string {
  return JSON.stringify(
    columns.map(({ name, type, nullable, writable, key }) => [name, type, nullable, writable, key]),
  );
}

/** Keeps them; whether there was room. */
export function keep(table: string, shape: string, staged: Staged): boolean {
  const at = PREFIX + table;
  try {
    if (countOf(staged) === 0) sessionStorage.removeItem(at);
    else sessionStorage.setItem(at, JSON.stringify(packed(shape, staged)));
    return true;
  } catch {
    sessionStorage.removeItem(at); // rather none than those before the last
    return false;
  }
}

/** What was kept for a table: its changes, or that they are of a table of another shape. Null is nothing. */
export function kept(table: string, shape: string): Staged | "misfit" | null {
  const saved = sessionStorage.getItem(PREFIX + table);
  if (saved === null) return null;
  try {
    const found = JSON.parse(saved) as Kept;
    return found.shape === shape ? unpacked(found) : "misfit";
  } catch {
    return "misfit"; // kept by another version, or by hand
  }
}

function packed(shape: string, staged: Staged): Kept {
  return {
    shape,
    edits: [...staged.edits].map(([id, { keys, changes, old }]) => [
      id,
      { keys: [...keys], changes: [...changes], old: [...old] },
    ]),
    deletes: [...staged.deletes].map(([id, { keys, old }]) => [id, { keys: [...keys], old: [...old] }]),
    inserts: staged.inserts.map((row) => [...row.values]),
  };
}

function unpacked(found: Kept): Staged {
  const edits = found.edits.map(([id, { keys, changes, old }]): [string, RowEdit] => [
    id,
    { keys: new Map(keys), changes: new Map(changes), old: new Map(old) },
  ]);
  const deletes = found.deletes.map(([id, { keys, old }]): [string, RowDelete] => [
    id,
    { keys: new Map(keys), old: new Map(old) },
  ]);
  const inserts = found.inserts.map((values, index): NewRow => ({ id: -1 - index, values: new Map(values) }));
  return { edits: new Map(edits), deletes: new Map(deletes), inserts };
}
