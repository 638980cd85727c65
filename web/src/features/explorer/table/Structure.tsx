import { Key } from "lucide-react";
import { Link } from "react-router";
import type { Schemas } from "@/api/client";
import { Badge } from "@/ui/Badge";
import { bytes, count } from "@/ui/numbers";
import { Panel } from "@/ui/Page";
import { EmptyState } from "@/ui/States";
import { Table } from "@/ui/Table";
import { type ObjectPlace, pathOf } from "../place";
import styles from "./Structure.module.css";

type Found = Schemas["TableStructure"];

export function Columns({ found }: { found: Found }) {
  return (
    <>
      <p className={styles.facts}>
        {found.estimatedRows >= 0 && <span>about {count(found.estimatedRows)} rows</span>}
        {found.estimatedSizeBytes >= 0 && <span>{bytes(found.estimatedSizeBytes)}</span>}
        {found.partitionKey && <span>partitioned: {found.partitionKey}</span>}
        {found.comment && <span>{found.comment}</span>}
        {!found.isEditable && <span>Rows cannot be changed: {found.editabilityReason}</span>}
      </p>
      <Panel flush>
        <Table
          label="Columns"
          rows={found.columns}
          rowKey={(column) => column.name}
          columns={[
            {
              id: "name",
              header: "Column",
              cell: (column) => (
                <span className={styles.name}>
                  {column.name} {column.key && <Key size={13} aria-label="key" />}
                </span>
              ),
            },
            { id: "type", header: "Type", cell: (column) => <code>{column.type}</code> },
            { id: "null", header: "NULL", cell: (column) => (column.nullable ? "yes" : <Badge>not null</Badge>) },
            {
              id: "default",
              header: "Default",
              wide: true,
              cell: (column) =>
                column.default === null ? column.automatic && "automatic" : <code>{column.default}</code>,
            },
            { id: "comment", header: "Comment", wide: true, cell: (column) => column.comment },
          ]}
        />
      </Panel>
    </>
  );
}

export function Indexes({ found }: { found: Found }) {
  if (found.indexes.length === 0) return <EmptyState title="No indexes" />;
  return (
    <Panel flush>
      <Table
        label="Indexes"
        rows={found.indexes}
        rowKey={(index) => index.name}
        columns={[
          { id: "name", header: "Index", cell: (index) => <span className={styles.name}>{index.name}</span> },
          { id: "columns", header: "Columns", cell: (index) => <code>{index.columns.join(", ")}</code> },
          {
            id: "kind",
            header: "Kind",
            cell: (index) => (
              <span className={styles.facts}>
                {index.isPrimary ? (
                  <Badge tone="accent">primary</Badge>
                ) : (
                  index.isUnique && <Badge tone="info">unique</Badge>
                )}
                {index.type}
              </span>
            ),
          },
          {
            id: "where",
            header: "Condition",
            wide: true,
            cell: (index) => index.condition && <code>{index.condition}</code>,
          },
          { id: "include", header: "Included", wide: true, cell: (index) => index.include.join(", ") },
        ]}
      />
    </Panel>
  );
}

export function ForeignKeys({ found, place }: { found: Found; place: ObjectPlace }) {
  return (
    <Panel title="Foreign keys" flush={found.foreignKeys.length > 0}>
      {found.foreignKeys.length === 0 ? (
        <p className={styles.muted}>None</p>
      ) : (
        <Table
          label="Foreign keys"
          rows={found.foreignKeys}
          rowKey={(key) => key.name}
          columns={[
            { id: "name", header: "Key", cell: (key) => <span className={styles.name}>{key.name}</span> },
            { id: "columns", header: "Columns", cell: (key) => <code>{key.columns.join(", ")}</code> },
            {
              id: "to",
              header: "Refers to",
              cell: (key) => (
                <Link
                  to={pathOf({
                    ...place,
                    kind: "table",
                    schema: key.referencedSchema || place.schema,
                    name: key.referencedTable,
                  })}
                >
                  {key.referencedTable} ({key.referencedColumns.join(", ")})
                </Link>
              ),
            },
            { id: "update", header: "On update", wide: true, cell: (key) => key.onUpdate.toLowerCase() },
            { id: "delete", header: "On delete", wide: true, cell: (key) => key.onDelete.toLowerCase() },
          ]}
        />
      )}
    </Panel>
  );
}

export function Checks({ found }: { found: Found }) {
  return (
    <Panel title="Checks" flush={found.checks.length > 0}>
      {found.checks.length === 0 ? (
        <p className={styles.muted}>None</p>
      ) : (
        <Table
          label="Checks"
          rows={found.checks}
          rowKey={(check) => check.name}
          columns={[
            { id: "name", header: "Check", cell: (check) => <span className={styles.name}>{check.name}</span> },
            { id: "clause", header: "Condition", cell: (check) => <code>{check.clause}</code> },
          ]}
        />
      )}
    </Panel>
  );
}
