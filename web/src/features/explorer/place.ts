import type { Schemas } from "@/api/client";

export type ObjectKind = Schemas["ObjectKind"];
export type DatabaseObject = Schemas["DatabaseObject"];

/** What the explorer shows: as much of it as the address names. */
export interface Place {
  connectionId?: string | undefined;
  database?: string | undefined;
  kind?: ObjectKind | undefined;
  schema?: string | undefined;
  name?: string | undefined;
  /** A routine's arguments, or the table of a trigger. */
  of?: string | undefined;
}

/** A place within a database. */
export interface ObjectPlace extends Place {
  connectionId: string;
  database: string;
  kind: ObjectKind;
  schema: string;
  name: string;
}

export function isObject(place: Place): place is ObjectPlace {
  return Boolean(place.connectionId && place.database && place.kind && place.schema && place.name);
}

/** The address of a place. */
export function pathOf(place: Place): string {
  const parts = [place.connectionId, place.database, place.kind, place.schema, place.name];
  const end = parts.findIndex((part) => !part);
  const named = end < 0 ? parts : parts.slice(0, end);
  const path = ["/explorer", ...named.map((part) => encodeURIComponent(part ?? ""))].join("/");
  return place.of ? `${path}?of=${encodeURIComponent(place.of)}` : path;
}

export function placeOf(connectionId: string, database: string, item: DatabaseObject): ObjectPlace {
  const of = item.kind === "trigger" ? item.table : item.signature;
  return { connectionId, database, kind: item.kind, schema: item.schema, name: item.name, of: of || undefined };
}

const WITH_ROWS: readonly ObjectKind[] = ["table", "partitioned_table", "foreign_table", "view", "materialized_view"];

export function hasRows(kind: ObjectKind): boolean {
  return WITH_ROWS.includes(kind);
}

export const KIND_NAMES: Record<ObjectKind, string> = {
  table: "table",
  partitioned_table: "partitioned table",
  foreign_table: "foreign table",
  view: "view",
  materialized_view: "materialized view",
  sequence: "sequence",
  function: "function",
  procedure: "procedure",
  trigger: "trigger",
  event: "event",
};
