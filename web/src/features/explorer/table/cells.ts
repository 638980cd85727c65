import type { Schemas } from "@/api/client";
import { bytes } from "@/ui/numbers";

export type Column = Schemas["RowColumn"];
/** A cell as the API sends it: NULL, a whole text, the beginning of one, or bytes. */
export type Cell = string | Schemas["CutCell"] | Schemas["BinaryCell"] | null;
/** What can be written: a cell that is whole, or the column's default. */
export type Written = string | { base64: string } | { default: true } | null;

const SHOWN_BYTES = 32;
const RETURNS = /\r\n|\r|\n/g;

export function isBinary(cell: Cell): cell is Schemas["BinaryCell"] {
  return typeof cell === "object" && cell !== null && "base64" in cell;
}

export function isCut(cell: Cell): boolean {
  if (typeof cell !== "object" || cell === null) return false;
  return "text" in cell || byteLength(cell.base64) < cell.length;
}

function byteLength(base64: string): number {
  const padding = base64.endsWith("==") ? 2 : base64.endsWith("=") ? 1 : 0;
  return (base64.length / 4) * 3 - padding;
}

export function toBytes(base64: string): Uint8Array {
  return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
}

export function toHex(data: Uint8Array): string {
  return Array.from(data, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** What a grid's cell says in one line. */
export function cellLine(cell: Cell): string {
  if (cell === null) return "NULL";
  if (typeof cell === "string") return cell.replace(RETURNS, "⏎").slice(0, 500);
  if ("text" in cell) return `${cell.text.replace(RETURNS, "⏎").slice(0, 200)}…`;
  const head = toHex(toBytes(cell.base64).slice(0, SHOWN_BYTES));
  return `0x${head}${cell.length > SHOWN_BYTES ? "…" : ""}`;
}

/** Its size, where that is worth saying. */
export function cellSize(cell: Cell): string {
  return typeof cell === "object" && cell !== null ? bytes(cell.length) : "";
}

/** The text that is copied: as in TSV, with NULL as nothing. */
export function cellText(cell: Cell): string {
  if (cell === null) return "";
  if (typeof cell === "string") return cell;
  return "text" in cell ? cell.text : `\\x${toHex(toBytes(cell.base64))}`;
}

/** Some cells as tab-separated lines; what would break them is put between quotes, as spreadsheets read it. */
export function toTsv(rows: readonly (readonly Cell[])[]): string {
  return rows.map((row) => row.map((cell) => quoted(cellText(cell))).join("\t")).join("\n");
}

function quoted(text: string): string {
  return /[\t\n\r"]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** A cell as it is sent back: as a key, or as what must still be there. Undefined for one that was cut. */
export function asWritten(cell: Cell): Written | undefined {
  if (cell === null || typeof cell === "string") return cell;
  if (isBinary(cell) && !isCut(cell)) return { base64: cell.base64 };
  return undefined;
}

/** Sixteen bytes a line: offset, hex, characters. */
export function hexDump(data: Uint8Array): string {
  const lines: string[] = [];
  for (let start = 0; start < data.length; start += 16) {
    const row = data.slice(start, start + 16);
    const hex = Array.from(row, (byte) => byte.toString(16).padStart(2, "0"))
      .join(" ")
      .padEnd(47);
    const text = Array.from(row, (byte) => (byte >= 32 && byte < 127 ? String.fromCharCode(byte) : ".")).join("");
    lines.push(`${start.toString(16).padStart(8, "0")}  ${hex}  ${text}`);
  }
  return lines.join("\n");
}
