import type { Schemas } from "@/api/client";
import { bytes } from "./numbers";

/** Cells as the API sends them: NULL, a whole text, the beginning of one, or bytes (all, or their beginning). */
export type Cell = string | Schemas["CutCell"] | Schemas["BinaryCell"] | null;

const LINE_CHARACTERS = 300;
const LINE_BYTES = 32;
const BREAKS = /\r\n|\r|\n/g;

export function isBinary(cell: Cell): cell is Schemas["BinaryCell"] {
  return typeof cell === "object" && cell !== null && "base64" in cell;
}

export function bytesOf(base64: string): Uint8Array {
  return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
}

export function hex(data: Uint8Array): string {
  return Array.from(data, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** How many bytes they are. */
export function lengthOf(base64: string): number {
  const padding = base64.endsWith("==") ? 2 : base64.endsWith("=") ? 1 : 0;
  return (base64.length / 4) * 3 - padding;
}

/** Whether only the beginning of the cell is here. */
export function isCut(cell: Cell): boolean {
  if (typeof cell !== "object" || cell === null) return false;
  return "text" in cell || lengthOf(cell.base64) < cell.length;
}

/** What a grid's cell shows: one line, never long, whatever is in the cell. */
export function lineOf(cell: Cell): string {
  if (cell === null) return "NULL";
  if (isBinary(cell)) {
    const head = hex(bytesOf(cell.base64.slice(0, 64)).slice(0, LINE_BYTES));
    return `0x${head}${cell.length > LINE_BYTES ? "…" : ""}`;
  }
  const text = typeof cell === "string" ? cell : cell.text;
  const line = text.slice(0, LINE_CHARACTERS).replace(BREAKS, "⏎");
  return typeof cell !== "string" || text.length > LINE_CHARACTERS ? `${line}…` : line;
}

/** How large it is, where a line cannot show it: for bytes, and for a text that was cut. */
export function sizeOf(cell: Cell): string {
  return typeof cell === "object" && cell !== null ? bytes(cell.length) : "";
}

/** What is copied: nothing for NULL, bytes as CSV files have them. */
export function textOf(cell: Cell): string {
  if (cell === null) return "";
  if (isBinary(cell)) return `\\x${hex(bytesOf(cell.base64))}`;
  return typeof cell === "string" ? cell : cell.text;
}

/** Sixteen bytes a line: offset, hex, characters. */
export function dump(data: Uint8Array): string {
  const lines: string[] = [];
  for (let start = 0; start < data.length; start += 16) {
    const row = data.slice(start, start + 16);
    const digits = Array.from(row, (byte) => byte.toString(16).padStart(2, "0")).join(" ");
    const text = Array.from(row, (byte) => (byte > 31 && byte < 127 ? String.fromCharCode(byte) : ".")).join("");
    lines.push(`${start.toString(16).padStart(8, "0")}  ${digits.padEnd(47)}  ${text}`);
  }
  return lines.join("\n");
}
