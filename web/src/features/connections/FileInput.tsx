import { FileUp, X } from "lucide-react";
import { useRef, useState } from "react";
import { Button } from "@/ui/Button";
import styles from "./Connections.module.css";
import type { PemFile } from "./form";

const MOST_BYTES = 1024 * 1024;
const PEM = /-----BEGIN [A-Z0-9 ]+-----/;

interface Props {
  id?: string;
  label: string;
  file: PemFile;
  onFile: (file: PemFile) => void;
}

/** A PEM file, read here and sent with the form; it is never shown again. */
export function FileInput({ id, label, file, onFile, ...described }: Props) {
  const input = useRef<HTMLInputElement>(null);
  const [problem, setProblem] = useState("");
  const take = async (chosen: File | undefined) => {
    if (!chosen) return;
    if (chosen.size > MOST_BYTES) return setProblem("is larger than 1 MB");
    const bytes = new Uint8Array(await chosen.arrayBuffer());
    if (!PEM.test(new TextDecoder().decode(bytes)))
      return setProblem("is no PEM file: it has no line -----BEGIN …-----");
    setProblem("");
    onFile({ kind: "new", name: chosen.name, base64: base64(bytes) });
  };
  const told = { keep: "A stored file is used", none: "No file", new: file.kind === "new" ? file.name : "" }[file.kind];
  return (
    <div className={styles.file}>
      <input
        ref={input}
        id={id}
        type="file"
        accept=".pem,.crt,.cer,.key,.cert"
        className="visually-hidden"
        tabIndex={-1}
        {...described}
        onChange={(event) => {
          void take(event.target.files?.[0]);
          event.target.value = "";
        }}
      />
      <Button small icon={<FileUp />} aria-label={`Choose a file for ${label}`} onClick={() => input.current?.click()}>
        Choose a file
      </Button>
      <span className={styles.fileName}>{told}</span>
      {file.kind !== "none" && (
        <Button
          small
          kind="quiet"
          icon={<X />}
          aria-label={`No file for ${label}`}
          onClick={() => onFile({ kind: "none" })}
        >
          Remove
        </Button>
      )}
      {problem && (
        <span className={styles.problem} role="alert">
          {problem}
        </span>
      )}
    </div>
  );
}

function base64(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
}
