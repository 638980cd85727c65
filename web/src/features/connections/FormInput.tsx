import type { Schemas } from "@/api/client";
import { Checkbox, Field, Input, Select } from "@/ui/Field";
import { FileInput } from "./FileInput";
import { type Body, type Form, fieldValue, withFile, withValue } from "./form";
import { PlaceInput } from "./PlaceInput";

interface Props {
  field: Schemas["FormField"];
  form: Form;
  body: () => Body;
  /** A saved connection is changed: its password and files are not known here. */
  editing: boolean;
  error: string | undefined;
  onChange: (form: Form) => void;
}

/** One field of the form, drawn as the server describes it. */
export function FormInput(props: Props) {
  const { field, form, error } = props;
  if (field.input === "flag") {
    return (
      <Checkbox
        label={field.label}
        hint={field.help}
        checked={fieldValue(form, field) === "true"}
        onChecked={(on) => props.onChange(withValue(form, field.name, String(on)))}
      />
    );
  }
  const chosen = field.choices.find((choice) => choice.value === fieldValue(form, field));
  return (
    <Field
      label={field.label}
      hint={chosen?.help || field.help || undefined}
      error={error}
      optional={!field.required && field.input !== "choice" && field.default === ""}
    >
      <Control {...props} />
    </Field>
  );
}

function Control({ field, form, body, editing, onChange, error: _, ...described }: Props) {
  const value = fieldValue(form, field);
  const put = (next: string) => onChange(withValue(form, field.name, next));
  switch (field.input) {
    case "choice":
      return <Select {...described} value={value} choices={field.choices} onValue={put} />;
    case "file":
      return (
        <FileInput
          {...described}
          label={field.label}
          file={form.files.get(field.name) ?? { kind: "none" }}
          onFile={(file) => onChange(withFile(form, field.name, file))}
        />
      );
    case "database":
    case "schema":
      return (
        <PlaceInput
          {...described}
          part={field.input}
          value={value}
          placeholder={field.default}
          body={body}
          database={form.values.get("database") ?? ""}
          onValue={put}
        />
      );
    default:
      return (
        <Input
          {...described}
          type={field.input === "password" ? "password" : "text"}
          inputMode={field.input === "number" ? "numeric" : undefined}
          autoComplete={field.input === "password" ? "new-password" : "off"}
          placeholder={field.input === "password" && editing ? "unchanged" : undefined}
          value={value}
          onChange={(event) => put(event.target.value)}
        />
      );
  }
}
