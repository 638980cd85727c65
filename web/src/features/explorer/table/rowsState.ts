import { useCallback, useMemo, useRef } from "react";
import { useSearchParams } from "react-router";
import type { RowsAsked } from "../queries";

export const SIZES = [50, 100, 250, 500, 1000] as const;
const DEFAULT_SIZE = 100;

type Order = RowsAsked["order"];

/** What the address asks of a table: so a link leads to the same rows. */
export function readAsked(search: URLSearchParams): RowsAsked {
  const size = Number(search.get("size") ?? DEFAULT_SIZE);
  return {
    order: readOrder(search.get("sort") ?? ""),
    filter: search.get("filter") ?? "",
    where: search.get("where") ?? "",
    limit: SIZES.find((one) => one === size) ?? DEFAULT_SIZE,
    offset: whole(search.get("offset")),
    after: search.get("after") ?? "",
    before: search.get("before") ?? "",
    skip: whole(search.get("skip")),
  };
}

function whole(text: string | null): number {
  const value = Number(text ?? 0);
  return Number.isSafeInteger(value) && value > 0 ? value : 0;
}

/** `[["name", 1], ["id", 0]]`: 1 is descending. */
function readOrder(text: string): Order {
  try {
    const sent: unknown = JSON.parse(text || "[]");
    if (!Array.isArray(sent)) return [];
    return sent.flatMap((part: unknown) =>
      Array.isArray(part) && typeof part[0] === "string" ? [{ column: part[0], descending: part[1] === 1 }] : [],
    );
  } catch {
    return [];
  }
}

export function writeOrder(order: Order): string {
  return order.length > 0 ? JSON.stringify(order.map((by) => [by.column, by.descending ? 1 : 0])) : "";
}

/** The order after a click on a column: ascending, descending, none; with Shift beside what was there. */
export function sortedBy(order: Order, column: string, add: boolean): Order {
  const before = order.find((by) => by.column === column);
  const others = add ? order.filter((by) => by.column !== column) : [];
  if (before?.descending) return others;
  return [...others, { column, descending: before !== undefined }];
}

type Changes = Partial<
  Record<"sort" | "filter" | "where" | "size" | "offset" | "after" | "before" | "skip", string | number>
>;

interface PageFound {
  count: number;
  first: string | null;
  last: string | null;
}

/** The rows that are asked for, and the ways to others. */
export function useRowsState() {
  const [search, setSearch] = useSearchParams();
  const asked = useMemo(() => readAsked(search), [search]);
  // Positions that pages have told of, by the number of rows in front of them: a jump begins at the nearest one.
  const anchors = useRef(new Map<number, string>());
  const known = useRef("");
  const change = useCallback(
    (changes: Changes) => {
      setSearch((before) => {
        const after = new URLSearchParams(before);
        for (const [name, value] of Object.entries(changes)) {
          if (value) after.set(name, String(value));
          else after.delete(name);
        }
        return after;
      });
    },
    [setSearch],
  );
  const at = useCallback((place: Changes) => change({ offset: 0, after: "", before: "", skip: 0, ...place }), [change]);
  const remember = useCallback(
    (page: PageFound) => {
      const of = JSON.stringify([asked.order, asked.filter, asked.where]);
      if (known.current !== of) {
        anchors.current.clear();
        known.current = of;
      }
      if (page.last && asked.before !== "end") anchors.current.set(asked.offset + page.count, page.last);
    },
    [asked],
  );
  const jump = (offset: number) => {
    const nearest = Math.max(0, ...[...anchors.current.keys()].filter((one) => one <= offset));
    const after = anchors.current.get(nearest);
    at(after === undefined ? { offset } : { offset, after, skip: offset - nearest });
  };
  return {
    asked,
    remember,
    sort: (column: string, add: boolean) => at({ sort: writeOrder(sortedBy(asked.order, column, add)) }),
    filter: (filter: string, where: string) => at({ filter, where }),
    everything: () => at({ filter: "", where: "", sort: "" }),
    size: (size: number) => at({ size: size === DEFAULT_SIZE ? 0 : size }),
    first: () => at({}),
    next: (page: PageFound) => {
      const offset = asked.offset + page.count;
      at(page.last ? { offset, after: page.last } : { offset });
    },
    previous: (page: PageFound) => {
      const offset = Math.max(0, asked.offset - asked.limit);
      if (offset === 0 && asked.before !== "end") at({});
      else at(page.first ? { offset, before: page.first } : { offset });
    },
    last: (total: number) => at({ offset: Math.max(0, total - asked.limit), before: "end" }),
    jump,
  };
}
