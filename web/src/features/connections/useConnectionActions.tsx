import { useQueryClient } from "@tanstack/react-query";
import { Copy, Pencil, SquareTerminal, TableProperties, Trash2, Waves } from "lucide-react";
import { useNavigate } from "react-router";
import type { Schemas } from "@/api/client";
import { problemOf } from "@/api/problem";
import { useConfirm } from "@/ui/Confirm";
import type { MenuItem } from "@/ui/Menu";
import { plural } from "@/ui/numbers";
import { notify } from "@/ui/toast";
import styles from "./Connections.module.css";
import { clone, connectionQueries, remove } from "./queries";

type Connection = Schemas["Connection"];

/** What can be done with a connection, as items of a menu. */
export function useConnectionActions(): (connection: Connection) => (MenuItem | null)[] {
  const client = useQueryClient();
  const navigate = useNavigate();
  const confirm = useConfirm();
  const told = async (work: () => Promise<string>) => {
    try {
      notify.done(await work());
      await client.invalidateQueries({ queryKey: ["connections"] });
    } catch (error) {
      const problem = problemOf(error);
      notify.error([problem.message, problem.remedy].filter(Boolean).join(": "));
    }
  };
  const copy = (connection: Connection) => told(async () => `${(await clone(connection.id)).name} is made`);
  const forget = async (connection: Connection) => {
    try {
      const uses = await client.fetchQuery(connectionQueries.uses(connection.id));
      const used = uses.configs.length + uses.streams.length > 0;
      const question = {
        title: `Delete ${connection.name}?`,
        body: <Dependents uses={uses} />,
        action: "Delete",
        danger: true,
        ...(used && { type: connection.name }),
      };
      if (await confirm(question)) await told(() => remove(connection.id).then(() => `${connection.name} is deleted`));
    } catch (error) {
      notify.error(problemOf(error).message);
    }
  };
  return (connection) => [
    { label: "Edit", icon: <Pencil />, onSelect: () => void navigate(`/connections/${connection.id}`) },
    { label: "Clone", icon: <Copy />, onSelect: () => void copy(connection) },
    null,
    {
      label: "New stream from here",
      icon: <Waves />,
      onSelect: () => void navigate(`/streams/new?source=${connection.id}`),
    },
    { label: "Browse", icon: <TableProperties />, onSelect: () => void navigate(`/explorer/${connection.id}`) },
    { label: "SQL console", icon: <SquareTerminal />, onSelect: () => void navigate(`/sql/${connection.id}`) },
    null,
    { label: "Delete", icon: <Trash2 />, danger: true, onSelect: () => void forget(connection) },
  ];
}

/** What would miss the connection. */
function Dependents({ uses }: { uses: Schemas["Uses"] }) {
  if (!uses.configs.length && !uses.streams.length)
    return <p>Nothing depends on it. The database itself is not touched.</p>;
  return (
    <div className={styles.dependents}>
      {uses.streams.length > 0 && (
        <p>
          <strong>{plural(uses.streams.length, "stream")} run on it</strong>, and must be stopped before it can be
          deleted: {uses.streams.map((one) => `${one.name} (${one.status})`).join(", ")}
        </p>
      )}
      {uses.configs.length > 0 && (
        <>
          <p>{plural(uses.configs.length, "saved stream")} name it, and could not be started without it:</p>
          <ul>
            {uses.configs.slice(0, 10).map((one) => (
              <li key={one.id}>
                {one.name} ({one.roles.join(" and ")})
              </li>
            ))}
            {uses.configs.length > 10 && <li>and {uses.configs.length - 10} more</li>}
          </ul>
        </>
      )}
      <p>The database itself is not touched.</p>
    </div>
  );
}
