import { useQuery } from "@tanstack/react-query";
import { ChevronRight, Copy, RefreshCw } from "lucide-react";
import { problemOf } from "@/api/problem";
import { cx } from "@/ui/cx";
import { Checkbox, Field, Input, Select } from "@/ui/Field";
import { Panel } from "@/ui/Page";
import { mode, names, OPERATIONS, type Operation, set, setNames, text } from "./config";
import { pathName } from "./json";
import { OperationChecks } from "./OperationChecks";
import { changedIn, GROUPS, type Option, type OptionGroup, optionValue, withMode, withOption } from "./options";
import { wizardQueries } from "./queries";
import base from "./Wizard.module.css";
import type { StepProps } from "./WizardPage";

const MODES = [
  {
    id: "convert",
    icon: Copy,
    title: "Copy once",
    told: "Structure and rows as they are at one moment. Ends by itself.",
  },
  {
    id: "cdc",
    icon: RefreshCw,
    title: "Copy and keep in step",
    told: "Then every change of the source's log, until you cut over. Tables need a primary key.",
  },
] as const;
const OF_STREAM = ["source", "options", "operations"] as const;

/** What kind of stream, and how it behaves. */
export function OptionsStep({ draft, change, configId }: StepProps) {
  const config = draft.config;
  const checked = useQuery(wizardQueries.equivalents(config, configId));
  const fields = checked.error ? problemOf(checked.error).fields : {};
  const current = mode(config);
  return (
    <>
      <fieldset className={base.modes}>
        <legend className={base.legend}>Mode</legend>
        {MODES.map((one) => (
          <label key={one.id} className={cx(base.mode, current === one.id && base.chosen)}>
            <input
              type="radio"
              name="mode"
              checked={current === one.id}
              onChange={() => change((before) => ({ ...before, config: withMode(before.config, one.id) }))}
            />
            <one.icon aria-hidden="true" />
            <span>
              <strong>{one.title}</strong>
              <span className={base.muted}>{one.told}</span>
            </span>
          </label>
        ))}
      </fieldset>
      <Field
        label="Name"
        hint="What the stream is called in lists; empty makes one of the two systems' names."
        error={fields["name"]}
        optional
      >
        <Input
          value={text(config, ["name"])}
          maxLength={200}
          onChange={(event) =>
            change((before) => ({ ...before, config: set(before.config, ["name"], event.target.value || undefined) }))
          }
        />
      </Field>
      {current === "cdc" && <Kinds {...{ draft, change }} />}
      {GROUPS.map((group) => (
        <Group key={group.id} {...{ group, draft, change, fields }} />
      ))}
    </>
  );
}

function Kinds({ draft, change }: Pick<StepProps, "draft" | "change">) {
  const chosen = names(draft.config, OF_STREAM);
  const applied = (kind: Operation) => !chosen.length || chosen.includes(kind);
  const apply = (kinds: Operation[]) =>
    change((before) => ({
      ...before,
      config: setNames(before.config, OF_STREAM, kinds.length === OPERATIONS.length ? [] : kinds),
    }));
  return <OperationChecks legend="Changes that are applied" applied={applied} onApplied={apply} />;
}

interface GroupProps extends Pick<StepProps, "draft" | "change"> {
  group: OptionGroup;
  fields: Readonly<Record<string, string>>;
}

function Group({ group, draft, change, fields }: GroupProps) {
  const options = group.options.filter((option) => option.modes.includes(mode(draft.config)));
  if (!options.length) return null;
  const changed = changedIn(draft.config, group);
  const content = (
    <div className={base.options}>
      {options.map((option) => (
        <OptionInput
          key={pathName(option.path)}
          option={option}
          value={optionValue(draft.config, option)}
          error={fields[pathName(option.path)]}
          put={(value) => change((before) => ({ ...before, config: withOption(before.config, option, value) }))}
        />
      ))}
    </div>
  );
  if (group.open) return <Panel title={group.title}>{content}</Panel>;
  return (
    <details className={base.more} open={options.some((option) => fields[pathName(option.path)]) || undefined}>
      <summary>
        <ChevronRight aria-hidden="true" /> {group.title}
        {changed > 0 && <span className={base.muted}>{changed} changed</span>}
      </summary>
      {content}
    </details>
  );
}

interface InputProps {
  option: Option;
  value: string | boolean;
  error: string | undefined;
  put: (value: string | boolean) => void;
}

function OptionInput({ option, value, error, put }: InputProps) {
  if (option.kind === "flag") {
    return <Checkbox label={option.label} hint={option.help} checked={value === true} onChecked={put} />;
  }
  const label = option.kind === "number" && option.unit ? `${option.label} (${option.unit})` : option.label;
  return (
    <Field label={label} hint={option.help} error={error}>
      {option.kind === "choice" ? (
        <Select value={String(value)} choices={option.choices} onValue={put} />
      ) : (
        <Input
          value={String(value)}
          inputMode={option.kind === "number" ? "numeric" : undefined}
          placeholder={option.kind === "text" ? option.placeholder : undefined}
          onChange={(event) => put(event.target.value)}
        />
      )}
    </Field>
  );
}
