import { useMemo, useState } from "react";
import { type Cell, isBinary, lineOf, sizeOf, textOf } from "@/ui/cells";
import { cx } from "@/ui/cx";
import { type GridColumn, VirtualGrid } from "@/ui/VirtualGrid";
import { CellDialog } from "./CellDialog";
import styles from "./Console.module.css";
import type { QueryResult } from "./runs";

const CHARACTER = 7.4;
const LEAST = 72;
const MOST = 380;
const LOOKED_AT = 60;

/** A column's width by what it holds at the beginning. */
function widthOf(result: QueryResult, index: number): number {
  const column = result.columns[index];
  let longest = (column?.name.length ?? 0) + (column?.type.length ?? 0) + 2;
  for (const row of result.rows.slice(0, LOOKED_AT)) longest = Math.max(longest, shownLine(row[index] ?? null).length);
  return Math.min(MOST, Math.max(LEAST, longest * CHARACTER + 20));
}

function shownLine(cell: Cell): string {
  const size = sizeOf(cell);
  return size ? `${lineOf(cell)} (${size})` : lineOf(cell);
}

function CellText({ cell }: { cell: Cell }) {
  if (cell === null) return <span className={styles.null}>NULL</span>;
  if (cell === "") return <span className={styles.null}>empty</span>;
  return <span className={cx(isBinary(cell) && styles.bytes)}>{shownLine(cell)}</span>;
}

/** A result's rows. Enter, or a double click, shows a cell in full. */
export function ResultGrid({ result, label }: { result: QueryResult; label: string }) {
  const [open, setOpen] = useState<{ row: number; column: number } | null>(null);
  const columns = useMemo(
    () =>
      result.columns.map(
        (column, index): GridColumn<QueryResult["rows"][number]> => ({
          id: String(index),
          header: (
            <span className={styles.header}>
              {column.name}
              <small>{column.type}</small>
            </span>
          ),
          width: widthOf(result, index),
          align: column.kind === "number" ? "end" : "start",
          cell: (row) => <CellText cell={row[index] ?? null} />,
          text: (row) => textOf(row[index] ?? null),
        }),
      ),
    [result],
  );
  const shown = open && result.columns[open.column];
  return (
    <>
      <VirtualGrid
        label={label}
        columns={columns}
        rowCount={result.rows.length}
        row={(index) => result.rows[index]}
        rowHeight={28}
        onActivate={setOpen}
        empty={<p className={styles.none}>No rows</p>}
      />
      {open && shown && (
        <CellDialog
          column={shown}
          cell={result.rows[open.row]?.[open.column] ?? null}
          row={open.row}
          onClose={() => setOpen(null)}
        />
      )}
    </>
  );
}
