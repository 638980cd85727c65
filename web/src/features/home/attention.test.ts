import { expect, it } from "vitest";
import type { Schemas } from "@/api/client";
import { attention } from "./attention";

type Overview = Schemas["Overview"];

function one(name: string, newest: object, brief: object = {}): Overview {
  const quiet = { alerts: [], tablesFailed: 0, deadLetters: 0, rowsRejected: 0 };
  const stream = { id: name, status: "RUNNING", error: "", message: "", remedy: "", ...newest };
  return { name, newest: stream, brief: { ...quiet, ...brief } } as unknown as Overview;
}

it("has nothing to say of streams that run or have finished", () => {
  expect(attention([one("a", {}), one("b", { status: "FINISHED" }), { ...one("c", {}), newest: null }])).toEqual([]);
});

it("puts failures before warnings, with their reason and remedy", () => {
  const found = attention([
    one("waits", { status: "PAUSED", message: "by a user" }),
    one("broke", { status: "FAILED", error: "no room", remedy: "make room" }),
    one("late", {}, { alerts: [{ alert: "lag", message: "behind", remedy: "wait", subject: "" }], deadLetters: 1200 }),
  ]);
  expect(found.map(({ stream, level }) => [stream, level])).toEqual([
    ["broke", "error"],
    ["waits", "warn"],
    ["late", "warn"],
    ["late", "warn"],
  ]);
  expect(found[0]).toMatchObject({ why: "no room", remedy: "make room", to: "/streams/broke" });
  expect(found[3]?.title).toBe("1,200 changes put aside");
});
