import { useQueryClient } from "@tanstack/react-query";
import { Lock } from "lucide-react";
import { api, call, type Schemas } from "@/api/client";
import { problemOf } from "@/api/problem";
import { Badge } from "@/ui/Badge";
import { useConfirm } from "@/ui/Confirm";
import { Switch } from "@/ui/Field";
import { notify } from "@/ui/toast";
import styles from "./Console.module.css";

/** Whether SQL may change anything on a connection. The database server itself holds it to that. */
export function ReadOnly({ connection }: { connection: Schemas["Connection"] }) {
  const client = useQueryClient();
  const confirm = useConfirm();
  const on = connection.readOnly ?? false;
  const change = async (next: boolean) => {
    const sure =
      next ||
      (await confirm({
        title: `Allow changes on ${connection.name}?`,
        body: "SQL of everyone who uses this connection may then change and delete its data.",
        action: "Allow changes",
        danger: true,
      }));
    if (!sure) return;
    try {
      await call(
        api.PUT("/api/v1/connections/{connection_id}", {
          params: { path: { connection_id: connection.id } },
          body: { readOnly: next } as Schemas["FlatConnection"],
        }),
      );
      await client.invalidateQueries({ queryKey: ["connections"] });
    } catch (error) {
      notify.error(problemOf(error).message);
    }
  };
  return (
    <span className={styles.readOnly}>
      {on && (
        <Badge tone="info">
          <Lock aria-hidden="true" /> Reads only
        </Badge>
      )}
      <Switch label="Read-only" checked={on} onChecked={change} />
    </span>
  );
}
