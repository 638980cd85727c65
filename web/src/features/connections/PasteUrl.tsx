import { useMutation } from "@tanstack/react-query";
import { Wand2 } from "lucide-react";
import { type FormEvent, useState } from "react";
import type { Schemas } from "@/api/client";
import { problemOf } from "@/api/problem";
import { Button } from "@/ui/Button";
import { Field, Input } from "@/ui/Field";
import styles from "./Connections.module.css";
import { parse } from "./queries";

/** A connection string that fills the form. It holds a password, so it is taken away once it is read. */
export function PasteUrl({ onParsed }: { onParsed: (parsed: Schemas["ParsedUrl"]) => void }) {
  const [url, setUrl] = useState("");
  const read = useMutation({
    mutationFn: parse,
    onSuccess: (parsed) => {
      setUrl("");
      onParsed(parsed);
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (url.trim()) read.mutate(url);
  };
  const problem = read.error ? problemOf(read.error) : null;
  const files = Object.values(read.data?.files ?? {});
  return (
    <form className={styles.paste} onSubmit={submit}>
      <Field
        label="Paste a connection string"
        hint={
          files.length > 0
            ? `It names files, which are on your machine: choose them below (${files.join(", ")})`
            : "mysql://user:password@host:3306/database; postgresql:// and jdbc: will do, too"
        }
        error={problem ? [problem.message, problem.remedy].filter(Boolean).join(": ") : undefined}
      >
        <Input
          value={url}
          autoComplete="off"
          placeholder="postgresql://…"
          onChange={(event) => setUrl(event.target.value)}
          onPaste={(event) => {
            const pasted = event.clipboardData.getData("text").trim();
            if (url === "" && pasted.includes("://")) {
              event.preventDefault();
              setUrl(pasted);
              read.mutate(pasted);
            }
          }}
        />
      </Field>
      <Button type="submit" icon={<Wand2 />} busy={read.isPending} disabled={!url.trim()}>
        Fill the form
      </Button>
    </form>
  );
}
