import dagre from "@dagrejs/dagre";
import { type Diagram, heightOf, type Placed, WIDTH } from "./diagram";

const GAP = 46;

/** Where the tables stand: those with keys in layers, from those that refer to those that are referred to; the others in rows below. */
export function placed(diagram: Diagram): Map<string, Placed> {
  const linked = new Set(diagram.links.flatMap((link) => (link.from === link.to ? [] : [link.from, link.to])));
  const graph = new dagre.graphlib.Graph({ multigraph: true });
  graph.setGraph({ rankdir: "LR", nodesep: 28, ranksep: 90 });
  graph.setDefaultEdgeLabel(() => ({}));
  for (const table of diagram.tables)
    if (linked.has(table.id)) graph.setNode(table.id, { width: WIDTH, height: heightOf(table) });
  for (const link of diagram.links) if (link.from !== link.to) graph.setEdge(link.from, link.to, {}, link.id);
  dagre.layout(graph);
  const places = new Map<string, Placed>();
  let bottom = 0;
  for (const table of diagram.tables) {
    if (!linked.has(table.id)) continue;
    const node = graph.node(table.id);
    const height = heightOf(table);
    places.set(table.id, { x: node.x - WIDTH / 2, y: node.y - height / 2 });
    bottom = Math.max(bottom, node.y + height / 2 + GAP);
  }
  const alone = diagram.tables.filter((table) => !linked.has(table.id));
  const across = Math.max(4, Math.ceil(Math.sqrt(alone.length * 1.6)));
  for (let start = 0; start < alone.length; start += across) {
    const row = alone.slice(start, start + across);
    for (const [index, table] of row.entries()) places.set(table.id, { x: index * (WIDTH + GAP), y: bottom });
    bottom += Math.max(...row.map(heightOf)) + GAP;
  }
  return places;
}
