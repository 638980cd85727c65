import type { ReactNode } from "react";
import { Badge } from "@/ui/Badge";
import { bytes, compact, count, duration, rate } from "@/ui/numbers";
import type { TableStats } from "./data";
import styles from "./TablesGrid.module.css";
import { sum, TABLE_STATES, URGENCY } from "./words";

export type SortKey = "name" | "state" | "rows" | "changes" | "rate" | "bytes" | "lag" | "rejected" | "coerced" | "why";

export interface Row {
  table: TableStats;
  /** Seconds behind the source: the stream's, for a table that follows it. */
  lag: number | null;
}

export interface GridColumn {
  key: SortKey;
  title: string;
  hint: string;
  width: string;
  end?: boolean;
  value: (row: Row) => number | string;
  cell: (row: Row) => ReactNode;
}

/** `5,000 of about 6,000`; the source may not know how many there are. */
export function ofAbout({ rowsWritten, rowsEstimate }: TableStats): string {
  return rowsEstimate ? `${count(rowsWritten)} of about ${count(rowsEstimate)}` : count(rowsWritten);
}

export function changesOf(table: TableStats): number {
  return table.operations.insert + table.operations.update + table.operations.delete + table.operations.truncate;
}

export function changeRate(table: TableStats): number {
  const { insert, update, delete: deletes } = table.operationsPerSecond;
  return insert + update + deletes;
}

const quiet = <span className={styles.quiet}>–</span>;
const number = (value: number) => (value ? count(value) : quiet);

const name: GridColumn = {
  key: "name",
  title: "Table",
  hint: "The source's table",
  width: "minmax(10rem, 2fr)",
  value: ({ table }) => table.name,
  cell: ({ table }) => (
    <span className={styles.name} title={table.name}>
      {table.name}
    </span>
  ),
};

const state: GridColumn = {
  key: "state",
  title: "State",
  hint: "What happens with it now",
  width: "8rem",
  value: ({ table }) => URGENCY[table.status],
  cell: ({ table }) => {
    const [text, tone, meaning] = TABLE_STATES[table.status];
    return (
      <span title={meaning}>
        <Badge tone={tone}>{text}</Badge>
      </span>
    );
  },
};

const rows: GridColumn = {
  key: "rows",
  title: "Rows",
  hint: "Rows that are in the target, of about so many",
  width: "minmax(6rem, 1fr)",
  end: true,
  value: ({ table }) => table.rowsWritten,
  cell: ({ table }) => <RowsCell table={table} />,
};

const changes: GridColumn = {
  key: "changes",
  title: "Changes",
  hint: "Changes applied since the stream began",
  width: "minmax(5.5rem, 1fr)",
  end: true,
  value: ({ table }) => changesOf(table),
  cell: ({ table }) => {
    const { insert, update, delete: deletes, truncate } = table.operations;
    const told = `${count(insert)} inserts, ${count(update)} updates, ${count(deletes)} deletes, ${count(truncate)} truncates`;
    return <span title={told}>{number(changesOf(table))}</span>;
  },
};

const rowRate: GridColumn = {
  key: "rate",
  title: "Rate",
  hint: "Rows per second, over the last seconds",
  width: "6.5rem",
  end: true,
  value: ({ table }) => table.rowsPerSecond,
  cell: ({ table }) => <RateCell value={table.rowsPerSecond} of="rows" />,
};

const changesRate: GridColumn = {
  ...rowRate,
  hint: "Changes per second, over the last seconds; rows while it is copied",
  value: ({ table }) => changeRate(table) || table.rowsPerSecond,
  cell: ({ table }) => {
    const changed = changeRate(table);
    return changed ? <RateCell value={changed} of="chg" /> : <RateCell value={table.rowsPerSecond} of="rows" />;
  },
};

const size: GridColumn = {
  key: "bytes",
  title: "Bytes",
  hint: "Read from the source",
  width: "5.5rem",
  end: true,
  value: ({ table }) => table.bytes,
  cell: ({ table }) => (table.bytes ? bytes(table.bytes) : quiet),
};

const lag: GridColumn = {
  key: "lag",
  title: "Lag",
  hint: "How far it is behind the source; nothing is told of a table that does not follow it",
  width: "4.5rem",
  end: true,
  value: (row) => row.lag ?? -1,
  cell: (row) => (row.lag === null ? quiet : duration(row.lag)),
};

const rejected: GridColumn = {
  key: "rejected",
  title: "Put aside",
  hint: "Rows and changes that the target refused",
  width: "5.5rem",
  end: true,
  value: ({ table }) => table.rowsRejected + table.deadLetters,
  cell: ({ table }) => {
    const all = table.rowsRejected + table.deadLetters;
    return all ? <strong className={styles.warn}>{count(all)}</strong> : quiet;
  },
};

const coerced: GridColumn = {
  key: "coerced",
  title: "Adapted",
  hint: "Values that a policy of the stream has changed",
  width: "5rem",
  end: true,
  value: ({ table }) => sum(table.coerced),
  cell: ({ table }) => (
    <span
      title={Object.entries(table.coerced)
        .map(([what, times]) => `${what}: ${count(times)}`)
        .join("\n")}
    >
      {number(sum(table.coerced))}
    </span>
  ),
};

const why: GridColumn = {
  key: "why",
  title: "Why and fix",
  hint: "What went wrong with it, and what helps",
  width: "minmax(7rem, 3fr)",
  value: ({ table }) => table.error,
  cell: ({ table }) =>
    table.error && (
      <span className={styles.why} title={`${table.error}\n${table.remedy}`}>
        {table.error}
        {table.remedy && <em> Fix: {table.remedy}</em>}
      </span>
    ),
};

const CONVERT = [name, state, rows, rowRate, size, rejected, coerced, why] as const;
const CDC = [name, state, changes, rows, changesRate, size, lag, rejected, coerced, why] as const;

export function columnsOf(mode: string): readonly GridColumn[] {
  return mode === "cdc" ? CDC : CONVERT;
}

const LONG = 10_000;

function RateCell({ value, of }: { value: number; of: string }) {
  if (!value) return quiet;
  return <span title={rate(value, of)}>{value < LONG ? rate(value, of) : `${compact(value)} ${of}/s`}</span>;
}

function RowsCell({ table }: { table: TableStats }) {
  const whole = Math.max(table.rowsEstimate, table.rowsWritten);
  const copying = table.status === "copying" || table.status === "paused";
  const done = whole ? table.rowsWritten / whole : 0;
  return (
    <span className={styles.rows} title={ofAbout(table)}>
      {number(table.rowsWritten)}
      {copying && (
        <span className={styles.track} aria-hidden="true">
          <span style={{ transform: `scaleX(${done})` }} />
        </span>
      )}
    </span>
  );
}
