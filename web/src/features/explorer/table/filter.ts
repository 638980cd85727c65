/** A filter as the page edits it: conditions that all hold, or of which one does. */
export interface FilterRow {
  column: string;
  operator: string;
  /** One value, or several with commas for the operators that take them. */
  value: string;
}

export interface FilterState {
  match: "all" | "any";
  rows: readonly FilterRow[];
}

/** Operators with how many values they take; -1 is a list. */
export const OPERATORS: readonly (readonly [operator: string, label: string, values: number])[] = [
  ["=", "is", 1],
  ["!=", "is not", 1],
  ["<", "is less than", 1],
  ["<=", "is at most", 1],
  [">", "is greater than", 1],
  [">=", "is at least", 1],
  ["CONTAINS", "contains", 1],
  ["NOT CONTAINS", "does not contain", 1],
  ["STARTS WITH", "starts with", 1],
  ["ENDS WITH", "ends with", 1],
  ["IN", "is one of (a, b, c)", -1],
  ["NOT IN", "is none of (a, b, c)", -1],
  ["BETWEEN", "is between (a, b)", 2],
  ["IS NULL", "is NULL", 0],
  ["IS NOT NULL", "is not NULL", 0],
];

export function valuesOf(operator: string): number {
  return OPERATORS.find(([name]) => name === operator)?.[2] ?? 1;
}

export const NO_FILTER: FilterState = { match: "all", rows: [] };

/** As the API takes it; empty for no conditions. */
export function filterJson(state: FilterState): string {
  const parts = state.rows
    .filter((row) => row.column)
    .map(({ column, operator, value }) => {
      const number = valuesOf(operator);
      if (number === 0) return { column, operator };
      return { column, operator, value: number === 1 ? value : value.split(",").map((part) => part.trim()) };
    });
  return parts.length > 0 ? JSON.stringify({ [state.match]: parts }) : "";
}

/** What `filterJson` made, as the page edits it; no filter for anything else. */
export function readFilter(json: string): FilterState {
  try {
    const sent: unknown = JSON.parse(json);
    if (typeof sent !== "object" || sent === null) return NO_FILTER;
    const match = "any" in sent ? "any" : "all";
    const parts: unknown = (sent as Record<string, unknown>)[match];
    return Array.isArray(parts) ? { match, rows: parts.map(readRow) } : NO_FILTER;
  } catch {
    return NO_FILTER;
  }
}

function readRow(part: unknown): FilterRow {
  const sent = (typeof part === "object" && part !== null ? part : {}) as Record<string, unknown>;
  const value = Array.isArray(sent.value) ? sent.value.join(", ") : String(sent.value ?? "");
  return { column: String(sent.column ?? ""), operator: String(sent.operator ?? "="), value };
}
