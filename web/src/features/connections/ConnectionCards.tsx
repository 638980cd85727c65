import { Database, EllipsisVertical, Lock, LockOpen, Plug } from "lucide-react";
import { Link } from "react-router";
import type { Schemas } from "@/api/client";
import { Badge } from "@/ui/Badge";
import { Button, IconButton } from "@/ui/Button";
import { Menu } from "@/ui/Menu";
import { Time } from "@/ui/Time";
import styles from "./Connections.module.css";
import { TestResult } from "./TestResult";
import { useConnectionActions } from "./useConnectionActions";
import type { Pinged, Pings } from "./usePings";

export interface ListProps {
  connections: readonly Schemas["Connection"][];
  pings: Pings;
}

export function ConnectionCards({ connections, pings }: ListProps) {
  const actions = useConnectionActions();
  return (
    <ul className={styles.cards}>
      {connections.map((one) => {
        const pinged = pings.of(one.id);
        return (
          <li key={one.id} className={styles.card}>
            <header className={styles.cardHead}>
              <Database aria-hidden="true" />
              <h2>
                <Link to={`/connections/${one.id}`}>{one.name}</Link>
              </h2>
              <Menu items={actions(one)}>
                <IconButton small label={`Actions for ${one.name}`}>
                  <EllipsisVertical />
                </IconButton>
              </Menu>
            </header>
            <dl className={styles.facts}>
              <dt>System</dt>
              <dd>{one.flavor || one.type}</dd>
              <dt>Server</dt>
              <dd>
                {one.host}:{one.port}
              </dd>
              <dt>User</dt>
              <dd>{one.username}</dd>
              <dt>Database</dt>
              <dd>{place(one) || <span className={styles.muted}>chosen for each stream</span>}</dd>
            </dl>
            <footer className={styles.cardFoot}>
              <Tls connection={one} />
              {one.readOnly && <Badge tone="info">read-only</Badge>}
              <span className={styles.muted}>
                made <Time at={one.created} />
              </span>
              <span className={styles.grow} />
              <Button small icon={<Plug />} busy={pinged === "asking"} onClick={() => void pings.ask(one.id)}>
                Test
              </Button>
            </footer>
            {pinged && pinged !== "asking" && <TestResult found={pinged} />}
          </li>
        );
      })}
    </ul>
  );
}

/** `database`, and the schema where it is not the usual one. */
export function place(one: Schemas["Connection"]): string {
  return one.schema && one.schema !== "public" ? `${one.database}, schema ${one.schema}` : one.database;
}

export function Tls({ connection }: { connection: Schemas["Connection"] }) {
  const mode = connection.ssl?.mode ?? "disabled";
  return mode === "disabled" ? (
    <Badge>
      <LockOpen aria-hidden="true" /> no TLS
    </Badge>
  ) : (
    <Badge tone="ok">
      <Lock aria-hidden="true" /> {mode}
    </Badge>
  );
}

export function PingBadge({ pinged }: { pinged: Pinged | undefined }) {
  if (pinged === undefined) return <span className={styles.muted}>not tested</span>;
  if (pinged === "asking") return <Badge dot="live">asking</Badge>;
  return pinged.ping === "ok" ? (
    <Badge tone="ok" dot>
      {pinged.flavor} {pinged.version}
    </Badge>
  ) : (
    <Badge tone="danger" dot>
      {pinged.error}
    </Badge>
  );
}
