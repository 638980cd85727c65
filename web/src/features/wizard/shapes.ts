/** Saved configs, of either shape, as the nested one that the wizard works on. */

import { CONNECTION, type Config, set, setNames, TARGET, text } from "./config";
import { at, isObject, type Json, type JsonObject, type Path, withMember } from "./json";

const OF_THE_SERVER = ["id", "created", "warnings"];
const OF_TABLES = ["target", "renames", "excludeColumns", "where"];

/** Members of the flat shape, and where they are in the nested one. */
const MOVED: readonly (readonly [from: string, to: Path])[] = [
  ["source", [...CONNECTION, "connectionId"]],
  ["target", ["target", "id"]],
  ["dataBundleSize", ["source", "options", "dataBundleSize"]],
  ["operations", ["source", "options", "operations"]],
  ["replicationSlotName", ["source", "options", "replicationSlot"]],
  ["publicationName", ["source", "options", "publicationName"]],
  ["structureOptions", [...TARGET, "structureOptions"]],
  ["schemaPolicy", [...TARGET, "schemaPolicy"]],
  ["writeMode", [...TARGET, "writeMode"]],
  ["skipData", [...TARGET, "skipData"]],
];
const FORGOTTEN = ["tables", "filter", "settings", "createStructure", "noCreateTables", "noCreateIndexes"];
const NOTHING = { tables: false, indexes: false, foreignKeys: false, checkConstraints: false, views: false };

/** The config as the wizard works on it, and whether it takes every table. */
export function opened(saved: JsonObject): { config: Config; all: boolean } {
  const plain = OF_THE_SERVER.reduce<JsonObject>((found, name) => withMember(found, name, undefined), saved);
  const nested = isObject(plain["source"]) || isObject(plain["target"]) ? plain : fromFlat(plain);
  const config = flattened(nested);
  const chosen = at(config, [...CONNECTION, "tables"]) ?? at(config, [...CONNECTION, "queries"]);
  return { config, all: chosen === undefined };
}

function fromFlat(flat: JsonObject): Config {
  const leftOut = new Set([...MOVED.map(([from]) => from), ...FORGOTTEN, "reportingIntervals", "skipIndexCreation"]);
  let config: Config = Object.fromEntries(Object.entries(flat).filter(([name]) => !leftOut.has(name)));
  for (const [from, to] of MOVED) {
    if (flat[from] !== undefined && flat[from] !== null) config = set(config, to, flat[from]);
  }
  const older = at(flat, ["settings"]);
  if (isObject(older)) {
    for (const [from, to] of MOVED.filter(([name]) => name.endsWith("Name"))) {
      if (older[from] !== undefined && at(config, to) === undefined) config = set(config, to, older[from]);
    }
  }
  return withTables(withDefaults(config, flat), flat);
}

/** What the flat shape means by nothing is not what the nested one means by it. */
function withDefaults(config: Config, flat: JsonObject): Config {
  let made = config;
  if (flat["structureOptions"] === undefined && (flat["createStructure"] === false || flat["noCreateTables"])) {
    made = set(made, [...TARGET, "structureOptions"], NOTHING);
  }
  if (flat["skipIndexCreation"] || flat["noCreateIndexes"]) made = set(made, [...TARGET, "skipIndexCreation"], true);
  if (flat["mode"] !== "cdc") {
    if (!text(made, [...TARGET, "schemaPolicy"])) made = set(made, [...TARGET, "schemaPolicy"], "create_missing_only");
    if (!text(made, [...TARGET, "writeMode"])) made = set(made, [...TARGET, "writeMode"], "append");
  }
  const seconds = ["source", "target"]
    .map((side) => at(flat, ["reportingIntervals", side]))
    .filter((one): one is number => typeof one === "number");
  if (seconds.length) made = set(made, ["reportingInterval"], Math.min(...seconds));
  return made;
}

function withTables(config: Config, flat: JsonObject): Config {
  const given = at(flat, ["tables"]) ?? at(flat, ["filter", "tables"]);
  const list = Array.isArray(given) ? given.filter(isObject) : [];
  const tables = list.filter((one) => !one["query"]).map(nestedTable);
  const queries = list
    .filter((one) => one["query"])
    .map((one) => ({ name: one["name"] ?? "", query: one["query"] ?? "" }));
  const made = set(config, [...CONNECTION, "tables"], tables.length ? tables : undefined);
  return set(made, [...CONNECTION, "queries"], queries.length ? queries : undefined);
}

function nestedTable(table: JsonObject): JsonObject {
  const { columns, query: _, noCreateIndexes, ...rest } = table;
  const more: JsonObject = {};
  if (Array.isArray(columns) && columns.length) more["selection"] = { selectedColumns: columns };
  if (noCreateIndexes) more["skipIndexCreation"] = true;
  return { ...rest, ...more };
}

/** What tables say of themselves, said by name: the form that holds for a selection and for every table alike. */
function flattened(config: Config): Config {
  const found = at(config, [...CONNECTION, "tables"]);
  if (!Array.isArray(found)) return config;
  const renames: [string, Json][] = [];
  const where: [string, Json][] = [];
  const excluded: string[] = [];
  for (const one of found.filter(isObject)) {
    const name = String(one["name"]);
    if (one["target"]) renames.push([name, one["target"]]);
    if (one["where"]) where.push([name, one["where"]]);
    const columns = at(one, ["renames"]);
    if (isObject(columns))
      renames.push(...Object.entries(columns).map(([key, to]): [string, Json] => [`${name}.${key}`, to]));
    const left = at(one, ["excludeColumns"]);
    if (Array.isArray(left)) excluded.push(...left.map((column) => `${name}.${String(column)}`));
  }
  const plain = found
    .filter(isObject)
    .map((one) => OF_TABLES.reduce<JsonObject>((rest, member) => withMember(rest, member, undefined), one));
  const made = merged(merged(set(config, [...CONNECTION, "tables"], plain), "renames", renames), "where", where);
  const before = at(made, ["excludeColumns"]);
  return setNames(made, ["excludeColumns"], [...(Array.isArray(before) ? before.map(String) : []), ...excluded]);
}

function merged(config: Config, name: string, more: [string, Json][]): Config {
  if (!more.length) return config;
  const before = at(config, [name]);
  return set(config, [name], Object.fromEntries([...(isObject(before) ? Object.entries(before) : []), ...more]));
}
