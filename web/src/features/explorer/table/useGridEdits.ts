import { useMemo } from "react";
import type { Schemas } from "@/api/client";
import type { Store } from "@/api/store";
import { type Cell, lengthOf } from "@/ui/cells";
import type { Column, Written } from "./cells";
import { rowId, type Staged, withDeletes, withEdit, withNewValue, withoutNewRows } from "./staging";

/** Rows and columns from … to …, both included. */
export interface Area {
  top: number;
  bottom: number;
  left: number;
  right: number;
}

export type GridEdits = ReturnType<typeof useGridEdits>;

/** A page's rows below the new ones, with the changes of this page, and what can be done to them. */
export function useGridEdits(page: Schemas["Rows"], staged: Staged, store: Store<Staged>) {
  const { columns, rows, isEditable } = page;
  return useMemo(() => {
    const added = staged.inserts;
    const ids = rows.map((row) => rowId(columns, row));
    const written = (row: number, column: Column): Written | undefined => {
      const fresh = added[row];
      if (fresh) return fresh.values.get(column.name);
      return staged.edits.get(ids[row - added.length] ?? "")?.changes.get(column.name);
    };
    const writable = (row: number, index: number): boolean => {
      if (!isEditable || !columns[index]?.writable) return false;
      return row < added.length || Boolean(ids[row - added.length]);
    };
    const write = (row: number, index: number, value: Written, whole?: Written) => {
      const column = columns[index];
      const fresh = added[row];
      const there = rows[row - added.length];
      if (!column) return;
      if (fresh) store.set(withNewValue(store.get(), fresh.id, column.name, value));
      else if (there) store.set(withEdit(store.get(), columns, there, column, value, whole));
    };
    return {
      count: added.length + rows.length,
      added,
      /** Which row of the page it is; negative for a new one. */
      ofPage: (row: number) => row - added.length,
      written,
      /** What a cell holds, changes taken in. */
      value(row: number, index: number): Cell {
        const column = columns[index];
        const value = column && written(row, column);
        if (value === undefined) return rows[row - added.length]?.[index] ?? null;
        if (typeof value !== "object" || value === null) return value;
        return "base64" in value ? { base64: value.base64, length: lengthOf(value.base64) } : null;
      },
      original: (row: number, index: number): Cell => rows[row - added.length]?.[index] ?? null,
      deleted: (row: number) => row >= added.length && staged.deletes.has(ids[row - added.length] ?? ""),
      writable,
      write,
      setNull({ top, bottom, left, right }: Area) {
        for (let row = top; row <= bottom; row += 1)
          for (let index = left; index <= Math.min(right, columns.length - 1); index += 1)
            if (writable(row, index) && columns[index]?.nullable) write(row, index, null);
      },
      /** Marks rows to be deleted; new ones are simply gone. */
      remove({ top, bottom }: Area) {
        const fresh = added.slice(top, bottom + 1).map((row) => row.id);
        const there = rows.slice(Math.max(0, top - added.length), Math.max(0, bottom + 1 - added.length));
        store.set(withDeletes(withoutNewRows(store.get(), fresh), columns, there));
      },
    };
  }, [columns, rows, isEditable, staged, store]);
}
