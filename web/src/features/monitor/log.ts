import type { Choice } from "@/ui/Field";
import type { LogLine } from "./data";

export interface LogFilter {
  level: string;
  part: string;
  text: string;
  /** `1`: with the lines that only tell counters. */
  counters: string;
}

export const LEVELS: readonly Choice[] = [
  { value: "", label: "Every level" },
  { value: "info", label: "Info and worse" },
  { value: "warn", label: "Warnings and errors" },
  { value: "error", label: "Errors" },
];

const RANK: Record<string, number> = { debug: 0, info: 1, warn: 2, error: 3 };

/** The filter that the address holds. */
export function filterOf(search: URLSearchParams): LogFilter {
  return {
    level: search.get("log-level") ?? "",
    part: search.get("log-part") ?? "",
    text: search.get("log-text") ?? "",
    counters: search.get("log-counters") ?? "",
  };
}

/** The table that a line is about, or nothing. */
export function tableOf(line: LogLine): string {
  const named = line["table"] ?? line["subject"];
  return typeof named === "string" ? named : "";
}

/** Lines that a filter leaves; all of them, and the same array, when it is empty. */
export function matching(lines: readonly LogLine[], { level, part, text, counters }: LogFilter): readonly LogLine[] {
  if (!level && !part && !text && counters) return lines;
  const least = level ? (RANK[level] ?? 0) : -1;
  const wanted = text.toLowerCase();
  return lines.filter(
    (line) =>
      (counters !== "" || line.category !== "stat") &&
      (RANK[line.level] ?? 1) >= least &&
      (!part || line.type === part) &&
      (!wanted || line.message.toLowerCase().includes(wanted) || tableOf(line).toLowerCase().includes(wanted)),
  );
}

/** A line as text, for the clipboard: its time in UTC, as the server's own log has it. */
export function textOf(line: LogLine): string {
  return `${line.timestamp} ${line.level.toUpperCase().padEnd(5)} ${line.type}: ${line.message}`;
}
