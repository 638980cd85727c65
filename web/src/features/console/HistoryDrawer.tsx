import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useDeferredValue, useState } from "react";
import { api, call, type Schemas } from "@/api/client";
import { problemOf } from "@/api/problem";
import { Badge } from "@/ui/Badge";
import { Button } from "@/ui/Button";
import { useConfirm } from "@/ui/Confirm";
import { Dialog } from "@/ui/Dialog";
import { Checkbox, Input, Switch } from "@/ui/Field";
import { duration, plural } from "@/ui/numbers";
import { EmptyState, Loaded } from "@/ui/States";
import { Time } from "@/ui/Time";
import { notify } from "@/ui/toast";
import styles from "./Console.module.css";
import { consoleQueries } from "./queries";

type Line = Schemas["QueryHistoryLine"];

interface Props {
  connectionId: string;
  onClose: () => void;
  onPick: (line: Line) => void;
}

function HistoryItem({ line, onPick }: { line: Line; onPick: (line: Line) => void }) {
  return (
    <li>
      <button type="button" className={styles.historyItem} onClick={() => onPick(line)}>
        <code>{line.query}</code>
        <span className={styles.historyFacts}>
          {line.status !== "ok" && <Badge tone={line.status === "failed" ? "danger" : "warn"}>{line.status}</Badge>}
          <span>{line.connectionName}</span>
          {line.database && <span>{line.database}</span>}
          <span>{plural(line.rows, "row")}</span>
          <span>{duration(line.durationMs / 1000)}</span>
          <Time at={line.at} />
        </span>
        {line.error && <span className={styles.historyError}>{line.error}</span>}
      </button>
    </li>
  );
}

/** What was run from here, on any connection, by whoever uses this server. */
export function HistoryDrawer({ connectionId, onClose, onPick }: Props) {
  const [search, setSearch] = useState("");
  const [everywhere, setEverywhere] = useState(false);
  const client = useQueryClient();
  const confirm = useConfirm();
  const found = useQuery(consoleQueries.history(useDeferredValue(search), everywhere ? "" : connectionId));
  const renew = () => client.invalidateQueries({ queryKey: ["sql", "history"] });
  const told = (error: unknown) => notify.error(problemOf(error).message);
  const toggle = (on: boolean) => call(api.PUT("/api/v1/query-history/settings", { body: { on } })).then(renew, told);
  const forget = async () => {
    const sure = await confirm({
      title: "Forget the history?",
      body: "All that was run from this console, on every connection, is forgotten. The databases are not touched.",
      action: "Forget all",
      danger: true,
    });
    if (sure) await call(api.DELETE("/api/v1/query-history")).then(renew, told);
  };
  return (
    <Dialog
      open
      drawer
      onOpenChange={onClose}
      title="History"
      description="What was run from this console. Quoted text behind words like PASSWORD is not kept."
      actions={
        <>
          <Switch label="Keep what is run" checked={found.data?.on ?? true} onChecked={toggle} />
          <Button kind="danger" onClick={forget}>
            Forget all
          </Button>
        </>
      }
    >
      <div className={styles.historyTools}>
        <Input
          type="search"
          aria-label="Search the history"
          placeholder="Search"
          value={search}
          onChange={(event) => setSearch(event.target.value)}
        />
        <Checkbox label="All connections" checked={everywhere} onChecked={setEverywhere} />
      </div>
      <Loaded query={found} failed="The history could not be read">
        {({ items }) =>
          items.length === 0 ? (
            <EmptyState title={search ? "Nothing with that text" : "Nothing was run yet"} />
          ) : (
            <ul className={styles.history}>
              {items.map((line) => (
                <HistoryItem key={line.number} line={line} onPick={onPick} />
              ))}
            </ul>
          )
        }
      </Loaded>
    </Dialog>
  );
}
