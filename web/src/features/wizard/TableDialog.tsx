import { useQuery } from "@tanstack/react-query";
import { Button } from "@/ui/Button";
import { Dialog } from "@/ui/Dialog";
import { Checkbox, Field, Input, TextArea } from "@/ui/Field";
import { Loaded } from "@/ui/States";
import { ColumnsTable } from "./ColumnsTable";
import { mode, names, OPERATIONS, type Operation, pairs, place, setPair, setTableMember, tableEntry } from "./config";
import { OperationChecks } from "./OperationChecks";
import { wizardQueries } from "./queries";
import type { Size } from "./selection";
import base from "./Wizard.module.css";
import type { StepProps } from "./WizardPage";

interface Props extends Pick<StepProps, "draft" | "change"> {
  table: Size;
  tableKey: string;
  onClose: () => void;
}

/** What is wanted of one table. It is taken over as it is typed; closing loses nothing. */
export function TableDialog({ table, tableKey, draft, change, onClose }: Props) {
  const { config } = draft;
  const columns = useQuery(wizardQueries.columns(place(config, "source"), tableKey));
  const replicates = mode(config) === "cdc";
  const put = (name: "renames" | "where", value: string) =>
    change((before) => ({ ...before, config: setPair(before.config, name, tableKey, value) }));
  return (
    <Dialog
      open
      drawer
      size="l"
      onOpenChange={(open) => !open && onClose()}
      title={table.name}
      actions={
        <Button kind="primary" onClick={onClose}>
          Done
        </Button>
      }
    >
      <Field label="Name on the target" optional>
        <Input
          value={pairs(config, "renames").get(tableKey) ?? ""}
          placeholder={table.table}
          onChange={(event) => put("renames", event.target.value)}
        />
      </Field>
      {!replicates && (
        <Field
          label="Only rows that meet"
          hint="A condition in the source's SQL, such as placed_at >= '2024-01-01'. The source checks it in the plan."
          optional
        >
          <TextArea
            rows={2}
            value={pairs(config, "where").get(tableKey) ?? ""}
            onChange={(event) => put("where", event.target.value)}
          />
        </Field>
      )}
      {replicates && <TableOperations name={table.name} {...{ draft, change }} />}
      {!draft.all && (
        <Checkbox
          label="Without secondary indexes"
          checked={tableEntry(config, table.name)?.["skipIndexCreation"] === true}
          onChecked={(on) =>
            change((before) => ({
              ...before,
              config: setTableMember(before.config, table.name, "skipIndexCreation", on || undefined),
            }))
          }
        />
      )}
      <Loaded query={columns} failed="The columns could not be read">
        {(found) => <ColumnsTable columns={found.columns} tableName={table.name} {...{ tableKey, draft, change }} />}
      </Loaded>
    </Dialog>
  );
}

function TableOperations({ name, draft, change }: Pick<Props, "draft" | "change"> & { name: string }) {
  if (draft.all) {
    return (
      <p className={base.muted}>
        Which changes are applied can be said for one table once only chosen tables are copied.
      </p>
    );
  }
  const entry = tableEntry(draft.config, name);
  const own = entry ? names(entry, ["operations"]) : [];
  const general = names(draft.config, ["source", "options", "operations"]);
  const applied = (kind: Operation) =>
    (own.length ? own : general.length ? general : OPERATIONS).includes(kind as never);
  const apply = (kinds: Operation[]) =>
    change((before) => ({ ...before, config: setTableMember(before.config, name, "operations", kinds) }));
  return <OperationChecks legend="Changes of this table that are applied" applied={applied} onApplied={apply} />;
}
