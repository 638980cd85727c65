/** What runs in the console's tabs, and what came of it. It goes on while other pages are looked at. */

import { api, call, type Schemas } from "@/api/client";
import { Problem, problemOf } from "@/api/problem";
import { queryClient } from "@/api/queries";
import { Store } from "@/api/store";
import { unitsOf } from "./places";

export type QueryResult = Schemas["QueryResult"];
export type StatementInfo = Schemas["StatementInfo"];

/** A part of an editor's text that is to be run, and where it begins in it (UTF-16 units). */
export interface Part {
  text: string;
  offset: number;
}

export type Run =
  | { phase: "running"; queryId: string; connectionId: string; since: number; what: string; cancelling: boolean }
  | { phase: "results"; part: Part; results: readonly QueryResult[]; problem: Problem | null; ms: number; id: string }
  | { phase: "plan"; part: Part; plan: Schemas["Explained"]; id: string }
  | { phase: "failed"; part: Part; problem: Problem; id: string };

export const runs = new Store<Readonly<Record<string, Run | undefined>>>({});

function put(tabId: string, run: Run | undefined): void {
  runs.set({ ...runs.get(), [tabId]: run });
}

const CANCEL_AGAIN_MS = 250;

export interface Target {
  tabId: string;
  connectionId: string;
  database: string;
  rows: number;
  seconds: number;
}

function begin({ tabId, connectionId }: Target, what: string): string {
  const queryId = crypto.randomUUID();
  put(tabId, { phase: "running", queryId, connectionId, since: Date.now(), what, cancelling: false });
  return queryId;
}

function bodyOf(target: Target, part: Part, queryId: string): Schemas["QueryBody"] {
  return {
    query: part.text,
    database: target.database,
    schema: "",
    readOnly: false,
    queryId,
    limits: { rows: target.rows, bytes: 16_777_216, cellBytes: 65_536, seconds: target.seconds },
    resultsOnly: true,
  };
}

const path = (connectionId: string) => ({ params: { path: { connection_id: connectionId } } });

/** Cuts a text into its statements, placed in UTF-16 units of the text. */
export async function analyze(connectionId: string, text: string): Promise<StatementInfo[]> {
  const { statements } = await call(
    api.POST("/api/v1/connections/{connection_id}/query/statements", { ...path(connectionId), body: { query: text } }),
  );
  return statements.map((one) => ({ ...one, start: unitsOf(text, one.start), end: unitsOf(text, one.end) }));
}

export async function runQuery(target: Target, part: Part): Promise<void> {
  const queryId = begin(target, "Running");
  const started = performance.now();
  let run: Run;
  try {
    const { data, error, response } = await api.POST("/api/v1/connections/{connection_id}/query", {
      ...path(target.connectionId),
      body: bodyOf(target, part, queryId),
    });
    const ms = performance.now() - started;
    if (data) run = { phase: "results", part, results: data.results, problem: null, ms, id: queryId };
    else {
      const body = (error ?? {}) as Partial<Schemas["QueryProblem"]>;
      const problem = new Problem(response.status, body, response.headers.get("x-request-id") ?? "");
      const results = body.results ?? [];
      run = results.length
        ? { phase: "results", part, results, problem, ms, id: queryId }
        : { phase: "failed", part, problem, id: queryId };
    }
  } catch (thrown) {
    run = { phase: "failed", part, problem: problemOf(thrown), id: queryId };
  }
  put(target.tabId, run);
  void queryClient.invalidateQueries({ queryKey: ["sql", "history"] });
  if (run.phase === "results" && run.results.some((result) => /^(CREATE|DROP|ALTER|RENAME)$/.test(result.verb)))
    void queryClient.invalidateQueries({ queryKey: ["sql", "names"] });
}

export async function runExplain(target: Target, part: Part, analyzed: boolean): Promise<void> {
  const queryId = begin(target, analyzed ? "Explaining and measuring" : "Explaining");
  try {
    const plan = await call(
      api.POST("/api/v1/connections/{connection_id}/query/explain", {
        ...path(target.connectionId),
        body: { ...bodyOf(target, part, queryId), analyze: analyzed, format: "tree" },
      }),
    );
    put(target.tabId, { phase: "plan", part, plan, id: queryId });
  } catch (thrown) {
    put(target.tabId, { phase: "failed", part, problem: problemOf(thrown), id: queryId });
  }
}

/** Breaks a run off, or lets it end by itself when it does so first. */
export async function cancelRun(tabId: string): Promise<void> {
  const run = runs.get()[tabId];
  if (run?.phase !== "running") return;
  put(tabId, { ...run, cancelling: true });
  const still = () => {
    const now = runs.get()[tabId];
    return now?.phase === "running" && now.queryId === run.queryId ? now : undefined;
  };
  while (still()) {
    try {
      await call(
        api.POST("/api/v1/connections/{connection_id}/query/{query_id}/cancel", {
          params: { path: { connection_id: run.connectionId, query_id: run.queryId } },
        }),
      );
      return;
    } catch (thrown) {
      // 404: it has just ended, and its answer is on the way; or it has not come to the server yet.
      if (problemOf(thrown).status !== 404) {
        const now = still();
        if (now) put(tabId, { ...now, cancelling: false });
        throw thrown;
      }
    }
    await new Promise((resolve) => setTimeout(resolve, CANCEL_AGAIN_MS));
  }
}

export function dropRun(tabId: string): void {
  put(tabId, undefined);
}

/** Where in the editor the server found an error, if it named a place. */
export function errorPlace(run: Run | undefined): { at: number; message: string } | null {
  if (run?.phase !== "results" && run?.phase !== "failed") return null;
  const told =
    run.phase === "results"
      ? run.results.findLast((result) => result.error)?.error
      : { message: run.problem.message, position: run.problem.details["position"] };
  if (!told || typeof told.position !== "number") return null;
  return { at: run.part.offset + unitsOf(run.part.text, told.position), message: told.message };
}
