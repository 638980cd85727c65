/** States, stages and reasons in plain words. */

import type { Tone } from "@/ui/Badge";
import type { RunState, TableState } from "./data";

export const TABLE_STATES: Record<TableState, readonly [text: string, tone: Tone, meaning: string]> = {
  pending: ["Waiting", "neutral", "its turn has not come yet"],
  copying: ["Copying", "accent", "its rows are being copied"],
  indexing: ["Building keys", "accent", "its rows are in; keys and indexes are being made"],
  catching_up: ["Catching up", "info", "its rows are in; changes that came meanwhile are being applied"],
  streaming: ["Streaming", "ok", "every change of the source is applied"],
  finished: ["Finished", "ok", "all rows and keys are in"],
  failed: ["Failed", "danger", "it could not go on; the others do"],
  paused: ["Paused", "warn", "nothing is written to it until somebody acts"],
  skipped: ["Skipped", "neutral", "it is left out"],
  stopped: ["Stopped", "neutral", "the run ended before it was done"],
  time_limit_reached: ["Time limit", "warn", "the limit of time ended the run before it was done"],
  event_limit_reached: ["Row limit", "warn", "the limit of rows ended the run before it was done"],
};

/** How much a state wants to be looked at: the higher, the further up when sorted by state. */
export const URGENCY: Record<TableState, number> = {
  failed: 9,
  paused: 8,
  copying: 7,
  catching_up: 6,
  indexing: 5,
  pending: 4,
  time_limit_reached: 3,
  event_limit_reached: 3,
  stopped: 2,
  skipped: 1,
  streaming: 0,
  finished: 0,
};

export interface Stage {
  id: string;
  title: string;
  hint: string;
}

const BEGIN: readonly Stage[] = [
  { id: "planning", title: "Plan", hint: "The source's structure is read" },
  { id: "structure", title: "Structure", hint: "Tables are made in the target" },
  { id: "data", title: "Copy", hint: "Rows are copied; keys follow table by table" },
];
const CONVERT: readonly Stage[] = [
  ...BEGIN,
  { id: "finishing", title: "Finish", hint: "Foreign keys, counters, views, statistics" },
  { id: "done", title: "Done", hint: "Everything is in" },
];
const CDC: readonly Stage[] = [...BEGIN, { id: "streaming", title: "Stream", hint: "Every change is applied" }];

/** The stages of a mode, in their order. */
export function stagesOf(mode: string): readonly Stage[] {
  return mode === "cdc" ? CDC : CONVERT;
}

const ENDED: readonly RunState[] = ["FINISHED", "FAILED", "STOPPED", "TIME_LIMIT_REACHED", "EVENT_LIMIT_REACHED"];

export function hasEnded(state: RunState): boolean {
  return ENDED.includes(state);
}

export function modeName(mode: string): string {
  return mode === "cdc" ? "Replicate" : "Copy once";
}

/** `ZeroDates: null` kept by the server as `column: policy`. */
export function sum(numbers: Record<string, number>): number {
  return Object.values(numbers).reduce((total, number) => total + number, 0);
}
