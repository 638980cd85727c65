import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Inbox } from "lucide-react";
import { useEffect, useState } from "react";
import { api, call } from "@/api/client";
import { Badge } from "@/ui/Badge";
import { Button } from "@/ui/Button";
import { useConfirm } from "@/ui/Confirm";
import { CopyButton } from "@/ui/CopyButton";
import { count, plural } from "@/ui/numbers";
import { Panel } from "@/ui/Page";
import { EmptyState, ErrorState, Loaded } from "@/ui/States";
import { Table } from "@/ui/Table";
import { notify } from "@/ui/toast";
import { monitorQueries, type Stream } from "./data";
import styles from "./MonitorPage.module.css";

/** Rows and changes that the target refused: why, and another try. Asked for anew when their live number changes. */
export function PutAside({ stream, number }: { stream: Stream; number: number }) {
  const client = useQueryClient();
  const notes = useQuery(monitorQueries.notes(stream.id));
  // biome-ignore lint/correctness/useExhaustiveDependencies: the number says when, not what
  useEffect(() => {
    for (const { queryKey } of [monitorQueries.notes(stream.id), monitorQueries.letters(stream.id)]) {
      void client.invalidateQueries({ queryKey }, { cancelRefetch: false }); // one under way is let through
    }
  }, [number, client, stream.id]);
  return (
    <>
      {stream.mode === "cdc" && <Letters stream={stream} />}
      <Loaded query={notes} failed="The rows that were put aside could not be read">
        {({ rejected }) =>
          rejected.length ? (
            <Panel title="Rows put aside while copying" flush>
              <Table
                label="Rows put aside while copying"
                rows={rejected}
                rowKey={(row) => `${row.table} ${row.key} ${row.column}`}
                columns={[
                  { id: "table", header: "Table", cell: (row) => row.table },
                  { id: "key", header: "Key", cell: (row) => <code>{row.key}</code> },
                  { id: "column", header: "Column", cell: (row) => <code>{row.column}</code> },
                  { id: "reason", header: "Why", cell: (row) => row.reason },
                ]}
              />
            </Panel>
          ) : (
            stream.mode !== "cdc" && (
              <EmptyState icon={<Inbox />} title="No row was put aside">
                With “quarantine” for rows that the target refuses, they are here with the reason.
              </EmptyState>
            )
          )
        }
      </Loaded>
    </>
  );
}

function Letters({ stream }: { stream: Stream }) {
  const client = useQueryClient();
  const confirm = useConfirm();
  const query = useQuery({ ...monitorQueries.letters(stream.id), refetchInterval: 5_000 });
  const [chosen, setChosen] = useState<ReadonlySet<number>>(new Set());
  const path = { params: { path: { stream_id: stream.id } } };
  const renew = () => {
    setChosen(new Set());
    void client.invalidateQueries({ queryKey: ["stream", stream.id] });
  };
  const replay = useMutation({
    mutationFn: (numbers: number[]) =>
      call(api.POST("/api/v1/streams/{stream_id}/dead-letters/replay", { ...path, body: { numbers } })),
    onSuccess: ({ applied, refused }) => {
      if (refused) notify.error(`${plural(applied, "change")} went in, ${count(refused)} were refused again`);
      else notify.done(`${plural(applied, "change")} went in`);
    },
    onSettled: renew,
  });
  const discard = useMutation({
    mutationFn: (numbers: number[]) =>
      call(api.POST("/api/v1/streams/{stream_id}/dead-letters/discard", { ...path, body: { numbers } })),
    onSuccess: (_, numbers) => notify.done(`${plural(numbers.length, "change")} forgotten`),
    onSettled: renew,
  });
  const forget = async (numbers: number[]) => {
    const told = "They are lost: the target stays without them.";
    const title = `Forget ${plural(numbers.length, "change")}?`;
    if (await confirm({ title, body: told, action: "Forget", danger: true })) discard.mutate(numbers);
  };
  const toggle = (number: number) => {
    const next = new Set(chosen);
    if (!next.delete(number)) next.add(number);
    setChosen(next);
  };
  const running = stream.status === "RUNNING";
  return (
    <Loaded query={query} failed="The changes that were put aside could not be read">
      {(letters) => {
        if (!letters.length) {
          return (
            <EmptyState icon={<Inbox />} title="No change is put aside">
              With “quarantine” for changes that the target refuses, they wait here to be tried again.
            </EmptyState>
          );
        }
        const marked = letters.filter((letter) => chosen.has(letter.number)).map((letter) => letter.number);
        const all = marked.length === letters.length;
        return (
          <Panel
            title="Changes put aside"
            flush
            actions={
              <>
                <Button
                  small
                  kind="primary"
                  busy={replay.isPending}
                  disabled={!running}
                  title={running ? undefined : "The stream must run for this"}
                  onClick={() => replay.mutate(marked)}
                >
                  {marked.length ? `Try ${count(marked.length)} again` : "Try all again"}
                </Button>
                <Button
                  small
                  kind="danger"
                  busy={discard.isPending}
                  disabled={!marked.length}
                  onClick={() => void forget(marked)}
                >
                  Forget
                </Button>
              </>
            }
          >
            {(replay.error ?? discard.error) !== null && <ErrorState compact error={replay.error ?? discard.error} />}
            <Table
              label="Changes put aside"
              rows={letters}
              rowKey={(letter) => String(letter.number)}
              columns={[
                {
                  id: "chosen",
                  header: (
                    <input
                      type="checkbox"
                      aria-label="Choose all"
                      checked={all}
                      onChange={() => setChosen(all ? new Set() : new Set(letters.map((letter) => letter.number)))}
                    />
                  ),
                  cell: (letter) => (
                    <input
                      type="checkbox"
                      aria-label={`Choose ${letter.table} ${letter.key}`}
                      checked={chosen.has(letter.number)}
                      onChange={() => toggle(letter.number)}
                    />
                  ),
                },
                { id: "table", header: "Table", cell: (letter) => letter.table },
                { id: "operation", header: "Change", cell: (letter) => <Badge>{letter.operation}</Badge> },
                { id: "key", header: "Key", cell: (letter) => <code className={styles.broken}>{letter.key}</code> },
                { id: "column", header: "Column", cell: (letter) => letter.column && <code>{letter.column}</code> },
                { id: "reason", header: "Why", cell: (letter) => letter.reason },
                {
                  id: "position",
                  header: "Position",
                  wide: true,
                  cell: (letter) => <CopyButton text={letter.position} label={`Copy position ${letter.position}`} />,
                },
              ]}
            />
          </Panel>
        );
      }}
    </Loaded>
  );
}
