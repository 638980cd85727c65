/** What is typed into the form of a connection, and the body that it makes. Pure. */

import type { Schemas } from "@/api/client";

type FormField = Schemas["FormField"];

/** A PEM file: its bytes in base64; `keep` is the stored one, `none` is no file. */
export type PemFile = { kind: "keep" } | { kind: "none" } | { kind: "new"; name: string; base64: string };

export interface Form {
  type: string;
  /** By the field's name, `ssl.mode`. */
  values: ReadonlyMap<string, string>;
  files: ReadonlyMap<string, PemFile>;
}

export type Body = { [name: string]: string | boolean | null | Body };

const SSL = "ssl.";

export function emptyForm(type: string): Form {
  return { type, values: new Map(), files: new Map() };
}

/** The form of a saved connection. Its password and files are not known here; they stay unless others are given. */
export function formOf(saved: Schemas["Connection"]): Form {
  const values = new Map([
    ["name", saved.name],
    ["host", saved.host],
    ["port", String(saved.port)],
    ["username", saved.username],
    ["database", saved.database],
    ["schema", saved.schema],
    ["ssl.mode", saved.ssl?.mode ?? "disabled"],
    ["readOnly", saved.readOnly ? "true" : "false"],
  ]);
  const has = saved.ssl ?? { has_ca: false, has_client_cert: false, has_client_key: false };
  const files = new Map<string, PemFile>([
    ["ssl.ca", { kind: has.has_ca ? "keep" : "none" }],
    ["ssl.client_cert", { kind: has.has_client_cert ? "keep" : "none" }],
    ["ssl.client_key", { kind: has.has_client_key ? "keep" : "none" }],
  ]);
  return { type: saved.type, values, files };
}

/** A form with what a connection string says; what it does not say stays. */
export function filled(form: Form, parsed: Schemas["ParsedUrl"]): Form {
  const values = new Map(form.values);
  const said: readonly [string, string][] = [
    ["host", parsed.host],
    ["port", String(parsed.port)],
    ["username", parsed.username],
    ["password", parsed.password],
    ["database", parsed.database],
    ["schema", parsed.schema],
    ["ssl.mode", parsed.ssl.mode],
  ];
  for (const [name, value] of said) if (value) values.set(name, value);
  if (!values.get("name")) values.set("name", parsed.database ? `${parsed.database} on ${parsed.host}` : parsed.host);
  return { ...form, type: parsed.type, values };
}

export function withValue(form: Form, name: string, value: string): Form {
  return { ...form, values: new Map(form.values).set(name, value) };
}

export function withFile(form: Form, name: string, file: PemFile): Form {
  return { ...form, files: new Map(form.files).set(name, file) };
}

/** What a field stands at: what was typed, else its default. */
export function fieldValue(form: Form, field: FormField): string {
  return form.values.get(field.name) ?? field.default;
}

/**
 * The body for the API.
 *
 * @param id of the saved connection that is changed: what is absent stays as it is there.
 */
export function bodyOf(form: Form, fields: readonly FormField[], id: string): Body {
  const ssl: Body = {};
  const body: Body = id ? { id, type: form.type } : { type: form.type };
  for (const field of fields) {
    const target = field.name.startsWith(SSL) ? ssl : body;
    const member = field.name.startsWith(SSL) ? field.name.slice(SSL.length) : field.name;
    if (field.input === "file") {
      const file = form.files.get(field.name) ?? { kind: "none" };
      if (file.kind === "new") target[member] = file.base64;
      else if (file.kind === "none" && id) target[member] = null;
    } else if (field.input === "flag") {
      target[member] = fieldValue(form, field) === "true";
    } else if (field.input !== "password" || form.values.get(field.name)) {
      target[member] = fieldValue(form, field);
    }
  }
  return { ...body, ssl };
}

/** Fields that must be there and are not, each with what to say. */
export function lacking(form: Form, fields: readonly FormField[]): Record<string, string> {
  return Object.fromEntries(
    fields
      .filter((field) => field.required && !fieldValue(form, field).trim())
      .map((field) => [field.name, "is required"]),
  );
}
