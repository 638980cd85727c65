import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { useSearchParams } from "react-router";
import { useStore } from "@/api/store";
import { Chart, type Series } from "@/ui/Chart";
import { bytes, compact, duration } from "@/ui/numbers";
import { ErrorState } from "@/ui/States";
import { monitorQueries, type Timeline, type Window } from "./data";
import styles from "./MonitorPage.module.css";
import { joined, type Watch } from "./watch";

const WINDOWS: readonly (readonly [Window, string])[] = [
  ["minutes", "10 min"],
  ["hours", "3 h"],
  ["all", "All"],
];
const RECENT = 5;
const NONE: Timeline = {
  everySeconds: 1,
  at: [],
  rows: [],
  bytes: [],
  inserts: [],
  updates: [],
  deletes: [],
  lagSeconds: [],
  lagBytes: [],
  heldBytes: [],
};

interface Props {
  watch: Watch;
  streamId: string;
  mode: string;
  ended: boolean;
}

/** Throughput and lag: the last ten minutes as they come, or more of the past. */
export function Charts({ watch, streamId, mode, ended }: Props) {
  const [search, setSearch] = useSearchParams();
  const standard: Window = ended ? "all" : "minutes";
  const chosen = WINDOWS.find(([id]) => id === search.get("window"))?.[0] ?? standard;
  const { data, error, refetch } = useQuery(monitorQueries.timeline(streamId, chosen));
  const live = useStore(watch.points);
  const line = useMemo(() => {
    const past = data ?? NONE;
    return live && chosen === "minutes" ? joined(past, live) : past;
  }, [data, live, chosen]);
  const choose = (next: Window) =>
    setSearch(
      (before) => {
        const after = new URLSearchParams(before);
        after.set("window", next);
        return after;
      },
      { replace: true },
    );
  return (
    <section className={styles.charts} aria-label="Throughput and lag">
      <fieldset className={styles.windows}>
        <legend className="visually-hidden">Time shown</legend>
        {WINDOWS.map(([id, label]) => (
          <label key={id}>
            <input type="radio" name="window" checked={chosen === id} onChange={() => choose(id)} />
            {label}
          </label>
        ))}
      </fieldset>
      {error !== null && !data && (
        <ErrorState compact error={error} title="The course so far could not be read" retry={() => void refetch()} />
      )}
      <div className={styles.pair}>{mode === "cdc" ? <Replicated line={line} /> : <Copied line={line} />}</div>
    </section>
  );
}

function Copied({ line }: { line: Timeline }) {
  const rows = useMemo((): Series[] => [{ label: "Rows", values: line.rows, color: 1 }], [line]);
  const size = useMemo((): Series[] => [{ label: "Bytes", values: line.bytes, color: 2 }], [line]);
  return (
    <>
      <Chart title="Rows per second" at={line.at} series={rows} format={compact} every={line.everySeconds} />
      <Chart title="Bytes per second" at={line.at} series={size} format={bytes} every={line.everySeconds} />
    </>
  );
}

function Replicated({ line }: { line: Timeline }) {
  const changes = useMemo(
    (): Series[] => [
      { label: "Inserts", values: line.inserts, color: 1 },
      { label: "Updates", values: line.updates, color: 2 },
      { label: "Deletes", values: line.deletes, color: 3 },
      // what was copied long ago would press the changes flat
      ...(line.rows.slice(-RECENT).some((rows) => rows > 0)
        ? [{ label: "Copied", values: line.rows, color: 4 } satisfies Series]
        : []),
    ],
    [line],
  );
  const lag = useMemo((): Series[] => [{ label: "Lag", values: line.lagSeconds, color: 1 }], [line]);
  return (
    <>
      <Chart title="Changes per second" at={line.at} series={changes} format={compact} every={line.everySeconds} />
      <Chart title="Behind the source" at={line.at} series={lag} format={duration} every={line.everySeconds} />
    </>
  );
}
