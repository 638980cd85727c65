/** Reading and changing JSON by path. Nothing is changed in place; names such as `__proto__` are names like any other. */

export type Json = null | boolean | number | string | Json[] | JsonObject;
export type JsonObject = { [name: string]: Json };
export type Path = readonly (string | number)[];

export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** What is at the path; undefined where there is nothing. */
export function at(value: Json | undefined, path: Path): Json | undefined {
  let found: Json | undefined = value;
  for (const step of path) {
    if (Array.isArray(found)) found = found[Number(step)];
    else if (isObject(found) && Object.hasOwn(found, step)) found = found[step];
    else return undefined;
  }
  return found;
}

/** The object with one member changed, or without it. */
export function withMember(object: JsonObject, name: string, value: Json | undefined): JsonObject {
  const others = Object.entries(object);
  const known = others.some(([other]) => other === name);
  if (value === undefined) return Object.fromEntries(others.filter(([other]) => other !== name));
  if (!known) return Object.fromEntries([...others, [name, value]]);
  return Object.fromEntries(others.map(([other, old]) => [other, other === name ? value : old]));
}

/** The value with another one at the path. `undefined` takes it away, and with it objects that it leaves empty. */
export function put(value: Json | undefined, path: Path, next: Json | undefined): Json | undefined {
  const [step, ...rest] = path;
  if (step === undefined) return next;
  if (typeof step === "number") {
    const list = Array.isArray(value) ? [...value] : [];
    list[step] = put(list[step], rest, next) ?? {};
    return list;
  }
  const object = isObject(value) ? value : {};
  const changed = withMember(object, step, put(at(object, [step]), rest, next));
  return next === undefined && Object.keys(changed).length === 0 ? undefined : changed;
}

/** A path as the API writes it: `source.connections[0].tables`. */
export function pathName(path: Path): string {
  return path.reduce<string>(
    (text, step) => (typeof step === "number" ? `${text}[${step}]` : text ? `${text}.${step}` : step),
    "",
  );
}
