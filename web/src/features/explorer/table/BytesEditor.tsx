import { FileUp } from "lucide-react";
import { useRef, useState } from "react";
import { Button } from "@/ui/Button";
import { CodeBlock } from "@/ui/CodeBlock";
import { bytesOf, dump } from "@/ui/cells";
import { Field, TextArea } from "@/ui/Field";
import { bytes, plural } from "@/ui/numbers";
import styles from "./Data.module.css";
import { base64Of, hexText, readHex } from "./hexText";

/** As many bytes as are shown to be typed; more come from a file. */
export const MOST_TYPED = 16 * 1024;
const MOST_FILE = 4 * 1024 * 1024; // in base64 it must go into one request of 8 MiB
const MOST_DUMPED = 16 * 1024;

interface Props {
  /** What is there, all of it; null where that is NULL, or too long to be typed. */
  base64: string | null;
  /** The bytes that are wanted instead; null while what is typed is no bytes. */
  onBytes: (base64: string | null) => void;
}

/** Bytes to type in hex, or to take from a file; what they come to is shown with its characters. */
export function BytesEditor({ base64, onBytes }: Props) {
  const [text, setText] = useState(() => hexText(bytesOf(base64 ?? "")));
  const [wanted, setWanted] = useState(() => (base64 === null ? null : bytesOf(base64)));
  const [problem, setProblem] = useState<string>();
  const [file, setFile] = useState("");
  const input = useRef<HTMLInputElement>(null);
  const type = (typed: string) => {
    setText(typed);
    setFile("");
    const read = readHex(typed, MOST_TYPED);
    setProblem("problem" in read ? read.problem : undefined);
    if ("bytes" in read) setWanted(read.bytes);
    onBytes("bytes" in read ? base64Of(read.bytes) : null);
  };
  const take = async (chosen: File | undefined) => {
    if (!chosen) return;
    if (chosen.size > MOST_FILE) return setProblem(`${chosen.name} is larger than ${bytes(MOST_FILE)}`);
    const read = new Uint8Array(await chosen.arrayBuffer());
    setProblem(undefined);
    setFile(chosen.name);
    setWanted(read);
    setText(read.length > MOST_TYPED ? "" : hexText(read));
    onBytes(base64Of(read));
  };
  return (
    <>
      <Field
        label="Bytes in hex"
        error={problem}
        hint={`${wanted ? `${plural(wanted.length, "byte")}${file ? ` of ${file}` : ""}. ` : ""}With or without 0x; blanks do not count.`}
      >
        <TextArea
          rows={6}
          value={text}
          placeholder={wanted && wanted.length > MOST_TYPED ? "too many to be typed here" : "0x"}
          onChange={(event) => type(event.target.value)}
        />
      </Field>
      <div>
        <input
          ref={input}
          type="file"
          className="visually-hidden"
          tabIndex={-1}
          aria-label="A file with the bytes"
          onChange={(event) => {
            void take(event.target.files?.[0]);
            event.target.value = "";
          }}
        />
        <Button small icon={<FileUp />} onClick={() => input.current?.click()}>
          Take them from a file
        </Button>
        <span className={styles.muted}> of at most {bytes(MOST_FILE)}</span>
      </div>
      {wanted && wanted.length > 0 && (
        <CodeBlock code={dump(wanted.slice(0, MOST_DUMPED))} label="bytes" maxHeight="40dvh" />
      )}
      {wanted && wanted.length > MOST_DUMPED && (
        <p className={styles.muted}>The first {bytes(MOST_DUMPED)} are shown.</p>
      )}
    </>
  );
}
