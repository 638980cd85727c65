import { useQuery } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import { Badge } from "@/ui/Badge";
import { cx } from "@/ui/cx";
import { Checkbox } from "@/ui/Field";
import { bytes, count, duration, plural, rate, share } from "@/ui/numbers";
import { Panel } from "@/ui/Page";
import { StateBadge } from "@/ui/StateBadge";
import { Loaded } from "@/ui/States";
import { Table } from "@/ui/Table";
import { Time } from "@/ui/Time";
import { type Comparison, monitorQueries } from "./data";
import styles from "./HistoryPage.module.css";
import { TABLE_STATES } from "./words";

const NOTABLE = 0.05;
const MOST_TABLES = 300;

type Side = NonNullable<Comparison["tables"][number]["left"]>;

/** Two runs: what was set otherwise, and what became of it, in all and table by table. */
export function ComparisonView({ configId, left, right }: { configId: string; left: string; right: string }) {
  const query = useQuery(monitorQueries.comparison(configId, left, right));
  return (
    <Loaded query={query} failed="The runs could not be compared">
      {(found) => (
        <>
          <Whole found={found} />
          <Settings settings={found.settings} />
          <Tables tables={found.tables} />
        </>
      )}
    </Loaded>
  );
}

interface Line {
  label: string;
  left: React.ReactNode;
  right: React.ReactNode;
}

function Whole({ found }: { found: Comparison }) {
  const [one, two] = [found.left, found.right];
  const lines: Line[] = [
    {
      label: "Started",
      left: <Time at={one.stream.started} as="exact" />,
      right: <Time at={two.stream.started} as="exact" />,
    },
    { label: "State", left: <StateBadge state={one.stream.status} />, right: <StateBadge state={two.stream.status} /> },
    {
      label: "Ran for",
      left: duration(one.brief.elapsed),
      right: <Change from={one.brief.elapsed} to={two.brief.elapsed} text={duration} less />,
    },
    {
      label: "Rows copied",
      left: count(one.brief.rowsWritten),
      right: <Change from={one.brief.rowsWritten} to={two.brief.rowsWritten} text={count} />,
    },
    {
      label: "Read",
      left: bytes(one.brief.bytes),
      right: <Change from={one.brief.bytes} to={two.brief.bytes} text={bytes} />,
    },
    {
      label: "Rate",
      left: rate(one.brief.rowsPerSecond, "rows"),
      right: (
        <Change
          from={one.brief.rowsPerSecond}
          to={two.brief.rowsPerSecond}
          text={(value) => rate(value, "rows")}
          more
        />
      ),
    },
    { label: "Changes applied", left: count(one.brief.changesApplied), right: count(two.brief.changesApplied) },
    {
      label: "Put aside",
      left: count(one.brief.rowsRejected),
      right: <Change from={one.brief.rowsRejected} to={two.brief.rowsRejected} text={count} less />,
    },
    {
      label: "Tables stopped",
      left: count(one.brief.tablesFailed),
      right: <Change from={one.brief.tablesFailed} to={two.brief.tablesFailed} text={count} less />,
    },
    ...(one.stream.error || two.stream.error
      ? [{ label: "Why it failed", left: one.stream.error || "–", right: two.stream.error || "–" }]
      : []),
  ];
  return (
    <Panel title="In all" flush>
      <Table
        label="Both runs in all"
        rows={lines}
        rowKey={(line) => line.label}
        columns={[
          { id: "label", header: "", cell: (line) => line.label },
          { id: "left", header: "Earlier run", cell: (line) => line.left },
          { id: "right", header: "Later run", cell: (line) => line.right },
        ]}
      />
    </Panel>
  );
}

interface ChangeProps {
  from: number;
  to: number;
  text: (value: number) => string;
  /** Fewer is better, or more is; without either it is told and not judged. */
  less?: boolean;
  more?: boolean;
}

function Change({ from, to, text, less, more }: ChangeProps) {
  const by = from ? (to - from) / from : 0;
  const notable = Math.abs(by) >= NOTABLE || (from === 0) !== (to === 0);
  const better = less ? to < from : to > from;
  const judged = notable && (less || more) && (better ? styles.better : styles.worse);
  return (
    <span className={cx(judged)}>
      {text(to)}
      {notable && from > 0 && ` (${by > 0 ? "+" : "−"}${share(Math.abs(by))})`}
    </span>
  );
}

function Settings({ settings }: { settings: Comparison["settings"] }) {
  return (
    <Panel title="Settings that differ" flush={settings.length > 0}>
      {settings.length ? (
        <Table
          label="Settings that differ"
          rows={settings}
          rowKey={(line) => line.setting}
          columns={[
            { id: "setting", header: "Setting", cell: (line) => <code>{line.setting}</code> },
            { id: "left", header: "Earlier run", cell: (line) => <code>{line.left || "not set"}</code> },
            { id: "right", header: "Later run", cell: (line) => <code>{line.right || "not set"}</code> },
          ]}
        />
      ) : (
        <p className={styles.hint}>None: both were told the same.</p>
      )}
    </Panel>
  );
}

function Tables({ tables }: { tables: Comparison["tables"] }) {
  const [differing, setDiffering] = useState(tables.length > MOST_TABLES);
  const found = useMemo(() => (differing ? tables.filter(differs) : tables), [tables, differing]);
  const shown = found.slice(0, MOST_TABLES);
  return (
    <Panel
      title="Table by table"
      flush
      actions={<Checkbox label="Only those that differ" checked={differing} onChecked={setDiffering} />}
    >
      <Table
        label="Table by table"
        rows={shown}
        rowKey={(table) => table.name}
        columns={[
          { id: "name", header: "Table", cell: (table) => table.name },
          { id: "state", header: "State", cell: (table) => <States left={table.left} right={table.right} /> },
          {
            id: "rows",
            header: "Rows",
            align: "end",
            cell: (table) => <Both {...table} of={(side) => side.rows} text={count} />,
          },
          {
            id: "time",
            header: "Time",
            align: "end",
            cell: (table) => <Both {...table} of={(side) => side.seconds} text={duration} less />,
          },
          {
            id: "rate",
            header: "Rate",
            align: "end",
            wide: true,
            cell: (table) => (
              <Both {...table} of={(side) => side.rowsPerSecond} text={(value) => rate(value, "rows")} more />
            ),
          },
          {
            id: "rejected",
            header: "Put aside",
            align: "end",
            wide: true,
            cell: (table) => <Both {...table} of={(side) => side.rejected} text={count} less />,
          },
          {
            id: "changes",
            header: "Changes",
            align: "end",
            wide: true,
            cell: (table) => <Both {...table} of={(side) => side.changes} text={count} />,
          },
        ]}
      />
      {found.length > shown.length && (
        <p className={styles.hint}>
          and {plural(found.length - shown.length, "more table")}: show only those that differ.
        </p>
      )}
    </Panel>
  );
}

function differs({ left, right }: Comparison["tables"][number]): boolean {
  return (
    !left || !right || left.status !== right.status || left.rows !== right.rows || left.rejected !== right.rejected
  );
}

function States({ left, right }: { left: Side | null; right: Side | null }) {
  return (
    <span className={styles.pair}>
      {[left, right].map((side, place) => {
        if (!side)
          return (
            <Badge key={place ? "right" : "left"}>{place ? "not in the later run" : "not in the earlier run"}</Badge>
          );
        const [text, tone] = TABLE_STATES[side.status];
        if (place && left?.status === side.status) return null;
        return (
          <span key={place ? "right" : "left"} title={side.error}>
            <Badge tone={tone}>{text}</Badge>
          </span>
        );
      })}
    </span>
  );
}

interface BothProps {
  left: Side | null;
  right: Side | null;
  of: (side: Side) => number;
  text: (value: number) => string;
  less?: boolean;
  more?: boolean;
}

function Both({ left, right, of, text, less = false, more = false }: BothProps) {
  const from = left ? of(left) : null;
  const to = right ? of(right) : null;
  if (from !== null && to !== null && from === to) return <span className={styles.same}>{text(from)}</span>;
  return (
    <span className={styles.pair}>
      <span className={styles.before}>{from === null ? "–" : text(from)} →</span>
      {to === null ? "–" : <Change from={from ?? 0} to={to} text={text} less={less} more={more} />}
    </span>
  );
}
