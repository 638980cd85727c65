import { Plus, X } from "lucide-react";
import { useState } from "react";
import { Button, IconButton } from "@/ui/Button";
import { Input } from "@/ui/Field";
import { pairs, setPair } from "./config";
import base from "./Wizard.module.css";
import type { StepProps } from "./WizardPage";

/** Types that become another one wherever they stand; those of single columns are said at the table. */
export function TypeRules({ draft, change }: Pick<StepProps, "draft" | "change">) {
  const [rule, setRule] = useState({ from: "", to: "" });
  const rules = [...pairs(draft.config, "typeOverrides")].filter(([name]) => !name.includes("."));
  const put = (from: string, to: string) =>
    change((before) => ({ ...before, config: setPair(before.config, "typeOverrides", from, to) }));
  const add = () => {
    put(rule.from.trim(), rule.to.trim());
    setRule({ from: "", to: "" });
  };
  return (
    <details className={base.more}>
      <summary>
        Types by rule {rules.length > 0 && <span className={base.muted}>{rules.map(([name]) => name).join(", ")}</span>}
      </summary>
      <div className={base.fields}>
        <p className={base.muted}>Such as tinyint(1) → smallint, for every column of that type.</p>
        {rules.map(([from, to]) => (
          <div key={from} className={base.line}>
            <code>
              {from} → {to}
            </code>
            <IconButton small label={`Remove the rule for ${from}`} onClick={() => put(from, "")}>
              <X />
            </IconButton>
          </div>
        ))}
        <div className={base.rule}>
          <Input
            aria-label="Type of the source"
            placeholder="tinyint(1)"
            value={rule.from}
            onChange={(event) => setRule({ ...rule, from: event.target.value })}
          />
          <Input
            aria-label="Type of the target"
            placeholder="smallint"
            value={rule.to}
            onChange={(event) => setRule({ ...rule, to: event.target.value })}
          />
          <Button icon={<Plus />} disabled={!rule.from.trim() || !rule.to.trim()} onClick={add}>
            Add
          </Button>
        </div>
      </div>
    </details>
  );
}
