/** Which tables of the source a draft takes. Pure. */

import type { Schemas } from "@/api/client";
import { bytes, count, plural } from "@/ui/numbers";
import { choose, names, QUERIES, set, setNames, TABLES, tableNames } from "./config";
import type { Draft } from "./useDraft";

export type Size = Schemas["SizedTable"];

/** The name by which renames, conditions and columns mean the table: with its schema, where several are read. */
export function keyOf(table: Size, schemas: readonly string[]): string {
  return schemas.length ? `${table.schema}.${table.table}` : table.name;
}

export function isChosen(draft: Draft): (name: string) => boolean {
  const listed = new Set(draft.all ? names(draft.config, ["exclude"]) : tableNames(draft.config));
  return (name) => listed.has(name) !== draft.all;
}

/** Tables added to the selection, or taken out of it. */
export function toggled(draft: Draft, changed: readonly string[], on: boolean): Draft {
  const added = on !== draft.all; // to the list that the config has: of tables, or of tables that are left out
  const before = draft.all ? names(draft.config, ["exclude"]) : tableNames(draft.config);
  const some = new Set(changed);
  const after = added
    ? [...before, ...changed.filter((name) => !before.includes(name))]
    : before.filter((name) => !some.has(name));
  const config = draft.all ? setNames(draft.config, ["exclude"], after) : choose(draft.config, after);
  return { ...draft, config };
}

/** Every table, or only chosen ones; what is ticked stays ticked. */
export function withAll(draft: Draft, all: boolean, items: readonly Size[]): Draft {
  if (all === draft.all) return draft;
  if (all) {
    const config = [TABLES, QUERIES].reduce((found, path) => set(found, path, undefined), draft.config);
    return { config, all };
  }
  const chosen = items.map((one) => one.name).filter(isChosen(draft));
  return { config: choose(setNames(draft.config, ["exclude"], []), chosen), all };
}

/** Names of the selection that the source does not have. */
export function missingNames(draft: Draft, items: readonly Size[]): string[] {
  const known = new Set(items.flatMap((one) => [one.name, one.table, `${one.schema}.${one.table}`]));
  return (draft.all ? names(draft.config, ["exclude"]) : tableNames(draft.config)).filter((name) => !known.has(name));
}

/** What the chosen tables come to. */
export function totals(chosen: readonly Size[], of: number): string {
  const rows = chosen.reduce((sum, one) => sum + (one.rows ?? 0), 0);
  const size = chosen.reduce((sum, one) => sum + one.bytes, 0);
  const unknown = chosen.filter((one) => one.rows === null).length;
  const more = unknown ? ` (${plural(unknown, "table")} never counted by the source)` : "";
  return `${count(chosen.length)} of ${plural(of, "table")}, about ${plural(rows, "row")}${more}, ${bytes(size)}`;
}
