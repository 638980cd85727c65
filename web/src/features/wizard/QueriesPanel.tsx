import { Pencil, Plus, Trash2 } from "lucide-react";
import { useState } from "react";
import { Button, IconButton } from "@/ui/Button";
import { useConfirm } from "@/ui/Confirm";
import { Panel } from "@/ui/Page";
import { QUERIES, queries, set } from "./config";
import type { JsonObject } from "./json";
import { QueryDialog } from "./QueryDialog";
import grid from "./Tables.module.css";
import base from "./Wizard.module.css";
import type { StepProps } from "./WizardPage";

/** SELECTs whose rows become tables of the target. */
export function QueriesPanel({ draft, change }: Pick<StepProps, "draft" | "change">) {
  const confirm = useConfirm();
  const [edited, setEdited] = useState<{ at: number; query: JsonObject } | null>(null);
  const list = queries(draft.config);
  const put = (next: JsonObject[]) =>
    change((before) => ({ ...before, config: set(before.config, QUERIES, next.length ? next : undefined) }));
  const remove = async (at: number) => {
    const name = String(list[at]?.["name"]);
    const question = { title: `Remove the query ${name}?`, action: "Remove", danger: true };
    if (await confirm(question)) put(list.filter((_, index) => index !== at));
  };
  return (
    <Panel
      title="Queries"
      actions={
        <Button
          small
          icon={<Plus />}
          disabled={draft.all}
          onClick={() => setEdited({ at: list.length, query: { name: "", query: "" } })}
        >
          Add a query
        </Button>
      }
    >
      {list.length === 0 && (
        <p className={base.muted}>
          The rows of a SELECT can become a table of the target.
          {draft.all && " With a query, tables have to be chosen, too: take “Only those that I choose” above."}
        </p>
      )}
      <ul className={grid.queries}>
        {list.map((one, index) => (
          <li key={String(one["name"])} className={grid.query}>
            <strong>{String(one["name"])}</strong>
            <code>{String(one["query"])}</code>
            <IconButton
              small
              label={`Edit ${String(one["name"])}`}
              onClick={() => setEdited({ at: index, query: one })}
            >
              <Pencil />
            </IconButton>
            <IconButton small label={`Remove ${String(one["name"])}`} onClick={() => remove(index)}>
              <Trash2 />
            </IconButton>
          </li>
        ))}
      </ul>
      {edited && (
        <QueryDialog
          config={draft.config}
          query={edited.query}
          taken={list.filter((_, index) => index !== edited.at).map((one) => String(one["name"]))}
          onClose={() => setEdited(null)}
          onDone={(next) => {
            put([...list.slice(0, edited.at), next, ...list.slice(edited.at + 1)]);
            setEdited(null);
          }}
        />
      )}
    </Panel>
  );
}
