import { queryOptions } from "@tanstack/react-query";
import { api, call, type Schemas } from "@/api/client";
import type { Body } from "./form";

export const connectionQueries = {
  connectors: () =>
    queryOptions({
      queryKey: ["connectors"],
      queryFn: ({ signal }) => call(api.GET("/api/v1/connectors", { signal })),
      staleTime: Number.POSITIVE_INFINITY,
    }),
  one: (id: string) =>
    queryOptions({
      queryKey: ["connections", id],
      queryFn: ({ signal }) =>
        call(api.GET("/api/v1/connections/{connection_id}", { params: { path: { connection_id: id } }, signal })),
    }),
  uses: (id: string) =>
    queryOptions({
      queryKey: ["connections", id, "uses"],
      queryFn: ({ signal }) =>
        call(api.GET("/api/v1/connections/{connection_id}/uses", { params: { path: { connection_id: id } }, signal })),
      staleTime: 0,
    }),
};

type Sent = Schemas["FlatConnection"];

function sent(body: Body): Sent {
  return body as unknown as Sent; // checked by the server, which names each field that is wrong
}

export function test(body: Body): Promise<Schemas["Ping"]> {
  return call(api.POST("/api/v1/connections/test", { body: sent(body) }));
}

export function ping(id: string): Promise<Schemas["Ping"]> {
  return call(api.POST("/api/v1/connections/{connection_id}/ping", { params: { path: { connection_id: id } } }));
}

export function databasesOf(body: Body): Promise<Schemas["Database"][]> {
  return call(api.POST("/api/v1/connections/test/databases", { body: sent(body) }));
}

export function create(body: Body, part: "database" | "schema", name: string): Promise<unknown> {
  return call(api.POST("/api/v1/connections/test/create", { body: sent({ ...body, create: { [part]: name } }) }));
}

export function parse(url: string): Promise<Schemas["ParsedUrl"]> {
  return call(api.POST("/api/v1/connections/parse", { body: { url } }));
}

/** Save a new one, or change the one of this id. */
export function save(body: Body, id: string): Promise<Schemas["Connection"]> {
  return id
    ? call(
        api.PUT("/api/v1/connections/{connection_id}", { params: { path: { connection_id: id } }, body: sent(body) }),
      )
    : call(api.POST("/api/v1/connections", { body: sent(body) }));
}

export function clone(id: string): Promise<Schemas["Connection"]> {
  return call(api.PUT("/api/v1/connections/{connection_id}/clone", { params: { path: { connection_id: id } } }));
}

export function remove(id: string): Promise<unknown> {
  return call(api.DELETE("/api/v1/connections/{connection_id}", { params: { path: { connection_id: id } } }));
}
