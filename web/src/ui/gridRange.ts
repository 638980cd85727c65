/** Cells of a grid, ranges of them, and how keys move through them. */

export interface Cell {
  row: number;
  column: number;
}

/** From the cell where it began to the one that moves. */
export interface Range {
  anchor: Cell;
  head: Cell;
}

interface Size {
  rows: number;
  columns: number;
  /** Rows in sight. */
  page: number;
}

interface Keys {
  key: string;
  shiftKey: boolean;
  ctrlKey: boolean;
  metaKey: boolean;
  altKey: boolean;
}

interface Texts<Row> {
  text?: (row: Row, index: number) => string;
}

export function singleCell(cell: Cell): Range {
  return { anchor: cell, head: cell };
}

export function ordered({ anchor, head }: Range): { top: number; bottom: number; left: number; right: number } {
  return {
    top: Math.min(anchor.row, head.row),
    bottom: Math.max(anchor.row, head.row),
    left: Math.min(anchor.column, head.column),
    right: Math.max(anchor.column, head.column),
  };
}

export function contains(range: Range | null, { row, column }: Cell): boolean {
  if (!range) return false;
  const { top, bottom, left, right } = ordered(range);
  return row >= top && row <= bottom && column >= left && column <= right;
}

const STEPS: Readonly<Record<string, (size: Size) => readonly [rows: number, columns: number]>> = {
  ArrowUp: () => [-1, 0],
  ArrowDown: () => [1, 0],
  ArrowLeft: () => [0, -1],
  ArrowRight: () => [0, 1],
  PageUp: ({ page }) => [-page, 0],
  PageDown: ({ page }) => [page, 0],
  Home: () => [0, Number.NEGATIVE_INFINITY],
  End: () => [0, Number.POSITIVE_INFINITY],
};

function clamp(value: number, count: number): number {
  return Math.min(Math.max(value, 0), count - 1);
}

/** Where a key leads from a range; null for a key that leads nowhere. Ctrl goes to the very end, Shift keeps the anchor. */
export function stepped(keys: Keys, range: Range | null, size: Size): Range | null {
  const ctrl = keys.ctrlKey || keys.metaKey;
  if (ctrl && keys.key === "a") {
    return { anchor: { row: 0, column: 0 }, head: { row: size.rows - 1, column: size.columns - 1 } };
  }
  const step = Object.hasOwn(STEPS, keys.key) && !keys.altKey ? STEPS[keys.key] : undefined;
  if (!step) return null;
  if (!range) return singleCell({ row: 0, column: 0 });
  let [down, right] = step(size);
  if (ctrl) {
    if (right !== 0 && Number.isFinite(right)) right *= Number.POSITIVE_INFINITY;
    if (down !== 0) down *= Number.POSITIVE_INFINITY;
    if (keys.key === "Home") down = Number.NEGATIVE_INFINITY;
    if (keys.key === "End") down = Number.POSITIVE_INFINITY;
  }
  const head = { row: clamp(range.head.row + down, size.rows), column: clamp(range.head.column + right, size.columns) };
  return keys.shiftKey ? { anchor: range.anchor, head } : singleCell(head);
}

/** The range as lines of tab-separated text; tabs and line ends within a cell become spaces. Columns without text are left out. */
export function rangeText<Row>(
  range: Range,
  columns: readonly Texts<Row>[],
  row: (index: number) => Row | undefined,
): string {
  const { top, bottom, left, right } = ordered(range);
  const alone = top === bottom && left === right;
  const lines: string[] = [];
  for (let index = top; index <= bottom; index += 1) {
    const item = row(index);
    if (item === undefined) continue;
    const texts = columns.slice(left, right + 1).flatMap((column) => column.text?.(item, index) ?? []);
    lines.push(alone ? (texts[0] ?? "") : texts.map((text) => text.replace(/[\t\r\n]+/g, " ")).join("\t"));
  }
  return lines.join("\n");
}
