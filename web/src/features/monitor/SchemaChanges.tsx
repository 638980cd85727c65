import { useQuery } from "@tanstack/react-query";
import { FileDiff } from "lucide-react";
import { Badge, type Tone } from "@/ui/Badge";
import { Panel } from "@/ui/Page";
import { EmptyState, Loaded } from "@/ui/States";
import { Table } from "@/ui/Table";
import { Time } from "@/ui/Time";
import { monitorQueries, type Stream } from "./data";
import styles from "./MonitorPage.module.css";

const OUTCOMES: Record<string, Tone> = { applied: "ok", ignored: "neutral", paused: "warn" };
const SEVERITIES: Record<string, Tone> = { info: "info", warning: "warn", error: "danger" };

/** What changed at the source since the stream began, and what became of it; what changes on the way in any case. */
export function SchemaChanges({ stream }: { stream: Stream }) {
  return (
    <>
      {stream.mode === "cdc" && <Seen stream={stream} />}
      <Report stream={stream} />
    </>
  );
}

function Seen({ stream }: { stream: Stream }) {
  const query = useQuery({ ...monitorQueries.schemaChanges(stream.id), refetchInterval: 5_000 });
  return (
    <Loaded query={query} failed="The schema changes could not be read">
      {(changes) =>
        changes.length ? (
          <Panel title="Schema changes of the source" flush>
            <Table
              label="Schema changes of the source"
              rows={[...changes].reverse()}
              rowKey={(change) => `${change.table} ${change.position} ${change.change}`}
              columns={[
                { id: "at", header: "When", cell: (change) => <Time at={change.at} /> },
                { id: "table", header: "Table", cell: (change) => change.table },
                {
                  id: "outcome",
                  header: "Outcome",
                  cell: (change) => <Badge tone={OUTCOMES[change.outcome] ?? "neutral"}>{change.outcome}</Badge>,
                },
                {
                  id: "change",
                  header: "Change",
                  cell: (change) => <code className={styles.broken}>{change.change}</code>,
                },
                {
                  id: "detail",
                  header: "What was done, or is to be",
                  cell: (change) => <span className={styles.broken}>{change.detail}</span>,
                },
              ]}
            />
          </Panel>
        ) : (
          <EmptyState icon={<FileDiff />} title="The source's tables have not changed">
            Columns that come, go or change are here, with what became of them.
          </EmptyState>
        )
      }
    </Loaded>
  );
}

function Report({ stream }: { stream: Stream }) {
  const query = useQuery(monitorQueries.notes(stream.id));
  return (
    <Loaded query={query} failed="The report could not be read">
      {({ report }) =>
        report.length > 0 ? (
          <Panel title="What changes on the way, or is left out" flush>
            <Table
              label="What changes on the way, or is left out"
              rows={report}
              rowKey={(line) => `${line.code} ${line.object} ${line.message}`}
              columns={[
                {
                  id: "severity",
                  header: "",
                  cell: (line) => <Badge tone={SEVERITIES[line.severity] ?? "info"}>{line.severity}</Badge>,
                },
                { id: "object", header: "What", cell: (line) => <span className={styles.broken}>{line.object}</span> },
                {
                  id: "message",
                  header: "Why",
                  cell: (line) => (
                    <span className={styles.broken}>
                      {line.message}
                      {line.remedy && <em> Fix: {line.remedy}</em>}
                    </span>
                  ),
                },
              ]}
            />
          </Panel>
        ) : (
          stream.mode !== "cdc" && (
            <EmptyState icon={<FileDiff />} title="Everything was carried over as it is">
              Types that widen, and what the target cannot hold, would be told here.
            </EmptyState>
          )
        )
      }
    </Loaded>
  );
}
