import { KeyRound } from "lucide-react";
import type { Schemas } from "@/api/client";
import { Badge } from "@/ui/Badge";
import { Input } from "@/ui/Field";
import { type Column, Table } from "@/ui/Table";
import { isCarried, withColumn } from "./columns";
import { pairs, setPair } from "./config";
import grid from "./Tables.module.css";
import type { StepProps } from "./WizardPage";

type SourceColumn = Schemas["SourceColumn"];

interface Props extends Pick<StepProps, "draft" | "change"> {
  columns: readonly SourceColumn[];
  tableName: string;
  tableKey: string;
}

/** The columns of a table: whether they come along, under which name, as which type. */
export function ColumnsTable({ columns, tableName, tableKey, draft, change }: Props) {
  const { config } = draft;
  const key = (column: SourceColumn) => `${tableKey}.${column.name}`;
  const carried = (column: SourceColumn) => isCarried(config, tableName, tableKey, column.name);
  const cell = (column: SourceColumn, name: "renames" | "typeOverrides", label: string, placeholder: string) => (
    <Input
      className={grid.columnInput}
      aria-label={`${label} of ${column.name}`}
      placeholder={placeholder}
      disabled={!carried(column)}
      value={pairs(config, name).get(key(column)) ?? ""}
      onChange={(event) =>
        change((before) => ({ ...before, config: setPair(before.config, name, key(column), event.target.value) }))
      }
    />
  );
  const shown: Column<SourceColumn>[] = [
    {
      id: "name",
      header: "Column",
      cell: (column) => (
        <label className={grid.columnName}>
          <input
            type="checkbox"
            checked={carried(column)}
            onChange={(event) => {
              const on = event.target.checked;
              change((before) => ({
                ...before,
                config: withColumn(before.config, tableName, tableKey, column.name, on),
              }));
            }}
          />
          <span>{column.name}</span>
          {column.key && (
            <Badge tone="info">
              <KeyRound aria-hidden="true" /> key
            </Badge>
          )}
          {column.generated && <Badge>generated</Badge>}
        </label>
      ),
    },
    {
      id: "type",
      header: "Type",
      wide: true,
      cell: (column) => (
        <code className={grid.type}>
          {column.type}
          {column.nullable ? "" : " NOT NULL"}
        </code>
      ),
    },
    {
      id: "target",
      header: "Name on the target",
      cell: (column) => cell(column, "renames", "Target name", column.name),
    },
    {
      id: "override",
      header: "Type on the target",
      cell: (column) => cell(column, "typeOverrides", "Target type", "as planned"),
    },
  ];
  return <Table label={`Columns of ${tableName}`} columns={shown} rows={columns} rowKey={(column) => column.name} />;
}
