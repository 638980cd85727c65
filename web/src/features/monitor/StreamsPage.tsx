import { useQuery } from "@tanstack/react-query";
import { Copy, Ellipsis, History, Pause, Pencil, Play, Plus, RotateCw, Square, Trash2, Waves } from "lucide-react";
import { useNavigate } from "react-router";
import { ButtonLink, IconButton } from "@/ui/Button";
import { Input, Select } from "@/ui/Field";
import { Menu, type MenuItem } from "@/ui/Menu";
import { count, plural } from "@/ui/numbers";
import { Page, Panel } from "@/ui/Page";
import { EmptyState, ErrorState, Loaded } from "@/ui/States";
import { type Column, Table } from "@/ui/Table";
import { useSearchSetting } from "@/ui/useSearchSetting";
import { useStreamActions } from "./actions";
import { monitorQueries, type Overview } from "./data";
import { Ends, HowFar, Name, Newest, Rate, State } from "./StreamCells";
import styles from "./StreamsPage.module.css";
import { hasEnded } from "./words";

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
  const [search, set] = useSearchSetting();
  const text = search.get("search") ?? "";
  const state = search.get("state") ?? "";
  const found = items.filter((item) => fits(item, text.toLowerCase(), state));
  const columns: Column<Overview>[] = [
    { id: "name", header: "Name", cell: (item) => <Name item={item} /> },
    { id: "state", header: "State", cell: (item) => <State item={item} /> },
    { id: "route", header: "From and to", wide: true, cell: (item) => <Ends item={item} /> },
    { id: "progress", header: "How far", wide: true, cell: (item) => <HowFar item={item} /> },
    { id: "rate", header: "Rate", align: "end", wide: true, cell: (item) => <Rate item={item} /> },
    { id: "newest", header: "Newest run", wide: true, cell: (item) => <Newest item={item} /> },
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
