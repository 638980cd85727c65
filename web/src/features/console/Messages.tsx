import { CircleAlert, CircleCheck } from "lucide-react";
import { count, plural } from "@/ui/numbers";
import styles from "./Console.module.css";
import { unitsOf } from "./places";
import type { QueryResult } from "./runs";

const SHOWN_CHARACTERS = 160;

function firstLine(result: QueryResult, query: string): string {
  const text = query.slice(unitsOf(query, result.start), unitsOf(query, result.end)).replace(/\s+/g, " ");
  return text.length > SHOWN_CHARACTERS ? `${text.slice(0, SHOWN_CHARACTERS)}…` : text;
}

function outcome(result: QueryResult): string {
  if (result.error) return result.error.message;
  if (result.columns.length > 0) return plural(result.rows.length, "row");
  if (result.rowsAffected !== null) return `${result.commandTag}: ${count(result.rowsAffected)} affected`;
  return result.commandTag || "done";
}

/** Each statement, what became of it, and what the server told besides. */
export function Messages({ results, query }: { results: readonly QueryResult[]; query: string }) {
  return (
    <ol className={styles.messages} aria-label="Messages">
      {results.map((result, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: results are known by their order alone
        <li key={index} className={result.error ? styles.wrong : undefined}>
          {result.error ? <CircleAlert aria-label="Failed" /> : <CircleCheck aria-label="Done" />}
          <div>
            <code>{firstLine(result, query)}</code>
            <p>
              {outcome(result)} <small>{result.durationMs.toFixed(1)} ms</small>
            </p>
            {result.notices.map((notice, at) => (
              // biome-ignore lint/suspicious/noArrayIndexKey: as above
              <p key={at} className={styles.notice}>
                {notice}
              </p>
            ))}
          </div>
        </li>
      ))}
    </ol>
  );
}
