import { useQuery } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import { queries as shared } from "@/api/queries";
import { Field, Input } from "@/ui/Field";
import { Panel } from "@/ui/Page";
import { EmptyState, Loaded, Skeleton } from "@/ui/States";
import { mode, names, place, setNames } from "./config";
import { matcher } from "./patterns";
import { QueriesPanel } from "./QueriesPanel";
import { wizardQueries } from "./queries";
import { SchemasField } from "./SchemasField";
import { SelectionBar } from "./SelectionBar";
import { isChosen, keyOf, missingNames, type Size, toggled, totals, withAll } from "./selection";
import { TableDialog } from "./TableDialog";
import { TableList } from "./TableList";
import grid from "./Tables.module.css";
import { TypeRules } from "./TypeRules";
import base from "./Wizard.module.css";
import type { StepProps } from "./WizardPage";

/** Which tables, and what of them. */
export function TablesStep({ draft, change }: StepProps) {
  const { config, all } = draft;
  const source = place(config, "source");
  const schemas = names(config, ["sourceSchemas"]);
  const sizes = useQuery(wizardQueries.sizes(source, schemas));
  const connections = useQuery(shared.connections());
  const connectors = useQuery(wizardQueries.connectors());
  const type = connections.data?.find((one) => one.id === source.connectionId)?.type;
  const hasSchemas = connectors.data?.find((one) => one.name === type)?.hasSchemas ?? false;
  return (
    <>
      <fieldset className={base.kinds}>
        <legend className={base.legend}>What is copied</legend>
        <label>
          <input type="radio" name="all" checked={all} onChange={() => change((before) => withAll(before, true, []))} />{" "}
          Every table{mode(config) === "cdc" ? ", and those that are made later" : ""}
        </label>
        <label>
          <input
            type="radio"
            name="all"
            checked={!all}
            disabled={all && !sizes.data} // it begins with all that there are
            onChange={() => change((before) => withAll(before, false, sizes.data?.items ?? []))}
          />{" "}
          Only those that I choose
        </label>
      </fieldset>
      {hasSchemas && (
        <SchemasField
          place={source}
          chosen={schemas}
          onChange={(next) =>
            change((before) => ({ ...before, config: setNames(before.config, ["sourceSchemas"], next) }))
          }
        />
      )}
      <Loaded
        query={sizes}
        failed="The source's tables could not be read"
        skeleton={<Skeleton lines={10} height="2rem" />}
      >
        {(found) =>
          found.items.length === 0 ? (
            <EmptyState title="There are no tables here">
              Choose another database or schema in the first step.
            </EmptyState>
          ) : (
            <Tables items={found.items} {...{ draft, change }} />
          )
        }
      </Loaded>
      <TypeRules {...{ draft, change }} />
      {mode(config) === "convert" && <QueriesPanel {...{ draft, change }} />}
    </>
  );
}

interface TablesProps extends Pick<StepProps, "draft" | "change"> {
  items: readonly Size[];
}

function Tables({ items, draft, change }: TablesProps) {
  const [search, setSearch] = useState("");
  const [patterns, setPatterns] = useState("");
  const [edited, setEdited] = useState<Size | null>(null);
  const fits = useMemo(() => matcher(patterns), [patterns]);
  const wanted = search.trim().toLowerCase();
  const shown = useMemo(
    () =>
      items.filter((one) => one.name.toLowerCase().includes(wanted) && (!fits || fits(one.name) || fits(one.table))),
    [items, wanted, fits],
  );
  const chosen = useMemo(() => isChosen(draft), [draft]);
  const toggle = (names: readonly string[], on: boolean) => change((before) => toggled(before, names, on));
  const gone = missingNames(draft, items);
  return (
    <Panel flush className={grid.tablesPanel}>
      <search className={grid.tools}>
        <Field label="Search">
          <Input
            type="search"
            value={search}
            placeholder="part of a name"
            onChange={(event) => setSearch(event.target.value)}
          />
        </Field>
        <Field label="Pattern">
          <Input value={patterns} placeholder="order_*, !*_old" onChange={(event) => setPatterns(event.target.value)} />
        </Field>
        <SelectionBar
          shown={shown}
          chosen={chosen}
          filtered={shown.length < items.length}
          onToggle={(on) =>
            toggle(
              shown.map((one) => one.name),
              on,
            )
          }
        />
      </search>
      {gone.length > 0 && (
        <p className={base.warning} role="status">
          Not in the source: {gone.join(", ")}.{" "}
          <button type="button" className={base.linkButton} onClick={() => toggle(gone, draft.all)}>
            {draft.all ? "No longer leave out" : "Take out of the selection"}
          </button>
        </p>
      )}
      <TableList
        items={shown}
        chosen={chosen}
        config={draft.config}
        replicates={mode(draft.config) === "cdc"}
        onToggle={(name, on) => toggle([name], on)}
        onEdit={setEdited}
        empty={<p className={grid.none}>No table fits the search and the pattern.</p>}
      />
      <p className={grid.totals} role="status">
        {totals(
          items.filter((one) => chosen(one.name)),
          items.length,
        )}
      </p>
      {edited && (
        <TableDialog
          table={edited}
          tableKey={keyOf(edited, names(draft.config, ["sourceSchemas"]))}
          {...{ draft, change }}
          onClose={() => setEdited(null)}
        />
      )}
    </Panel>
  );
}
