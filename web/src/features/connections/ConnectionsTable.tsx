import { EllipsisVertical } from "lucide-react";
import { Link } from "react-router";
import type { Schemas } from "@/api/client";
import { IconButton } from "@/ui/Button";
import { Menu } from "@/ui/Menu";
import { Panel } from "@/ui/Page";
import { type Column, Table } from "@/ui/Table";
import { Time } from "@/ui/Time";
import { type ListProps, PingBadge, place, Tls } from "./ConnectionCards";
import { useConnectionActions } from "./useConnectionActions";

type Connection = Schemas["Connection"];

export function ConnectionsTable({ connections, pings }: ListProps) {
  const actions = useConnectionActions();
  const columns: Column<Connection>[] = [
    { id: "name", header: "Name", cell: (one) => <Link to={`/connections/${one.id}`}>{one.name}</Link> },
    { id: "system", header: "System", cell: (one) => one.flavor || one.type },
    { id: "server", header: "Server", cell: (one) => `${one.host}:${one.port}` },
    { id: "user", header: "User", wide: true, cell: (one) => one.username },
    { id: "database", header: "Database", wide: true, cell: place },
    { id: "tls", header: "TLS", wide: true, cell: (one) => <Tls connection={one} /> },
    { id: "made", header: "Made", wide: true, cell: (one) => <Time at={one.created} /> },
    { id: "state", header: "Tested", cell: (one) => <PingBadge pinged={pings.of(one.id)} /> },
    {
      id: "actions",
      header: <span className="visually-hidden">Actions</span>,
      align: "end",
      cell: (one) => (
        <Menu items={[{ label: "Test", onSelect: () => void pings.ask(one.id) }, ...actions(one)]}>
          <IconButton small label={`Actions for ${one.name}`}>
            <EllipsisVertical />
          </IconButton>
        </Menu>
      ),
    },
  ];
  return (
    <Panel flush>
      <Table label="Connections" columns={columns} rows={connections} rowKey={(one) => one.id} />
    </Panel>
  );
}
