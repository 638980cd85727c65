import { Key } from "lucide-react";
import { type KeyboardEvent, useMemo, useState } from "react";
import type { Schemas } from "@/api/client";
import type { Store } from "@/api/store";
import { Button } from "@/ui/Button";
import { textOf } from "@/ui/cells";
import { ordered, type Range, type Cell as Spot, singleCell } from "@/ui/gridRange";
import { plural } from "@/ui/numbers";
import { type GridColumn, VirtualGrid } from "@/ui/VirtualGrid";
import type { ObjectPlace } from "../place";
import { CellEditor } from "./CellEditor";
import { CellView } from "./CellView";
import { asWritten, type Column } from "./cells";
import { cellUrl } from "./cellUrl";
import styles from "./Data.module.css";
import { changed, newCell, shownCell, shownWritten, widthOf } from "./gridCells";
import type { useRowsState } from "./rowsState";
import type { Staged } from "./staging";
import { type Area, type GridEdits, useGridEdits } from "./useGridEdits";

type RowsState = ReturnType<typeof useRowsState>;

interface Props {
  place: ObjectPlace;
  page: Schemas["Rows"];
  state: RowsState;
  staged: Staged;
  store: Store<Staged>;
  onReview: () => void;
}

const NUMBER_PX = 62;
const ROW_PX = 28;
const LONGEST_TYPED = 300;

/** The page's rows, below those that are new; changed cells and rows stand out until they are saved. */
export function DataGrid({ place, page, state, staged, store, onReview }: Props) {
  const { columns } = page;
  const edits = useGridEdits(page, staged, store);
  const [range, setRange] = useState<Range>(singleCell({ row: 0, column: 1 }));
  const [editing, setEditing] = useState<Spot | null>(null);
  const [viewing, setViewing] = useState<Spot | null>(null);
  const area = areaOf(range);
  const grid = useColumns(page, state, edits, editing, (spot) => setEditing(spot));

  const open = (spot: Spot) => {
    const index = spot.column - 1;
    if (index < 0 || !columns[index]) return;
    const value = edits.value(spot.row, index);
    const typed =
      value === null || (typeof value === "string" && !/[\r\n]/.test(value) && value.length < LONGEST_TYPED);
    if (edits.writable(spot.row, index) && typed && columns[index].kind !== "binary") setEditing(spot);
    else setViewing(spot);
  };
  const press = (event: KeyboardEvent, active: Spot | null) => {
    if (event.target !== event.currentTarget || !active) return;
    const held = event.ctrlKey || event.metaKey;
    if (event.key === "F2") open(active);
    else if (event.key === " ") setViewing(active.column > 0 ? active : { ...active, column: 1 });
    else if (event.key === "Delete" && page.isEditable) (held ? edits.remove : edits.setNull)(area);
    else if (event.key === "s" && held) onReview();
    else return;
    event.preventDefault();
  };
  const viewed = viewing ? columns[viewing.column - 1] : undefined;
  return (
    <>
      <div className={styles.toolbar}>
        <span className={styles.chosen} aria-live="polite">
          {told(area, columns)}
        </span>
        <Button
          small
          kind="quiet"
          disabled={edits.count === 0}
          onClick={() => setViewing({ row: range.head.row, column: Math.max(1, range.head.column) })}
        >
          View cell
        </Button>
        {page.isEditable && (
          <>
            <Button small kind="quiet" disabled={edits.count === 0} onClick={() => edits.setNull(area)}>
              Set NULL
            </Button>
            <Button small kind="quiet" disabled={edits.count === 0} onClick={() => edits.remove(area)}>
              Delete {plural(area.bottom - area.top + 1, "row")}
            </Button>
          </>
        )}
      </div>
      <VirtualGrid
        label={`Rows of ${place.name}`}
        columns={grid}
        rowCount={edits.count}
        row={(index) => index}
        rowHeight={ROW_PX}
        firstRow={state.asked.offset}
        rowClass={(row) =>
          row < edits.added.length ? styles.newRow : edits.deleted(row) ? styles.deletedRow : undefined
        }
        onRange={(next) => next && setRange(next)}
        onActivate={open}
        onKey={press}
        empty={<p className={styles.nothing}>No rows</p>}
      />
      {viewing && viewed && (
        <CellView
          column={viewed}
          cell={edits.value(viewing.row, viewing.column - 1)}
          url={cellUrl(place, page, state.asked, edits.ofPage(viewing.row), viewed)}
          editable={edits.writable(viewing.row, viewing.column - 1)}
          onClose={() => setViewing(null)}
          onValue={(value, whole) => edits.write(viewing.row, viewing.column - 1, value, whole)}
        />
      )}
    </>
  );
}

/** The grid's columns: the row's number, then the table's own. */
function useColumns(
  page: Schemas["Rows"],
  state: RowsState,
  edits: GridEdits,
  editing: Spot | null,
  onEditing: (spot: Spot | null) => void,
): GridColumn<number>[] {
  const { asked, sort } = state;
  const widths = useMemo(() => page.columns.map((column, index) => widthOf(column, page.rows, index)), [page]);
  const number: GridColumn<number> = {
    id: "#",
    header: <span className="visually-hidden">Row</span>,
    width: NUMBER_PX,
    align: "end",
    cell: (row) => (
      <span className={styles.number}>{row < edits.added.length ? "new" : asked.offset + edits.ofPage(row) + 1}</span>
    ),
  };
  const own = page.columns.map((column, index): GridColumn<number> => {
    const by = asked.order.find((one) => one.column === column.name);
    return {
      id: `${index}:${column.name}`,
      header: <Header column={column} />,
      width: widths[index] ?? NUMBER_PX,
      align: column.kind === "number" ? "end" : "start",
      ...(by ? { sort: by.descending ? ("desc" as const) : ("asc" as const) } : {}),
      onSort: (more) => sort(column.name, more),
      text: (row) => textOf(edits.value(row, index)),
      cell: (row) => {
        if (editing?.row === row && editing.column === index + 1) {
          return (
            <CellEditor
              column={column}
              value={asWritten(edits.value(row, index)) ?? null}
              onDone={(value) => {
                if (value !== undefined) edits.write(row, index, value);
                onEditing(null);
              }}
            />
          );
        }
        const fresh = edits.added[row];
        if (fresh) return newCell(column, fresh.values);
        const written = edits.written(row, column);
        return written === undefined ? shownCell(edits.original(row, index)) : changed(shownWritten(written));
      },
    };
  });
  return [number, ...own];
}

function Header({ column }: { column: Column }) {
  return (
    <span title={`${column.name} ${column.type}${column.comment ? `: ${column.comment}` : ""}`}>
      {column.key && <Key size={12} aria-label="key" className={styles.key} />}
      {column.name}
    </span>
  );
}

/** The columns are the table's own, counted from 0. */
function areaOf(range: Range): Area {
  const { top, bottom, left, right } = ordered(range);
  // Whoever chooses a row's number means the row.
  if (left === 0) return { top, bottom, left: 0, right: right === 0 ? Number.MAX_SAFE_INTEGER : right - 1 };
  return { top, bottom, left: left - 1, right: right - 1 };
}

function told({ top, bottom, left, right }: Area, columns: readonly Column[]): string {
  const rows = bottom - top + 1;
  const wide = Math.min(right, columns.length - 1) - left + 1;
  const column = columns[left];
  if (rows * wide > 1) return `${plural(rows, "row")} × ${plural(wide, "column")}; Ctrl+C copies`;
  return column ? `${column.name} ${column.type}` : "";
}
