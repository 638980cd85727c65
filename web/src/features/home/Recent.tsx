import { Link } from "react-router";
import type { Schemas } from "@/api/client";
import { StateBadge } from "@/ui/StateBadge";
import { Time } from "@/ui/Time";
import styles from "./Home.module.css";

const MOST = 6;

/** The runs that ended last. */
export function Recent({ streams }: { streams: readonly Schemas["Overview"][] }) {
  const ended = streams
    .filter(({ newest }) => newest?.finished)
    .sort((left, right) => (right.newest?.finished ?? 0) - (left.newest?.finished ?? 0))
    .slice(0, MOST);
  if (ended.length === 0) return <p className={styles.muted}>No stream has ended yet.</p>;
  return (
    <ul className={styles.recent}>
      {ended.map(
        ({ newest, name }) =>
          newest && (
            <li key={newest.id}>
              <Link to={`/streams/${newest.id}`} className={styles.name}>
                {name}
              </Link>
              <StateBadge state={newest.status} />
              <span className={styles.muted}>
                <Time at={newest.finished} />
              </span>
            </li>
          ),
      )}
    </ul>
  );
}
