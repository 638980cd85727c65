import { useQuery } from "@tanstack/react-query";
import { useEffect, useMemo, useRef, useState } from "react";
import { useNavigate, useParams, useSearchParams } from "react-router";
import type { Schemas } from "@/api/client";
import { queries } from "@/api/queries";
import { useStore } from "@/api/store";
import { ButtonLink } from "@/ui/Button";
import { Page } from "@/ui/Page";
import { EmptyState, Loaded } from "@/ui/States";
import { notify } from "@/ui/toast";
import styles from "./Console.module.css";
import { Editor, type EditorHandle } from "./Editor";
import { HistoryDrawer } from "./HistoryDrawer";
import { options } from "./options";
import { consoleQueries } from "./queries";
import { ReadOnly } from "./ReadOnly";
import { Results } from "./Results";
import { errorPlace, runs } from "./runs";
import { Splitter } from "./Splitter";
import { openTab, TabStrip } from "./TabStrip";
import { PlacePicker, RunBar } from "./Toolbar";
import { activeTab, changeTab, chooseTab, sqlTabs } from "./tabs";
import { useRunner } from "./useRunner";

/** Brings address and tabs together: a link to a connection leads to a tab on it, `?sql=` to one with that text. */
function useAddress(connections: readonly Schemas["Connection"][]): void {
  const { connectionId = "" } = useParams();
  const [search, setSearch] = useSearchParams();
  const navigate = useNavigate();
  const state = useStore(sqlTabs);
  const active = activeTab(state);
  const arrived = useRef("");

  useEffect(() => {
    const sql = search.get("sql");
    if (sql === null && search.get("new") === null) return;
    openTab({ text: sql ?? "", database: search.get("database") ?? "", ...(connectionId && { connectionId }) });
    setSearch({}, { replace: true });
  }, [search, setSearch, connectionId]);

  useEffect(() => {
    if (arrived.current === connectionId || !connections.some((one) => one.id === connectionId)) return;
    arrived.current = connectionId;
    const now = sqlTabs.get();
    const present = activeTab(now);
    if (present.connectionId === connectionId) return;
    const there = now.tabs.findLast((tab) => tab.connectionId === connectionId);
    if (there) chooseTab(there.id);
    else if (present.text.trim() === "") changeTab(present.id, { connectionId, database: "" });
    else openTab({ connectionId, database: "", text: "" });
  }, [connectionId, connections]);

  useEffect(() => {
    if (active.connectionId === connectionId || !connections.some((one) => one.id === active.connectionId)) return;
    arrived.current = active.connectionId;
    void navigate(`/sql/${active.connectionId}`, { replace: true });
  }, [active.connectionId, connectionId, connections, navigate]);
}

function Console({ connections }: { connections: readonly Schemas["Connection"][] }) {
  useAddress(connections);
  const tab = activeTab(useStore(sqlTabs));
  const run = useStore(runs)[tab.id];
  const { height } = useStore(options);
  const [history, setHistory] = useState(false);
  const editor = useRef<EditorHandle>(null);
  const connection = connections.find((one) => one.id === tab.connectionId);
  const names = useQuery({
    ...consoleQueries.names(tab.connectionId, tab.database),
    enabled: connection !== undefined,
  });
  const runner = useRunner(tab, editor, connection);
  const error = useMemo(() => errorPlace(run), [run]);
  const type = connection?.flavor || connection?.type || "postgresql";

  const format = async () => {
    const text = editor.current?.text() ?? "";
    try {
      const { format } = await import("sql-formatter");
      const language = type === "mysql" || type === "mariadb" ? type : "postgresql";
      editor.current?.replace(format(text, { language, keywordCase: "upper" }));
    } catch {
      notify.error("This SQL cannot be formatted: it cannot be read to its end");
    }
    editor.current?.focus();
  };

  return (
    <Page
      title="SQL console"
      full
      aside={
        <div className={styles.places}>
          <PlacePicker
            tab={tab}
            connections={connections}
            onConnection={(connectionId) => changeTab(tab.id, { connectionId, database: "" })}
            onDatabase={(database) => changeTab(tab.id, { database })}
          />
        </div>
      }
      actions={connection && <ReadOnly connection={connection} />}
    >
      <div className={styles.console}>
        <TabStrip />
        <Editor
          ref={editor}
          tabId={tab.id}
          initial={tab.text}
          type={type}
          names={names.data}
          error={error}
          height={height}
          onText={(text) => changeTab(tab.id, { text })}
          run={runner.run}
          runAll={runner.runAll}
          format={() => void format()}
        />
        <RunBar
          disabled={!connection}
          running={run?.phase === "running"}
          onRun={runner.run}
          onRunAll={runner.runAll}
          onExplain={runner.explain}
          onFormat={() => void format()}
          onHistory={() => setHistory(true)}
        />
        <Splitter />
        <section className={styles.below} aria-label="What came of it">
          <Results tabId={tab.id} run={run} connectionId={tab.connectionId} database={tab.database} />
        </section>
      </div>
      {history && (
        <HistoryDrawer
          connectionId={tab.connectionId}
          onClose={() => setHistory(false)}
          onPick={(line) => {
            setHistory(false);
            const known = connections.some((one) => one.id === line.connectionId);
            const where = known ? { connectionId: line.connectionId, database: line.database } : {};
            openTab({ text: line.query, ...where });
          }}
        />
      )}
    </Page>
  );
}

export function Component() {
  const connections = useQuery(queries.connections());
  return (
    <Loaded query={connections} failed="The connections could not be read">
      {(found) =>
        found.length === 0 ? (
          <Page title="SQL console">
            <EmptyState
              title="There is no connection to run SQL on"
              actions={
                <ButtonLink to="/connections/new" kind="primary">
                  New connection
                </ButtonLink>
              }
            />
          </Page>
        ) : (
          <Console connections={found} />
        )
      }
    </Loaded>
  );
}
