import { expect, test } from "vitest";
import { Problem } from "@/api/problem";
import { pathOf } from "../place";
import { connectionId, databaseId, lineAfter, linesOf, pathTo, type TreeInput } from "./nodes";

const object = (kind: "table" | "view", name: string) => ({
  ...{ kind, name, schema: "public", table: "", signature: "", returns: "", language: "", comment: "" },
  ...{ estimatedRows: 1, estimatedSizeBytes: 1 },
});
const place = { connectionId: "c1", database: "shop", kind: "table" as const, schema: "public", name: "<b>" };
const input: TreeInput = {
  connections: [{ id: "c1", name: "Shop", type: "postgresql" }],
  databases: new Map([["c1", ["shop", "other"]]]),
  objects: new Map([
    [
      databaseId("c1", "shop"),
      { database: "shop", schemas: ["public"], objects: [object("table", "<b>"), object("view", "v")] },
    ],
  ]),
  open: new Set(),
  search: "",
};
const labels = (more: Partial<TreeInput>) => linesOf({ ...input, ...more }).map((line) => line.label);

test("what is closed is not there, and the way to a place opens it", () => {
  expect(labels({})).toEqual(["Shop"]);
  expect(labels({ open: new Set(pathTo(place, true)) })).toEqual([
    ...["Shop", "shop", "public", "Tables", "<b>", "Views", "other"],
  ]);
  expect(pathOf(place)).toBe("/explorer/c1/shop/table/public/%3Cb%3E");
});

test("a search opens what leads to matches", () => {
  expect(labels({ search: "V" })).toEqual(["Shop", "shop", "public", "Views", "v"]);
  expect(labels({ search: "nothing" })).toEqual([]);
});

test("a database that cannot be read says why", () => {
  const objects = new Map([[databaseId("c1", "shop"), new Problem(503, { message: "refused" })]]);
  const open = new Set([connectionId("c1"), databaseId("c1", "shop")]);
  expect(labels({ objects, open })).toContain("refused");
});

test("the left arrow leads to what is above", () => {
  const lines = linesOf({ ...input, open: new Set(pathTo(place, true)) });
  expect(lineAfter(lines, 4, "ArrowLeft", 10)).toBe(3);
  expect(lineAfter(lines, 0, "ArrowLeft", 10)).toBeNull();
  expect(lineAfter(lines, 0, "x", 10)).toBeNull();
});
