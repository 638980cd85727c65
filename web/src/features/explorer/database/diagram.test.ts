import { expect, test } from "vitest";
import type { Schemas } from "@/api/client";
import { diagramOf, heightOf, toSvg } from "./diagram";
import { placed } from "./layout";

const colours = { ground: "a", raised: "b", sunken: "c", border: "d", text: "e", muted: "f", accent: "g" };

function meta(count: number): Schemas["DatabaseMeta"] {
  const table = (index: number) => ({
    name: `t${index}<&`,
    schema: "s",
    columns: [{ name: "id", columnType: "int", isPrimaryKey: true }],
    foreignKeys:
      index === 0
        ? []
        : [{ name: "k", columns: ["id"], referencedSchema: "s", referencedTable: "t0<&", referencedColumns: ["id"] }],
  });
  const tables = Object.fromEntries(Array.from({ length: count }, (_, index) => [`t${index}`, table(index)]));
  return { tables } as unknown as Schemas["DatabaseMeta"];
}

test("no two tables stand on one place", () => {
  const diagram = diagramOf(meta(60));
  const places = [...placed(diagram).values()].map(({ x, y }) => `${Math.round(x)},${Math.round(y)}`);
  expect(new Set(places).size).toBe(60);
  expect(diagram.links).toHaveLength(59);
  expect(heightOf(diagram.tables[0] ?? { id: "", schema: "", name: "", columns: [], more: 0 })).toBeGreaterThan(40);
});

test("many tables that refer to one make a block, and no tower", () => {
  const diagram = diagramOf(meta(100));
  const places = placed(diagram);
  const [xs, ys] = [[...places.values()].map(({ x }) => x), [...places.values()].map(({ y }) => y)];
  const [width, height] = [xs, ys].map((all) => Math.max(...all) - Math.min(...all)) as [number, number];
  expect(height).toBeLessThan(width);
  expect(width).toBeLessThan(height * 4);
  for (const link of diagram.links) expect(places.get(link.from)?.x).toBeLessThan(places.get(link.to)?.x ?? 0);
});

test("a picture is XML, whatever names hold", () => {
  const diagram = diagramOf(meta(3));
  const svg = toSvg(diagram, placed(diagram), colours);
  const parsed = new DOMParser().parseFromString(svg, "image/svg+xml");
  expect(parsed.querySelector("parsererror")).toBeNull();
  expect([...parsed.querySelectorAll("text")].map((text) => text.textContent)).toContain("t0<&");
});
