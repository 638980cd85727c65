import { useVirtualizer } from "@tanstack/react-virtual";
import { ArrowDown, ArrowUp } from "lucide-react";
import { type KeyboardEvent, memo, type SyntheticEvent, useMemo, useRef, useState } from "react";
import { useStore } from "@/api/store";
import { cx } from "@/ui/cx";
import { Select } from "@/ui/Field";
import { plural } from "@/ui/numbers";
import { SearchInput } from "@/ui/SearchInput";
import { EmptyState } from "@/ui/States";
import { useSearchSetting } from "@/ui/useSearchSetting";
import { columnsOf, type GridColumn, type Row, type SortKey } from "./columns";
import type { TableState } from "./data";
import styles from "./TablesGrid.module.css";
import type { Watch } from "./watch";
import { TABLE_STATES } from "./words";

const ROW_PX = 34;
const MOST_PX = 620;

interface Props {
  watch: Watch;
  mode: string;
  onOpen: (table: string) => void;
}

/** All tables of a run, a window of them in the page at a time. */
export function TablesGrid({ watch, mode, onOpen }: Props) {
  const tables = useStore(watch.tables);
  const head = useStore(watch.head);
  const [search, set] = useSearchSetting();
  const text = search.get("table") ?? "";
  const state = search.get("state") ?? "";
  const sort = sorting(search.get("sort"));
  const columns = columnsOf(mode);
  const lag = head?.changes?.lagSeconds ?? null;
  const rows = useMemo(
    () => chosen(tables, text, state, sort, columns, lag),
    [tables, text, state, sort, columns, lag],
  );
  const states = Object.keys(head?.counts ?? {}) as TableState[];
  return (
    <div className={styles.box}>
      <div className={styles.bar}>
        <SearchInput
          label="Filter tables by name"
          placeholder="Filter tables"
          value={text}
          onValue={(value) => set("table", value)}
        />
        <Select
          aria-label="Filter tables by state"
          value={state}
          onValue={(value) => set("state", value)}
          choices={[
            { value: "", label: "Every state" },
            ...states.map((one) => ({ value: one, label: `${TABLE_STATES[one][0]} (${head?.counts[one] ?? 0})` })),
          ]}
        />
        <span className={styles.count} role="status">
          {rows.length === tables.length
            ? plural(rows.length, "table")
            : `${rows.length} of ${plural(tables.length, "table")}`}
        </span>
      </div>
      {tables.length === 0 || rows.length === 0 ? (
        <div className={styles.none}>
          <EmptyState title={tables.length ? "No table is called so" : "No tables yet"}>
            {tables.length ? "Change the filter above." : "They are here as soon as the plan is made."}
          </EmptyState>
        </div>
      ) : (
        <Grid rows={rows} columns={columns} sort={sort} onSort={(key) => set("sort", key)} onOpen={onOpen} />
      )}
    </div>
  );
}

interface GridProps {
  rows: readonly Row[];
  columns: readonly GridColumn[];
  sort: Sort;
  onSort: (sort: string) => void;
  onOpen: (table: string) => void;
}

function Grid({ rows, columns, sort, onSort, onOpen }: GridProps) {
  const scroller = useRef<HTMLDivElement>(null);
  const [at, setAt] = useState("");
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW_PX,
    overscan: 8,
    getItemKey: (index) => rows[index]?.table.name ?? index,
  });
  const widths = columns.map((column) => column.width).join(" ");
  const present = Math.max(
    rows.findIndex((row) => row.table.name === at),
    0,
  );
  const move = (to: number) => {
    const place = Math.min(Math.max(to, 0), rows.length - 1);
    const name = rows[place]?.table.name ?? "";
    setAt(name);
    virtual.scrollToIndex(place);
    requestAnimationFrame(() => scroller.current?.querySelector<HTMLElement>(`[data-row="${place}"]`)?.focus());
  };
  const named = (event: SyntheticEvent) =>
    (event.target as HTMLElement).closest<HTMLElement>("[data-name]")?.dataset["name"];
  const open = (event: SyntheticEvent) => {
    const name = named(event);
    if (name !== undefined) onOpen(name);
  };
  const onKey = (event: KeyboardEvent) => {
    if (event.key === "Enter") open(event);
    const page = Math.floor((scroller.current?.clientHeight ?? 0) / ROW_PX) - 2;
    const to = {
      ArrowDown: present + 1,
      ArrowUp: present - 1,
      PageDown: present + page,
      PageUp: present - page,
      Home: 0,
      End: rows.length - 1,
    }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    move(to);
  };
  return (
    <div className={styles.grid} role="table" aria-label="Tables" aria-rowcount={rows.length + 1}>
      <div ref={scroller} className={styles.scroller} style={{ maxHeight: MOST_PX }}>
        <div className={styles.wide}>
          <div className={styles.head} role="row" aria-rowindex={1} style={{ gridTemplateColumns: widths }}>
            {columns.map((column) => (
              <HeadCell key={column.key} column={column} sort={sort} onSort={onSort} />
            ))}
          </div>
          {/* biome-ignore lint/a11y/noStaticElementInteractions: keys that move between the rows within */}
          <div
            className={styles.body}
            style={{ height: virtual.getTotalSize() }}
            onKeyDown={onKey}
            onClick={open}
            onFocus={(event) => setAt(named(event) ?? at)}
          >
            {virtual.getVirtualItems().map((item) => {
              const row = rows[item.index];
              return (
                row && (
                  <GridRow
                    key={item.key}
                    table={row.table}
                    lag={row.lag}
                    index={item.index}
                    top={item.start}
                    present={item.index === present}
                    columns={columns}
                    widths={widths}
                  />
                )
              );
            })}
          </div>
        </div>
      </div>
    </div>
  );
}

interface RowProps extends Row {
  index: number;
  top: number;
  /** The one that Tab leads to. */
  present: boolean;
  columns: readonly GridColumn[];
  widths: string;
}

/** Drawn anew only when its own table has changed. */
const GridRow = memo(function GridRow({ table, lag, index, top, present, columns, widths }: RowProps) {
  return (
    <div
      role="row"
      data-row={index}
      data-name={table.name}
      aria-rowindex={index + 2}
      tabIndex={present ? 0 : -1}
      className={cx(styles.row, table.error && styles.wrong)}
      style={{ gridTemplateColumns: widths, transform: `translateY(${top}px)` }}
    >
      {columns.map((column) => (
        <div key={column.key} role="cell" className={cx(styles.cell, column.end && styles.end)}>
          {column.cell({ table, lag })}
        </div>
      ))}
    </div>
  );
});

function HeadCell({ column, sort, onSort }: { column: GridColumn; sort: Sort; onSort: (sort: string) => void }) {
  const sorted = sort.key === column.key;
  const next = sorted ? (sort.down ? column.key : "") : `-${column.key}`;
  return (
    <div
      role="columnheader"
      aria-sort={sorted ? (sort.down ? "descending" : "ascending") : "none"}
      className={cx(styles.cell, column.end && styles.end)}
    >
      <button type="button" className={styles.sort} onClick={() => onSort(next)} title={column.hint}>
        {column.title}
        {sorted && (sort.down ? <ArrowDown aria-hidden="true" /> : <ArrowUp aria-hidden="true" />)}
      </button>
    </div>
  );
}

interface Sort {
  key: SortKey | "";
  down: boolean;
}

const SORTS = new Set<string>([
  "name",
  "state",
  "rows",
  "changes",
  "rate",
  "bytes",
  "lag",
  "rejected",
  "coerced",
  "why",
]);

function sorting(text: string | null): Sort {
  const key = text?.replace(/^-/, "") ?? "";
  return { key: SORTS.has(key) ? (key as SortKey) : "", down: text?.startsWith("-") ?? false };
}

/** Those that the filter leaves, sorted; without a choice as the run has them. */
function chosen(
  tables: readonly Row["table"][],
  text: string,
  state: string,
  sort: Sort,
  columns: readonly GridColumn[],
  lag: number | null,
): Row[] {
  const wanted = text.toLowerCase();
  const found = tables
    .filter((table) => (!wanted || table.name.toLowerCase().includes(wanted)) && (!state || table.status === state))
    .map((table) => ({ table, lag: table.status === "streaming" || table.status === "catching_up" ? lag : null }));
  const column = columns.find((one) => one.key === sort.key);
  if (!column) return found;
  const sign = sort.down ? -1 : 1;
  const values = new Map(found.map((row) => [row, column.value(row)]));
  return found.sort((a, b) => {
    const [one, two] = [values.get(a) ?? 0, values.get(b) ?? 0];
    const order =
      typeof one === "string" && typeof two === "string" ? one.localeCompare(two) : Number(one) - Number(two);
    return order === 0 ? a.table.name.localeCompare(b.table.name) : sign * order;
  });
}
