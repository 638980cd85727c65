import { Plus, X } from "lucide-react";
import { type FormEvent, useState } from "react";
import { Button, IconButton } from "@/ui/Button";
import { Field, Input, Select } from "@/ui/Field";
import type { Column } from "./cells";
import styles from "./Data.module.css";
import { type FilterRow, type FilterState, filterJson, OPERATORS, readFilter, valuesOf } from "./filter";

interface Props {
  columns: readonly Column[];
  filter: string;
  where: string;
  onApply: (filter: string, where: string) => void;
  /** What the server says against it, by field. */
  problems: Readonly<Record<string, string>>;
}

/** Conditions to build, and a condition in the database's own SQL. Applied by Enter or the button. */
export function FilterBar({ columns, filter, where, onApply, problems }: Props) {
  const [state, setState] = useState<FilterState>(() => {
    const read = readFilter(filter);
    return read.rows.length > 0 ? read : { ...read, rows: [empty(columns)] };
  });
  const [sql, setSql] = useState(where);
  const change = (at: number, changes: Partial<FilterRow>) =>
    setState({ ...state, rows: state.rows.map((row, index) => (index === at ? { ...row, ...changes } : row)) });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    onApply(filterJson({ ...state, rows: state.rows.filter(isComplete) }), sql.trim());
  };
  const clear = () => {
    setState({ match: "all", rows: [empty(columns)] });
    setSql("");
    onApply("", "");
  };
  const names = columns.map((column) => ({ value: column.name, label: column.name }));
  return (
    <form className={styles.filter} onSubmit={submit} aria-label="Filter">
      {state.rows.map((row, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: conditions may be equal, and have only their place
        <div key={index} className={styles.condition}>
          {index === 0 ? (
            <span className={styles.glue}>Where</span>
          ) : (
            <Select
              aria-label="Match"
              className={styles.glue}
              value={state.match}
              choices={[
                { value: "all", label: "and" },
                { value: "any", label: "or" },
              ]}
              onValue={(match) => setState({ ...state, match: match === "any" ? "any" : "all" })}
            />
          )}
          <Select
            aria-label={`Column of condition ${index + 1}`}
            value={row.column}
            choices={names}
            onValue={(column) => change(index, { column })}
          />
          <Select
            aria-label={`Operator of condition ${index + 1}`}
            value={row.operator}
            choices={OPERATORS.map(([value, label]) => ({ value, label }))}
            onValue={(operator) => change(index, { operator })}
          />
          <Input
            aria-label={`Value of condition ${index + 1}`}
            value={row.value}
            disabled={valuesOf(row.operator) === 0}
            onChange={(event) => change(index, { value: event.target.value })}
          />
          <IconButton
            small
            label="Remove this condition"
            onClick={() => setState({ ...state, rows: state.rows.filter((_, at) => at !== index) })}
          >
            <X />
          </IconButton>
        </div>
      ))}
      <Field label="Condition in SQL" optional error={problems.where ?? problems.filter}>
        <Input
          value={sql}
          placeholder="total > 100 AND status <> 'new'"
          onChange={(event) => setSql(event.target.value)}
        />
      </Field>
      <div className={styles.filterActions}>
        <Button small icon={<Plus />} onClick={() => setState({ ...state, rows: [...state.rows, empty(columns)] })}>
          Condition
        </Button>
        <Button small kind="primary" type="submit">
          Apply
        </Button>
        <Button small kind="quiet" onClick={clear}>
          Clear
        </Button>
      </div>
    </form>
  );
}

function empty(columns: readonly Column[]): FilterRow {
  return { column: columns[0]?.name ?? "", operator: "=", value: "" };
}

/** `is` and the like without a value filter nothing yet. */
function isComplete(row: FilterRow): boolean {
  return valuesOf(row.operator) === 0 || row.value !== "";
}
