import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Plus } from "lucide-react";
import { useState } from "react";
import { api, call, type Schemas } from "@/api/client";
import { problemOf } from "@/api/problem";
import { signedInKey } from "@/api/session";
import { useStore } from "@/api/store";
import { Badge } from "@/ui/Badge";
import { Button } from "@/ui/Button";
import { useConfirm } from "@/ui/Confirm";
import { Panel } from "@/ui/Page";
import { ErrorState, Loaded } from "@/ui/States";
import { type Column, Table } from "@/ui/Table";
import { Time } from "@/ui/Time";
import { NewKey } from "./NewKey";
import styles from "./Settings.module.css";

type ApiKey = Schemas["ApiKey"];

/** The API keys of this server, of which only the ends are known. */
export function Keys() {
  const [making, setMaking] = useState(false);
  const confirm = useConfirm();
  const client = useQueryClient();
  const own = useStore(signedInKey);
  const keys = useQuery({
    queryKey: ["keys"],
    queryFn: ({ signal }) => call(api.GET("/api/v1/api-keys", { signal })),
  });
  const revoke = useMutation({
    mutationFn: (key: ApiKey) =>
      call(api.DELETE("/api/v1/api-keys/{key_id}", { params: { path: { key_id: key.id } } })),
    onSettled: () => client.invalidateQueries({ queryKey: ["keys"] }),
  });
  const ask = async (key: ApiKey) => {
    const yes = await confirm({
      title: `Revoke ${key.name}?`,
      body: "Programs that use it are refused from now on, and browsers that signed in with it are signed out.",
      action: "Revoke",
      danger: true,
    });
    if (yes) revoke.mutate(key);
  };
  const columns: Column<ApiKey>[] = [
    { id: "name", header: "Name", cell: (key) => key.name },
    {
      id: "end",
      header: "Ends in",
      cell: (key) => (
        <>
          <code>…{key.lastFour}</code> {own.endsWith(key.lastFour) && <Badge tone="accent">this session</Badge>}
        </>
      ),
    },
    { id: "created", header: "Created", wide: true, cell: (key) => <Time at={key.created} /> },
    {
      id: "state",
      header: "State",
      cell: (key) =>
        key.revoked ? (
          <span className={styles.muted}>
            revoked <Time at={key.revoked} />
          </span>
        ) : (
          <Badge tone="ok">in use</Badge>
        ),
    },
    {
      id: "actions",
      header: <span className="visually-hidden">Actions</span>,
      align: "end",
      cell: (key) =>
        !key.revoked && (
          <Button small kind="danger" aria-label={`Revoke ${key.name}`} onClick={() => void ask(key)}>
            Revoke
          </Button>
        ),
    },
  ];
  return (
    <Panel
      title="API keys"
      actions={
        <Button icon={<Plus />} onClick={() => setMaking(true)}>
          New key
        </Button>
      }
    >
      {revoke.isError && <ErrorState error={problemOf(revoke.error)} title="The key was not revoked" compact />}
      <Loaded query={keys} failed="The API keys could not be read">
        {(list) =>
          list.length > 0 ? (
            <Table label="API keys" columns={columns} rows={list} rowKey={(key) => key.id} />
          ) : (
            <p className={styles.muted}>This server's key comes from its environment (MAINSTEM_API_KEY).</p>
          )
        }
      </Loaded>
      {making && <NewKey onClose={() => setMaking(false)} />}
    </Panel>
  );
}
