import { useState } from "react";
import type { Schemas } from "@/api/client";
import { CodeBlock } from "@/ui/CodeBlock";
import { cx } from "@/ui/cx";
import { count, share } from "@/ui/numbers";
import styles from "./Plan.module.css";

type Step = Schemas["PlanStep"];

type Measure = "actualMs" | "cost";

/** Of a step with all below it; where the server tells none, that of those below. */
function whole(step: Step, measure: Measure): number {
  return step[measure] ?? step.children.reduce((sum, child) => sum + whole(child, measure), 0);
}

/** Of a step alone. */
function own(step: Step, measure: Measure): number {
  return Math.max(0, whole(step, measure) - step.children.reduce((sum, child) => sum + whole(child, measure), 0));
}

function hasMeasured(step: Step): boolean {
  return step.actualMs !== null || step.children.some(hasMeasured);
}

function ms(value: number): string {
  return `${value < 10 ? value.toFixed(2) : count(value)} ms`;
}

/** Estimates that were off by this much mislead the server. */
const FAR_OFF = 10;

function Rows({ step }: { step: Step }) {
  if (step.actualRows === null) return step.rows === null ? null : <span>{count(step.rows)} rows expected</span>;
  const expected = (step.rows ?? 0) * (step.loops ?? 1);
  const off = Math.max(expected, 1) / Math.max(step.actualRows, 1);
  const wrong = off > FAR_OFF || off < 1 / FAR_OFF;
  return (
    <span className={cx(wrong && styles.wrong)}>
      {count(step.actualRows)} rows{step.rows !== null && `, ${count(expected)} expected`}
      {wrong && " (far off)"}
    </span>
  );
}

interface StepProps {
  step: Step;
  total: number;
  measure: Measure;
}

function StepView({ step, total, measure }: StepProps) {
  const part = total > 0 ? Math.min(1, own(step, measure) / total) : 0;
  return (
    <li className={styles.step}>
      <div className={styles.line}>
        <div className={styles.bar} aria-hidden="true">
          <div style={{ width: `${part * 100}%` }} />
        </div>
        <strong>{step.title}</strong>
        <span className={styles.numbers}>
          {step.actualMs !== null && <span>{ms(step.actualMs)}</span>}
          {step.cost !== null && <span>cost {count(step.cost)}</span>}
          <Rows step={step} />
          {total > 0 && <span>{share(part)} of all</span>}
          {step.loops !== null && step.loops > 1 && <span>{count(step.loops)} loops</span>}
        </span>
      </div>
      {step.facts.length > 0 && (
        <dl className={styles.facts}>
          {step.facts.map((fact) => (
            <div key={fact.name}>
              <dt>{fact.name}</dt>
              <dd>{fact.value}</dd>
            </div>
          ))}
        </dl>
      )}
      {step.children.length > 0 && (
        <ul>
          {step.children.map((child, index) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: steps have no names of their own, and never move
            <StepView key={index} step={child} total={total} measure={measure} />
          ))}
        </ul>
      )}
    </li>
  );
}

/** An execution plan as a tree; each step's bar is its own share of the time, or else of the cost. */
export function PlanView({ plan }: { plan: Schemas["Explained"] }) {
  const [raw, setRaw] = useState(false);
  const { tree } = plan;
  if (!tree) return <CodeBlock code={plan.text} label="Execution plan" maxHeight="100%" />;
  const measure = hasMeasured(tree) ? "actualMs" : "cost";
  return (
    <div className={styles.plan}>
      <label className={styles.toggle}>
        <input type="checkbox" checked={raw} onChange={(event) => setRaw(event.target.checked)} /> As the server says it
      </label>
      {raw ? (
        <CodeBlock code={plan.text} label="Execution plan" maxHeight="100%" />
      ) : (
        <ul className={styles.tree} aria-label="Execution plan">
          <StepView step={tree} total={whole(tree, measure)} measure={measure} />
        </ul>
      )}
    </div>
  );
}
