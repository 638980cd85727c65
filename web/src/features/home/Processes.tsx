import { useState } from "react";
import { Link } from "react-router";
import type { Schemas } from "@/api/client";
import { Badge } from "@/ui/Badge";
import { Button } from "@/ui/Button";
import { Dialog } from "@/ui/Dialog";
import { count, plural } from "@/ui/numbers";
import { type Column, Table } from "@/ui/Table";
import { Time } from "@/ui/Time";
import styles from "./Home.module.css";

type Member = Schemas["Member"];

interface Props {
  members: readonly Member[];
  /** Names of streams, by the id of a run. */
  names: ReadonlyMap<string, string>;
}

/** How many processes there are; who asks is told which, and what each of them does. */
export function Processes({ members, names }: Props) {
  const [open, setOpen] = useState(false);
  return (
    <>
      <Button small aria-label={`Show ${plural(members.length, "process", "processes")}`} onClick={() => setOpen(true)}>
        Show {count(members.length)}
      </Button>
      <Dialog
        open={open}
        onOpenChange={setOpen}
        size="l"
        title="Processes of this installation"
        description="All that use the same store and have been heard of in the last seconds."
      >
        <Table label="Processes" columns={columns(names)} rows={members} rowKey={(member) => member.id} />
      </Dialog>
    </>
  );
}

function columns(names: ReadonlyMap<string, string>): Column<Member>[] {
  return [
    {
      id: "host",
      header: "Host",
      cell: (member) => (
        <span className={styles.process}>
          <span>{member.host}</span>
          {member.address && <code>{member.address}</code>}
          {member.answers && <Badge tone="accent">answers this page</Badge>}
        </span>
      ),
    },
    { id: "pid", header: "Process", align: "end", cell: (member) => member.pid },
    { id: "roles", header: "Roles", cell: (member) => member.roles.join(", ") },
    {
      id: "streams",
      header: "Leads",
      cell: (member) =>
        member.streams.length === 0 ? (
          <span className={styles.muted}>no stream</span>
        ) : (
          <ul className={styles.process}>
            {member.streams.map((id) => (
              <li key={id}>
                <Link to={`/streams/${id}`}>{names.get(id) ?? id}</Link>
              </li>
            ))}
          </ul>
        ),
    },
    { id: "version", header: "Version", wide: true, cell: (member) => member.version },
    { id: "started", header: "Started", wide: true, cell: (member) => <Time at={member.started} /> },
  ];
}
