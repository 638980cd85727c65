import type { Schemas } from "@/api/client";
import { Problem } from "@/api/problem";
import { Button } from "@/ui/Button";
import { ErrorState } from "@/ui/States";
import { TARGET } from "./config";
import { GROUPS, optionValue, withOption } from "./options";
import plan from "./Plan.module.css";
import base from "./Wizard.module.css";
import type { StepProps } from "./WizardPage";

interface Props extends Pick<StepProps, "draft" | "change"> {
  problem: Schemas["Problem"];
}

/** Why there can be no plan, and the settings that would let there be one. */
export function Obstacle({ problem, draft, change }: Props) {
  const setting = String(problem.details["setting"] ?? "");
  const option = GROUPS.flatMap((group) => group.options).find(
    (one) => one.kind === "choice" && one.path.length === TARGET.length + 1 && one.path.at(-1) === setting,
  );
  const choices =
    option?.kind === "choice" ? option.choices.filter((one) => one.value !== optionValue(draft.config, option)) : [];
  return (
    <div className={plan.obstacle}>
      <ErrorState error={new Problem(409, problem)} title="As it is, this stream would not start" />
      {option && choices.length > 0 && (
        <fieldset className={base.kinds}>
          <legend className={base.legend}>{option.label}: choose otherwise</legend>
          {choices.map((one) => (
            <Button
              key={one.value}
              small
              onClick={() => change((before) => ({ ...before, config: withOption(before.config, option, one.value) }))}
            >
              {one.label}
            </Button>
          ))}
        </fieldset>
      )}
    </div>
  );
}
