import type { Schemas } from "@/api/client";
import { type Cell, isBinary, isCut } from "@/ui/cells";

export type Column = Schemas["RowColumn"];
/** What can be written: a cell that is whole, or the column's default. */
export type Written = string | { base64: string } | { default: true } | null;

/** A cell as it is sent back: as a key, or as what must still be there. Undefined for one that was cut. */
export function asWritten(cell: Cell): Written | undefined {
  if (cell === null || typeof cell === "string") return cell;
  if (isBinary(cell) && !isCut(cell)) return { base64: cell.base64 };
  return undefined;
}
