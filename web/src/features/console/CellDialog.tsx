import type { Schemas } from "@/api/client";
import { CodeBlock } from "@/ui/CodeBlock";
import { bytesOf, type Cell, dump, isBinary, isCut } from "@/ui/cells";
import { Dialog } from "@/ui/Dialog";
import { bytes, count } from "@/ui/numbers";

interface Props {
  column: Schemas["CellColumn"];
  cell: Cell;
  row: number;
  onClose: () => void;
}

/** JSON with line breaks where it is some; numbers that a reader could not hold stay as they are. */
function pretty(text: string): string {
  try {
    const value: unknown = JSON.parse(text);
    const again = JSON.stringify(value, null, 2);
    return again.replace(/\s/g, "").length === text.replace(/\s/g, "").length ? again : text;
  } catch {
    return text;
  }
}

function fullText(cell: Cell, kind: string): string {
  if (cell === null) return "NULL";
  if (isBinary(cell)) return dump(bytesOf(cell.base64));
  const text = typeof cell === "string" ? cell : cell.text;
  return kind === "json" ? pretty(text) : text;
}

/** One cell in full, or as much of it as is here. */
export function CellDialog({ column, cell, row, onClose }: Props) {
  const length = typeof cell === "object" && cell !== null ? cell.length : undefined;
  return (
    <Dialog
      open
      onOpenChange={onClose}
      size="l"
      title={column.name}
      description={
        <>
          {column.type}, row {count(row + 1)}
          {length !== undefined && `, ${bytes(length)}`}
          {isCut(cell) && ": only its beginning is here; an export has all of it"}
        </>
      }
    >
      <CodeBlock code={fullText(cell, column.kind)} label={`Value of ${column.name}`} maxHeight="60vh" />
    </Dialog>
  );
}
