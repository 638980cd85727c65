import { ArrowRight } from "lucide-react";
import { Link } from "react-router";
import type { Schemas } from "@/api/client";
import { bytes, count, duration, plural, rate, share } from "@/ui/numbers";
import { StateBadge } from "@/ui/StateBadge";
import styles from "./Home.module.css";

type Overview = Schemas["Overview"];

/** What runs, each with how far it is: a share of its rows, or how far the copy is behind. */
export function Running({ streams }: { streams: readonly Overview[] }) {
  return (
    <ul className={styles.running}>
      {streams.map(
        ({ newest, name, source, target, brief, mode }) =>
          newest && (
            <li key={newest.id}>
              <div className={styles.line}>
                <Link to={`/streams/${newest.id}`} className={styles.name}>
                  {name}
                </Link>
                <StateBadge state={newest.status} />
                <span className={styles.way}>
                  {source.name || source.type} <ArrowRight aria-label="to" /> {target.name || target.type}
                </span>
              </div>
              {brief &&
                (mode === "cdc" && brief.lagSeconds !== null ? <Behind brief={brief} /> : <Share brief={brief} />)}
            </li>
          ),
      )}
    </ul>
  );
}

type Brief = Schemas["Brief"];

function Behind({ brief }: { brief: Brief }) {
  return (
    <p className={styles.figures}>
      <span>{duration(brief.lagSeconds ?? 0)} behind</span>
      <span>{plural(brief.changesApplied, "change")} applied</span>
      <span>{plural(brief.tables, "table")}</span>
    </p>
  );
}

function Share({ brief }: { brief: Brief }) {
  const part = brief.rowsEstimate > 0 ? Math.min(brief.rowsWritten / brief.rowsEstimate, 1) : 0;
  return (
    <>
      <progress className={styles.bar} max={1} value={part} aria-label="Rows copied" />
      <p className={styles.figures}>
        <span>
          {share(part)} of about {count(brief.rowsEstimate)} rows
        </span>
        <span>{rate(brief.rowsPerSecond, "rows")}</span>
        <span>{bytes(brief.bytesPerSecond)}/s</span>
        {brief.remainingSeconds !== null && <span>about {duration(brief.remainingSeconds)} left</span>}
      </p>
    </>
  );
}
