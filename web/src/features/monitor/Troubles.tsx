import { useQuery, useQueryClient } from "@tanstack/react-query";
import { CircleAlert, CircleCheck, TriangleAlert } from "lucide-react";
import { useEffect } from "react";
import { useStore } from "@/api/store";
import { Badge } from "@/ui/Badge";
import { Button } from "@/ui/Button";
import { CopyButton } from "@/ui/CopyButton";
import { cx } from "@/ui/cx";
import { count } from "@/ui/numbers";
import { EmptyState, Loaded } from "@/ui/States";
import { Time } from "@/ui/Time";
import { monitorQueries, type Trouble } from "./data";
import styles from "./Troubles.module.css";
import type { Watch } from "./watch";

const SETTLE_MS = 1_000;

/** What is wrong, asked for anew when the server warns of something; at most once a second, however much it warns. */
export function useTroubles(watch: Watch, streamId: string) {
  const client = useQueryClient();
  const alarms = useStore(watch.alarms);
  useEffect(() => {
    if (alarms === 0) return;
    const timer = setTimeout(() => {
      void client.invalidateQueries({ queryKey: monitorQueries.troubles(streamId).queryKey });
    }, SETTLE_MS);
    return () => clearTimeout(timer);
  }, [alarms, client, streamId]);
  return useQuery(monitorQueries.troubles(streamId));
}

interface Props {
  query: ReturnType<typeof useTroubles>;
  onTable: (table: string) => void;
}

/** Everything that went wrong: what is so now, then what was. It stays. */
export function Troubles({ query, onTable }: Props) {
  return (
    <Loaded query={query} failed="What went wrong could not be read">
      {(troubles) => {
        if (!troubles.length) {
          return (
            <EmptyState icon={<CircleCheck />} title="Nothing has gone wrong">
              Errors, warnings and alerts of this run will be here, and stay.
            </EmptyState>
          );
        }
        const open = troubles.filter((item) => item.open);
        const past = troubles.filter((item) => !item.open);
        return (
          <>
            {open.length > 0 && <TroubleList title="Now" troubles={open} onTable={onTable} />}
            {past.length > 0 && <TroubleList title="Earlier" troubles={past} onTable={onTable} />}
          </>
        );
      }}
    </Loaded>
  );
}

function TroubleList({ title, troubles, onTable }: { title: string; troubles: Trouble[]; onTable: Props["onTable"] }) {
  return (
    <section className={styles.group}>
      <h2>{title}</h2>
      <ul className={styles.list}>
        {troubles.map((item) => (
          <li key={`${item.kind} ${item.subject} ${item.message}`}>
            <TroubleCard trouble={item} onTable={onTable} />
          </li>
        ))}
      </ul>
    </section>
  );
}

const KINDS: Record<Trouble["kind"], string> = { stream: "The stream", table: "Table", alert: "Alert", log: "Log" };

/** One thing: why, and what helps. */
export function TroubleCard({ trouble, onTable }: { trouble: Trouble; onTable: Props["onTable"] }) {
  const bad = trouble.level === "error";
  const text = `${trouble.message}${trouble.remedy ? `\nFix: ${trouble.remedy}` : ""}`;
  return (
    <article className={cx(styles.card, trouble.open && (bad ? styles.bad : styles.poor))}>
      {bad ? <CircleAlert aria-hidden="true" /> : <TriangleAlert aria-hidden="true" />}
      <div className={styles.body}>
        <header className={styles.head}>
          <strong>{KINDS[trouble.kind]}</strong>
          {trouble.subject && (
            <Button small kind="quiet" onClick={() => onTable(trouble.subject)}>
              {trouble.subject}
            </Button>
          )}
          {trouble.code && <Badge>{trouble.code}</Badge>}
          {trouble.count > 1 && <Badge tone="warn">{count(trouble.count)} times</Badge>}
          {trouble.last && (
            <span className={styles.when}>
              {trouble.count > 1 && (
                <>
                  from <Time at={trouble.first} />,{" "}
                </>
              )}
              <Time at={trouble.last} />
            </span>
          )}
        </header>
        <p>
          <span className={styles.label}>Why: </span>
          {trouble.message}
        </p>
        {trouble.remedy && (
          <p>
            <span className={styles.label}>Fix: </span>
            {trouble.remedy}
          </p>
        )}
      </div>
      <CopyButton text={text} label="Copy what it says" />
    </article>
  );
}
