import { useMutation } from "@tanstack/react-query";
import { Check, CircleAlert, CircleCheck, X } from "lucide-react";
import { useEffect, useState } from "react";
import { api, call, type Schemas } from "@/api/client";
import { useStore } from "@/api/store";
import { Badge } from "@/ui/Badge";
import { Button } from "@/ui/Button";
import { cx } from "@/ui/cx";
import { EquivalentPanel } from "@/ui/EquivalentPanel";
import { Checkbox, Field, Input } from "@/ui/Field";
import { count, duration, plural } from "@/ui/numbers";
import { Panel } from "@/ui/Page";
import { ErrorState } from "@/ui/States";
import { Table } from "@/ui/Table";
import styles from "./Cutover.module.css";
import type { Stream } from "./data";
import { curl } from "./equivalents";
import type { Watch } from "./watch";

const LAG_OK_S = 10;

/** The way to the other database: a checklist, the check itself, and what it found. */
export function Cutover({ watch, stream }: { watch: Watch; stream: Stream }) {
  const [deadline, setDeadline] = useState("60");
  const [quiet, setQuiet] = useState("3");
  const [stopped, setStopped] = useState(false);
  const check = useMutation({
    mutationFn: () =>
      call(
        api.POST("/api/v1/streams/{stream_id}/cutover", {
          params: { path: { stream_id: stream.id } },
          body: { deadlineSeconds: Number(deadline), quietSeconds: Number(quiet) },
        }),
      ),
  });
  const running = stream.status === "RUNNING";
  const body = `{"deadlineSeconds": ${deadline || 0}, "quietSeconds": ${quiet || 0}}`;
  return (
    <>
      <Panel title="Before writers are moved to the target">
        <ol className={styles.list}>
          <Checks watch={watch} running={running} />
          <li className={styles.item}>
            <Mark ok={stopped} />
            <Checkbox
              label="The programs that write to the source are stopped"
              hint="Mainstem changes nothing there; only you can know. The check fails when something still comes."
              checked={stopped}
              onChecked={setStopped}
            />
          </li>
        </ol>
        <form
          className={styles.form}
          onSubmit={(event) => {
            event.preventDefault();
            check.mutate();
          }}
        >
          <Field label="Wait at most" hint="seconds, for the source to be quiet and everything applied">
            <Input
              type="number"
              min="1"
              max="86400"
              required
              value={deadline}
              onChange={(event) => setDeadline(event.target.value)}
            />
          </Field>
          <Field label="Quiet for" hint="seconds without any change">
            <Input
              type="number"
              min="0"
              max="3600"
              step="any"
              required
              value={quiet}
              onChange={(event) => setQuiet(event.target.value)}
            />
          </Field>
          <Button type="submit" kind="primary" disabled={!running} busy={check.isPending}>
            {check.isPending ? "Waiting and counting" : "Check, and set the counters"}
          </Button>
          {check.isPending && <Waiting deadline={Number(deadline)} />}
        </form>
        <p className={styles.note}>
          It waits for a quiet source, sets identity columns and counters of the target past the highest value in use,
          and counts the rows of both sides. The stream runs on.
        </p>
        {check.error && <ErrorState compact error={check.error} />}
        <EquivalentPanel
          rest={curl("POST", `/streams/${stream.id}/cutover`, body)}
          cli={`mainstem streams stats ${stream.id} --watch`}
        />
      </Panel>
      {check.data && !check.isPending && <Report report={check.data} />}
    </>
  );
}

function Checks({ watch, running }: { watch: Watch; running: boolean }) {
  const head = useStore(watch.head);
  const tables = useStore(watch.tables);
  const counts = head?.counts ?? {};
  const waiting = (counts.pending ?? 0) + (counts.copying ?? 0) + (counts.indexing ?? 0) + (counts.catching_up ?? 0);
  const wrong = (counts.failed ?? 0) + (counts.paused ?? 0);
  const letters = tables.reduce((all, table) => all + table.deadLetters, 0);
  const lag = head?.changes?.lagSeconds;
  const lines: [boolean, string][] = [
    [running, running ? "The stream runs" : "The stream does not run: resume it"],
    [
      waiting === 0,
      waiting ? `${plural(waiting, "table")} still being copied or catching up` : "Every table follows the source",
    ],
    [
      wrong === 0,
      wrong ? `${plural(wrong, "table")} failed or paused: see Problems` : "No table has failed or is paused",
    ],
    [letters === 0, letters ? `${plural(letters, "change")} put aside: try or forget them` : "No change is put aside"],
    [
      lag !== undefined && lag < LAG_OK_S,
      lag === undefined ? "The lag is not known yet" : `${duration(lag)} behind the source`,
    ],
  ];
  return lines.map(([ok, text]) => (
    <li key={text} className={styles.item}>
      <Mark ok={ok} />
      {text}
    </li>
  ));
}

function Mark({ ok }: { ok: boolean }) {
  return (
    <span className={cx(styles.mark, ok ? styles.ok : styles.open)}>
      {ok ? <Check aria-hidden="true" /> : <X aria-hidden="true" />}
      <span className="visually-hidden">{ok ? "Done: " : "Open: "}</span>
    </span>
  );
}

/** How long it still waits, at most. */
function Waiting({ deadline }: { deadline: number }) {
  const [left, setLeft] = useState(deadline);
  useEffect(() => {
    const until = Date.now() + deadline * 1000;
    const timer = setInterval(() => setLeft(Math.max(Math.round((until - Date.now()) / 1000), 0)), 250);
    return () => clearInterval(timer);
  }, [deadline]);
  return (
    <span className={styles.note} role="timer">
      {left > 0 ? `waits for ${duration(left)} at most` : "counts the rows"}
    </span>
  );
}

function Report({ report }: { report: Schemas["Cutover"] }) {
  return (
    <Panel
      title={report.safe ? "It is safe to move the writers" : "Not safe yet"}
      actions={<span className={styles.note}>after {duration(report.waitedSeconds)}</span>}
    >
      <div role="status" className={cx(styles.verdict, report.safe ? styles.safe : styles.unsafe)}>
        {report.safe ? <CircleCheck aria-hidden="true" /> : <CircleAlert aria-hidden="true" />}
        {report.safe ? (
          <p>Both sides agree. Point the programs at the target, then stop this stream.</p>
        ) : (
          <ul>
            {report.problems.map((problem) => (
              <li key={problem}>{problem}</li>
            ))}
          </ul>
        )}
      </div>
      {report.tables.length > 0 && (
        <Table
          label="Rows on both sides"
          rows={report.tables}
          rowKey={(table) => table.table}
          columns={[
            { id: "table", header: "Table", cell: (table) => table.table },
            { id: "source", header: "Rows in the source", align: "end", cell: (table) => counted(table.sourceRows) },
            { id: "target", header: "Rows in the target", align: "end", cell: (table) => counted(table.targetRows) },
            {
              id: "same",
              header: "",
              cell: (table) =>
                table.same ? <Badge tone="ok">same</Badge> : <Badge tone="warn">differs or not counted</Badge>,
            },
            { id: "note", header: "Note", cell: (table) => table.note },
          ]}
        />
      )}
      {report.counters.length > 0 && (
        <details>
          <summary>{plural(report.counters.length, "counter")} set</summary>
          <ul className={styles.counters}>
            {report.counters.map((counter) => (
              <li key={counter}>
                <code>{counter}</code>
              </li>
            ))}
          </ul>
        </details>
      )}
    </Panel>
  );
}

function counted(rows: number | null): string {
  return rows === null ? "–" : count(rows);
}
