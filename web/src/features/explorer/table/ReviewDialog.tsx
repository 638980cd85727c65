import { useMutation, useQuery } from "@tanstack/react-query";
import { useRef } from "react";
import { api, call } from "@/api/client";
import { problemOf } from "@/api/problem";
import { queryClient } from "@/api/queries";
import type { Store } from "@/api/store";
import { Button } from "@/ui/Button";
import { CodeBlock } from "@/ui/CodeBlock";
import { Dialog } from "@/ui/Dialog";
import { EquivalentPanel } from "@/ui/EquivalentPanel";
import { count, plural } from "@/ui/numbers";
import { ErrorState, Loaded } from "@/ui/States";
import { notify } from "@/ui/toast";
import type { ObjectPlace } from "../place";
import { tableKey } from "../queries";
import { bodyOf, countOf, NOTHING, type Staged } from "./staging";

interface Props {
  place: ObjectPlace;
  store: Store<Staged>;
  staged: Staged;
  onClose: () => void;
}

const PATH = "/api/v1/connections/{connection_id}/databases/{database}/tables/{table}/rows/apply";

const MOST_SHOWN = 20_000;

/** A text that a page can show: bytes from a file would be millions of digits. */
function shortened(text: string): string {
  if (text.length <= MOST_SHOWN) return text;
  return `${text.slice(0, MOST_SHOWN / 2)} … ${count(text.length - MOST_SHOWN)} characters are not shown … ${text.slice(-MOST_SHOWN / 2)}`;
}

/** The SQL of all changes, before any of it runs; then all of it in one transaction. */
export function ReviewDialog({ place, store, staged, onClose }: Props) {
  const body = useRef(bodyOf(staged, place.schema)).current;
  const number = countOf(staged);
  const send = (dryRun: boolean) =>
    call(
      api.POST(PATH, {
        params: { path: { connection_id: place.connectionId, database: place.database, table: place.name } },
        body: { ...body, dryRun },
      }),
    );
  const preview = useQuery({
    queryKey: ["explorer", "preview", place, body],
    queryFn: () => send(true),
    gcTime: 0,
  });
  const apply = useMutation({
    mutationFn: () => send(false),
    onSuccess: (done) => {
      store.set(NOTHING);
      notify.done(`${plural(done.rows, "change")} made`);
      void queryClient.invalidateQueries({ queryKey: tableKey(place) });
      onClose();
    },
  });
  const problem = apply.error ? problemOf(apply.error) : null;
  const conflict = problem?.status === 409;
  const reload = () => {
    void queryClient.invalidateQueries({ queryKey: tableKey(place) });
    onClose();
  };

  return (
    <Dialog
      open
      size="l"
      onOpenChange={(open) => !open && !apply.isPending && onClose()}
      title={`Review ${plural(number, "change")}`}
      description="All of them are made in one transaction, or none. Each row must still hold what was shown."
      actions={
        <>
          {conflict && <Button onClick={reload}>Load the rows again</Button>}
          <Button onClick={onClose}>Back</Button>
          <Button
            kind={staged.deletes.size > 0 ? "danger" : "primary"}
            busy={apply.isPending}
            disabled={!preview.data}
            onClick={() => apply.mutate()}
          >
            {staged.deletes.size > 0 ? `Apply, and delete ${plural(staged.deletes.size, "row")}` : "Apply"}
          </Button>
        </>
      }
    >
      {problem && (
        <ErrorState
          error={problem}
          title={conflict ? "Nothing was changed: a row is not as it was" : "Nothing was changed"}
        />
      )}
      <Loaded query={preview} failed="The SQL could not be made">
        {(made) => (
          <CodeBlock
            code={made.statements.map((sql) => `${shortened(sql)};`).join("\n")}
            label="SQL"
            maxHeight="45dvh"
          />
        )}
      </Loaded>
      <EquivalentPanel
        rest={`POST ${PATH.replace("{connection_id}", place.connectionId).replace("{database}", place.database).replace("{table}", place.name)}\n\n${JSON.stringify(body, (_, value) => (typeof value === "string" ? shortened(value) : value), 2)}`}
      />
    </Dialog>
  );
}
