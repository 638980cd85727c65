import { render, screen } from "@testing-library/react";
import { expect, test } from "vitest";
import type { Schemas } from "@/api/client";
import { TooltipProvider } from "@/ui/Tooltip";
import { PlanView } from "./PlanView";

type Step = Schemas["PlanStep"];

function step(title: string, given: Partial<Step> = {}): Step {
  const nothing = { facts: [], rows: null, cost: null, loops: null, actualRows: null, actualMs: null, children: [] };
  return { title, ...nothing, ...given };
}

function show(tree: Step | null, text = "as text"): void {
  const plan = { tree, text, analyzed: true, durationMs: 1 };
  render(<PlanView plan={plan} />, { wrapper: TooltipProvider });
}

test("a step's share is its own time, without that of the steps below", () => {
  show(step("Sort", { actualMs: 100, children: [step("Scan", { actualMs: 75 })] }));
  expect(screen.getByText("Sort").parentElement).toHaveTextContent("25% of all");
  expect(screen.getByText("Scan").parentElement).toHaveTextContent("75% of all");
});

test("steps without a time of their own take that of those below", () => {
  show(step("Statement", { children: [step("Scan", { actualMs: 2 })] }));
  expect(screen.getByText("Statement").parentElement).toHaveTextContent("0% of all");
  expect(screen.getByText("Scan").parentElement).toHaveTextContent("100% of all");
});

test("an estimate that was far off says so", () => {
  show(step("Scan", { rows: 5000, loops: 1, actualRows: 5 }));
  expect(screen.getByText(/far off/)).toHaveTextContent("5 rows, 5,000 expected (far off)");
});

test("a plan that is no tree is a text", () => {
  show(null, "-> Table scan");
  expect(screen.getByText("-> Table scan")).toBeInTheDocument();
});
