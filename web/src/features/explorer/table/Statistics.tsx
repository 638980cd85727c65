import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import type { Schemas } from "@/api/client";
import { Select } from "@/ui/Field";
import { count, duration, share } from "@/ui/numbers";
import { Panel } from "@/ui/Page";
import { Loaded } from "@/ui/States";
import { Table } from "@/ui/Table";
import type { ObjectPlace } from "../place";
import { explorerQueries } from "../queries";
import styles from "./Structure.module.css";

const SAMPLES = [
  { value: "", label: "about 100,000 rows" },
  { value: "1", label: "1 % of the rows" },
  { value: "10", label: "10 % of the rows" },
  { value: "100", label: "all rows" },
];

/** Figures of each column, of a sample of the rows. */
export function Statistics({ place }: { place: ObjectPlace }) {
  const [sample, setSample] = useState("");
  const summary = useQuery(explorerQueries.summary(place, sample ? Number(sample) : null));
  return (
    <div className={styles.part}>
      <p className={styles.facts}>
        <span>
          Look at{" "}
          <Select aria-label="Look at" value={sample} choices={SAMPLES} onValue={setSample} style={{ width: "auto" }} />
        </span>
        {summary.data && (
          <span>
            {count(summary.data.rowCount)} rows {summary.data.sampled ? "of a sample" : "in all"}, in{" "}
            {duration(summary.data.executionTimeMs / 1000)}
          </span>
        )}
      </p>
      <Loaded query={summary} failed="The figures could not be made">
        {(found) => (
          <Panel flush>
            <Figures found={found} />
          </Panel>
        )}
      </Loaded>
    </div>
  );
}

function Figures({ found }: { found: Schemas["TableSummary"] }) {
  const value = (text: string | null) =>
    text === null ? (
      <span className={styles.muted}>–</span>
    ) : (
      <span className={styles.value} title={text}>
        {text === "" ? "(empty)" : text}
      </span>
    );
  const lengths = (column: Schemas["SummaryColumn"]) =>
    column.minLength === null || column.maxLength === null
      ? value(null)
      : `${count(column.minLength)} to ${count(column.maxLength)}, ⌀ ${Number(column.avgLength).toFixed(1)}`;
  return (
    <Table
      label="Figures of the columns"
      rows={found.columns}
      rowKey={(column) => column.name}
      columns={[
        { id: "name", header: "Column", cell: (column) => <span className={styles.name}>{column.name}</span> },
        { id: "type", header: "Type", wide: true, cell: (column) => <code>{column.type}</code> },
        {
          id: "nulls",
          header: "NULL",
          cell: (column) => (
            <span className={styles.line} title={`${count(column.nulls)} of ${count(found.rowCount)}`}>
              <meter className={styles.bar} min={0} max={100} value={column.nullPercentage} aria-label="NULL" />{" "}
              {share(column.nullPercentage / 100)}
            </span>
          ),
        },
        {
          id: "distinct",
          header: "Distinct",
          align: "end",
          cell: (column) => (column.approxUnique === null ? "–" : count(column.approxUnique)),
        },
        { id: "min", header: "Smallest", cell: (column) => value(column.min) },
        { id: "q50", header: "Median", wide: true, cell: (column) => value(column.q50) },
        { id: "max", header: "Greatest", cell: (column) => value(column.max) },
        { id: "avg", header: "Mean", wide: true, align: "end", cell: (column) => value(column.avg) },
        {
          id: "std",
          header: "Deviation",
          wide: true,
          align: "end",
          cell: (column) => value(column.std && short(column.std)),
        },
        { id: "length", header: "Length", wide: true, cell: lengths },
      ]}
    />
  );
}

function short(text: string): string {
  const number = Number(text);
  return Number.isFinite(number) ? number.toPrecision(6) : text;
}
