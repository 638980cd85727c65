import { QueryClient, queryOptions } from "@tanstack/react-query";
import { api, call } from "./client";
import { Problem } from "./problem";

const STALE_MS = 5_000;

/** Problems are told at once: only a server that is away is worth another try, and its return makes all queries ask. */
export const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: STALE_MS,
      retry: (count, error) => error instanceof Problem && error.status >= 502 && count < 2,
      networkMode: "always",
    },
    mutations: { networkMode: "always" },
  },
});

/** What several features ask for. Keys begin with the name of what they hold; after a change invalidate by it. */
export const queries = {
  connections: () =>
    queryOptions({
      queryKey: ["connections"],
      queryFn: ({ signal }) => call(api.GET("/api/v1/connections", { signal })).then(listed),
    }),
  configs: () =>
    queryOptions({
      queryKey: ["configs"],
      queryFn: ({ signal }) => call(api.GET("/api/v1/stream-configs", { signal })).then(listed),
    }),
  streams: () =>
    queryOptions({
      queryKey: ["streams"],
      queryFn: ({ signal }) => call(api.GET("/api/v1/streams", { signal })).then(listed),
    }),
  /** Every config with its newest run. */
  overview: () =>
    queryOptions({
      queryKey: ["streams", "overview"],
      queryFn: ({ signal }) => call(api.GET("/api/v1/streams/overview", { signal })),
    }),
};

/** Lists come plain, or as a page for clients that ask for one. */
function listed<T>(answer: T[] | { items: T[] }): T[] {
  return Array.isArray(answer) ? answer : answer.items;
}
