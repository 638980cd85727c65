import { ChevronRight } from "lucide-react";
import { useState } from "react";
import { CodeBlock } from "./CodeBlock";
import styles from "./EquivalentPanel.module.css";

interface Props {
  /** The same thing without this page. An absent one is not offered. */
  rest?: string | undefined;
  cli?: string | undefined;
  yaml?: string | undefined;
  open?: boolean;
}

const NAMES = { rest: "REST", cli: "Command line", yaml: "YAML" } as const;
type Kind = keyof typeof NAMES;

/** The REST call, the command and the file that do the same, to copy. */
export function EquivalentPanel({ open = false, ...texts }: Props) {
  const kinds = (Object.keys(NAMES) as Kind[]).filter((kind) => texts[kind] !== undefined);
  const [chosen, setChosen] = useState<Kind>("rest");
  const kind = kinds.includes(chosen) ? chosen : kinds[0];
  if (kind === undefined) return null;
  return (
    <details className={styles.panel} open={open}>
      <summary>
        <ChevronRight aria-hidden="true" /> The same by REST, command line or YAML
      </summary>
      <fieldset className={styles.kinds}>
        <legend className="visually-hidden">Form</legend>
        {kinds.map((one) => (
          <label key={one}>
            <input type="radio" checked={one === kind} onChange={() => setChosen(one)} />
            {NAMES[one]}
          </label>
        ))}
      </fieldset>
      <CodeBlock code={texts[kind] ?? ""} label={NAMES[kind]} />
    </details>
  );
}
