import "uplot/dist/uPlot.min.css";
import { useEffect, useRef } from "react";
import uPlot from "uplot";
import { useStore } from "@/api/store";
import { theme } from "@/app/theme";
import styles from "./Chart.module.css";

export interface Series {
  label: string;
  /** One per time; null is a gap. */
  values: readonly (number | null)[];
  /** Which of the four colours. */
  color: 1 | 2 | 3 | 4;
}

interface Props {
  /** What is drawn, for screen readers too. */
  label: string;
  /** Seconds since 1970, rising. */
  times: readonly number[];
  series: readonly Series[];
  /** Numbers as text, with their unit. */
  format: (value: number) => string;
  height?: number;
}

const FONT = '12px "Inter Variable", system-ui, sans-serif';

/** A canvas knows no variables: the colour that one stands for here and now. */
function color(element: Element, name: string): string {
  const probe = document.createElement("span");
  probe.style.color = `var(${name})`;
  element.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}

function options(element: HTMLElement, { series, format, height = 180 }: Props): uPlot.Options {
  const text = color(element, "--text-muted");
  const grid = { stroke: color(element, "--border"), width: 1 };
  return {
    width: Math.max(element.clientWidth, 100),
    height,
    legend: { live: true },
    cursor: { y: false },
    scales: { y: { range: (_plot, _min, max) => [0, (max || 1) * 1.1] } },
    axes: [
      { stroke: text, grid, ticks: grid, font: FONT },
      { stroke: text, grid, ticks: grid, font: FONT, size: 78, values: (_plot, values) => values.map(format) },
    ],
    series: [
      { value: (_plot, value) => (value === null ? "" : new Date(value * 1000).toLocaleTimeString()) },
      ...series.map((one) => ({
        label: one.label,
        stroke: color(element, `--series-${one.color}`),
        width: 1.5,
        points: { show: false },
        value: (_plot: uPlot, value: number | null) => (value === null || value === undefined ? "–" : format(value)),
      })),
    ],
  };
}

function data({ times, series }: Props): uPlot.AlignedData {
  return [[...times], ...series.map((one) => [...one.values])] as uPlot.AlignedData;
}

/** Lines over time. It follows new data without being made anew. */
export function Chart(props: Props) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const latest = useRef(props);
  latest.current = props;
  const chosen = useStore(theme);
  const shape = props.series.map((one) => `${one.label}/${one.color}`).join();

  // biome-ignore lint/correctness/useExhaustiveDependencies: made anew only for other lines or another theme
  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const make = () => {
      plot.current?.destroy();
      plot.current = new uPlot(options(element, latest.current), data(latest.current), element);
    };
    make();
    const dark = window.matchMedia("(prefers-color-scheme: dark)");
    dark.addEventListener("change", make);
    const watch = new ResizeObserver(() => {
      plot.current?.setSize({ width: Math.max(element.clientWidth, 100), height: latest.current.height ?? 180 });
    });
    watch.observe(element);
    return () => {
      dark.removeEventListener("change", make);
      watch.disconnect();
      plot.current?.destroy();
      plot.current = null;
    };
  }, [shape, chosen]);

  // biome-ignore lint/correctness/useExhaustiveDependencies: follows the data
  useEffect(() => plot.current?.setData(data(latest.current)), [props.times, props.series]);

  const newest = props.series.map((one) => {
    const value = one.values.at(-1);
    return `${one.label} ${value === null || value === undefined ? "unknown" : props.format(value)}`;
  });
  return (
    <figure className={styles.chart} style={{ minHeight: (props.height ?? 180) + 30 }}>
      <figcaption className="visually-hidden">
        {props.label}: now {newest.join(", ")}
      </figcaption>
      <div ref={box} aria-hidden="true" />
    </figure>
  );
}
