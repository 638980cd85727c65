import { queryOptions } from "@tanstack/react-query";
import { api, call, type Schemas } from "@/api/client";
import type { Config, Place } from "./config";
import type { JsonObject } from "./json";

/** How long what a system's catalog says is taken for true while the wizard is open. */
const CATALOG_MS = 60_000;

function where(place: Place): { database?: string; schema?: string } {
  return { ...(place.database && { database: place.database }), ...(place.schema && { schema: place.schema }) };
}

/** The config as the API takes it: both sides are there, if empty. */
export function body(config: Config): JsonObject {
  return { ...config, source: config["source"] ?? { connections: [{}] }, target: config["target"] ?? {} };
}

type ConfigBody = Schemas["LaterConfig"];

export function sent(config: Config): ConfigBody {
  return body(config) as unknown as ConfigBody; // checked by the server, which names each field that is wrong
}

export const wizardQueries = {
  connectors: () =>
    queryOptions({
      queryKey: ["connectors"],
      queryFn: ({ signal }) => call(api.GET("/api/v1/connectors", { signal })),
      staleTime: Number.POSITIVE_INFINITY,
    }),
  config: (id: string) =>
    queryOptions({
      queryKey: ["configs", id],
      queryFn: ({ signal }) =>
        call(api.GET("/api/v1/stream-configs/{config_id}", { params: { path: { config_id: id } }, signal })),
    }),
  ping: (id: string) =>
    queryOptions({
      queryKey: ["connections", id, "ping"],
      queryFn: ({ signal }) =>
        call(api.POST("/api/v1/connections/{connection_id}/ping", { params: { path: { connection_id: id } }, signal })),
      staleTime: CATALOG_MS,
    }),
  databases: (id: string) =>
    queryOptions({
      queryKey: ["connections", id, "databases"],
      queryFn: ({ signal }) =>
        call(
          api.GET("/api/v1/connections/{connection_id}/databases", { params: { path: { connection_id: id } }, signal }),
        ),
      staleTime: CATALOG_MS,
    }),
  schemas: (id: string, database: string) =>
    queryOptions({
      queryKey: ["connections", id, "schemas", database],
      queryFn: ({ signal }) =>
        call(
          api.GET("/api/v1/connections/{connection_id}/schemas", {
            params: { path: { connection_id: id }, query: { database } },
            signal,
          }),
        ),
      staleTime: CATALOG_MS,
    }),
  sizes: (place: Place, schemas: readonly string[]) =>
    queryOptions({
      queryKey: ["connections", place.connectionId, "sizes", place.database, place.schema, schemas],
      queryFn: ({ signal }) =>
        call(
          api.GET("/api/v1/connections/{connection_id}/tables/sizes", {
            params: {
              path: { connection_id: place.connectionId },
              query: { ...where(place), ...(schemas.length && { schemas: [...schemas] }), limit: 100_000 },
            },
            signal,
          }),
        ),
      staleTime: CATALOG_MS,
    }),
  columns: (place: Place, table: string) =>
    queryOptions({
      queryKey: ["connections", place.connectionId, "columns", place.database, place.schema, table],
      queryFn: ({ signal }) =>
        call(
          api.GET("/api/v1/connections/{connection_id}/tables/columns", {
            params: { path: { connection_id: place.connectionId }, query: { ...where(place), table } },
            signal,
          }),
        ),
      staleTime: CATALOG_MS,
    }),
  plan: (config: Config) =>
    queryOptions({
      queryKey: ["plan", JSON.stringify(config)],
      queryFn: ({ signal }) => call(api.POST("/api/v1/stream-configs/plan", { body: sent(config), signal })),
      staleTime: CATALOG_MS,
    }),
  equivalents: (config: Config, configId: string) =>
    queryOptions({
      queryKey: ["equivalents", configId, JSON.stringify(config)],
      queryFn: ({ signal }) =>
        call(
          api.POST("/api/v1/stream-configs/equivalents", {
            params: { query: { configId } },
            body: sent(config),
            signal,
          }),
        ),
      staleTime: Number.POSITIVE_INFINITY,
    }),
};
