import { queryOptions } from "@tanstack/react-query";
import { api, call } from "@/api/client";

const NAMES_STALE_MS = 60_000;

/** What the console asks for beside its queries. Keys begin with "sql". */
export const consoleQueries = {
  databases: (connectionId: string) =>
    queryOptions({
      queryKey: ["sql", "databases", connectionId],
      staleTime: NAMES_STALE_MS,
      queryFn: ({ signal }) =>
        call(
          api.GET("/api/v1/connections/{connection_id}/databases", {
            params: { path: { connection_id: connectionId } },
            signal,
          }),
        ),
    }),
  names: (connectionId: string, database: string) =>
    queryOptions({
      queryKey: ["sql", "names", connectionId, database],
      staleTime: NAMES_STALE_MS,
      queryFn: ({ signal }) =>
        call(
          api.GET("/api/v1/connections/{connection_id}/names", {
            params: { path: { connection_id: connectionId }, query: { database } },
            signal,
          }),
        ),
    }),
  history: (search: string, connectionId: string) =>
    queryOptions({
      queryKey: ["sql", "history", search, connectionId],
      queryFn: ({ signal }) =>
        call(
          api.GET("/api/v1/query-history", {
            params: { query: { search, connection_id: connectionId, limit: 200 } },
            signal,
          }),
        ),
    }),
};
