import { useQuery } from "@tanstack/react-query";
import { useParams } from "react-router";
import type { Schemas } from "@/api/client";
import { Page } from "@/ui/Page";
import { Loaded, Skeleton } from "@/ui/States";
import { ConnectionForm } from "./ConnectionForm";
import { emptyForm, formOf } from "./form";
import { connectionQueries } from "./queries";

/** A new connection, or one that is changed. */
export function Component() {
  const { connectionId = "" } = useParams();
  const connectors = useQuery(connectionQueries.connectors());
  return (
    <Loaded query={connectors} failed="The kinds of systems could not be read" skeleton={<Waiting />}>
      {(kinds) => (connectionId ? <Saved key={connectionId} id={connectionId} kinds={kinds} /> : <New kinds={kinds} />)}
    </Loaded>
  );
}

function Waiting() {
  return (
    <Page title="Connection">
      <Skeleton lines={8} height="2rem" />
    </Page>
  );
}

interface Props {
  kinds: readonly Schemas["Connector"][];
}

function New({ kinds }: Props) {
  return (
    <Page title="New connection">
      <ConnectionForm id="" kinds={kinds} initial={emptyForm(kinds[0]?.name ?? "")} />
    </Page>
  );
}

function Saved({ id, kinds }: Props & { id: string }) {
  const saved = useQuery(connectionQueries.one(id));
  return (
    <Page title={saved.data?.name ?? "Connection"}>
      <Loaded query={saved} failed="The connection could not be read" skeleton={<Skeleton lines={8} height="2rem" />}>
        {(found) => <ConnectionForm id={id} kinds={kinds} initial={formOf(found)} />}
      </Loaded>
    </Page>
  );
}
