import { describe, expect, it } from "vitest";
import type { Schemas } from "@/api/client";
import { bodyOf, emptyForm, filled, formOf, lacking, withFile, withValue } from "./form";
import { wayBack } from "./wayBack";

function field(name: string, more: Partial<Schemas["FormField"]> = {}): Schemas["FormField"] {
  return { name, label: name, input: "text", help: "", required: false, default: "", choices: [], ...more };
}

const FIELDS = [
  field("name", { required: true }),
  field("host", { required: true }),
  field("port", { input: "number", default: "5432" }),
  field("password", { input: "password" }),
  field("ssl.mode", { input: "choice", default: "disabled" }),
  field("ssl.ca", { input: "file" }),
];
const SAVED: Schemas["Connection"] = {
  id: "conn_1", created: 1, readOnly: false, name: "shop", type: "mysql", flavor: "", host: "db", port: 3307, username: "u",
  database: "d", schema: "", spec: null,
  ssl: { mode: "require", has_ca: true, has_client_cert: false, has_client_key: false },
}; // biome-ignore format: one line

describe("the form of a connection", () => {
  it("sends defaults for what was not typed", () => {
    expect(bodyOf(withValue(emptyForm("mysql"), "host", "h"), FIELDS, "")).toEqual({
      type: "mysql",
      name: "",
      host: "h",
      port: "5432",
      ssl: { mode: "disabled" },
    });
  });

  it("leaves the password and the files of a saved one alone until others are given", () => {
    const form = formOf(SAVED);
    expect(bodyOf(form, FIELDS, "conn_1")).toEqual({
      id: "conn_1",
      type: "mysql",
      name: "shop",
      host: "db",
      port: "3307",
      ssl: { mode: "require" },
    });
    const changed = withFile(withValue(form, "password", "new"), "ssl.ca", { kind: "none" });
    expect(bodyOf(changed, FIELDS, "conn_1")).toMatchObject({ password: "new", ssl: { ca: null } });
  });

  it("takes what a connection string says, and a name if it has none", () => {
    const parsed = {
      type: "postgresql", host: "pg", port: 5433, username: "me", password: "pw", database: "shop", schema: "public",
      ssl: { mode: "disabled" }, files: {},
    }; // biome-ignore format: one line
    const form = filled(emptyForm("mysql"), parsed);
    expect([form.type, form.values.get("name"), form.values.get("password")]).toEqual([
      "postgresql",
      "shop on pg",
      "pw",
    ]);
    expect(filled(withValue(form, "name", "mine"), { ...parsed, host: "other" }).values.get("name")).toBe("mine");
  });

  it("names what is missing", () => {
    expect(lacking(withValue(emptyForm("mysql"), "name", " "), FIELDS)).toEqual({
      name: "is required",
      host: "is required",
    });
  });
});

describe("the way back", () => {
  it.each([
    ["/streams/new?step=ends&take=source", "conn_1", "/streams/new?step=ends&take=source&connection=conn_1"],
    ["https://evil.example/", "conn_1", "/connections"],
    ["//evil.example/x", "conn_1", "/connections"],
    ["/\\evil.example", "conn_1", "/connections"],
    [null, "conn_1", "/connections"],
    ["/streams/new", "", "/streams/new"],
  ])("from %s", (asked, id, to) => {
    expect(wayBack(asked, id)).toBe(to);
  });
});
