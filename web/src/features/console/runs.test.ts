import { expect, it, vi } from "vitest";
import { cancelRun, runQuery, runs } from "./runs";

const ANSWERED = { message: "the query was cancelled", code: "query_cancelled" };

it("asks for a cancel again until the query has come to the server", async () => {
  let refuse = (_: Response) => {};
  const cancels: number[] = [];
  vi.spyOn(globalThis, "fetch").mockImplementation((input) => {
    const url = String(input instanceof Request ? input.url : input);
    if (!url.endsWith("/cancel")) return new Promise((resolve) => (refuse = resolve));
    cancels.push(cancels.length ? 200 : 404); // the first is there before the query
    if (cancels.length > 1) refuse(Response.json(ANSWERED, { status: 400 }));
    return Promise.resolve(Response.json({ message: "no query of that id runs" }, { status: cancels.at(-1) }));
  });
  const target = { tabId: "t", connectionId: "c", database: "", rows: 1, seconds: 60 };
  const running = runQuery(target, { text: "SELECT pg_sleep(60)", offset: 0 });
  await cancelRun("t");
  await running;
  expect(cancels).toEqual([404, 200]);
  expect(runs.get()["t"]?.phase).toBe("failed");
});
