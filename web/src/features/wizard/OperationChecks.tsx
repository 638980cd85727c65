import { Checkbox } from "@/ui/Field";
import { OPERATIONS, type Operation } from "./config";
import base from "./Wizard.module.css";

/** Which changes are applied; one stays at least. */
export function OperationChecks({
  legend,
  applied,
  onApplied,
}: {
  legend: string;
  applied: (kind: Operation) => boolean;
  onApplied: (kinds: Operation[]) => void;
}) {
  const chosen = OPERATIONS.filter(applied);
  return (
    <fieldset className={base.kinds}>
      <legend className={base.legend}>{legend}</legend>
      {OPERATIONS.map((kind) => (
        <Checkbox
          key={kind}
          label={kind.toUpperCase()}
          checked={applied(kind)}
          disabled={applied(kind) && chosen.length === 1}
          onChecked={(on) => onApplied(OPERATIONS.filter((one) => (one === kind ? on : applied(one))))}
        />
      ))}
    </fieldset>
  );
}
