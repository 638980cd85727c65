import { useEffect, useEffectEvent, useId, useRef, useState } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { useStore } from "@/api/store";
import { theme } from "@/app/theme";
import styles from "./Chart.module.css";
import { clockTime, exactTime } from "./time";

export interface Series {
  label: string;
  values: readonly (number | null)[];
  /** Which of the four colours. */
  color: 1 | 2 | 3 | 4;
}

interface Props {
  title: string;
  /** Seconds since 1970, rising. */
  at: readonly number[];
  series: readonly Series[];
  /** A value for reading, with its unit. */
  format: (value: number) => string;
  /** Seconds between two points; a hole that is much longer is shown as one. */
  every: number;
  height?: number;
}

const HEIGHT = 168;
const HOLE = 4;
const FEW = 3;
const STILL_NOW_S = 10;
const SHORTEST_S = 20;

/** Lines over time, with the values at the pointer (or the newest) above them. */
export function Chart({ title, at, series, format, every, height = HEIGHT }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const [pointed, setPointed] = useState<number | null>(null);
  const label = useId();
  const chosen = useStore(theme);
  const systemDark = useMedia("(prefers-color-scheme: dark)");
  const names = series.map((one) => `${one.label}\t--series-${one.color}`).join("\n");
  const shown = useEffectEvent((value: number) => format(value));

  // biome-ignore lint/correctness/useExhaustiveDependencies: another theme has other colours, which the canvas must be told
  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const paint = painter(element);
    const lines = names.split("\n").map((line) => line.split("\t"));
    const made = new uPlot(
      {
        width: element.clientWidth || 300,
        height,
        legend: { show: false },
        cursor: { y: false, points: { size: 6 }, drag: { x: false, y: false } },
        scales: { x: { range: spread }, y: { range: (_, __, max) => [0, max > 0 ? max * 1.1 : 1] } },
        series: [
          {},
          ...(lines.map(([text, color]) => ({
            label: text ?? "",
            stroke: paint(color ?? "--text"),
            width: 1.6,
            fill: lines.length === 1 ? paint(color ?? "--text", 0.1) : undefined,
            points: { show: (self) => self.data[0].length <= FEW },
            spanGaps: false,
          })) as uPlot.Series[]),
        ],
        axes: [axis(paint, 0, moments), axis(paint, 64, (_, values) => values.map((value) => shown(value)))],
        hooks: { setCursor: [(self) => setPointed(self.cursor.idx ?? null)] },
      },
      [[], ...lines.map(() => [])] as uPlot.AlignedData,
      element,
    );
    plot.current = made;
    const observer = new ResizeObserver(([entry]) => {
      if (entry) made.setSize({ width: Math.floor(entry.contentRect.width), height });
    });
    observer.observe(element);
    return () => {
      observer.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [names, height, chosen, systemDark]);

  // biome-ignore lint/correctness/useExhaustiveDependencies: a plot that was made anew needs its data again
  useEffect(() => {
    plot.current?.setData(
      withHoles(
        at,
        series.map((one) => one.values),
        every * HOLE,
      ) as uPlot.AlignedData,
    );
  }, [at, series, every, names, chosen, systemDark]);

  const place = pointed !== null && pointed < at.length ? pointed : at.length - 1;
  const last = at.at(-1) ?? 0;
  const isNow = pointed === null && Date.now() / 1000 - last < every + STILL_NOW_S;
  const summary = series.map(
    (one) => `${one.label}: ${told(one.values.at(-1), format)}, highest ${told(highest(one.values), format)}`,
  );
  return (
    <figure className={styles.chart} aria-labelledby={label}>
      <figcaption id={label} className={styles.head}>
        <span className={styles.title}>{title}</span>
        <span className={styles.values} aria-hidden="true">
          {series.map((one) => (
            <span key={one.label} className={styles.value}>
              <i style={{ background: `var(--series-${one.color})` }} />
              {series.length > 1 && `${one.label} `}
              <b>{told(one.values[place], format)}</b>
            </span>
          ))}
          <span className={styles.when} title={exactTime(at[place])}>
            {isNow || !at[place] ? "now" : clockTime(at[place])}
          </span>
        </span>
        <span className="visually-hidden">{summary.join("; ")}</span>
      </figcaption>
      <div ref={box} className={styles.plot} style={{ height }} aria-hidden="true" />
      {at.length === 0 && <p className={styles.empty}>Nothing has been measured yet</p>}
    </figure>
  );
}

function told(value: number | null | undefined, format: (value: number) => string): string {
  return value === null || value === undefined ? "–" : format(value);
}

function highest(values: readonly (number | null)[]): number | null {
  let most: number | null = null;
  for (const value of values) if (value !== null && (most === null || value > most)) most = value;
  return most;
}

/** A stretch of time that is worth an axis, also around a single point. */
function spread(_: uPlot, least: number | null, most: number | null): [number, number] {
  const from = least ?? Date.now() / 1000 - SHORTEST_S;
  const to = most ?? from + SHORTEST_S;
  return to - from < SHORTEST_S ? [to - SHORTEST_S, to] : [from, to];
}

const DAY_S = 86_400;
const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const exactClock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const day = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });

/** Times below the axis, no finer than their distance. */
function moments(_: uPlot, at: number[]): string[] {
  const step = (at[1] ?? 0) - (at[0] ?? 0);
  const format = (at.at(-1) ?? 0) - (at[0] ?? 0) > DAY_S ? day : step && step < 60 ? exactClock : clock;
  return at.map((one) => format.format(one * 1000));
}

function axis(paint: Paint, size: number, values: uPlot.Axis.DynamicValues): uPlot.Axis {
  return {
    stroke: paint("--text-muted"),
    grid: { stroke: paint("--border"), width: 1 },
    ticks: { show: false },
    font: '11px "Inter Variable", system-ui, sans-serif',
    gap: 6,
    values,
    ...(size ? { size, space: 40 } : { size: 28, space: 84 }),
  };
}

type Paint = (variable: string, alpha?: number) => string;

/** Reads what a variable is in this theme: the canvas knows no var() and no light-dark(). */
function painter(element: HTMLElement): Paint {
  return (variable, alpha) => {
    element.style.color = `var(${variable})`;
    const color = getComputedStyle(element).color;
    element.style.color = "";
    return alpha === undefined ? color : color.replace(/^rgb\((.*)\)$/, `rgb($1 / ${alpha})`).replaceAll(",", "");
  };
}

/** Columns for the plot, with an empty point in every hole that is longer than some seconds. */
export function withHoles(
  at: readonly number[],
  columns: readonly (readonly (number | null)[])[],
  longest_s: number,
): (number | null)[][] {
  const all: (number | null)[][] = [[], ...columns.map((): (number | null)[] => [])];
  const first = at[0];
  if (at.length === 1 && first !== undefined) {
    all[0]?.push(first - SHORTEST_S); // by a single point no time can be drawn
    for (const column of all.slice(1)) column.push(null);
  }
  at.forEach((moment, place) => {
    const before = at[place - 1];
    if (before !== undefined && moment - before > longest_s) {
      all[0]?.push((before + moment) / 2);
      for (const column of all.slice(1)) column.push(null);
    }
    all[0]?.push(moment);
    columns.forEach((column, number) => {
      all[number + 1]?.push(column[place] ?? null);
    });
  });
  return all;
}

function useMedia(query: string): boolean {
  const [matches, setMatches] = useState(() => window.matchMedia?.(query).matches ?? false);
  useEffect(() => {
    const list = window.matchMedia?.(query);
    if (!list) return;
    const listen = () => setMatches(list.matches);
    list.addEventListener("change", listen);
    return () => list.removeEventListener("change", listen);
  }, [query]);
  return matches;
}
