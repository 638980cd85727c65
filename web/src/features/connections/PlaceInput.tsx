import { useMutation } from "@tanstack/react-query";
import { problemOf } from "@/api/problem";
import { Combobox } from "@/ui/Combobox";
import { notify } from "@/ui/toast";
import type { Body } from "./form";
import { create, databasesOf } from "./queries";

interface Props {
  id?: string;
  part: "database" | "schema";
  value: string;
  placeholder: string;
  /** The connection as it is typed now. */
  body: () => Body;
  /** The database that is chosen, whose schemas are meant. */
  database: string;
  onValue: (value: string) => void;
}

/** A database or schema: typed, chosen from those that the login sees, or made. */
export function PlaceInput({ part, value, placeholder, body, database, onValue, ...described }: Props) {
  const found = useMutation({
    // The database that is typed may not be there yet; the server's default one tells of the others.
    mutationFn: () => databasesOf(part === "database" ? { ...body(), database: "" } : body()),
  });
  const make = useMutation({
    mutationFn: (name: string) => create(body(), part, name),
    onSuccess: (_, name) => {
      onValue(name);
      notify.done(`The ${part} ${name} is made`);
    },
    onError: (error) => notify.error(problemOf(error).message),
  });
  const options =
    part === "database"
      ? (found.data ?? []).map((one) => one.name)
      : (found.data ?? []).filter((one) => one.name === database).flatMap((one) => (one.schemas ?? []).map(schemaName));
  const message = found.error
    ? `Not known: ${problemOf(found.error).message}`
    : found.isPending
      ? "Reading …"
      : undefined;
  return (
    <Combobox
      {...described}
      value={value}
      placeholder={placeholder}
      onValue={onValue}
      options={options.map((one) => ({ value: one }))}
      message={message}
      noun={part}
      onOpen={() => found.mutate()}
      onCreate={(name) => make.mutate(name)}
    />
  );
}

function schemaName(schema: string | { name: string }): string {
  return typeof schema === "string" ? schema : schema.name;
}
