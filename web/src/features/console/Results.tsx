import { Ban } from "lucide-react";
import { Tabs } from "radix-ui";
import { useEffect, useState } from "react";
import { Problem, problemOf } from "@/api/problem";
import { Button } from "@/ui/Button";
import { count, duration, plural } from "@/ui/numbers";
import { EmptyState, ErrorState } from "@/ui/States";
import { notify } from "@/ui/toast";
import styles from "./Console.module.css";
import { Messages } from "./Messages";
import { PlanView } from "./PlanView";
import { ResultGrid } from "./ResultGrid";
import { ResultTools } from "./ResultTools";
import { cancelRun, type QueryResult, type Run } from "./runs";

const TICK_MS = 100;

function Running({ tabId, run }: { tabId: string; run: Extract<Run, { phase: "running" }> }) {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), TICK_MS);
    return () => clearInterval(timer);
  }, []);
  const cancel = () => cancelRun(tabId).catch((error) => notify.error(problemOf(error).message));
  return (
    <div className={styles.running}>
      <span role="status">{run.cancelling ? "Cancelling" : run.what}</span>
      <span className={styles.clock} aria-hidden="true">
        {duration((now - run.since) / 1000)}
      </span>
      <Button small icon={<Ban />} onClick={cancel} busy={run.cancelling}>
        Cancel
      </Button>
    </div>
  );
}

/** Above all results: why the script ended before its end. */
function Failure({ run }: { run: Extract<Run, { phase: "results" | "failed" }> }) {
  const { problem } = run;
  if (!problem) return null;
  const error = run.phase === "results" ? run.results.at(-1)?.error : null;
  const place = error?.line ? ` (line ${error.line}, column ${error.column})` : "";
  const code = error?.code && problem.code !== "query_cancelled" ? ` [${error.code}]` : "";
  const { status, remedy, requestId } = problem;
  const told = error
    ? new Problem(status, { message: `${problem.message}${code}${place}`, remedy, code: problem.code })
    : new Problem(status, { message: problem.message, remedy, fields: problem.fields }, requestId);
  return (
    <div className={styles.failure}>
      <ErrorState compact error={told} />
      {error?.detail && <p className={styles.detail}>{error.detail}</p>}
    </div>
  );
}

/** Above all results, too: what looks done, and is not. */
function RolledBack({ results }: { results: readonly QueryResult[] }) {
  if (!results.some((result) => result.rolledBack)) return null;
  return (
    <p className={styles.undone} role="status">
      Nothing of the open transaction was kept: each run has a session of its own, which ends with it. Put COMMIT behind
      these statements and run all of them at once.
    </p>
  );
}

function rowsOf(result: QueryResult): string {
  return `${count(result.rows.length)}${result.truncated ? "+" : ""}`;
}

interface ListProps {
  run: Extract<Run, { phase: "results" }>;
  connectionId: string;
  database: string;
}

function ResultList({ run, connectionId, database }: ListProps) {
  const withRows = run.results.filter((result) => result.columns.length > 0);
  const first = run.problem || withRows.length === 0 ? "messages" : "0";
  const [chosen, setChosen] = useState(first);
  return (
    <Tabs.Root value={chosen} onValueChange={setChosen} className={styles.results}>
      <div className={styles.resultHead}>
        <Tabs.List className={styles.resultTabs} aria-label="Results">
          {withRows.map((result, index) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: results are known by their order alone
            <Tabs.Trigger key={index} value={String(index)} className={styles.resultTab}>
              Result {index + 1} <small>{rowsOf(result)}</small>
            </Tabs.Trigger>
          ))}
          <Tabs.Trigger value="messages" className={styles.resultTab}>
            Messages <small>{count(run.results.length)}</small>
          </Tabs.Trigger>
        </Tabs.List>
        <span className={styles.took} role="status">
          {run.problem ? "Stopped" : plural(run.results.length, "statement")} in {duration(run.ms / 1000)}
        </span>
      </div>
      {withRows.map((result, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: as above
        <Tabs.Content key={index} value={String(index)} className={styles.result}>
          <ResultTools result={result} query={run.part.text} connectionId={connectionId} database={database} />
          <ResultGrid result={result} label={`Result ${index + 1}`} />
        </Tabs.Content>
      ))}
      <Tabs.Content value="messages" className={styles.result}>
        <Messages results={run.results} query={run.part.text} />
      </Tabs.Content>
    </Tabs.Root>
  );
}

interface Props {
  tabId: string;
  run: Run | undefined;
  connectionId: string;
  database: string;
}

/** What came of the last run of a tab. */
export function Results({ tabId, run, connectionId, database }: Props) {
  if (!run) {
    return (
      <EmptyState title="Nothing was run here yet">
        Ctrl+Enter runs the selection, or the statement at the cursor; Shift+Enter runs everything.
      </EmptyState>
    );
  }
  if (run.phase === "running") return <Running tabId={tabId} run={run} />;
  if (run.phase === "failed") return <Failure run={run} />;
  if (run.phase === "plan") return <PlanView key={run.id} plan={run.plan} />;
  return (
    <>
      <Failure run={run} />
      <RolledBack results={run.results} />
      <ResultList key={run.id} run={run} connectionId={connectionId} database={database} />
    </>
  );
}
