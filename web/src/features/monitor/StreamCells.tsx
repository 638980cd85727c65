import { ArrowRight } from "lucide-react";
import { Link } from "react-router";
import { Badge } from "@/ui/Badge";
import { bytes, count, duration, plural, rate, share } from "@/ui/numbers";
import { StateBadge } from "@/ui/StateBadge";
import { Time } from "@/ui/Time";
import type { Overview } from "./data";
import styles from "./StreamsPage.module.css";
import { hasEnded, modeName } from "./words";

export function Name({ item }: { item: Overview }) {
  const to = item.newest ? `/streams/${item.newest.id}` : `/streams/new?config=${item.id}`;
  return (
    <div className={styles.name}>
      <Link to={to}>{item.name}</Link>
      <span className={styles.muted}>
        {modeName(item.mode)}
        {item.deleted && " · its config was deleted"}
      </span>
      <div className={styles.narrow}>
        <HowFar item={item} />
      </div>
    </div>
  );
}

export function Newest({ item }: { item: Overview }) {
  return (
    <div className={styles.far}>
      <span>{item.newest ? <Time at={item.newest.started || item.newest.created} /> : "never"}</span>
      <Link className={styles.muted} to={`/configs/${item.id}/history`}>
        {plural(item.runs, "run")}
      </Link>
    </div>
  );
}

export function State({ item }: { item: Overview }) {
  const { newest, brief } = item;
  if (!newest) return <Badge>Never started</Badge>;
  const told = newest.error || brief?.alerts[0]?.message || "";
  const fix = newest.remedy || brief?.alerts[0]?.remedy || "";
  return (
    <div className={styles.state}>
      <span className={styles.badges}>
        <StateBadge state={newest.status} />
        {(brief?.tablesFailed ?? 0) > 0 && (
          <Badge tone="danger">{plural(brief?.tablesFailed ?? 0, "table")} stopped</Badge>
        )}
        {(brief?.deadLetters ?? 0) > 0 && <Badge tone="warn">{count(brief?.deadLetters ?? 0)} put aside</Badge>}
      </span>
      {told && (
        <span className={styles.told} title={`${told}${fix && `\nFix: ${fix}`}`}>
          {told}
        </span>
      )}
    </div>
  );
}

export function Ends({ item }: { item: Overview }) {
  return (
    <span className={styles.ends}>
      <End end={item.source} />
      <span>
        <ArrowRight aria-label="to" />
        <End end={item.target} />
      </span>
    </span>
  );
}

function End({ end }: { end: Overview["source"] }) {
  if (!end.name) return <span className={styles.muted}>a connection that was deleted</span>;
  return (
    <span title={`${end.type} ${end.database}`}>
      {end.name} <span className={styles.muted}>{end.database}</span>
    </span>
  );
}

export function HowFar({ item }: { item: Overview }) {
  const { newest, brief } = item;
  if (!newest || !brief) return <span className={styles.muted}>–</span>;
  if (item.mode === "cdc" && brief.lagSeconds !== null) {
    return (
      <div className={styles.far}>
        <span>{newest.status === "RUNNING" ? `${duration(brief.lagSeconds)} behind` : "not following"}</span>
        <span className={styles.muted}>{plural(brief.changesApplied, "change")} applied</span>
      </div>
    );
  }
  const whole = Math.max(brief.rowsEstimate, brief.rowsWritten);
  const left = brief.remainingSeconds;
  return (
    <div className={styles.far}>
      <span>
        {plural(brief.rowsWritten, "row")}
        {!hasEnded(newest.status) && whole > 0 && `, ${share(brief.rowsWritten / whole)}`}
      </span>
      <span className={styles.muted}>
        {newest.status === "RUNNING" && left
          ? `about ${duration(left)} left`
          : `${count(brief.tablesDone)} of ${plural(brief.tables, "table")}`}
      </span>
    </div>
  );
}

export function Rate({ item }: { item: Overview }) {
  const { brief, newest } = item;
  if (!brief || newest?.status !== "RUNNING") return <span className={styles.muted}>–</span>;
  const follows = item.mode === "cdc" && brief.lagSeconds !== null;
  return (
    <div className={styles.far}>
      <span>{follows ? rate(brief.changesPerSecond, "changes") : rate(brief.rowsPerSecond, "rows")}</span>
      <span className={styles.muted}>{bytes(brief.bytesPerSecond)}/s</span>
    </div>
  );
}
