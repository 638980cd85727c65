import { Check, X } from "lucide-react";
import type { ReactNode } from "react";
import { cx } from "@/ui/cx";
import { bytes, compact, count, duration, plural, rate, share } from "@/ui/numbers";
import { Skeleton } from "@/ui/States";
import { Time } from "@/ui/Time";
import type { TableStats } from "./data";
import styles from "./Summary.module.css";
import type { Head } from "./watch";
import { hasEnded, stagesOf, sum } from "./words";

/** Where the run is: its stages in a row. */
export function Stages({ head }: { head: Head }) {
  const stages = stagesOf(head.stream.mode);
  const failed = head.stream.status === "FAILED";
  const finished = head.stream.status === "FINISHED";
  const at = finished
    ? stages.length
    : Math.max(
        stages.findIndex((stage) => stage.id === head.stage),
        0,
      );
  return (
    <ol className={styles.stages} aria-label="Stages">
      {stages.map((stage, place) => {
        const done = place < at;
        const present = place === at;
        const wrong = present && failed;
        return (
          <li
            key={stage.id}
            className={cx(styles.stage, done && styles.done, present && styles.present, wrong && styles.wrong)}
            aria-current={present ? "step" : undefined}
            title={stage.hint}
          >
            <span className={styles.mark} aria-hidden="true">
              {done ? <Check /> : wrong ? <X /> : place + 1}
            </span>
            <span>{stage.title}</span>
            <span className="visually-hidden">
              {done ? "done" : wrong ? "failed here" : present ? "now" : "to come"}
            </span>
          </li>
        );
      })}
    </ol>
  );
}

const significant = new Intl.NumberFormat(undefined, { notation: "compact", maximumSignificantDigits: 2 });
/** `160K`: two digits, where several numbers share a line. */
const brief = (value: number) => significant.format(value);

interface FigureProps {
  label: string;
  value: ReactNode;
  more?: ReactNode;
  tone?: "warn" | "danger" | undefined;
  title?: string;
}

function Figure({ label, value, more, tone, title }: FigureProps) {
  return (
    <div className={styles.figure} title={title}>
      <dt>{label}</dt>
      <dd className={cx(styles.value, tone && styles[tone])}>{value}</dd>
      <dd className={styles.more}>{more ?? "\u00a0"}</dd>
    </div>
  );
}

/** The run in numbers. */
export function Totals({ head, tables }: { head: Head | null; tables: readonly TableStats[] }) {
  if (!head) return <Skeleton height="4.5rem" />;
  const figures = head.stream.mode === "cdc" && head.changes ? replicated(head, tables) : copied(head, tables);
  return (
    <dl className={styles.totals}>
      {figures.map((figure) => (
        <Figure key={figure.label} {...figure} />
      ))}
    </dl>
  );
}

function tablesFigure(head: Head): FigureProps {
  const { counts } = head;
  const all = sum(counts as Record<string, number>);
  const done = (counts.finished ?? 0) + (counts.streaming ?? 0);
  const wrong = (counts.failed ?? 0) + (counts.paused ?? 0);
  return {
    label: "Tables",
    value: `${count(done)} of ${count(all)}`,
    more: wrong ? `${plural(wrong, "table")} stopped` : head.stream.mode === "cdc" ? "streaming" : "finished",
    tone: wrong ? "danger" : undefined,
  };
}

function asideFigure(head: Head, tables: readonly TableStats[]): FigureProps {
  const letters = tables.reduce((all, table) => all + table.deadLetters, 0);
  const all = head.totals.rowsRejected + letters;
  const coerced = tables.reduce((total, table) => total + sum(table.coerced), 0);
  return {
    label: "Put aside",
    value: count(all),
    more: coerced ? `${compact(coerced)} values adapted` : "refused by the target",
    tone: all ? "warn" : undefined,
  };
}

function timeFigure(head: Head): FigureProps {
  return {
    label: hasEnded(head.stream.status) ? "Ran for" : "Running for",
    value: duration(head.elapsed),
    more: head.stream.started ? (
      <>
        since <Time at={head.stream.started} as="clock" />
      </>
    ) : (
      "not yet"
    ),
  };
}

function copied(head: Head, tables: readonly TableStats[]): FigureProps[] {
  const { totals, stream } = head;
  const whole = Math.max(totals.rowsEstimate, totals.rowsWritten);
  const running = stream.status === "RUNNING";
  const left = totals.remainingSeconds;
  return [
    {
      label: "Rows written",
      value: count(totals.rowsWritten),
      more: hasEnded(stream.status)
        ? "in all"
        : `${share(whole ? totals.rowsWritten / whole : 0)} of about ${compact(totals.rowsEstimate)}`,
      title: `${count(totals.rowsWritten)} of about ${count(totals.rowsEstimate)}`,
    },
    {
      label: running ? "Rate" : "Mean rate",
      value: rate(totals.rowsPerSecond, "rows"),
      more: `${bytes(totals.bytesPerSecond)}/s`,
    },
    {
      label: "Read",
      value: bytes(totals.bytes),
      more: running && left ? `about ${duration(left)} left` : "from the source",
    },
    tablesFigure(head),
    asideFigure(head, tables),
    timeFigure(head),
  ];
}

function replicated(head: Head, tables: readonly TableStats[]): FigureProps[] {
  const { totals, changes } = head;
  const { insert, update, delete: deletes, truncate } = totals.operations;
  const now = totals.operationsPerSecond;
  const behind = changes?.lagSeconds ?? 0;
  return [
    {
      label: "Behind the source",
      value: duration(behind),
      more: changes?.lagBytes
        ? `${bytes(changes.lagBytes)} of its log`
        : plural(changes?.lagTransactions ?? 0, "transaction"),
      tone: head.alerts.some((alert) => alert.alert === "lag") ? "danger" : undefined,
    },
    {
      label: "Changes applied",
      value: count(insert + update + deletes + truncate),
      more: `I ${brief(insert)} · U ${brief(update)} · D ${brief(deletes)}`,
      title: `${count(insert)} inserts, ${count(update)} updates, ${count(deletes)} deletes, ${count(truncate)} truncates`,
    },
    {
      label: "Rate",
      value: rate(now.insert + now.update + now.delete, "changes"),
      more: totals.rowsPerSecond
        ? `copying ${rate(totals.rowsPerSecond, "rows")}`
        : `${compact(changes?.transactions ?? 0)} transactions`,
    },
    tablesFigure(head),
    asideFigure(head, tables),
    {
      label: "Last change",
      value: <Time at={changes?.appliedAt} as="clock" />,
      more: changes?.heldBytes ? `source keeps ${bytes(changes.heldBytes)}` : `running for ${duration(head.elapsed)}`,
      title: `position ${changes?.position ?? ""}`,
    },
  ];
}
