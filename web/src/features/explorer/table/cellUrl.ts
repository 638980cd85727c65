import type { Schemas } from "@/api/client";
import type { ObjectPlace } from "../place";
import { fileUrl, orderParams, type RowsAsked } from "../queries";
import { asWritten, type Column, type Written } from "./cells";

/** Where a cell is in full: by the row's key, or else by its place. Empty for a row that is not in the database. */
export function cellUrl(
  place: ObjectPlace,
  page: Schemas["Rows"],
  asked: RowsAsked,
  row: number,
  column: Column,
): string {
  const cells = page.rows[row];
  if (!cells) return "";
  const key = new Map<string, Written>();
  for (const [index, one] of page.columns.entries()) {
    const value = one.key ? asWritten(cells[index] ?? null) : undefined;
    if (value !== undefined) key.set(one.name, value);
  }
  if (key.size > 0 && key.size === page.editKeyColumns.length)
    return fileUrl(place, "cell", { column: column.name, key: JSON.stringify(Object.fromEntries(key)) });
  return fileUrl(place, "cell", {
    ...orderParams(asked.order),
    ...(asked.filter && { filter: asked.filter }),
    ...(asked.where && { where: asked.where }),
    column: column.name,
    offset: String(asked.offset + row),
  });
}
