import { useQuery } from "@tanstack/react-query";
import { History, Trash2 } from "lucide-react";
import { Link, useParams, useSearchParams } from "react-router";
import { ButtonLink, IconButton } from "@/ui/Button";
import { bytes, count, duration, plural, rate } from "@/ui/numbers";
import { Page, Panel } from "@/ui/Page";
import { StateBadge } from "@/ui/StateBadge";
import { EmptyState, ErrorState, Loaded } from "@/ui/States";
import { Table } from "@/ui/Table";
import { Time } from "@/ui/Time";
import { useStreamActions } from "./actions";
import { ComparisonView } from "./ComparisonView";
import { monitorQueries } from "./data";
import styles from "./HistoryPage.module.css";
import { hasEnded } from "./words";

export function Component() {
  const { configId = "" } = useParams();
  const config = useQuery(monitorQueries.config(configId));
  const runs = useQuery(monitorQueries.history(configId));
  const actions = useStreamActions();
  const [search, setSearch] = useSearchParams();
  const chosen = [search.get("left") ?? "", search.get("right") ?? ""].filter(Boolean);
  const name = config.data?.name ?? "";
  const toggle = (id: string) => {
    const next = chosen.includes(id) ? chosen.filter((one) => one !== id) : [...chosen.slice(-1), id];
    const order = (runs.data ?? []).map((run) => run.id);
    const [left, right] = next.sort((a, b) => order.indexOf(b) - order.indexOf(a)); // the older one is left
    setSearch({ ...(left ? { left } : {}), ...(right ? { right } : {}) }, { replace: true });
  };
  return (
    <Page
      title={name ? `History of ${name}` : "History"}
      actions={
        <ButtonLink icon={<History />} to="/streams">
          All streams
        </ButtonLink>
      }
    >
      {actions.error !== null && <ErrorState error={actions.error} retry={actions.reset} />}
      <Loaded query={runs} failed="The history could not be read">
        {(lines) =>
          lines.length ? (
            <>
              <p className={styles.hint} role="status">
                {chosen.length === 2
                  ? "Two runs are compared below."
                  : "Choose two runs to compare them table by table."}
              </p>
              <Panel flush>
                <Table
                  label="Runs, newest first"
                  rows={lines}
                  rowKey={(run) => run.id}
                  columns={[
                    {
                      id: "chosen",
                      header: "Compare",
                      cell: (run) => (
                        <input
                          type="checkbox"
                          aria-label={`Compare the run of ${run.timestamp}`}
                          checked={chosen.includes(run.id)}
                          onChange={() => toggle(run.id)}
                        />
                      ),
                    },
                    {
                      id: "started",
                      header: "Started",
                      cell: (run) => (
                        <Link to={`/streams/${run.id}`}>
                          <Time at={run.timestamp} as="exact" />
                        </Link>
                      ),
                    },
                    {
                      id: "state",
                      header: "State",
                      cell: (run) => (
                        <div className={styles.state}>
                          <StateBadge state={run.status} />
                          {run.errorMessage && <span className={styles.told}>{run.errorMessage}</span>}
                        </div>
                      ),
                    },
                    { id: "time", header: "Ran for", align: "end", cell: (run) => duration(run.durationMs / 1000) },
                    { id: "rows", header: "Rows copied", align: "end", cell: (run) => count(run.rowsInserted) },
                    {
                      id: "rejected",
                      header: "Put aside",
                      align: "end",
                      wide: true,
                      cell: (run) =>
                        run.rowsSkipped ? <strong className={styles.warn}>{count(run.rowsSkipped)}</strong> : "–",
                    },
                    { id: "size", header: "Read", align: "end", wide: true, cell: (run) => bytes(run.dataSize) },
                    {
                      id: "rate",
                      header: "Mean rate",
                      align: "end",
                      wide: true,
                      cell: (run) => (run.durationMs ? rate(run.rowsInserted / (run.durationMs / 1000), "rows") : "–"),
                    },
                    {
                      id: "delete",
                      header: <span className="visually-hidden">Actions</span>,
                      align: "end",
                      cell: (run) => (
                        <IconButton
                          small
                          label="Delete this run"
                          disabled={!hasEnded(run.status)}
                          onClick={() => void actions.deleteRun({ id: run.id, name, mode: config.data?.mode ?? "" })}
                        >
                          <Trash2 />
                        </IconButton>
                      ),
                    },
                  ]}
                />
              </Panel>
              {chosen.length === 2 && (
                <ComparisonView configId={configId} left={chosen[0] ?? ""} right={chosen[1] ?? ""} />
              )}
              <p className={styles.hint}>{plural(lines.length, "run")}</p>
            </>
          ) : (
            <EmptyState icon={<History />} title="It has never run">
              Every start becomes a line here.
            </EmptyState>
          )
        }
      </Loaded>
    </Page>
  );
}
