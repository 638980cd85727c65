import { useQuery } from "@tanstack/react-query";
import { Download } from "lucide-react";
import { useMemo, useState } from "react";
import { problemOfResponse } from "@/api/problem";
import { sessionFetch } from "@/api/session";
import { Badge } from "@/ui/Badge";
import { Button } from "@/ui/Button";
import { CodeBlock } from "@/ui/CodeBlock";
import { bytesOf, type Cell, dump, isBinary, isCut } from "@/ui/cells";
import { Dialog } from "@/ui/Dialog";
import { Field, TextArea } from "@/ui/Field";
import { bytes, count, plural } from "@/ui/numbers";
import { ErrorState, Skeleton } from "@/ui/States";
import { BytesEditor, MOST_TYPED } from "./BytesEditor";
import type { Column, Written } from "./cells";
import styles from "./Data.module.css";
import { base64Of } from "./hexText";

const MOST_SHOWN = 2 * 1024 * 1024;
const MOST_DUMPED = 16 * 1024;

interface Props {
  column: Column;
  cell: Cell;
  /** Where the whole of it is; empty for a row that is not in the database. */
  url: string;
  editable: boolean;
  onClose: () => void;
  /** A new value; `whole` is what it was in full. */
  onValue: (value: Written, whole: Written | undefined) => void;
}

/** One value in full: text, JSON in lines, bytes in hex; to copy, download and change. */
export function CellView({ column, cell, url, editable, onClose, onValue }: Props) {
  const cut = isCut(cell);
  const length = typeof cell === "object" && cell !== null ? cell.length : 0;
  const large = cut && length > MOST_SHOWN;
  const binary = isBinary(cell);
  const hex = editable && column.kind === "binary";
  const whole = useQuery({
    queryKey: ["explorer", "cell", url],
    enabled: cut && (binary ? hex && length <= MOST_TYPED : !large),
    queryFn: async ({ signal }): Promise<Whole> => {
      const response = await sessionFetch(url, { signal });
      if (!response.ok) throw await problemOfResponse(response);
      if (!binary) return response.text();
      return { base64: base64Of(new Uint8Array(await response.arrayBuffer())) };
    },
  });
  const text =
    typeof cell === "string" ? cell : (textOf(whole.data) ?? (cell !== null && "text" in cell ? cell.text : null));
  const base64 = binary ? (cut ? bytesIn(whole.data) : cell.base64) : null;
  const complete = !cut || whole.data !== undefined;
  const [draft, setDraft] = useState<string | null>(null);
  const [wanted, setWanted] = useState<string | null>(null);
  const shown = draft ?? text ?? "";
  const pretty = useMemo(() => (complete && text !== null ? prettyJson(column, text) : null), [column, text, complete]);
  const canType = editable && complete && !binary && !hex;
  const save = (value: Written) => {
    // What is on the page whole is known already, and may be a change that was made before.
    onValue(value, cut ? whole.data : undefined);
    onClose();
  };
  return (
    <Dialog
      open
      drawer
      size="l"
      onOpenChange={(open) => !open && onClose()}
      title={column.name}
      description={
        <span className={styles.facts}>
          <Badge>{column.type}</Badge>
          {cell === null && <Badge tone="warn">NULL</Badge>}
          {text !== null && complete && <span>{plural(text.length, "character")}</span>}
          {length > 0 && <span>{`${bytes(length)} (${count(length)} bytes)`}</span>}
          {column.comment && <span>{column.comment}</span>}
        </span>
      }
      actions={
        <>
          {url && (
            <a className={styles.link} href={url} download>
              <Download aria-hidden="true" /> Download
            </a>
          )}
          {editable && column.nullable && cell !== null && <Button onClick={() => save(null)}>Set NULL</Button>}
          {canType && (
            <Button kind="primary" disabled={draft === null} onClick={() => save(shown)}>
              Keep the change
            </Button>
          )}
          {hex && (
            <Button
              kind="primary"
              disabled={wanted === null}
              onClick={() => wanted !== null && save({ base64: wanted })}
            >
              Keep the change
            </Button>
          )}
        </>
      }
    >
      {whole.error && <ErrorState compact error={whole.error} retry={() => whole.refetch()} />}
      {large && <p>Only the beginning is shown, since the value is large. The download has all of it.</p>}
      {whole.isFetching && <Skeleton lines={3} />}
      {binary && !(hex && complete) && (
        <CodeBlock
          code={dump(bytesOf(cell.base64).slice(0, MOST_DUMPED))}
          label="bytes"
          maxHeight={hex ? "30dvh" : "70dvh"}
        />
      )}
      {hex && cut && length > MOST_TYPED && (
        <p>
          Only the beginning was read, since there are {count(length)} bytes. New bytes replace all of them, also if
          somebody else has changed them meanwhile.
        </p>
      )}
      {hex && !whole.isFetching && <BytesEditor base64={base64} onBytes={setWanted} />}
      {pretty !== null && draft === null && <CodeBlock code={pretty} label="JSON" maxHeight="45dvh" />}
      {canType && (
        <Field label="Value">
          <TextArea rows={pretty === null ? 16 : 8} value={shown} onChange={(event) => setDraft(event.target.value)} />
        </Field>
      )}
      {!canType && text !== null && pretty === null && <CodeBlock code={text} label="value" maxHeight="70dvh" />}
    </Dialog>
  );
}

type Whole = string | { base64: string };

function textOf(whole: Whole | undefined): string | null {
  return typeof whole === "string" ? whole : null;
}

function bytesIn(whole: Whole | undefined): string | null {
  return typeof whole === "object" ? whole.base64 : null;
}

/** JSON in lines; null for what is none. Numbers stay as they are written: only blanks are put between. */
function prettyJson(column: Column, text: string): string | null {
  if (column.kind !== "json" && !/^\s*[[{]/.test(text)) return null;
  try {
    JSON.parse(text);
  } catch {
    return null;
  }
  return indented(text);
}

export function indented(text: string): string {
  let depth = 0;
  let out = "";
  const line = () => `\n${"  ".repeat(depth)}`;
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"|[[\]{},:]|[^\s[\]{},:"]+/gs)) {
    if (token === "{" || token === "[") {
      depth += 1;
      out += token + line();
    } else if (token === "}" || token === "]") {
      depth -= 1;
      out = /[[{]\s*$/.test(out) ? out.trimEnd() + token : out + line() + token;
    } else if (token === ",") out += `,${line()}`;
    else out += token === ":" ? ": " : token;
  }
  return out;
}
