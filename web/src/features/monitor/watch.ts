import { useEffect, useState } from "react";
import { type EventsState, openEvents, type ServerEvent } from "@/api/sse";
import { Store } from "@/api/store";
import type { LogLine, TableStats, Timeline, Watched } from "./data";

/** Lines that a page keeps; the server has more, and older ones are loaded when asked for. */
export const MOST_LINES = 20_000;
const SLACK_LINES = 2_000;
const MOST_POINTS = 600;

export type Head = Omit<Watched, "tables" | "full">;

export interface Log {
  /** The same array for as long as lines are only added; `version` grows with each change. */
  lines: LogLine[];
  version: number;
  /** Numbers of lines before which some are no longer kept by the server. */
  gaps: ReadonlySet<number>;
}

/** A move of the stream, for those who listen to the page instead of looking at it. */
export interface Told {
  text: string;
  urgent: boolean;
}

/**
 * What the server tells of one stream, kept outside of React: each part is a store of its own, so that a line of the log
 * renders no table and a counter no line.
 */
export class Watch {
  readonly head = new Store<Head | null>(null);
  readonly tables = new Store<readonly TableStats[]>([]);
  readonly log = new Store<Log>({ lines: [], version: 0, gaps: new Set() });
  readonly points = new Store<Timeline | null>(null);
  readonly told = new Store<Told | null>(null);
  readonly connection = new Store<EventsState>("connecting");
  readonly gone = new Store(false);
  /** Grows when something was warned of, failed, or is over: what lists such things asks anew. */
  readonly alarms = new Store(0);
  #byName = new Map<string, TableStats>();
  #last = 0;

  open(streamId: string): () => void {
    return openEvents(`/api/v1/streams/${encodeURIComponent(streamId)}/events`, {
      onEvent: (event) => this.take(event),
      onState: this.connection.set,
    });
  }

  take(event: ServerEvent): void {
    const take = this.#takers[event.name];
    take?.(JSON.parse(event.data) as never); // the server's models say what each event carries
  }

  /** Older lines, put before those that are there. */
  prepend(older: readonly LogLine[]): void {
    const { lines, version, gaps } = this.log.get();
    const first = lines[0]?.number ?? Number.POSITIVE_INFINITY;
    const fresh = older.filter((line) => line.number < first);
    if (fresh.length) this.log.set({ lines: [...fresh, ...lines], version: version + 1, gaps });
  }

  readonly #takers: Record<string, ((data: never) => void) | undefined> = {
    stats: (data: Watched) => this.#takeStats(data),
    log: (data: { missed: boolean; lines: LogLine[] }) => this.#takeLines(data.lines, data.missed),
    points: (data: Timeline) => this.#takePoints(data),
    state: (data: { now: string; message: string }) => this.#tell(`${data.now.toLowerCase()}. ${data.message}`, false),
    alert: (data: LogLine) => this.#tell(data.message, data.level !== "info"),
    gone: () => this.gone.set(true),
  };

  #takeStats({ full, tables, ...head }: Watched): void {
    if (full) this.#byName = new Map();
    for (const table of tables) {
      const before = this.#byName.get(table.name);
      this.#byName.set(table.name, before ? { ...before, ...table } : table);
    }
    if (full || tables.length) this.tables.set([...this.#byName.values()]);
    const before = this.head.get();
    if (before && (before.alerts.length !== head.alerts.length || before.counts.failed !== head.counts.failed)) {
      this.alarms.set(this.alarms.get() + 1);
    }
    this.head.set(head);
  }

  #takeLines(lines: LogLine[], missed: boolean): void {
    const fresh = lines.filter((line) => line.number > this.#last);
    const first = fresh[0];
    const newest = fresh.at(-1);
    if (!first || !newest) return;
    this.#last = newest.number;
    const log = this.log.get();
    let kept = log.lines;
    for (const line of fresh) kept.push(line);
    if (kept.length > MOST_LINES + SLACK_LINES) kept = kept.slice(-MOST_LINES);
    const gaps = missed && kept.length > fresh.length ? new Set([...log.gaps, first.number]) : log.gaps;
    this.log.set({ lines: kept, version: log.version + 1, gaps });
    if (fresh.some((line) => line.level === "warn" || line.level === "error" || line.category === "alert")) {
      this.alarms.set(this.alarms.get() + 1);
    }
  }

  #takePoints(more: Timeline): void {
    const before = this.points.get();
    this.points.set(before ? joined(before, more) : more);
  }

  #tell(text: string, urgent: boolean): void {
    this.told.set({ text, urgent });
    this.alarms.set(this.alarms.get() + 1);
  }
}

/** Points with later ones behind them, as many as ten minutes have. */
export function joined(before: Timeline, more: Timeline): Timeline {
  const newest = before.at.at(-1) ?? 0;
  const from = more.at.findIndex((at) => at > newest + 0.0005);
  if (from < 0) return before;
  const all = { ...before };
  for (const name of COLUMNS) {
    const column: (number | null)[] = [...before[name], ...more[name].slice(from)];
    Object.assign(all, { [name]: column.slice(-MOST_POINTS) });
  }
  return all;
}

const COLUMNS = [
  "at",
  "rows",
  "bytes",
  "inserts",
  "updates",
  "deletes",
  "lagSeconds",
  "lagBytes",
  "heldBytes",
] as const satisfies readonly (keyof Timeline)[];

/** The watch of a stream for as long as the page is there. */
export function useWatch(streamId: string): Watch {
  const [watch, setWatch] = useState(() => ({ streamId, of: new Watch() }));
  let current = watch;
  if (watch.streamId !== streamId) {
    current = { streamId, of: new Watch() };
    setWatch(current);
  }
  useEffect(() => current.of.open(current.streamId), [current]);
  return current.of;
}
