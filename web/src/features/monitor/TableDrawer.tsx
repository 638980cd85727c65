import { Pause, Play, RefreshCw } from "lucide-react";
import { Link } from "react-router";
import { useStore } from "@/api/store";
import { Badge } from "@/ui/Badge";
import { Button } from "@/ui/Button";
import { Dialog } from "@/ui/Dialog";
import { bytes, count, duration, rate } from "@/ui/numbers";
import { EmptyState, ErrorState } from "@/ui/States";
import { Time } from "@/ui/Time";
import { useTableActions } from "./actions";
import { changeRate, changesOf, ofAbout } from "./columns";
import type { Stream, TableStats } from "./data";
import styles from "./MonitorPage.module.css";
import type { Watch } from "./watch";
import { TABLE_STATES } from "./words";

interface Props {
  watch: Watch;
  stream: Stream;
  name: string;
  onClose: () => void;
}

/** One table: all of its numbers, why it stands still, what can be done with it. */
export function TableDrawer({ watch, stream, name, onClose }: Props) {
  const tables = useStore(watch.tables);
  const table = tables.find((one) => one.name === name);
  return (
    <Dialog open drawer onOpenChange={(open) => !open && onClose()} title={name}>
      {table ? <Details table={table} stream={stream} /> : <EmptyState title="This run has no table of that name" />}
    </Dialog>
  );
}

function Details({ table, stream }: { table: TableStats; stream: Stream }) {
  const [text, tone, meaning] = TABLE_STATES[table.status];
  return (
    <div className={styles.drawer}>
      <p>
        <Badge tone={tone}>{text}</Badge> {meaning}
      </p>
      {table.error && (
        <div className={styles.why} role="alert">
          <p>
            <strong>Why: </strong>
            {table.error}
          </p>
          {table.remedy && (
            <p>
              <strong>Fix: </strong>
              {table.remedy}
            </p>
          )}
        </div>
      )}
      <Actions table={table} stream={stream} />
      <Facts table={table} cdc={stream.mode === "cdc"} />
      <p className={styles.links}>
        <Link to={`/explorer/${stream.source}`}>Open the source</Link>
        <Link to={`/explorer/${stream.target}`}>Open the target</Link>
        <Link to={`?tab=log&log-text=${encodeURIComponent(table.name)}`}>Its lines in the log</Link>
      </p>
    </div>
  );
}

const HELD_BACK: readonly TableStats["status"][] = ["pending", "copying"];
const FOLLOWING: readonly TableStats["status"][] = ["streaming", "catching_up"];

function Actions({ table, stream }: { table: TableStats; stream: Stream }) {
  const actions = useTableActions(stream.id);
  const running = stream.status === "RUNNING";
  const cdc = stream.mode === "cdc";
  const pausable = cdc ? FOLLOWING.includes(table.status) : HELD_BACK.includes(table.status);
  const copied = cdc && [...FOLLOWING, "paused", "failed"].includes(table.status);
  return (
    <>
      <div className={styles.buttons}>
        {pausable && (
          <Button
            small
            icon={<Pause />}
            disabled={!running}
            busy={actions.busy}
            onClick={() => void actions.pause(table.name, stream.mode)}
          >
            Pause this table
          </Button>
        )}
        {!cdc && table.status === "paused" && (
          <Button
            small
            kind="primary"
            icon={<Play />}
            disabled={!running}
            busy={actions.busy}
            onClick={() => actions.resume(table.name)}
          >
            Go on with it
          </Button>
        )}
        {copied && (
          <Button
            small
            icon={<RefreshCw />}
            disabled={!running}
            busy={actions.busy}
            onClick={() => void actions.resync(table.name)}
          >
            {FOLLOWING.includes(table.status) ? "Copy anew" : "Go on by a new copy"}
          </Button>
        )}
      </div>
      {!running && (pausable || copied) && <p className={styles.muted}>The stream must run for this.</p>}
      {actions.error && <ErrorState compact error={actions.error} />}
    </>
  );
}

function Facts({ table, cdc }: { table: TableStats; cdc: boolean }) {
  const { insert, update, delete: deletes, truncate } = table.operations;
  const facts: [string, React.ReactNode][] = [
    ["In the target as", table.target],
    ["Rows written", ofAbout(table)],
    ["Rows read", count(table.rowsRead)],
    ["Rows put aside", count(table.rowsRejected)],
    ["Pieces of work", `${count(table.chunksDone)} of ${count(table.chunksTotal)}`],
    ["Read", bytes(table.bytes)],
    ["Rate", `${rate(table.rowsPerSecond, "rows")}, ${bytes(table.bytesPerSecond)}/s`],
    ["Time spent on it", duration(table.elapsed)],
  ];
  if (cdc) {
    facts.push(
      ["Changes applied", count(changesOf(table))],
      ["Inserts, updates, deletes", `${count(insert)}, ${count(update)}, ${count(deletes)}`],
      ["Truncates", count(truncate)],
      ["Rate of changes", rate(changeRate(table), "changes")],
      ["Changes put aside", count(table.deadLetters)],
      ["Changes whose row was missing", count(table.missing)],
      ["Last change", <Time key="time" at={table.appliedAt} as="exact" />],
    );
  }
  for (const [what, times] of Object.entries(table.coerced)) facts.push([`Adapted: ${what}`, count(times)]);
  return (
    <dl className={styles.facts}>
      {facts.map(([label, value]) => (
        <div key={label}>
          <dt>{label}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
