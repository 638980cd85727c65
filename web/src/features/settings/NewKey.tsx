import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { api, call } from "@/api/client";
import { problemOf } from "@/api/problem";
import { Button } from "@/ui/Button";
import { CodeBlock } from "@/ui/CodeBlock";
import { Dialog } from "@/ui/Dialog";
import { Field, Input } from "@/ui/Field";
import { ErrorState } from "@/ui/States";

/** Makes a key and shows it, once. */
export function NewKey({ onClose }: { onClose: () => void }) {
  const [name, setName] = useState("");
  const client = useQueryClient();
  const make = useMutation({
    mutationFn: () => call(api.POST("/api/v1/api-keys", { body: { name: name.trim() } })),
    onSuccess: () => client.invalidateQueries({ queryKey: ["keys"] }),
  });
  const made = make.data;
  const problem = make.isError ? problemOf(make.error) : null;
  return (
    <Dialog
      open
      onOpenChange={(open) => !open && onClose()}
      title={made ? "Copy the key now" : "New API key"}
      description={made ? "It is not shown again: the server keeps only a digest of it." : undefined}
      stays={made !== undefined}
      size="s"
      actions={
        made ? (
          <Button kind="primary" onClick={onClose}>
            I have copied it
          </Button>
        ) : (
          <>
            <Button onClick={onClose}>Cancel</Button>
            <Button kind="primary" type="submit" form="new-key" busy={make.isPending} disabled={!name.trim()}>
              Create
            </Button>
          </>
        )
      }
    >
      {made ? (
        <CodeBlock code={made.key} label="API key" />
      ) : (
        <form
          id="new-key"
          onSubmit={(event) => {
            event.preventDefault();
            make.mutate();
          }}
        >
          {problem && !problem.fields["name"] && <ErrorState error={problem} compact />}
          <Field label="What it is for" error={problem?.fields["name"]}>
            <Input value={name} maxLength={255} onChange={(event) => setName(event.target.value)} />
          </Field>
        </form>
      )}
    </Dialog>
  );
}
