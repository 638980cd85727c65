import type { Schemas } from "@/api/client";
import { type DatabaseObject, type ObjectKind, type Place, placeOf } from "../place";

/** A line of the tree. */
export interface TreeNode {
  /** Unlike all others; also what is remembered as open. */
  id: string;
  level: number;
  label: string;
  kind: "connection" | "database" | "schema" | "group" | "object" | "note";
  object?: ObjectKind;
  /** What it leads to. */
  place?: Place;
  detail?: string;
  /** Undefined for what has nothing below it. */
  open?: boolean;
  /** Where it is among those beside it, for screen readers. */
  position: number;
  siblings: number;
}

export interface TreeInput {
  connections: readonly Pick<Schemas["Connection"], "id" | "name" | "type">[];
  /** What has been loaded, or why it could not be; absent while it is on its way. */
  databases: ReadonlyMap<string, readonly string[] | Error>;
  objects: ReadonlyMap<string, Schemas["DatabaseObjects"] | Error>;
  open: ReadonlySet<string>;
  search: string;
}

export const GROUPS: readonly (readonly [kinds: readonly ObjectKind[], label: string])[] = [
  [["table", "partitioned_table", "foreign_table"], "Tables"],
  [["view", "materialized_view"], "Views"],
  [["function", "procedure"], "Routines"],
  [["sequence"], "Sequences"],
  [["trigger"], "Triggers"],
  [["event"], "Events"],
];

export function connectionId(id: string): string {
  return `c:${id}`;
}

export function databaseId(connection: string, database: string): string {
  return `d:${JSON.stringify([connection, database])}`;
}

type Bare = Omit<TreeNode, "level" | "position" | "siblings">;
interface Branch {
  node: Bare;
  below: Branch[];
}

/** The lines that are to be seen, from top to bottom. */
export function linesOf(input: TreeInput): TreeNode[] {
  const lines: TreeNode[] = [];
  const add = (branches: readonly Branch[], level: number) => {
    for (const [index, { node, below }] of branches.entries()) {
      lines.push({ ...node, level, position: index + 1, siblings: branches.length });
      if (node.open) add(below, level + 1);
    }
  };
  add(
    found(
      input,
      input.connections.map((item) => connectionBranch(input, item)),
    ),
    1,
  );
  return lines;
}

function found(input: TreeInput, branches: (Branch | null)[]): Branch[] {
  const there = branches.filter((branch) => branch !== null);
  return input.search ? there.filter((branch) => branch.below.length > 0 || matches(input, branch.node.label)) : there;
}

function matches(input: TreeInput, label: string): boolean {
  return label.toLowerCase().includes(input.search.toLowerCase());
}

/** While somebody searches, all that leads to a match is open. */
function isOpen(input: TreeInput, id: string, below: readonly Branch[]): boolean {
  return input.search ? below.length > 0 : input.open.has(id);
}

function connectionBranch(input: TreeInput, item: TreeInput["connections"][number]): Branch {
  const id = connectionId(item.id);
  const databases = input.databases.get(item.id);
  let below: Branch[] = [];
  if (input.search || input.open.has(id)) {
    below = Array.isArray(databases)
      ? found(
          input,
          databases.map((name: string) => databaseBranch(input, item.id, name)),
        )
      : notes(input, id, databases as Error | undefined, input.open.has(id));
  }
  const node: Bare = {
    id,
    label: item.name,
    kind: "connection",
    detail: item.type,
    place: { connectionId: item.id },
    open: isOpen(input, id, below),
  };
  return { node, below };
}

function notes(input: TreeInput, id: string, failed: Error | undefined, wanted: boolean): Branch[] {
  if (!wanted || input.search) return [];
  return [{ node: { id: `${id}:note`, label: failed ? failed.message : "Loading …", kind: "note" }, below: [] }];
}

function databaseBranch(input: TreeInput, connection: string, database: string): Branch {
  const id = databaseId(connection, database);
  const held = input.objects.get(id);
  const wanted = input.open.has(id);
  let below: Branch[] = [];
  if (held === undefined || held instanceof Error) below = notes(input, id, held, wanted);
  else if (wanted || input.search) below = schemaBranches(input, id, connection, database, held);
  const place = { connectionId: connection, database };
  return { node: { id, label: database, kind: "database", place, open: isOpen(input, id, below) }, below };
}

function schemaBranches(
  input: TreeInput,
  above: string,
  connection: string,
  database: string,
  held: Schemas["DatabaseObjects"],
): Branch[] {
  if (held.schemas.length === 0) return groupBranches(input, above, connection, database, held.objects);
  const bySchema = new Map<string, DatabaseObject[]>(held.schemas.map((schema) => [schema, []]));
  for (const item of held.objects) bySchema.get(item.schema)?.push(item);
  return found(
    input,
    held.schemas.map((schema) => {
      const id = `${above}/${JSON.stringify(schema)}`;
      const below = groupBranches(input, id, connection, database, bySchema.get(schema) ?? []);
      return { node: { id, label: schema, kind: "schema" as const, open: isOpen(input, id, below) }, below };
    }),
  );
}

function groupBranches(
  input: TreeInput,
  above: string,
  connection: string,
  database: string,
  items: readonly DatabaseObject[],
): Branch[] {
  return GROUPS.flatMap(([kinds, label]) => {
    const mine = items.filter((item) => kinds.includes(item.kind) && (!input.search || matches(input, item.name)));
    if (mine.length === 0) return [];
    const id = `${above}/${label}`;
    const below = mine.map((item) => objectBranch(connection, database, item));
    const node: Bare = { id, label, kind: "group", detail: String(mine.length), open: isOpen(input, id, below) };
    return [{ node, below }];
  });
}

function objectBranch(connection: string, database: string, item: DatabaseObject): Branch {
  const place = placeOf(connection, database, item);
  const id = `o:${JSON.stringify([connection, database, item.kind, item.schema, item.name, place.of ?? ""])}`;
  const detail = item.kind === "trigger" ? item.table : item.signature;
  return {
    node: { id, label: item.name, kind: "object", object: item.kind, place, ...(detail ? { detail } : {}) },
    below: [],
  };
}

/** What must be open for a place to be seen. */
export function pathTo(place: Place, schemas: boolean): string[] {
  if (!place.connectionId) return [];
  const open = [connectionId(place.connectionId)];
  if (!place.database) return open;
  let id = databaseId(place.connectionId, place.database);
  if (!place.kind) return [...open, id];
  open.push(id);
  if (schemas && place.schema) {
    id = `${id}/${JSON.stringify(place.schema)}`;
    open.push(id);
  }
  const label = GROUPS.find(([kinds]) => place.kind && kinds.includes(place.kind))?.[1];
  return [...open, `${id}/${label ?? ""}`];
}

/** The line that a key leads to; null for a key that leads to none, or that opens or closes one. */
export function lineAfter(lines: readonly TreeNode[], index: number, key: string, page: number): number | null {
  const line = lines[index];
  switch (key) {
    case "ArrowDown":
      return index + 1;
    case "ArrowUp":
      return index - 1;
    case "PageDown":
      return index + page;
    case "PageUp":
      return index - page;
    case "Home":
      return 0;
    case "End":
      return lines.length - 1;
    case "ArrowRight":
      return line?.open === false ? null : index + 1;
    case "ArrowLeft":
      return line?.open ? null : lines.findLastIndex((other, at) => at < index && other.level < (line?.level ?? 1));
    default:
      return null;
  }
}
