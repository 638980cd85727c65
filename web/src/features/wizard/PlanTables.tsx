import { useVirtualizer } from "@tanstack/react-virtual";
import { useMemo, useRef, useState } from "react";
import type { Schemas } from "@/api/client";
import { CodeBlock } from "@/ui/CodeBlock";
import { cx } from "@/ui/cx";
import { Checkbox, Field, Input } from "@/ui/Field";
import { count, plural } from "@/ui/numbers";
import { Panel } from "@/ui/Page";
import { NoteCount } from "./Findings";
import plan from "./Plan.module.css";
import { PlanTable } from "./PlanTable";
import { worst } from "./severity";
import grid from "./Tables.module.css";
import base from "./Wizard.module.css";

type OutlookTable = Schemas["OutlookTable"];

const ROW_PX = 44;

interface Props {
  tables: readonly OutlookTable[];
  statements: readonly Schemas["PlannedStatement"][];
}

/** Every table of the plan, and of one of them everything. */
export function PlanTables({ tables, statements }: Props) {
  const [search, setSearch] = useState("");
  const [noted, setNoted] = useState(false);
  const [open, setOpen] = useState("");
  const wanted = search.trim().toLowerCase();
  const withNotes = useMemo(() => tables.filter((one) => worst(one.report) !== null).length, [tables]);
  const shown = useMemo(
    () =>
      tables.filter(
        (one) => `${one.source} ${one.target}`.toLowerCase().includes(wanted) && (!noted || one.report.length > 0),
      ),
    [tables, wanted, noted],
  );
  const chosen = shown.find((one) => one.target === open) ?? mostNoted(shown);
  return (
    <>
      <Panel title="Tables" flush>
        <div className={plan.planTables}>
          <div className={plan.planList}>
            <div className={plan.planSearch}>
              <Field label="Search tables">
                <Input type="search" value={search} onChange={(event) => setSearch(event.target.value)} />
              </Field>
              <Checkbox label={`Only those with notes (${count(withNotes)})`} checked={noted} onChecked={setNoted} />
            </div>
            <List tables={shown} chosen={chosen} onOpen={setOpen} />
          </div>
          {chosen ? <PlanTable key={chosen.target} table={chosen} /> : <p className={grid.none}>No table fits.</p>}
        </div>
      </Panel>
      {statements.length > 0 && (
        <details className={base.more}>
          <summary>{plural(statements.length, "statement")} that belong to no table</summary>
          <CodeBlock code={statements.map((one) => `${one.sql};`).join("\n\n")} label="Statements" />
        </details>
      )}
    </>
  );
}

/** The table to look at first: the one with the gravest notes. */
function mostNoted(tables: readonly OutlookTable[]): OutlookTable | undefined {
  const grave = (["error", "warning"] as const).map((one) => tables.find((table) => worst(table.report) === one));
  return grave.find((table) => table !== undefined) ?? tables[0];
}

interface ListProps {
  tables: readonly OutlookTable[];
  chosen: OutlookTable | undefined;
  onOpen: (target: string) => void;
}

function List({ tables, chosen, onOpen }: ListProps) {
  const scroller = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({
    count: tables.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW_PX,
    overscan: 10,
  });
  return (
    <div ref={scroller} className={plan.planScroll}>
      <ul style={{ height: virtual.getTotalSize() }} className={grid.tableRows} aria-label="Tables of the plan">
        {virtual.getVirtualItems().map((row) => {
          const table = tables[row.index];
          if (!table) return null;
          return (
            <li
              key={table.target}
              className={grid.planRow}
              style={{ transform: `translateY(${row.start}px)`, height: ROW_PX }}
              aria-setsize={tables.length}
              aria-posinset={row.index + 1}
            >
              <button
                type="button"
                className={cx(plan.planButton, table === chosen && plan.chosen)}
                aria-current={table === chosen ? "true" : undefined}
                onClick={() => onOpen(table.target)}
              >
                <span className={grid.nameText}>{table.target}</span>
                <NoteCount report={table.report} />
              </button>
            </li>
          );
        })}
      </ul>
    </div>
  );
}
