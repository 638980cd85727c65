import { useQuery, useQueryClient } from "@tanstack/react-query";
import { ArrowRight, Plus, RotateCw } from "lucide-react";
import { useState } from "react";
import { useLocation } from "react-router";
import { api, call, type Schemas } from "@/api/client";
import { problemOf } from "@/api/problem";
import { queries } from "@/api/queries";
import { Badge } from "@/ui/Badge";
import { ButtonLink, IconButton } from "@/ui/Button";
import { Combobox } from "@/ui/Combobox";
import { Field, Select } from "@/ui/Field";
import { Panel } from "@/ui/Page";
import { EmptyState, ErrorState, Loaded, Skeleton } from "@/ui/States";
import { notify } from "@/ui/toast";
import { type Config, type Place, place, type Role, setPlace } from "./config";
import { wizardQueries } from "./queries";
import base from "./Wizard.module.css";
import type { StepProps } from "./WizardPage";

const TITLES = { source: "Source", target: "Target" } as const;
const TOLD = {
  source: "Where rows are read. Nothing is changed there.",
  target: "Where they go: the schema is made there, too.",
} as const;

/** Which two systems, and where in them. */
export function EndsStep(props: StepProps) {
  const connections = useQuery(queries.connections());
  const connectors = useQuery(wizardQueries.connectors());
  const here = useLocation();
  return (
    <Loaded
      query={connections}
      failed="The connections could not be read"
      skeleton={<Skeleton lines={6} height="2rem" />}
    >
      {(found) =>
        found.length === 0 ? (
          <EmptyState
            title="A stream needs two connections"
            actions={
              <ButtonLink
                kind="primary"
                icon={<Plus />}
                to={`/connections/new?return=${encodeURIComponent(back(here, "source"))}`}
              >
                New connection
              </ButtonLink>
            }
          >
            The system to read from, and the one to write to. Make the first, then come back here.
          </EmptyState>
        ) : (
          <>
            <div className={base.ends}>
              {(["source", "target"] as const).map((role) => (
                <End key={role} role={role} connections={found} connectors={connectors.data ?? []} {...props} />
              ))}
              <ArrowRight className={base.between} aria-hidden="true" />
            </div>
            {isOnePlace(props.draft.config) && (
              <p className={base.warning} role="status">
                Source and target are the same place. Choose another database or schema as the target: no table can be
                copied onto itself.
              </p>
            )}
          </>
        )
      }
    </Loaded>
  );
}

function isOnePlace(config: Config): boolean {
  const [source, target] = [place(config, "source"), place(config, "target")];
  return source.connectionId !== "" && JSON.stringify(source) === JSON.stringify(target);
}

/** The way back here from a new connection, which then is chosen for a role (see `useGiven`). */
function back(here: { pathname: string; search: string }, role: Role): string {
  const search = new URLSearchParams(here.search);
  search.set("take", role);
  return `${here.pathname}?${search}`;
}

interface EndProps extends StepProps {
  role: Role;
  connections: readonly Schemas["Connection"][];
  connectors: readonly Schemas["Connector"][];
}

function End({ role, connections, connectors, draft, change }: EndProps) {
  const here = useLocation();
  const chosen = place(draft.config, role);
  const connection = connections.find((one) => one.id === chosen.connectionId);
  const connector = connectors.find((one) => one.name === connection?.type);
  const put = (part: keyof Place, value: string) =>
    change((before) => ({ ...before, config: setPlace(before.config, role, part, value) }));
  const choices = [
    { value: "", label: "Choose a connection" },
    ...connections.map((one) => ({ value: one.id, label: `${one.name} (${one.type}, ${one.host}:${one.port})` })),
  ];
  return (
    <Panel
      title={TITLES[role]}
      actions={
        <ButtonLink
          kind="quiet"
          small
          icon={<Plus />}
          to={`/connections/new?return=${encodeURIComponent(back(here, role))}`}
        >
          New
        </ButtonLink>
      }
    >
      <div className={base.fields}>
        <p className={base.muted}>{TOLD[role]}</p>
        <Field label={`${TITLES[role]} connection`}>
          <Select
            value={connection ? chosen.connectionId : ""}
            choices={choices}
            onValue={(id) => put("connectionId", id)}
          />
        </Field>
        {connection && (
          <>
            <Reach id={connection.id} />
            <Within
              role={role}
              connection={connection}
              hasSchemas={connector?.hasSchemas ?? false}
              chosen={chosen}
              put={put}
            />
          </>
        )}
      </div>
    </Panel>
  );
}

/** Whether the system answers; asked as soon as it is chosen. */
function Reach({ id }: { id: string }) {
  const ping = useQuery(wizardQueries.ping(id));
  const again = (
    <IconButton small label="Test again" onClick={() => void ping.refetch()}>
      <RotateCw />
    </IconButton>
  );
  if (ping.isFetching) return <Badge dot="live">Connecting …</Badge>;
  if (ping.error) return <ErrorState compact error={ping.error} retry={() => void ping.refetch()} />;
  if (!ping.data) return null;
  const found = ping.data;
  if (found.ping === "ok") {
    return (
      <div className={base.line}>
        <Badge tone="ok" dot>
          Connected
        </Badge>
        {again}
        <span className={base.muted}>
          {found.flavor} {found.version}
          {found.tls ? `, ${found.tls}` : ", not encrypted"}
        </span>
      </div>
    );
  }
  return (
    <div className={base.failed} role="alert">
      <div className={base.line}>
        <Badge tone="danger" dot>
          Not reached
        </Badge>
        {again}
      </div>
      <p>{found.error}</p>
      {found.remedy && <p>Fix: {found.remedy}</p>}
      <ButtonLink small to={`/connections/${id}`}>
        Edit the connection
      </ButtonLink>
    </div>
  );
}

interface WithinProps {
  role: Role;
  connection: Schemas["Connection"];
  hasSchemas: boolean;
  chosen: Place;
  put: (part: keyof Place, value: string) => void;
}

/** The database and schema, those of the connection if nothing is said. */
function Within({ role, connection, hasSchemas, chosen, put }: WithinProps) {
  const client = useQueryClient();
  const [wanted, setWanted] = useState({ database: false, schema: false });
  const database = chosen.database || connection.database;
  const databases = useQuery({ ...wizardQueries.databases(connection.id), enabled: wanted.database });
  const schemas = useQuery({ ...wizardQueries.schemas(connection.id, database), enabled: wanted.schema });
  const create = async (part: "database" | "schema", name: string) => {
    const path = { connection_id: connection.id };
    try {
      await (part === "database"
        ? call(api.POST("/api/v1/connections/{connection_id}/databases", { params: { path }, body: { name } }))
        : call(
            api.POST("/api/v1/connections/{connection_id}/schemas", {
              params: { path, query: { database } },
              body: { name },
            }),
          ));
      await client.invalidateQueries({ queryKey: ["connections", connection.id] });
      put(part, name);
      notify.done(`The ${part} ${name} is made`);
    } catch (error) {
      const problem = problemOf(error);
      notify.error(`${problem.message}${problem.remedy ? `: ${problem.remedy}` : ""}`);
    }
  };
  const told = (query: { isPending: boolean; error: unknown }) =>
    query.error ? problemOf(query.error).message : query.isPending ? "Reading …" : undefined;
  // Of a target, what is not there yet can be made, and its schema is.
  const absent = (value: string, known: readonly string[] | undefined, noun: string) =>
    role === "source" && value && known && !known.includes(value) ? `there is no ${noun} of this name` : undefined;
  return (
    <>
      <Field
        label={`${TITLES[role]} database`}
        hint={
          connection.database ? `Empty is the connection's own: ${connection.database}` : "The connection names none"
        }
        error={absent(
          chosen.database,
          databases.data?.map((one) => one.name),
          "database",
        )}
      >
        <Combobox
          value={chosen.database}
          placeholder={connection.database}
          onValue={(value) => put("database", value)}
          options={(databases.data ?? []).map((one) => ({ value: one.name }))}
          message={told(databases)}
          noun="database"
          onOpen={() => setWanted((before) => ({ ...before, database: true }))}
          onCreate={role === "target" ? (name) => void create("database", name) : undefined}
        />
      </Field>
      {hasSchemas && (
        <Field
          label={`${TITLES[role]} schema`}
          hint={`Empty is the connection's own: ${connection.schema || "public"}`}
          error={absent(chosen.schema, schemas.data, "schema")}
        >
          <Combobox
            value={chosen.schema}
            placeholder={connection.schema}
            onValue={(value) => put("schema", value)}
            options={(schemas.data ?? []).map((value) => ({ value }))}
            message={told(schemas)}
            noun="schema"
            onOpen={() => setWanted((before) => ({ ...before, schema: true }))}
            onCreate={role === "target" ? (name) => void create("schema", name) : undefined}
          />
        </Field>
      )}
    </>
  );
}
