import { place, queries, tables } from "./config";
import { wrongNumbers } from "./options";
import type { Draft } from "./useDraft";

export const STEPS = [
  { id: "ends", label: "Source and target" },
  { id: "options", label: "Mode and options" },
  { id: "tables", label: "Tables" },
  { id: "plan", label: "Plan and start" },
] as const;

export type StepId = (typeof STEPS)[number]["id"];

/** What must be done before one can go on from a step; empty when all is. */
export function missing(step: StepId, draft: Draft): string {
  if (step === "ends") {
    const source = place(draft.config, "source");
    const target = place(draft.config, "target");
    if (!source.connectionId) return "Choose a source";
    if (!target.connectionId) return "Choose a target";
  }
  if (step === "options") {
    const wrong = wrongNumbers(draft.config);
    if (wrong.length > 0) return `Correct ${wrong.map((label) => `“${label}”`).join(", ")}`;
  }
  if (step === "tables" && !draft.all && !tables(draft.config).length && !queries(draft.config).length) {
    return "Choose at least one table, or all of them";
  }
  return "";
}

/** The step that an address means: the first one that is not done, if it means a later one. */
export function stepOf(wanted: string | null, draft: Draft): StepId {
  const index = STEPS.findIndex((step) => step.id === wanted);
  const open = STEPS.findIndex((step) => missing(step.id, draft) !== "");
  const last = open === -1 ? STEPS.length - 1 : open;
  return STEPS[Math.min(Math.max(index, 0), last)]?.id ?? "ends";
}

export function neighbour(step: StepId, by: 1 | -1): StepId | null {
  return STEPS[STEPS.findIndex((one) => one.id === step) + by]?.id ?? null;
}
