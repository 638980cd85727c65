import { describe, expect, it } from "vitest";
import { withHoles } from "@/ui/Chart";
import type { LogLine, TableStats, Timeline } from "./data";
import { matching, textOf } from "./log";
import { joined, MOST_LINES, Watch } from "./watch";

function line(number: number, more: Partial<LogLine> = {}): LogLine {
  return {
    number,
    streamId: "stream_1",
    level: "info",
    timestamp: "2026-01-02T03:04:05Z",
    message: `line ${number}`,
    type: "api",
    category: "general",
    ...more,
  };
}

function hear(watch: Watch, name: string, data: unknown): void {
  watch.take({ name, data: JSON.stringify(data), id: "" });
}

function table(name: string, rowsRead: number): Partial<TableStats> {
  return { name, rowsRead, status: "copying" };
}

function stats(full: boolean, tables: unknown[], more: object = {}) {
  return { full, tables, at: 1, stream: { status: "RUNNING" }, alerts: [], counts: {}, ...more };
}

function timeline(at: number[]): Timeline {
  const zeros = at.map(() => 0);
  return {
    everySeconds: 1,
    at,
    rows: at,
    bytes: zeros,
    inserts: zeros,
    updates: zeros,
    deletes: zeros,
    lagSeconds: zeros,
    lagBytes: zeros,
    heldBytes: zeros,
  };
}

describe("counters", () => {
  it("are put together from the first event and what changed since", () => {
    const watch = new Watch();
    hear(watch, "stats", stats(true, [table("a", 1), table("b", 2)]));
    const before = watch.tables.get();
    hear(watch, "stats", stats(false, [{ name: "b", rowsRead: 9 }]));
    const [a, b] = watch.tables.get();
    expect([a?.rowsRead, b?.rowsRead, b?.status]).toEqual([1, 9, "copying"]);
    expect(a).toBe(before[0]);
  });

  it("begin anew when the server tells of all tables again", () => {
    const watch = new Watch();
    hear(watch, "stats", stats(true, [table("a", 1), table("b", 2)]));
    hear(watch, "stats", stats(true, [table("b", 3)]));
    expect(watch.tables.get().map((one) => one.name)).toEqual(["b"]);
  });

  it("keep apart tables that are called like members of an object", () => {
    const watch = new Watch();
    hear(watch, "stats", stats(true, [table("__proto__", 1), table("constructor", 2)]));
    hear(watch, "stats", stats(false, [{ name: "__proto__", rowsRead: 5 }]));
    expect(watch.tables.get().map((one) => [one.name, one.rowsRead])).toEqual([
      ["__proto__", 5],
      ["constructor", 2],
    ]);
  });
});

describe("the log", () => {
  it("has each line once, whatever comes again after a break", () => {
    const watch = new Watch();
    hear(watch, "log", { missed: false, lines: [line(1), line(2)] });
    hear(watch, "log", { missed: false, lines: [line(2), line(3)] });
    expect(watch.log.get().lines.map((one) => one.number)).toEqual([1, 2, 3]);
  });

  it("says where lines are missing", () => {
    const watch = new Watch();
    hear(watch, "log", { missed: false, lines: [line(1)] });
    hear(watch, "log", { missed: true, lines: [line(900), line(901)] });
    expect([...watch.log.get().gaps]).toEqual([900]);
  });

  it("stays bounded", () => {
    const watch = new Watch();
    for (let batch = 0; batch < 60; batch += 1) {
      hear(watch, "log", { missed: false, lines: Array.from({ length: 500 }, (_, at) => line(batch * 500 + at + 1)) });
    }
    const { lines } = watch.log.get();
    expect(lines.length).toBeLessThanOrEqual(MOST_LINES + 2_000);
    expect(lines.at(-1)?.number).toBe(30_000);
  });

  it("takes older lines in front, and those only", () => {
    const watch = new Watch();
    hear(watch, "log", { missed: false, lines: [line(5), line(6)] });
    watch.prepend([line(3), line(4), line(5)]);
    expect(watch.log.get().lines.map((one) => one.number)).toEqual([3, 4, 5, 6]);
  });

  it("is filtered by level, side, text and table", () => {
    const lines = [
      line(1),
      line(2, { level: "warn", type: "source" }),
      line(3, { level: "error", table: "shop.Orders" }),
      line(4, { level: "debug" }),
      line(5, { category: "stat" }),
    ];
    const found = (filter: object) =>
      matching(lines, { level: "", part: "", text: "", counters: "", ...filter }).map((one) => one.number);
    expect(found({})).toEqual([1, 2, 3, 4]);
    expect(found({ counters: "1" })).toEqual([1, 2, 3, 4, 5]);
    expect(found({ level: "warn" })).toEqual([2, 3]);
    expect(found({ level: "info" })).toEqual([1, 2, 3]);
    expect(found({ part: "source" })).toEqual([2]);
    expect(found({ text: "orders" })).toEqual([3]);
    expect(found({ text: "LINE 4" })).toEqual([4]);
    expect(textOf(line(1))).toBe("2026-01-02T03:04:05Z INFO  api: line 1");
  });
});

describe("moves and alerts", () => {
  it("are told, and have troubles looked at anew", () => {
    const watch = new Watch();
    hear(watch, "state", { before: "RUNNING", now: "PAUSED", message: "on request" });
    expect(watch.told.get()).toEqual({ text: "paused. on request", urgent: false });
    hear(watch, "alert", line(1, { level: "warn", message: "far behind" }));
    expect(watch.told.get()).toEqual({ text: "far behind", urgent: true });
    expect(watch.alarms.get()).toBe(2);
    hear(watch, "nothing that is known", {});
  });
});

describe("points", () => {
  it("are joined without a point twice, and no more than ten minutes of them", () => {
    expect(joined(timeline([1, 2]), timeline([2, 3])).rows).toEqual([1, 2, 3]);
    const long = joined(timeline(Array.from({ length: 600 }, (_, at) => at)), timeline([600, 601]));
    expect([long.at.length, long.at[0], long.at.at(-1)]).toEqual([600, 2, 601]);
  });

  it("have a hole where nothing was measured", () => {
    expect(withHoles([1, 2, 60], [[5, 6, 7]], 4)).toEqual([
      [1, 2, 31, 60],
      [5, 6, null, 7],
    ]);
    expect(withHoles([60], [[5]], 4)).toEqual([
      [40, 60],
      [null, 5],
    ]);
  });
});
