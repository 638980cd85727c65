import { useQuery, useQueryClient } from "@tanstack/react-query";
import { lazy, Suspense, useEffect } from "react";
import { useNavigate, useParams, useSearchParams } from "react-router";
import { useStore } from "@/api/store";
import { Badge } from "@/ui/Badge";
import { ButtonLink } from "@/ui/Button";
import { count } from "@/ui/numbers";
import { Page } from "@/ui/Page";
import { StateBadge } from "@/ui/StateBadge";
import { EmptyState, ErrorState, Skeleton } from "@/ui/States";
import { type Tab, Tabs } from "@/ui/Tabs";
import { Charts } from "./Charts";
import { Cutover } from "./Cutover";
import { monitorQueries, type Stream } from "./data";
import { LogView } from "./LogView";
import styles from "./MonitorPage.module.css";
import { PutAside } from "./PutAside";
import { SchemaChanges } from "./SchemaChanges";
import { Route, StreamActions } from "./StreamHead";
import { Stages, Totals } from "./Summary";
import { TableDrawer } from "./TableDrawer";
import { TablesGrid } from "./TablesGrid";
import { TroubleCard, Troubles, useTroubles } from "./Troubles";
import { useWatch, type Watch } from "./watch";
import { hasEnded } from "./words";

/** Loaded when it is opened: it brings YAML along. */
const ConfigTab = lazy(() => import("./ConfigTab"));

const SHOWN_TROUBLES = 3;

export function Component() {
  const { streamId = "" } = useParams();
  const watch = useWatch(streamId);
  const query = useQuery(monitorQueries.stream(streamId));
  const head = useStore(watch.head);
  const gone = useStore(watch.gone);
  useRenewed(watch, streamId);
  const stream = head?.stream ?? query.data;
  if (gone) {
    return (
      <Page title="Stream">
        <EmptyState title="This run was deleted" actions={<ButtonLink to="/streams">All streams</ButtonLink>} />
      </Page>
    );
  }
  if (!stream) {
    return (
      <Page title="Stream">
        {query.error ? (
          <ErrorState error={query.error} title="The stream could not be read" retry={() => void query.refetch()} />
        ) : (
          <div role="status">
            <span className="visually-hidden">Loading</span>
            <Skeleton lines={6} height="3rem" />
          </div>
        )}
      </Page>
    );
  }
  return <Monitor stream={stream} watch={watch} />;
}

/** After a break in the line, what is not told by events is asked for anew. */
function useRenewed(watch: Watch, streamId: string): void {
  const client = useQueryClient();
  const connection = useStore(watch.connection);
  useEffect(() => {
    if (connection === "open") void client.invalidateQueries({ queryKey: ["stream", streamId] });
  }, [connection, client, streamId]);
}

function Monitor({ stream, watch }: { stream: Stream; watch: Watch }) {
  const head = useStore(watch.head);
  const tables = useStore(watch.tables);
  const navigate = useNavigate();
  const [search] = useSearchParams();
  const troubles = useTroubles(watch, stream.id);
  const open = troubles.data?.filter((item) => item.open) ?? [];
  const above = open.filter(
    (item) =>
      item.kind === "stream" || !open.some((other) => other.kind === "stream" && other.message.includes(item.message)),
  );
  const chosen = search.get("open");
  const show = (changes: Record<string, string | null>) => {
    const after = new URLSearchParams(search);
    for (const [name, value] of Object.entries(changes)) {
      if (value === null) after.delete(name);
      else after.set(name, value);
    }
    void navigate({ search: after.toString() }, { replace: true });
  };
  const cutOver = () => {
    show({ tab: "cutover" });
    requestAnimationFrame(() => document.querySelector('[role="tablist"]')?.scrollIntoView({ block: "start" }));
  };
  const openTable = (name: string) => show({ open: name });
  const tabs = tabsOf({ stream, watch, troubles, openTable, wrong: open.length, aside: putAside(head, tables) });
  return (
    <Page
      title={stream.name}
      aside={<StateBadge state={stream.status} />}
      actions={<StreamActions stream={stream} onCutover={cutOver} />}
    >
      <div className={styles.top}>
        <Route stream={stream} />
        {stream.message && <p className={styles.message}>{stream.message}</p>}
        {head ? <Stages head={head} /> : <Skeleton height="1.4rem" />}
      </div>
      {open.length > 0 && (
        <div className={styles.troubles}>
          {above.slice(0, SHOWN_TROUBLES).map((item) => (
            <TroubleCard key={`${item.kind} ${item.subject} ${item.message}`} trouble={item} onTable={openTable} />
          ))}
          {above.length > SHOWN_TROUBLES && (
            <ButtonLink small kind="quiet" to="?tab=problems">
              {count(above.length - SHOWN_TROUBLES)} more
            </ButtonLink>
          )}
        </div>
      )}
      <Totals head={head} tables={tables} />
      <Charts watch={watch} streamId={stream.id} mode={stream.mode} ended={hasEnded(stream.status)} />
      <Tabs tabs={tabs} label="Parts of the monitor" />
      {chosen !== null && (
        <TableDrawer watch={watch} stream={stream} name={chosen} onClose={() => show({ open: null })} />
      )}
      <Announcer watch={watch} />
    </Page>
  );
}

interface TabsNeed {
  stream: Stream;
  watch: Watch;
  troubles: ReturnType<typeof useTroubles>;
  openTable: (name: string) => void;
  wrong: number;
  aside: number;
}

function tabsOf({ stream, watch, troubles, openTable, wrong, aside }: TabsNeed): Tab[] {
  const cdc = stream.mode === "cdc";
  return [
    { id: "tables", label: "Tables", content: <TablesGrid watch={watch} mode={stream.mode} onOpen={openTable} /> },
    { id: "log", label: "Log", content: <LogView watch={watch} streamId={stream.id} /> },
    {
      id: "problems",
      label: <Counted text="Problems" number={wrong} tone="danger" />,
      content: <Troubles query={troubles} onTable={openTable} />,
    },
    {
      id: "aside",
      label: <Counted text="Put aside" number={aside} tone="warn" />,
      content: <PutAside stream={stream} number={aside} />,
    },
    { id: "schema", label: cdc ? "Schema changes" : "What changes", content: <SchemaChanges stream={stream} /> },
    ...(cdc ? [{ id: "cutover", label: "Cut-over", content: <Cutover watch={watch} stream={stream} /> }] : []),
    { id: "config", label: "Config", content: <Later tab={<ConfigTab stream={stream} />} /> },
  ];
}

function Later({ tab }: { tab: React.ReactNode }) {
  return <Suspense fallback={<Skeleton lines={6} height="1.5rem" />}>{tab}</Suspense>;
}

function Counted({ text, number, tone }: { text: string; number: number; tone: "danger" | "warn" }) {
  return (
    <span className={styles.counted}>
      {text} {number > 0 && <Badge tone={tone}>{count(number)}</Badge>}
    </span>
  );
}

function putAside(head: ReturnType<Watch["head"]["get"]>, tables: readonly { deadLetters: number }[]): number {
  return (head?.totals.rowsRejected ?? 0) + tables.reduce((all, table) => all + table.deadLetters, 0);
}

/** Says moves and alerts to those who do not see the page. */
function Announcer({ watch }: { watch: Watch }) {
  const told = useStore(watch.told);
  return (
    <>
      <div className="visually-hidden" role="status">
        {told && !told.urgent ? told.text : ""}
      </div>
      <div className="visually-hidden" role="alert">
        {told?.urgent ? told.text : ""}
      </div>
    </>
  );
}
