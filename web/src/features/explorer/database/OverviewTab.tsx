import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { Link } from "react-router";
import type { Schemas } from "@/api/client";
import { Badge, type Tone } from "@/ui/Badge";
import { bytes, count, duration, plural } from "@/ui/numbers";
import { Panel } from "@/ui/Page";
import { Loaded } from "@/ui/States";
import { Table } from "@/ui/Table";
import { KIND_NAMES, type ObjectKind, pathOf } from "../place";
import { explorerQueries } from "../queries";
import styles from "./Database.module.css";

type Overview = Schemas["DatabaseOverview"];
const TONES: Record<Overview["notes"][number]["severity"], Tone> = { info: "info", warn: "warn", error: "danger" };

interface Props {
  connectionId: string;
  database: string;
}

export function OverviewTab(place: Props) {
  const overview = useQuery(explorerQueries.overview(place.connectionId, place.database));
  return (
    <div className={styles.scroll}>
      <Loaded query={overview} failed="The overview could not be read">
        {(found) => (
          <>
            {found.notes.length > 0 && (
              <ul className={styles.notes}>
                {found.notes.map((note) => (
                  <li key={note.message}>
                    <Badge tone={TONES[note.severity]}>{note.severity}</Badge> {note.message}
                  </li>
                ))}
              </ul>
            )}
            <div className={styles.cards}>
              <Server found={found} />
              <Activity found={found} />
              <Replication found={found} />
            </div>
            <Sizes found={found} place={place} />
          </>
        )}
      </Loaded>
    </div>
  );
}

function Facts({ rows }: { rows: readonly (readonly [string, ReactNode])[] }) {
  return (
    <dl className={styles.facts}>
      {rows.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

function Server({ found }: { found: Overview }) {
  const kinds = Object.entries(found.counts).map(
    ([kind, number]) => [`${KIND_NAMES[kind as ObjectKind] ?? kind}s`, count(number)] as const,
  );
  return (
    <Panel title="Database">
      <Facts
        rows={[
          ["Version", found.version],
          ["Size", bytes(found.sizeBytes)],
          ["Encoding", found.encoding],
          ["Collation", found.collation],
          ...kinds,
        ]}
      />
    </Panel>
  );
}

function Activity({ found }: { found: Overview }) {
  const { connections, activeSessions, longRunning } = found.activity;
  return (
    <Panel title="Activity">
      <Facts
        rows={[
          ["Connections", `${count(connections.used)} of ${count(connections.max)}`],
          ["Active", plural(activeSessions, "session")],
          ["Longer than a minute", longRunning.length === 0 ? "none" : count(longRunning.length)],
        ]}
      />
      <ul className={styles.long}>
        {longRunning.map((item) => (
          <li key={item.id}>
            {item.user} {item.state}: {duration(item.seconds)}
          </li>
        ))}
      </ul>
    </Panel>
  );
}

function Replication({ found }: { found: Overview }) {
  const { wal, binlog } = found.health;
  const slots = wal?.slots.map(
    (slot) =>
      [
        `Slot ${slot.slot_name}`,
        `${slot.active ? "read" : "not read"}${slot.kept === null ? "" : `, keeps ${bytes(slot.kept)}`}`,
      ] as const,
  );
  return (
    <Panel title="Log">
      {wal && (
        <Facts
          rows={[
            ["wal_level", wal.level],
            [
              "Slots",
              `${count(wal.maxReplicationSlots - wal.freeReplicationSlots)} of ${count(wal.maxReplicationSlots)}`,
            ],
            ["Senders", `up to ${count(wal.maxWalSenders)}`],
            ...(slots ?? []),
          ]}
        />
      )}
      {binlog && (
        <Facts
          rows={[
            ["Binary log", binlog.enabled ? "on" : "off"],
            ["Format", binlog.format],
            ["Row image", binlog.rowImage],
            ["GTIDs", binlog.gtidMode.toLowerCase()],
            ["Server id", String(binlog.serverId)],
          ]}
        />
      )}
    </Panel>
  );
}

function Sizes({ found, place }: { found: Overview; place: Props }) {
  const most = Math.max(1, ...found.allTablesBySize.map((table) => table.sizeBytes));
  return (
    <Panel title="Largest tables" flush>
      <Table
        label="Largest tables"
        rows={found.allTablesBySize}
        rowKey={(table) => JSON.stringify([table.schema, table.name])}
        columns={[
          {
            id: "name",
            header: "Table",
            cell: (table) => (
              <Link to={pathOf({ ...place, kind: "table", schema: table.schema, name: table.name })}>
                {table.schema && table.schema !== place.database ? `${table.schema}.` : ""}
                {table.name}
              </Link>
            ),
          },
          {
            id: "rows",
            header: "Rows, about",
            align: "end",
            cell: (table) => (table.approxRows < 0 ? "not known" : count(table.approxRows)),
          },
          { id: "size", header: "Size", align: "end", cell: (table) => bytes(Math.max(table.sizeBytes, 0)) },
          {
            id: "bar",
            header: <span className="visually-hidden">Share</span>,
            wide: true,
            cell: (table) => (
              <meter className={styles.bar} max={most} value={table.sizeBytes} aria-label="Share of the largest" />
            ),
          },
        ]}
      />
    </Panel>
  );
}
