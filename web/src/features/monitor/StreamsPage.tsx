import { useQuery } from "@tanstack/react-query";
import {
  ArrowRight,
  Copy,
  Ellipsis,
  History,
  Pause,
  Pencil,
  Play,
  Plus,
  RotateCw,
  Square,
  Trash2,
  Waves,
} from "lucide-react";
import { Link, useNavigate, useSearchParams } from "react-router";
import { Badge } from "@/ui/Badge";
import { ButtonLink, IconButton } from "@/ui/Button";
import { Input, Select } from "@/ui/Field";
import { Menu, type MenuItem } from "@/ui/Menu";
import { bytes, count, duration, plural, rate, share } from "@/ui/numbers";
import { Page, Panel } from "@/ui/Page";
import { StateBadge } from "@/ui/StateBadge";
import { EmptyState, ErrorState, Loaded } from "@/ui/States";
import { type Column, Table } from "@/ui/Table";
import { Time } from "@/ui/Time";
import { useStreamActions } from "./actions";
import { monitorQueries, type Overview } from "./data";
import styles from "./StreamsPage.module.css";
import { hasEnded, modeName } from "./words";

const STATES = [
  { value: "", label: "Every state" },
  { value: "active", label: "Running or paused" },
  { value: "attention", label: "Needs attention" },
  { value: "ended", label: "Ended" },
  { value: "new", label: "Never started" },
];

export function Component() {
  const query = useQuery(monitorQueries.overview());
  const actions = useStreamActions();
  return (
    <Page
      title="Streams"
      actions={
        <ButtonLink kind="primary" icon={<Plus />} to="/streams/new">
          New stream
        </ButtonLink>
      }
    >
      {actions.error !== null && <ErrorState error={actions.error} retry={actions.reset} />}
      <Loaded query={query} failed="The streams could not be read">
        {(items) =>
          items.length ? (
            <List items={items} actions={actions} />
          ) : (
            <EmptyState
              icon={<Waves />}
              title="No streams yet"
              actions={
                <ButtonLink kind="primary" to="/streams/new">
                  Make the first one
                </ButtonLink>
              }
            >
              A stream copies a database once, or keeps another one equal to it from then on.
            </EmptyState>
          )
        }
      </Loaded>
    </Page>
  );
}

type Actions = ReturnType<typeof useStreamActions>;

function List({ items, actions }: { items: Overview[]; actions: Actions }) {
  const [search, setSearch] = useSearchParams();
  const text = search.get("search") ?? "";
  const state = search.get("state") ?? "";
  const set = (name: string, value: string) =>
    setSearch(
      (before) => {
        const after = new URLSearchParams(before);
        if (value) after.set(name, value);
        else after.delete(name);
        return after;
      },
      { replace: true },
    );
  const found = items.filter((item) => fits(item, text.toLowerCase(), state));
  const columns: Column<Overview>[] = [
    { id: "name", header: "Name", cell: (item) => <Name item={item} /> },
    { id: "state", header: "State", cell: (item) => <State item={item} /> },
    { id: "route", header: "From and to", wide: true, cell: (item) => <Ends item={item} /> },
    { id: "progress", header: "How far", cell: (item) => <HowFar item={item} /> },
    { id: "rate", header: "Rate", align: "end", wide: true, cell: (item) => <Rate item={item} /> },
    {
      id: "started",
      header: "Newest run",
      wide: true,
      cell: (item) => (
        <span className={styles.when}>
          {item.newest ? <Time at={item.newest.started || item.newest.created} /> : "never"}
        </span>
      ),
    },
    {
      id: "runs",
      header: "Runs",
      align: "end",
      wide: true,
      cell: (item) => <Link to={`/configs/${item.id}/history`}>{count(item.runs)}</Link>,
    },
    {
      id: "actions",
      header: <span className="visually-hidden">Actions</span>,
      align: "end",
      cell: (item) => <RowActions item={item} actions={actions} />,
    },
  ];
  return (
    <>
      <div className={styles.bar}>
        <Input
          type="search"
          aria-label="Search streams"
          placeholder="Search by name, connection or database"
          value={text}
          onChange={(event) => set("search", event.target.value)}
        />
        <Select aria-label="State" value={state} onValue={(value) => set("state", value)} choices={STATES} />
        <span className={styles.count} role="status">
          {found.length === items.length
            ? plural(items.length, "stream")
            : `${count(found.length)} of ${plural(items.length, "stream")}`}
        </span>
      </div>
      {found.length ? (
        <Panel flush>
          <Table label="Streams" columns={columns} rows={found} rowKey={(item) => `${item.id} ${item.deleted}`} />
        </Panel>
      ) : (
        <EmptyState title="No stream is like this">Change the search or the state.</EmptyState>
      )}
    </>
  );
}

export function needsAttention(item: Overview): boolean {
  return (
    item.newest?.status === "FAILED" || (item.brief?.tablesFailed ?? 0) > 0 || (item.brief?.alerts.length ?? 0) > 0
  );
}

function fits(item: Overview, text: string, state: string): boolean {
  const words = [item.name, item.source.name, item.target.name, item.source.database, item.target.database, item.mode];
  if (text && !words.some((word) => word.toLowerCase().includes(text))) return false;
  const status = item.newest?.status;
  const tests: Record<string, boolean> = {
    active: status === "RUNNING" || status === "PAUSED" || status === "READY",
    attention: needsAttention(item),
    ended: status !== undefined && hasEnded(status),
    new: status === undefined,
  };
  return tests[state] ?? true;
}

function Name({ item }: { item: Overview }) {
  const to = item.newest ? `/streams/${item.newest.id}` : `/streams/new?config=${item.id}`;
  return (
    <div className={styles.name}>
      <Link to={to}>{item.name}</Link>
      <span className={styles.muted}>
        {modeName(item.mode)}
        {item.deleted && " · its config was deleted"}
      </span>
    </div>
  );
}

function State({ item }: { item: Overview }) {
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

function Ends({ item }: { item: Overview }) {
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

function HowFar({ item }: { item: Overview }) {
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

function Rate({ item }: { item: Overview }) {
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

function RowActions({ item, actions }: { item: Overview; actions: Actions }) {
  const navigate = useNavigate();
  const { newest } = item;
  const known = newest && { id: newest.id, name: item.name, mode: item.mode };
  const can = (what: string) => newest?.allowed.includes(what) ?? false;
  const active = can("stop");
  const items: (MenuItem | null)[] = [
    ...(known && active
      ? [{ label: "Stop for good", icon: <Square />, danger: true, onSelect: () => void actions.move(known, "stop") }]
      : []),
    { label: "History", icon: <History />, onSelect: () => void navigate(`/configs/${item.id}/history`) },
    ...(item.deleted
      ? []
      : [
          { label: "Edit", icon: <Pencil />, onSelect: () => void navigate(`/streams/new?config=${item.id}`) },
          { label: "Clone", icon: <Copy />, onSelect: () => actions.clone(item.id) },
        ]),
    null,
    ...(known
      ? [
          {
            label: "Delete the newest run",
            icon: <Trash2 />,
            danger: true,
            disabled: active,
            onSelect: () => void actions.deleteRun(known),
          },
        ]
      : []),
    ...(item.deleted
      ? []
      : [
          {
            label: "Delete config",
            icon: <Trash2 />,
            danger: true,
            disabled: active,
            onSelect: () => void actions.deleteConfig(item),
          },
        ]),
  ];
  return (
    <span className={styles.actions}>
      {known && can("pause") && (
        <IconButton small label={`Pause ${item.name}`} onClick={() => void actions.move(known, "pause")}>
          <Pause />
        </IconButton>
      )}
      {known && can("resume") && (
        <IconButton small label={`Resume ${item.name}`} onClick={() => void actions.move(known, "resume")}>
          <Play />
        </IconButton>
      )}
      {!active && !item.deleted && newest?.status !== "FAILED" && (
        <IconButton
          small
          label={newest ? `Start ${item.name} anew` : `Start ${item.name}`}
          onClick={() => actions.start(item.id)}
        >
          {newest ? <RotateCw /> : <Play />}
        </IconButton>
      )}
      <Menu items={items}>
        <IconButton small label={`More for ${item.name}`}>
          <Ellipsis />
        </IconButton>
      </Menu>
    </span>
  );
}
