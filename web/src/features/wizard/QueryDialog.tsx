import { useMutation } from "@tanstack/react-query";
import { Play } from "lucide-react";
import { useState } from "react";
import { Button } from "@/ui/Button";
import { Dialog } from "@/ui/Dialog";
import { Field, Input, TextArea } from "@/ui/Field";
import { plural } from "@/ui/numbers";
import { ErrorState } from "@/ui/States";
import { type Config, place, text } from "./config";
import type { JsonObject } from "./json";
import { type Preview, preview } from "./preview";
import grid from "./Tables.module.css";
import base from "./Wizard.module.css";

interface Props {
  config: Config;
  query: JsonObject;
  /** Names that other queries have. */
  taken: readonly string[];
  onDone: (query: JsonObject) => void;
  onClose: () => void;
}

export function QueryDialog({ config, query, taken, onDone, onClose }: Props) {
  const [name, setName] = useState(text(query, ["name"]));
  const [sql, setSql] = useState(text(query, ["query"]));
  const run = useMutation({ mutationFn: () => preview(place(config, "source"), sql) });
  const double = taken.includes(name.trim()) ? "another query has this name" : undefined;
  const ready = name.trim() !== "" && sql.trim() !== "" && !double;
  return (
    <Dialog
      open
      size="l"
      onOpenChange={(open) => !open && onClose()}
      title="Query"
      description="Its rows become a table of the target. It runs when the stream does; here only its first rows are shown."
      actions={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button
            kind="primary"
            disabled={!ready}
            onClick={() => onDone({ ...query, name: name.trim(), query: sql.trim() })}
          >
            Keep
          </Button>
        </>
      }
    >
      <Field label="Table on the target" error={double}>
        <Input value={name} onChange={(event) => setName(event.target.value)} />
      </Field>
      <Field label="SELECT, in the source's SQL" hint="Every column needs a name of its own.">
        <TextArea
          rows={7}
          value={sql}
          onChange={(event) => setSql(event.target.value)}
          onKeyDown={(event) => {
            if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && sql.trim()) run.mutate();
          }}
        />
      </Field>
      <div className={base.line}>
        <Button icon={<Play />} busy={run.isPending} disabled={!sql.trim()} onClick={() => run.mutate()}>
          Preview
        </Button>
        <span className={base.muted}>20 rows and 20 seconds at most; nothing can be changed by it. Ctrl+Enter</span>
      </div>
      {run.error && <ErrorState compact error={run.error} title="The source refuses the query" />}
      {run.data && <Rows found={run.data} />}
    </Dialog>
  );
}

function Rows({ found }: { found: Preview }) {
  return (
    <figure className={grid.preview}>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard */}
      <div className={grid.previewScroll} tabIndex={0}>
        <table>
          <thead>
            <tr>
              {found.columns.map((column) => (
                <th key={column.name} scope="col">
                  {column.name}
                  <code>{column.type}</code>
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {found.rows.map((row, index) => (
              // biome-ignore lint/suspicious/noArrayIndexKey: a row has nothing else to be known by
              <tr key={index}>
                {row.map((cell, at) => (
                  <td key={found.columns[at]?.name}>{cellText(cell)}</td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <figcaption className={base.muted}>
        {plural(found.rows.length, "row")}
        {found.truncated ? ", and more" : ""}
      </figcaption>
    </figure>
  );
}

function cellText(cell: Preview["rows"][number][number]) {
  if (cell === null) return <em className={base.muted}>NULL</em>;
  if (typeof cell === "object" && "base64" in cell) {
    return <em className={base.muted}>{plural(cell.length, "byte")} of binary</em>;
  }
  return typeof cell === "object" ? `${cell.text} …` : cell;
}
