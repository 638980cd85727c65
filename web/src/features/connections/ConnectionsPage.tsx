import { useQuery } from "@tanstack/react-query";
import { LayoutGrid, Plug, Plus, Rows3 } from "lucide-react";
import type { Schemas } from "@/api/client";
import { queries } from "@/api/queries";
import { Button, ButtonLink, IconButton } from "@/ui/Button";
import { Field, Input } from "@/ui/Field";
import { plural } from "@/ui/numbers";
import { Page } from "@/ui/Page";
import { EmptyState, Loaded } from "@/ui/States";
import { useSearchSetting } from "@/ui/useSearchSetting";
import { ConnectionCards } from "./ConnectionCards";
import styles from "./Connections.module.css";
import { ConnectionsTable } from "./ConnectionsTable";
import { usePings } from "./usePings";

// The API leaves out members that do not apply: a flavour, for one.
const SEARCHED = ["name", "type", "flavor", "host", "database", "username", "id"] as const;

export function Component() {
  const connections = useQuery(queries.connections());
  return (
    <Page
      title="Connections"
      aside={connections.data && <span className={styles.muted}>{plural(connections.data.length, "connection")}</span>}
      actions={
        <ButtonLink kind="primary" icon={<Plus />} to="/connections/new">
          New connection
        </ButtonLink>
      }
    >
      <Loaded query={connections} failed="The connections could not be read">
        {(found) => (found.length ? <List found={found} /> : <None />)}
      </Loaded>
    </Page>
  );
}

function None() {
  return (
    <EmptyState
      icon={<Plug />}
      title="No connections yet"
      actions={
        <ButtonLink kind="primary" icon={<Plus />} to="/connections/new">
          New connection
        </ButtonLink>
      }
    >
      A connection is a database server with a login. A stream needs two: one to read from, one to write to.
    </EmptyState>
  );
}

function List({ found }: { found: readonly Schemas["Connection"][] }) {
  const [search, put] = useSearchSetting();
  const pings = usePings();
  const wanted = (search.get("q") ?? "").trim().toLowerCase();
  const asTable = search.get("view") === "table";
  const shown = found.filter((one) => SEARCHED.some((name) => (one[name] ?? "").toLowerCase().includes(wanted)));
  const View = asTable ? ConnectionsTable : ConnectionCards;
  return (
    <>
      <search className={styles.tools}>
        <Field label="Search" className={styles.searchField}>
          <Input
            type="search"
            placeholder="name, host, database …"
            value={search.get("q") ?? ""}
            onChange={(event) => put("q", event.target.value)}
          />
        </Field>
        <Button icon={<Plug />} onClick={() => shown.forEach((one) => void pings.ask(one.id))}>
          Test {shown.length === found.length ? "all" : "these"}
        </Button>
        <div className={styles.viewButtons}>
          <IconButton label="As cards" aria-pressed={!asTable} onClick={() => put("view", "")}>
            <LayoutGrid />
          </IconButton>
          <IconButton label="As a table" aria-pressed={asTable} onClick={() => put("view", "table")}>
            <Rows3 />
          </IconButton>
        </div>
      </search>
      {shown.length === 0 ? (
        <p className={styles.muted}>No connection fits the search.</p>
      ) : (
        <View connections={shown} pings={pings} />
      )}
    </>
  );
}
