import { Copy, Download } from "lucide-react";
import { api, call } from "@/api/client";
import { problemOf } from "@/api/problem";
import { Button } from "@/ui/Button";
import { textOf } from "@/ui/cells";
import { Menu } from "@/ui/Menu";
import { bytes, count, plural } from "@/ui/numbers";
import { notify } from "@/ui/toast";
import styles from "./Console.module.css";
import { unitsOf } from "./places";
import type { QueryResult } from "./runs";

const BYTES_LIMIT = 16_777_216;
type Format = "csv" | "json" | "jsonl";

interface Props {
  result: QueryResult;
  query: string;
  connectionId: string;
  database: string;
}

/** The statement's own text, within the query that was run. */
function statementOf(result: QueryResult, query: string): string {
  return query.slice(unitsOf(query, result.start), unitsOf(query, result.end));
}

/** Has the server run the statement again, for the whole of its result, and the browser keep it as a file. */
async function exportAll(props: Props, format: Format): Promise<void> {
  try {
    const ticket = await call(
      api.POST("/api/v1/connections/{connection_id}/query/export", {
        params: { path: { connection_id: props.connectionId } },
        body: {
          query: statementOf(props.result, props.query),
          database: props.database,
          schema: "",
          readOnly: true,
          queryId: "",
          limits: { rows: 1000, bytes: BYTES_LIMIT, cellBytes: 65_536, seconds: 86_400 },
          resultsOnly: true,
          format,
        },
      }),
    );
    const link = document.createElement("a");
    link.href = ticket.url;
    link.download = ticket.name;
    link.click();
  } catch (error) {
    notify.error(`The result cannot be exported: ${problemOf(error).message}`);
  }
}

async function copyAll(result: QueryResult): Promise<void> {
  const clean = (text: string) => text.replace(/[\t\r\n]+/g, " ");
  const lines = [
    result.columns.map((column) => clean(column.name)),
    ...result.rows.map((row) => row.map((cell) => clean(textOf(cell)))),
  ];
  try {
    await navigator.clipboard.writeText(lines.map((line) => line.join("\t")).join("\n"));
    notify.done(`${plural(result.rows.length, "row")} copied`);
  } catch {
    notify.error("The browser does not let this page copy");
  }
}

function told(result: QueryResult): string {
  const rows = plural(result.rows.length, "row");
  if (result.truncated === "rows") return `The first ${rows}; there are more`;
  if (result.truncated === "bytes") return `The first ${rows}, ${bytes(BYTES_LIMIT)} in all; there are more`;
  return rows;
}

/** What a result is, and what can be done with it. */
export function ResultTools(props: Props) {
  const { result } = props;
  const reads = result.effect === "read";
  return (
    <div className={styles.tools}>
      <span>
        {told(result)}
        {result.rowsAffected !== null && `, ${count(result.rowsAffected)} affected`}, {result.durationMs.toFixed(1)} ms
      </span>
      <span className={styles.toolButtons}>
        <Button small kind="quiet" icon={<Copy />} onClick={() => copyAll(result)}>
          Copy
        </Button>
        {reads && (
          <Menu
            items={[
              { label: "All rows as CSV", onSelect: () => void exportAll(props, "csv") },
              { label: "All rows as JSON", onSelect: () => void exportAll(props, "json") },
              { label: "All rows as JSON lines", onSelect: () => void exportAll(props, "jsonl") },
            ]}
          >
            <Button small kind="quiet" icon={<Download />}>
              Export
            </Button>
          </Menu>
        )}
      </span>
    </div>
  );
}
