import { useQuery } from "@tanstack/react-query";
import { ChevronRight, PanelLeft, SquareTerminal } from "lucide-react";
import { useEffect, useState } from "react";
import { Link, useParams, useSearchParams } from "react-router";
import { queries } from "@/api/queries";
import { Badge } from "@/ui/Badge";
import { ButtonLink, IconButton } from "@/ui/Button";
import { CopyButton } from "@/ui/CopyButton";
import { cx } from "@/ui/cx";
import { EmptyState } from "@/ui/States";
import { DatabasePage } from "./database/DatabasePage";
import styles from "./Explorer.module.css";
import { hasRows, isObject, KIND_NAMES, type ObjectKind, type Place, pathOf } from "./place";
import { ObjectPage, TablePage } from "./table/TablePage";
import { Tree } from "./tree/Tree";

/** The tree, and what is chosen in it. */
export function Component() {
  const params = useParams();
  const [search] = useSearchParams();
  const place: Place = {
    connectionId: params.connectionId,
    database: params.database,
    kind: params.kind && params.kind in KIND_NAMES ? (params.kind as ObjectKind) : undefined,
    schema: params.schema,
    name: params.name,
    of: search.get("of") ?? undefined,
  };
  const [tree, setTree] = useState(!place.database);
  const title = place.name ?? place.database ?? "Explorer";
  useEffect(() => {
    document.title = `${title} · Mainstem`;
  }, [title]);
  return (
    <div className={styles.explorer}>
      <aside className={cx(styles.side, tree && styles.shown)} aria-label="Objects">
        <Tree place={place} onOpen={() => setTree(false)} />
      </aside>
      <div className={styles.main}>
        <header className={styles.head}>
          <IconButton
            label="Show the tree"
            className={styles.toggle}
            aria-expanded={tree}
            onClick={() => setTree(!tree)}
          >
            <PanelLeft />
          </IconButton>
          <Crumbs place={place} title={title} />
        </header>
        <Content place={place} />
      </div>
    </div>
  );
}

function Crumbs({ place, title }: { place: Place; title: string }) {
  const connections = useQuery(queries.connections());
  const connection = connections.data?.find((item) => item.id === place.connectionId);
  const { connectionId, database } = place;
  const schema = place.schema && place.schema !== database ? place.schema : undefined;
  return (
    <>
      <nav className={styles.crumbs} aria-label="Where this is">
        {connection && <Link to={`/connections/${connection.id}`}>{connection.name}</Link>}
        {database && place.name && (
          <>
            <ChevronRight aria-hidden="true" />
            <Link to={pathOf({ connectionId, database })}>{database}</Link>
          </>
        )}
        {schema && (
          <>
            <ChevronRight aria-hidden="true" /> <span>{schema}</span>
          </>
        )}
        {connection && database && <ChevronRight aria-hidden="true" />}
        <h1>{title}</h1>
        {place.name && <CopyButton text={place.name} label="Copy the name" />}
        {place.kind && place.kind !== "table" && <Badge>{KIND_NAMES[place.kind]}</Badge>}
      </nav>
      {connectionId && database && (
        <ButtonLink
          small
          kind="quiet"
          icon={<SquareTerminal />}
          to={`/sql/${encodeURIComponent(connectionId)}?database=${encodeURIComponent(database)}`}
        >
          SQL
        </ButtonLink>
      )}
    </>
  );
}

function Content({ place }: { place: Place }) {
  const connections = useQuery(queries.connections());
  if (isObject(place)) return hasRows(place.kind) ? <TablePage place={place} /> : <ObjectPage place={place} />;
  if (place.connectionId && place.database)
    return <DatabasePage connectionId={place.connectionId} database={place.database} />;
  if (connections.data?.length === 0)
    return (
      <EmptyState
        title="No connections yet"
        actions={
          <ButtonLink kind="primary" to="/connections/new">
            New connection
          </ButtonLink>
        }
      >
        Connect a database to look into it.
      </EmptyState>
    );
  return <EmptyState title="Choose something in the tree">Open a connection and a database on the left.</EmptyState>;
}
