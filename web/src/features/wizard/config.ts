/** A stream config of the nested shape, and what the wizard reads from it and writes into it. Pure. */

import { at, isObject, type Json, type JsonObject, type Path, put, withMember } from "./json";

export type Config = JsonObject;
export type Mode = "convert" | "cdc";
export type Role = "source" | "target";
export type Operation = "insert" | "update" | "delete";

export const OPERATIONS: readonly Operation[] = ["insert", "update", "delete"];
export const CONNECTION: Path = ["source", "connections", 0];
export const TARGET: Path = ["target", "spec", "db"];
export const TABLES: Path = [...CONNECTION, "tables"];
export const QUERIES: Path = [...CONNECTION, "queries"];

/** Where a side is: connection, database, schema. */
const PLACES = {
  source: {
    connectionId: [...CONNECTION, "connectionId"],
    database: [...CONNECTION, "database"],
    schema: [...CONNECTION, "schema"],
  },
  target: { connectionId: ["target", "id"], database: [...TARGET, "database"], schema: [...TARGET, "schema"] },
} as const satisfies Record<Role, Record<string, Path>>;

export interface Place {
  connectionId: string;
  database: string;
  schema: string;
}

export const EMPTY: Config = { mode: "convert", source: { connections: [{}] }, target: {} };

export function text(config: Config, path: Path): string {
  const value = at(config, path);
  return typeof value === "string" ? value : typeof value === "number" ? String(value) : "";
}

export function set(config: Config, path: Path, value: Json | undefined): Config {
  const changed = put(config, path, value);
  return isObject(changed) ? changed : {};
}

export function mode(config: Config): Mode {
  return at(config, ["mode"]) === "cdc" ? "cdc" : "convert";
}

export function place(config: Config, role: Role): Place {
  const paths = PLACES[role];
  return {
    connectionId: text(config, paths.connectionId),
    database: text(config, paths.database),
    schema: text(config, paths.schema),
  };
}

/** Another place; a new connection or database makes what is below it be chosen again. */
export function setPlace(config: Config, role: Role, part: keyof Place, value: string): Config {
  const paths = PLACES[role];
  const below = { connectionId: ["database", "schema"], database: ["schema"], schema: [] } as const;
  const cleared = below[part].reduce<Config>((found, name) => set(found, paths[name], undefined), config);
  const changed = set(cleared, paths[part], value || undefined);
  return role === "source" && value !== text(config, paths[part]) ? withoutTables(changed) : changed;
}

function withoutTables(config: Config): Config {
  const paths = [TABLES, QUERIES, ...GLOBALS.map((name) => [name]), ["exclude"], ["sourceSchemas"]];
  return paths.reduce<Config>((found, path) => set(found, path, undefined), config);
}

const GLOBALS = ["renames", "where", "typeOverrides", "excludeColumns"] as const;

/** A dictionary of the config: `renames`, `where`, `typeOverrides`. */
export function pairs(config: Config, name: "renames" | "where" | "typeOverrides"): ReadonlyMap<string, string> {
  const found = at(config, [name]);
  return new Map(isObject(found) ? Object.entries(found).map(([key, value]) => [key, String(value)]) : []);
}

export function setPair(
  config: Config,
  name: "renames" | "where" | "typeOverrides",
  key: string,
  value: string,
): Config {
  const found = at(config, [name]);
  const changed = withMember(isObject(found) ? found : {}, key, value.trim() ? value : undefined);
  return set(config, [name], Object.keys(changed).length ? changed : undefined);
}

export function names(config: Config, path: Path): string[] {
  const found = at(config, path);
  return Array.isArray(found) ? found.filter((one) => typeof one === "string") : [];
}

export function setNames(config: Config, path: Path, list: readonly string[]): Config {
  return set(config, path, list.length ? [...list] : undefined);
}

/** Entries of the selection, each at least with a name. */
export function tables(config: Config): JsonObject[] {
  return named(at(config, TABLES));
}

export function queries(config: Config): JsonObject[] {
  return named(at(config, QUERIES));
}

function named(found: Json | undefined): JsonObject[] {
  return Array.isArray(found) ? found.filter(isObject).filter((one) => typeof one["name"] === "string") : [];
}

export function tableNames(config: Config): string[] {
  return tables(config).map((one) => String(one["name"]));
}

/** These tables and no others; what an entry says of a table stays while it is chosen. */
export function choose(config: Config, wanted: readonly string[]): Config {
  const known = new Map(tables(config).map((one) => [String(one["name"]), one]));
  const list = wanted.map((name) => known.get(name) ?? { name });
  return set(config, TABLES, list.length ? list : undefined);
}

export function tableEntry(config: Config, name: string): JsonObject | undefined {
  return tables(config).find((one) => one["name"] === name);
}

export function setTableMember(config: Config, name: string, member: string, value: Json | undefined): Config {
  const list = tables(config).map((one) => (one["name"] === name ? withMember(one, member, value) : one));
  return set(config, TABLES, list);
}

/** What the wizard shows for a table besides its columns. */
export function wishes(config: Config, key: string): { target: string; where: string; columns: number } {
  const left = names(config, ["excludeColumns"]).filter((one) => one.startsWith(`${key}.`)).length;
  return {
    target: pairs(config, "renames").get(key) ?? "",
    where: pairs(config, "where").get(key) ?? "",
    columns: left,
  };
}
