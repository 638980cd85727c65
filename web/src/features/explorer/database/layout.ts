import dagre from "@dagrejs/dagre";
import { type Diagram, type DiagramTable, heightOf, type Placed, WIDTH } from "./diagram";

const GAP = 46;
const BETWEEN = 28;
const LAYER_GAP = 90;
const SHAPE = 1.6; // width to height, as screens have it

/** Where the tables stand: those with keys in layers, from those that refer to those that are referred to; the others in rows below. */
export function placed(diagram: Diagram): Map<string, Placed> {
  const linked = new Set(diagram.links.flatMap((link) => (link.from === link.to ? [] : [link.from, link.to])));
  const graph = new dagre.graphlib.Graph({ multigraph: true });
  graph.setGraph({ rankdir: "LR", nodesep: BETWEEN, ranksep: LAYER_GAP });
  graph.setDefaultEdgeLabel(() => ({}));
  const bound = diagram.tables.filter((table) => linked.has(table.id));
  for (const table of bound) graph.setNode(table.id, { width: WIDTH, height: heightOf(table) });
  for (const link of diagram.links) if (link.from !== link.to) graph.setEdge(link.from, link.to, {}, link.id);
  dagre.layout(graph);
  const places = new Map(
    bound.map((table) => {
      const node = graph.node(table.id);
      return [table.id, { x: node.x - WIDTH / 2, y: node.y - heightOf(table) / 2 }];
    }),
  );
  fold(bound, places);
  const ends = bound.map((table) => (places.get(table.id)?.y ?? 0) + heightOf(table) + GAP);
  inRows(
    diagram.tables.filter((table) => !linked.has(table.id)),
    places,
    Math.max(0, ...ends),
  );
  return places;
}

/** Breaks layers that would make a tower, such as fifty tables that refer to one, into columns side by side. */
function fold(tables: readonly DiagramTable[], places: Map<string, Placed>): void {
  const at = (table: DiagramTable) => places.get(table.id) ?? { x: 0, y: 0 };
  const room = tables.reduce((sum, table) => sum + (heightOf(table) + BETWEEN) * (WIDTH + LAYER_GAP), 0);
  const high = Math.sqrt(room / SHAPE);
  if (Math.max(0, ...tables.map((table) => at(table).y + heightOf(table))) < high * 2) return;
  const inOrder = [...tables].sort((one, other) => at(one).x - at(other).x || at(one).y - at(other).y);
  const before = new Map(places);
  let left = 0;
  for (const layer of new Set(inOrder.map((table) => at(table).x))) {
    let y = 0;
    for (const table of inOrder.filter((one) => before.get(one.id)?.x === layer)) {
      if (y > 0 && y + heightOf(table) > high) {
        left += WIDTH + GAP;
        y = 0;
      }
      places.set(table.id, { x: left, y });
      y += heightOf(table) + BETWEEN;
    }
    left += WIDTH + LAYER_GAP;
  }
}

function inRows(tables: readonly DiagramTable[], places: Map<string, Placed>, top: number): void {
  const across = Math.max(4, Math.ceil(Math.sqrt(tables.length * SHAPE)));
  let bottom = top;
  for (let start = 0; start < tables.length; start += across) {
    const row = tables.slice(start, start + across);
    for (const [index, table] of row.entries()) places.set(table.id, { x: index * (WIDTH + GAP), y: bottom });
    bottom += Math.max(...row.map(heightOf)) + GAP;
  }
}
