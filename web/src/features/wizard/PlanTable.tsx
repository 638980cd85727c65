import { useState } from "react";
import type { Schemas } from "@/api/client";
import { Badge } from "@/ui/Badge";
import { CodeBlock } from "@/ui/CodeBlock";
import { cx } from "@/ui/cx";
import { bytes, plural } from "@/ui/numbers";
import { type Column, Table } from "@/ui/Table";
import { Note } from "./Findings";
import plan from "./Plan.module.css";
import { rank } from "./severity";
import grid from "./Tables.module.css";
import base from "./Wizard.module.css";

type OutlookTable = Schemas["OutlookTable"];
type OutlookColumn = Schemas["OutlookColumn"];

const VIEWS = { columns: "Columns", ddl: "DDL of both sides" } as const;
type View = keyof typeof VIEWS;

/** One table of the plan: what changes on the way, column by column, and the DDL of both sides. */
export function PlanTable({ table }: { table: OutlookTable }) {
  const [view, setView] = useState<View>("columns");
  const general = table.report.filter(
    (item) => !table.columns.some((column) => column.report.some((one) => same(one, item))),
  );
  return (
    <section className={plan.planTable} aria-label={table.target}>
      <header className={plan.planHead}>
        <h3>
          {table.source} → {table.target}
        </h3>
        <p className={base.muted}>
          about {plural(table.rowsEstimate, "row")}, {bytes(table.bytesEstimate)}
          {table.where && " of the whole table"}
        </p>
        <div className={base.line}>
          {table.exists && <Badge tone="warn">is there already</Badge>}
          {!table.keyed && !table.query && <Badge tone="warn">no primary key</Badge>}
          {table.query && <Badge tone="info">query</Badge>}
        </div>
      </header>
      {table.where && <CodeBlock code={`WHERE ${table.where}`} label="Condition" />}
      {general.length > 0 && (
        <ul className={plan.notes}>
          {[...general].sort(rank).map((one) => (
            <Note key={`${one.code} ${one.object} ${one.message}`} about={short(one.object, table)} {...one} />
          ))}
        </ul>
      )}
      <fieldset className={plan.views}>
        <legend className="visually-hidden">View</legend>
        {(Object.keys(VIEWS) as View[]).map((one) => (
          <label key={one} className={cx(plan.view, one === view && plan.chosen)}>
            <input type="radio" checked={one === view} onChange={() => setView(one)} />
            {VIEWS[one]}
          </label>
        ))}
      </fieldset>
      {view === "columns" ? <Columns table={table} /> : <BothSides table={table} />}
    </section>
  );
}

function same(one: Schemas["ReportLine"], other: Schemas["ReportLine"]): boolean {
  return one.code === other.code && one.object === other.object && one.message === other.message;
}

/** What a note is about, without the table's own name. */
function short(object: string, table: OutlookTable): string {
  const name = [table.source, table.target].find((one) => object.startsWith(`${one}.`));
  return name ? object.slice(name.length + 1) : object === table.source || object === table.target ? "" : object;
}

const COLUMNS: readonly Column<OutlookColumn>[] = [
  {
    id: "source",
    header: "Source",
    cell: (column) => (
      <>
        {column.source} <code className={grid.type}>{column.sourceType}</code>
      </>
    ),
  },
  {
    id: "target",
    header: "Target",
    cell: (column) => (
      <>
        {column.target} <code className={grid.type}>{column.targetType}</code>
        {!column.nullable && <span className={base.muted}> NOT NULL</span>}
      </>
    ),
  },
  {
    id: "notes",
    header: "What changes on the way",
    cell: (column) => (
      <ul className={plan.notes}>
        {[...column.report].sort(rank).map((one) => (
          <Note
            key={`${one.code} ${one.message}`}
            severity={one.severity}
            about=""
            message={one.message}
            remedy={one.remedy}
          />
        ))}
      </ul>
    ),
  },
];

function Columns({ table }: { table: OutlookTable }) {
  return (
    <Table
      label={`Columns of ${table.target}`}
      columns={COLUMNS}
      rows={table.columns}
      rowKey={(column) => column.target}
    />
  );
}

function BothSides({ table }: { table: OutlookTable }) {
  return (
    <div className={plan.both}>
      <div>
        <h4>Source</h4>
        <CodeBlock code={table.query || table.sourceSql || "-- not known"} label="DDL of the source" />
      </div>
      <div>
        <h4>Target</h4>
        <CodeBlock
          code={table.targetSql || (table.exists ? "-- is there already and stays as it is" : "-- nothing is made")}
          label="DDL of the target"
        />
      </div>
    </div>
  );
}
