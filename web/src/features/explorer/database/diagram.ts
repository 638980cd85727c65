import type { Schemas } from "@/api/client";

export interface DiagramColumn {
  name: string;
  type: string;
  primary: boolean;
  foreign: boolean;
}

export interface DiagramTable {
  id: string;
  schema: string;
  name: string;
  columns: DiagramColumn[];
  /** How many are left out. */
  more: number;
}

export interface DiagramLink {
  id: string;
  from: string;
  to: string;
  label: string;
}

export interface Diagram {
  tables: DiagramTable[];
  links: DiagramLink[];
}

export interface Placed {
  x: number;
  y: number;
}

export const WIDTH = 230;
export const HEAD = 32;
export const LINE = 22;
const MOST_COLUMNS = 14;

export function heightOf(table: DiagramTable): number {
  return HEAD + (table.columns.length + (table.more > 0 ? 1 : 0)) * LINE + 6;
}

export function tableId(schema: string, name: string): string {
  return JSON.stringify([schema, name]);
}

/** Tables and their foreign keys. Of a wide table the keys come first, and the rest only as far as there is room. */
export function diagramOf(meta: Schemas["DatabaseMeta"]): Diagram {
  const found = Object.values(meta.tables);
  const there = new Set(found.map((table) => tableId(table.schema, table.name)));
  const tables = found.map((table) => {
    const foreign = new Set(table.foreignKeys.flatMap((key) => key.columns));
    const columns = table.columns.map((column) => ({
      name: column.name,
      type: column.columnType,
      primary: column.isPrimaryKey,
      foreign: foreign.has(column.name),
    }));
    const keys = columns.filter((column) => column.primary || column.foreign);
    const shown =
      columns.length <= MOST_COLUMNS
        ? columns
        : [...keys, ...columns.filter((column) => !keys.includes(column))].slice(0, MOST_COLUMNS);
    const id = tableId(table.schema, table.name);
    return { id, schema: table.schema, name: table.name, columns: shown, more: columns.length - shown.length };
  });
  const links = found.flatMap((table) =>
    table.foreignKeys
      .map((key) => ({
        id: JSON.stringify([table.schema, table.name, key.name]),
        from: tableId(table.schema, table.name),
        to: tableId(key.referencedSchema || table.schema, key.referencedTable),
        label: `${key.columns.join(", ")} → ${key.referencedTable} (${key.referencedColumns.join(", ")})`,
      }))
      .filter((link) => there.has(link.to)),
  );
  return { tables, links };
}

export interface Colours {
  ground: string;
  raised: string;
  sunken: string;
  border: string;
  text: string;
  muted: string;
  accent: string;
}

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

function fitted(text: string, most: number): string {
  const letters = [...text];
  return letters.length > most ? `${letters.slice(0, most - 1).join("")}…` : text;
}

const MARGIN = 40;

/** The diagram as a picture of its own, with the tables where they stand. */
export function toSvg(diagram: Diagram, places: ReadonlyMap<string, Placed>, colours: Colours): string {
  const at = (id: string) => places.get(id) ?? { x: 0, y: 0 };
  const xs = diagram.tables.map((table) => at(table.id).x);
  const ys = diagram.tables.map((table) => at(table.id).y);
  const left = Math.min(0, ...xs) - MARGIN;
  const top = Math.min(0, ...ys) - MARGIN;
  const right = Math.max(...xs, 0) + WIDTH + MARGIN;
  const bottom = Math.max(...diagram.tables.map((table) => at(table.id).y + heightOf(table)), 0) + MARGIN;
  const byId = new Map(diagram.tables.map((table) => [table.id, table]));
  const lines = diagram.links.map((link) => linkSvg(byId.get(link.from), byId.get(link.to), at, colours));
  const boxes = diagram.tables.map((table) => tableSvg(table, at(table.id), colours));
  const [width, height] = [right - left, bottom - top].map(Math.ceil);
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="${left} ${top} ${width} ${height}"` +
    ` font-family="system-ui, sans-serif" font-size="12">` +
    `<rect x="${left}" y="${top}" width="${width}" height="${height}" fill="${colours.ground}"/>` +
    `${lines.join("")}${boxes.join("")}</svg>`
  );
}

function linkSvg(
  from: DiagramTable | undefined,
  to: DiagramTable | undefined,
  at: (id: string) => Placed,
  colours: Colours,
): string {
  if (!from || !to) return "";
  const [start, end] = [at(from.id), at(to.id)];
  const forth = start.x < end.x;
  const x1 = forth ? start.x + WIDTH : start.x;
  const x2 = forth ? end.x : end.x + WIDTH;
  const [y1, y2] = [start.y + heightOf(from) / 2, end.y + HEAD / 2];
  const bend = Math.max(40, Math.abs(x2 - x1) / 2) * (forth ? 1 : -1);
  return `<path d="M${x1},${y1} C${x1 + bend},${y1} ${x2 - bend},${y2} ${x2},${y2}" fill="none" stroke="${colours.muted}" stroke-width="1.3"/>`;
}

function tableSvg(table: DiagramTable, { x, y }: Placed, colours: Colours): string {
  const height = heightOf(table);
  const rows = table.columns.map((column, index) => {
    const base = y + HEAD + index * LINE + 15;
    const weight = column.primary ? ' font-weight="600"' : "";
    const fill = column.primary || column.foreign ? colours.accent : colours.text;
    return (
      `<text x="${x + 10}" y="${base}" fill="${fill}"${weight}>${escaped(fitted(column.name, 18))}</text>` +
      `<text x="${x + WIDTH - 10}" y="${base}" fill="${colours.muted}" font-size="11" text-anchor="end">${escaped(fitted(column.type, 16))}</text>`
    );
  });
  if (table.more > 0) {
    const base = y + HEAD + table.columns.length * LINE + 15;
    rows.push(`<text x="${x + 10}" y="${base}" fill="${colours.muted}">${table.more} more</text>`);
  }
  return (
    `<g><rect x="${x}" y="${y}" width="${WIDTH}" height="${height}" rx="6" fill="${colours.raised}" stroke="${colours.border}"/>` +
    `<path d="M${x},${y + HEAD} h${WIDTH}" stroke="${colours.border}"/>` +
    `<text x="${x + 10}" y="${y + 21}" font-weight="600" font-size="13" fill="${colours.text}">${escaped(fitted(table.name, 28))}</text>` +
    `${rows.join("")}</g>`
  );
}
