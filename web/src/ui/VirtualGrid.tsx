import { useVirtualizer } from "@tanstack/react-virtual";
import { ArrowDown, ArrowUp } from "lucide-react";
import { type KeyboardEvent, type ReactNode, useId, useRef, useState } from "react";
import { cx } from "./cx";
import { type Cell, contains, type Range, rangeText, singleCell, stepped } from "./gridRange";
import styles from "./VirtualGrid.module.css";

export interface GridColumn<Row> {
  id: string;
  header: ReactNode;
  /** In pixels, until somebody drags its edge. */
  width: number;
  align?: "start" | "end";
  cell: (row: Row, index: number) => ReactNode;
  /** What is copied. */
  text?: (row: Row, index: number) => string;
  /** How the rows are sorted by it now. */
  sort?: "asc" | "desc" | undefined;
  /** Makes the header a button; `more` asks for one more column beside those that sort already (Shift). */
  onSort?: (more: boolean) => void;
}

interface Props<Row> {
  label: string;
  columns: readonly GridColumn<Row>[];
  rowCount: number;
  /** A row that is not there yet is undefined, and drawn as a place for one. */
  row: (index: number) => Row | undefined;
  rowHeight?: number;
  /** Enter, or a double click. */
  onActivate?: (cell: Cell) => void;
  onRange?: (range: Range | null) => void;
  /** More keys; called before the grid's own, which it stops by preventDefault. */
  onKey?: (event: KeyboardEvent, active: Cell | null) => void;
  rowClass?: (row: Row, index: number) => string | undefined;
  /** In place of the rows when there are none. */
  empty?: ReactNode;
  /** The number of the first row, for screen readers: of a page that does not begin at 0. */
  firstRow?: number;
}

const HEADER = 34;
const LEAST_WIDTH = 48;
const BUFFER = 8;

/**
 * Rows and columns of any number, of which only those in sight are there. One cell is active and moves with the keys;
 * Shift marks a range and Ctrl+C copies it as tab-separated text.
 */
export function VirtualGrid<Row>(props: Props<Row>) {
  const { label, columns, rowCount, row, rowHeight = 32, firstRow = 0 } = props;
  const frame = useRef<HTMLDivElement>(null);
  const id = useId();
  const [range, setRange] = useState<Range | null>(null);
  const [widths, setWidths] = useState<Readonly<Record<string, number>>>({});
  const width = (index: number) => {
    const column = columns[index];
    return column ? (widths[column.id] ?? column.width) : 0;
  };
  const rows = useVirtualizer({
    count: rowCount,
    getScrollElement: () => frame.current,
    estimateSize: () => rowHeight,
    overscan: BUFFER,
    scrollPaddingStart: HEADER,
  });
  const across = useVirtualizer({
    horizontal: true,
    count: columns.length,
    getScrollElement: () => frame.current,
    estimateSize: width,
    overscan: 2,
  });
  const resize = (column: string, next: number) => {
    setWidths((before) => ({ ...before, [column]: Math.max(next, LEAST_WIDTH) }));
    requestAnimationFrame(() => across.measure());
  };
  const select = (next: Range | null) => {
    setRange(next);
    props.onRange?.(next);
    if (!next) return;
    rows.scrollToIndex(next.head.row, { align: "auto" });
    across.scrollToIndex(next.head.column, { align: "auto" });
  };
  const key = (event: KeyboardEvent<HTMLDivElement>) => {
    props.onKey?.(event, range?.head ?? null);
    if (event.defaultPrevented || event.target !== frame.current || rowCount === 0) return;
    const page = Math.max(1, Math.floor((frame.current.clientHeight - HEADER) / rowHeight) - 1);
    const next = stepped(event, range, { rows: rowCount, columns: columns.length, page });
    if (next) {
      event.preventDefault();
      select(next);
    } else if (event.key === "Enter" && range) {
      event.preventDefault();
      props.onActivate?.(range.head);
    } else if (event.key === "c" && (event.ctrlKey || event.metaKey) && range) {
      event.preventDefault();
      void navigator.clipboard.writeText(rangeText(range, columns, row));
    }
  };
  const visible = across.getVirtualItems();
  const before = visible[0]?.start ?? 0;
  const head = range?.head;

  return (
    <div
      ref={frame}
      className={styles.frame}
      role="grid"
      aria-label={label}
      aria-rowcount={rowCount + 1 + firstRow}
      aria-colcount={columns.length}
      aria-activedescendant={head ? `${id}-${head.row}-${head.column}` : undefined}
      tabIndex={0}
      onKeyDown={key}
    >
      <div role="rowgroup" className={styles.head} style={{ width: across.getTotalSize(), height: HEADER }}>
        <div role="row" aria-rowindex={1} className={styles.row} style={{ paddingLeft: before, height: HEADER }}>
          {visible.map(({ index, size }) => {
            const column = columns[index];
            return (
              column && (
                <HeaderCell
                  key={column.id}
                  column={column}
                  index={index}
                  width={size}
                  onResize={(next) => resize(column.id, next)}
                />
              )
            );
          })}
        </div>
      </div>
      <div
        role="rowgroup"
        className={styles.body}
        style={{ width: across.getTotalSize(), height: rows.getTotalSize() }}
      >
        {rows.getVirtualItems().map(({ index, start }) => {
          const item = row(index);
          return (
            <div
              key={index}
              role="row"
              aria-rowindex={index + 2 + firstRow}
              className={cx(
                styles.row,
                styles.line,
                head?.row === index && styles.current,
                item !== undefined && props.rowClass?.(item, index),
              )}
              style={{ transform: `translateY(${start}px)`, height: rowHeight, paddingLeft: before }}
            >
              {visible.map(({ index: at, size }) => {
                const column = columns[at];
                if (!column) return null;
                const cell = { row: index, column: at };
                return (
                  // biome-ignore lint/a11y/useKeyWithClickEvents: the grid hears the keys for all of its cells
                  <div
                    key={column.id}
                    id={`${id}-${index}-${at}`}
                    role="gridcell"
                    aria-colindex={at + 1}
                    aria-selected={contains(range, cell)}
                    className={cx(
                      styles.cell,
                      column.align === "end" && styles.end,
                      head?.row === index && head.column === at && styles.active,
                    )}
                    style={{ width: size }}
                    onClick={(event) => event.shiftKey && range && select({ anchor: range.anchor, head: cell })}
                    onPointerEnter={(event) => {
                      if ((event.buttons & 1) === 1 && range && event.pointerType === "mouse")
                        select({ anchor: range.anchor, head: cell });
                    }}
                    onPointerDown={(event) => {
                      // Where a range begins that is dragged; what is clicked within a cell keeps its own way.
                      if (
                        event.button === 0 &&
                        !event.shiftKey &&
                        event.target instanceof Element &&
                        !event.target.closest("input, select")
                      )
                        select(singleCell(cell));
                    }}
                    onDoubleClick={() => props.onActivate?.(cell)}
                  >
                    {item === undefined ? <span className={styles.place} /> : column.cell(item, index)}
                  </div>
                );
              })}
            </div>
          );
        })}
      </div>
      {rowCount === 0 && <div className={styles.empty}>{props.empty}</div>}
    </div>
  );
}

interface HeaderProps<Row> {
  column: GridColumn<Row>;
  index: number;
  width: number;
  onResize: (width: number) => void;
}

const SORTS = { asc: "ascending", desc: "descending" } as const;

function HeaderCell<Row>({ column, index, width, onResize }: HeaderProps<Row>) {
  const arrow =
    column.sort === "asc" ? <ArrowUp aria-hidden="true" /> : column.sort && <ArrowDown aria-hidden="true" />;
  return (
    <div
      role="columnheader"
      aria-colindex={index + 1}
      aria-sort={column.sort ? SORTS[column.sort] : undefined}
      className={cx(styles.cell, styles.headCell, column.align === "end" && styles.end)}
      style={{ width }}
    >
      {column.onSort ? (
        <button type="button" className={styles.sort} onClick={(event) => column.onSort?.(event.shiftKey)}>
          {column.header}
          {arrow}
        </button>
      ) : (
        <span className={styles.name}>{column.header}</span>
      )}
      <span
        className={styles.edge}
        aria-hidden="true"
        onPointerDown={(event) => {
          event.preventDefault();
          event.currentTarget.setPointerCapture(event.pointerId);
        }}
        onPointerMove={(event) => {
          if (event.currentTarget.hasPointerCapture(event.pointerId)) onResize(width + event.movementX);
        }}
      />
    </div>
  );
}
