import { queryOptions, useQuery } from "@tanstack/react-query";
import { api, call, type Schemas } from "@/api/client";
import { queries } from "@/api/queries";

export type Stream = Schemas["Stream"];
export type RunState = Stream["status"];
export type TableStats = Schemas["TableStats"];
export type TableState = TableStats["status"];
export type Watched = Schemas["Watched"];
export type LogLine = Schemas["LogLine"];
export type Timeline = Schemas["Timeline"];
export type Trouble = Schemas["Trouble"];
export type Overview = Schemas["Overview"];
export type Brief = Schemas["Brief"];
export type Comparison = Schemas["Comparison"];
export type Window = "minutes" | "hours" | "all";

const LIST_EVERY_MS = 2_000;
const TIMELINE_EVERY_MS = 10_000;

/** Keys begin with "streams" or "stream", so that the list and a stream's own data can be asked for anew by themselves. */
export const monitorQueries = {
  overview: () =>
    queryOptions({
      queryKey: ["streams", "overview"],
      queryFn: ({ signal }) => call(api.GET("/api/v1/streams/overview", { signal })),
      refetchInterval: LIST_EVERY_MS,
    }),
  stream: (id: string) =>
    queryOptions({
      queryKey: ["stream", id],
      queryFn: ({ signal }) =>
        call(api.GET("/api/v1/streams/{stream_id}", { signal, params: { path: { stream_id: id } } })),
    }),
  timeline: (id: string, window: Window) =>
    queryOptions({
      queryKey: ["stream", id, "timeline", window],
      queryFn: ({ signal }) =>
        call(
          api.GET("/api/v1/streams/{stream_id}/timeline", {
            signal,
            params: { path: { stream_id: id }, query: { window } },
          }),
        ),
      refetchInterval: window === "minutes" ? false : TIMELINE_EVERY_MS,
    }),
  troubles: (id: string) =>
    queryOptions({
      queryKey: ["stream", id, "troubles"],
      queryFn: ({ signal }) =>
        call(api.GET("/api/v1/streams/{stream_id}/troubles", { signal, params: { path: { stream_id: id } } })),
    }),
  notes: (id: string) =>
    queryOptions({
      queryKey: ["stream", id, "notes"],
      queryFn: ({ signal }) =>
        call(api.GET("/api/v1/streams/{stream_id}/notes", { signal, params: { path: { stream_id: id } } })),
    }),
  letters: (id: string) =>
    queryOptions({
      queryKey: ["stream", id, "letters"],
      queryFn: ({ signal }) =>
        call(api.GET("/api/v1/streams/{stream_id}/dead-letters", { signal, params: { path: { stream_id: id } } })),
    }),
  schemaChanges: (id: string) =>
    queryOptions({
      queryKey: ["stream", id, "schema-changes"],
      queryFn: ({ signal }) =>
        call(api.GET("/api/v1/streams/{stream_id}/schema-changes", { signal, params: { path: { stream_id: id } } })),
    }),
  config: (id: string) =>
    queryOptions({
      queryKey: ["configs", id],
      queryFn: ({ signal }) =>
        call(api.GET("/api/v1/stream-configs/{config_id}", { signal, params: { path: { config_id: id } } })),
    }),
  history: (configId: string) =>
    queryOptions({
      queryKey: ["streams", "history", configId],
      queryFn: ({ signal }) =>
        call(
          api.GET("/api/v1/stream-configs/{config_id}/history", { signal, params: { path: { config_id: configId } } }),
        ),
      refetchInterval: LIST_EVERY_MS * 2,
    }),
  comparison: (configId: string, left: string, right: string) =>
    queryOptions({
      queryKey: ["streams", "comparison", configId, left, right],
      queryFn: ({ signal }) =>
        call(
          api.GET("/api/v1/stream-configs/{config_id}/compare", {
            signal,
            params: { path: { config_id: configId }, query: { left, right } },
          }),
        ),
      enabled: left !== "" && right !== "",
    }),
};

/** A connection's name for its id; the id's end while that is not known. */
export function useConnectionNames(): (id: string) => string {
  const { data } = useQuery(queries.connections());
  return (id) => data?.find((connection) => connection.id === id)?.name ?? `…${id.slice(-5)}`;
}
