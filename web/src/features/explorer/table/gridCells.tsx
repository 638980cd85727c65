import type { ReactNode } from "react";
import { type Cell, isBinary, lengthOf, lineOf, sizeOf } from "@/ui/cells";
import type { Column, Written } from "./cells";
import styles from "./Data.module.css";

/** A cell of the grid: NULL, an empty text, bytes and cut texts each look unlike what they might be taken for. */
export function shownCell(cell: Cell): ReactNode {
  if (cell === null) return <span className={styles.null}>NULL</span>;
  if (cell === "") return <span className={styles.empty}>empty</span>;
  if (typeof cell === "string") return lineOf(cell);
  return (
    <>
      <span className={styles.size}>{sizeOf(cell)}</span>
      <span className={isBinary(cell) ? styles.binary : undefined}>{lineOf(cell)}</span>
    </>
  );
}

export function shownWritten(value: Written): ReactNode {
  if (typeof value === "object" && value !== null) {
    if ("default" in value) return <span className={styles.null}>DEFAULT</span>;
    return <span className={styles.binary}>{lineOf({ base64: value.base64, length: lengthOf(value.base64) })}</span>;
  }
  return shownCell(value);
}

/** A cell of a row that is not in the database yet. */
export function newCell(column: Column, values: ReadonlyMap<string, Written>): ReactNode {
  const value = values.get(column.name);
  if (value !== undefined) return changed(shownWritten(value));
  const told = column.automatic
    ? "automatic"
    : column.default !== null
      ? "default"
      : column.nullable
        ? "NULL"
        : "needed";
  return <span className={styles.null}>{told}</span>;
}

/** A value that is not saved yet. */
export function changed(content: ReactNode): ReactNode {
  return <span className={styles.changed}>{content}</span>;
}

const CHARACTER_PX = 7.9;
const PADDING_PX = 26;

/** A width that shows most of what the first rows hold. */
export function widthOf(column: Column, rows: readonly (readonly Cell[])[], index: number): number {
  let longest = column.name.length + 3;
  for (const row of rows.slice(0, 40)) longest = Math.max(longest, Math.min(lineOf(row[index] ?? null).length, 44));
  return Math.round(Math.min(380, Math.max(72, longest * CHARACTER_PX + PADDING_PX)));
}
