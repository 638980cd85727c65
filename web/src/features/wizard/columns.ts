/** Which columns of a table come along. Pure. */

import { type Config, names, setNames, setTableMember, tableEntry } from "./config";
import { at } from "./json";

const EXCLUDED = ["excludeColumns"] as const;

/** The columns that a config names one by one (`selection.selectedColumns`), if it does. */
function listed(config: Config, table: string): string[] | null {
  const found = at(tableEntry(config, table), ["selection", "selectedColumns"]);
  return Array.isArray(found) && found.length ? found.map(String) : null;
}

export function isCarried(config: Config, table: string, key: string, column: string): boolean {
  if (names(config, EXCLUDED).includes(`${key}.${column}`)) return false;
  return listed(config, table)?.includes(column) ?? true;
}

/** The config with a column that comes along, or is left out. Columns that are made later come along. */
export function withColumn(config: Config, table: string, key: string, column: string, on: boolean): Config {
  const name = `${key}.${column}`;
  const others = names(config, EXCLUDED).filter((one) => one !== name);
  const list = listed(config, table);
  if (!list) return setNames(config, EXCLUDED, on ? others : [...others, name]);
  const next = on ? [...new Set([...list, column])] : list.filter((one) => one !== column);
  const selection = at(tableEntry(config, table), ["selection"]);
  const kept = typeof selection === "object" && selection !== null && !Array.isArray(selection) ? selection : {};
  return setTableMember(setNames(config, EXCLUDED, others), table, "selection", { ...kept, selectedColumns: next });
}
