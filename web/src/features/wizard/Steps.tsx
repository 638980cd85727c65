import { ArrowLeft, ArrowRight, Check } from "lucide-react";
import { Button } from "@/ui/Button";
import { cx } from "@/ui/cx";
import { missing, neighbour, STEPS, type StepId } from "./order";
import { Start, type StartProps } from "./Start";
import type { Draft } from "./useDraft";
import base from "./Wizard.module.css";

interface NavProps {
  step: StepId;
  draft: Draft;
  onGo: (step: StepId) => void;
}

/** Where one is, and every step that can be gone to. */
export function StepNav({ step, draft, onGo }: NavProps) {
  const current = STEPS.findIndex((one) => one.id === step);
  const open = STEPS.findIndex((one) => missing(one.id, draft) !== "");
  return (
    <nav aria-label="Steps">
      <ol className={base.nav}>
        {STEPS.map((one, index) => {
          const reachable = open === -1 || index <= open;
          const done = index < current && reachable;
          return (
            <li key={one.id}>
              <button
                type="button"
                className={cx(base.navStep, one.id === step && base.here)}
                aria-current={one.id === step ? "step" : undefined}
                disabled={!reachable}
                onClick={() => onGo(one.id)}
              >
                <span className={base.number} aria-hidden="true">
                  {done ? <Check /> : index + 1}
                </span>
                {one.label}
              </button>
            </li>
          );
        })}
      </ol>
    </nav>
  );
}

interface FooterProps {
  step: StepId;
  /** Why one cannot go on. */
  problem: string;
  onGo: (step: StepId) => void;
  save: StartProps;
}

export function StepFooter({ step, problem, onGo, save }: FooterProps) {
  const back = neighbour(step, -1);
  const next = neighbour(step, 1);
  return (
    <div className={base.footer}>
      {back && (
        <Button icon={<ArrowLeft />} onClick={() => onGo(back)}>
          Back
        </Button>
      )}
      <span className={base.problem} role="status">
        {problem}
      </span>
      {next ? (
        <Button kind="primary" disabled={problem !== ""} onClick={() => onGo(next)}>
          Next <ArrowRight aria-hidden="true" />
        </Button>
      ) : (
        <Start {...save} />
      )}
    </div>
  );
}
