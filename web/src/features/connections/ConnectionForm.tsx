import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Plug, Save } from "lucide-react";
import { type FormEvent, useState } from "react";
import { useNavigate, useSearchParams } from "react-router";
import type { Schemas } from "@/api/client";
import { problemOf } from "@/api/problem";
import { Button, ButtonLink } from "@/ui/Button";
import { cx } from "@/ui/cx";
import { Panel } from "@/ui/Page";
import { ErrorState } from "@/ui/States";
import { notify } from "@/ui/toast";
import styles from "./Connections.module.css";
import { FormInput } from "./FormInput";
import { bodyOf, type Form, filled, lacking } from "./form";
import { PasteUrl } from "./PasteUrl";
import { save, test } from "./queries";
import { TestResult } from "./TestResult";
import { wayBack } from "./wayBack";

interface Props {
  /** Of the saved connection, or empty. */
  id: string;
  kinds: readonly Schemas["Connector"][];
  initial: Form;
}

const TLS = "ssl.";

export function ConnectionForm({ id, kinds, initial }: Props) {
  const [form, setForm] = useState(initial);
  const [search] = useSearchParams();
  const navigate = useNavigate();
  const client = useQueryClient();
  const [missing, setMissing] = useState<Readonly<Record<string, string>>>({});
  const fields = kinds.find((kind) => kind.name === form.type)?.fields ?? [];
  const body = () => bodyOf(form, fields, id);
  const tested = useMutation({ mutationFn: () => test(body()) });
  const saved = useMutation({
    mutationFn: () => save(body(), id),
    onSuccess: async (connection) => {
      await client.invalidateQueries({ queryKey: ["connections"] });
      notify.done(`${connection.name} is saved`);
      await navigate(wayBack(search.get("return"), connection.id));
    },
  });
  const change = (next: Form) => {
    setForm(next);
    tested.reset();
  };
  const when = (go: () => void, needed: readonly Schemas["FormField"][]) => {
    const found = lacking(form, needed);
    setMissing(found);
    if (Object.keys(found).length === 0) go();
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    when(() => saved.mutate(), fields);
  };
  const refused = saved.error ?? tested.error;
  const problem = refused ? problemOf(refused) : null;
  const errors = { ...problem?.fields, ...missing };
  const unplaced = problem && Object.keys(problem.fields).every((name) => !fields.some((field) => field.name === name));
  const shown = (tls: boolean) =>
    fields
      .filter((field) => field.name.startsWith(TLS) === tls)
      .filter((field) => field.input !== "file" || form.values.get("ssl.mode") !== "disabled")
      .map((field) => (
        <FormInput
          key={field.name}
          {...{ field, form, body }}
          editing={id !== ""}
          error={errors[field.name]}
          onChange={change}
        />
      ));
  return (
    <>
      <PasteUrl onParsed={(parsed) => change(filled(form, parsed))} />
      <form className={styles.form} onSubmit={submit} noValidate>
        <Types kinds={kinds} form={form} onChange={change} />
        <Panel title="Where it is, and the login">
          <div className={styles.fields}>{shown(false)}</div>
        </Panel>
        <Panel title="Encryption">
          <div className={styles.fields}>{shown(true)}</div>
        </Panel>
        {tested.data && <TestResult found={tested.data} />}
        {problem && unplaced && (
          <ErrorState error={problem} title={saved.error ? "It could not be saved" : "It could not be tested"} />
        )}
        <div className={styles.actions}>
          <Button
            icon={<Plug />}
            busy={tested.isPending}
            onClick={() =>
              when(
                () => tested.mutate(),
                fields.filter((field) => field.name !== "name"),
              )
            }
          >
            Test
          </Button>
          <span className={styles.grow} />
          <ButtonLink to={wayBack(search.get("return"), "")}>Cancel</ButtonLink>
          <Button type="submit" kind="primary" icon={<Save />} busy={saved.isPending}>
            Save
          </Button>
        </div>
      </form>
    </>
  );
}

function Types({ kinds, form, onChange }: { kinds: Props["kinds"]; form: Form; onChange: (form: Form) => void }) {
  return (
    <fieldset className={styles.types}>
      <legend className="visually-hidden">Type</legend>
      {kinds.map((kind) => (
        <label key={kind.name} className={cx(styles.type, kind.name === form.type && styles.chosen)}>
          <input
            type="radio"
            name="type"
            checked={kind.name === form.type}
            onChange={() => onChange({ ...form, type: kind.name, values: withoutPort(form.values) })}
          />
          {kind.title}
        </label>
      ))}
    </fieldset>
  );
}

/** The port of one system is not another's. */
function withoutPort(values: Form["values"]): Form["values"] {
  return new Map([...values].filter(([name]) => name !== "port" && name !== "schema"));
}
