import { queryOptions } from "@tanstack/react-query";
import { api, call } from "@/api/client";
import type { ObjectPlace } from "./place";

const TREE_STALE_MS = 60_000;
const IN_DATABASE = "/api/v1/connections/{connection_id}/databases/{database}";

export interface RowsAsked {
  order: readonly { column: string; descending: boolean }[];
  filter: string;
  where: string;
  limit: number;
  offset: number;
  after: string;
  before: string;
  skip: number;
}

/** The order, as two parameters; names go as JSON, since they may hold commas. */
export function orderParams(order: RowsAsked["order"]): { order_by?: string; order_dir?: string } {
  if (order.length === 0) return {};
  return {
    order_by: JSON.stringify(order.map((by) => by.column)),
    order_dir: order.map((by) => (by.descending ? "desc" : "asc")).join(","),
  };
}

const pathOfTable = (place: ObjectPlace) => ({
  connection_id: place.connectionId,
  database: place.database,
  table: place.name,
});

/** The explorer's questions. Those about one table have keys that begin with `["explorer", "table", …its place]`. */
export const explorerQueries = {
  databases: (connectionId: string, includeSystem: boolean) =>
    queryOptions({
      queryKey: ["explorer", "databases", connectionId, includeSystem],
      staleTime: TREE_STALE_MS,
      queryFn: ({ signal }) =>
        call(
          api.GET("/api/v1/connections/{connection_id}/databases", {
            params: { path: { connection_id: connectionId }, query: { include_system: includeSystem } },
            signal,
          }),
        ),
    }),
  objects: (connectionId: string, database: string, includeSystem: boolean) =>
    queryOptions({
      queryKey: ["explorer", "objects", connectionId, database, includeSystem],
      staleTime: TREE_STALE_MS,
      queryFn: ({ signal }) =>
        call(
          api.GET(`${IN_DATABASE}/objects`, {
            params: { path: { connection_id: connectionId, database }, query: { include_system: includeSystem } },
            signal,
          }),
        ),
    }),
  overview: (connectionId: string, database: string) =>
    queryOptions({
      queryKey: ["explorer", "overview", connectionId, database],
      queryFn: ({ signal }) =>
        call(
          api.GET(`${IN_DATABASE}/overview`, { params: { path: { connection_id: connectionId, database } }, signal }),
        ),
    }),
  meta: (connectionId: string, database: string) =>
    queryOptions({
      queryKey: ["explorer", "meta", connectionId, database],
      staleTime: TREE_STALE_MS,
      queryFn: async ({ signal }) => {
        const found = await call(
          api.GET(`${IN_DATABASE}/meta`, { params: { path: { connection_id: connectionId, database } }, signal }),
        );
        if ("stats" in found) throw new Error("the server sent the short form");
        return found;
      },
    }),
  structure: (place: ObjectPlace) =>
    queryOptions({
      queryKey: [...tableKey(place), "structure"],
      queryFn: ({ signal }) =>
        call(
          api.GET(`${IN_DATABASE}/tables/{table}/structure`, {
            params: { path: pathOfTable(place), query: { schema: place.schema } },
            signal,
          }),
        ),
    }),
  definition: (place: ObjectPlace) =>
    queryOptions({
      queryKey: [...tableKey(place), "definition", place.kind, place.of ?? ""],
      queryFn: ({ signal }) =>
        call(
          api.GET(`${IN_DATABASE}/definition`, {
            params: {
              path: { connection_id: place.connectionId, database: place.database },
              query: { kind: place.kind, name: place.name, schema: place.schema, signature: place.of ?? "" },
            },
            signal,
          }),
        ),
    }),
  rows: (place: ObjectPlace, asked: RowsAsked) =>
    queryOptions({
      queryKey: [...tableKey(place), "rows", asked],
      // Rows that others change: never shown from memory without asking.
      staleTime: 0,
      queryFn: ({ signal }) => {
        const { order, filter, where, limit, offset, after, before, skip } = asked;
        return call(
          api.GET(`${IN_DATABASE}/tables/{table}/data`, {
            params: {
              path: pathOfTable(place),
              query: {
                ...orderParams(order),
                schema: place.schema,
                skip_count: true,
                ...{ filter, where, limit, offset, after, before, skip },
              },
            },
            signal,
          }),
        );
      },
    }),
  count: (place: ObjectPlace, filter: string, where: string, exact: boolean, seconds = 5) =>
    queryOptions({
      queryKey: [...tableKey(place), "count", filter, where, exact, seconds],
      staleTime: TREE_STALE_MS,
      queryFn: ({ signal }) =>
        call(
          api.GET(`${IN_DATABASE}/tables/{table}/count`, {
            params: {
              path: pathOfTable(place),
              query: { schema: place.schema, filter, where, exact, timeout: seconds },
            },
            signal,
          }),
        ),
    }),
  summary: (place: ObjectPlace, samplePercent: number | null) =>
    queryOptions({
      queryKey: [...tableKey(place), "summary", samplePercent],
      staleTime: Number.POSITIVE_INFINITY,
      queryFn: ({ signal }) =>
        call(
          api.POST(`${IN_DATABASE}/tables/{table}/summary`, {
            params: { path: pathOfTable(place), query: { schema: place.schema } },
            body: { samplePercent },
            signal,
          }),
        ),
    }),
};

export function tableKey(place: ObjectPlace): readonly string[] {
  return ["explorer", "table", place.connectionId, place.database, place.schema, place.name];
}

/** Addresses of what the browser fetches itself: files. */
export function fileUrl(place: ObjectPlace, what: "export" | "cell", params: Record<string, string>): string {
  const parts = [place.connectionId, "databases", place.database, "tables", place.name, what].map(encodeURIComponent);
  return `/api/v1/connections/${parts.join("/")}?${new URLSearchParams({ schema: place.schema, ...params })}`;
}
