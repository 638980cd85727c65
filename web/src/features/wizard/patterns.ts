/** Tables by search and by pattern. */

const SPECIAL = /[.+^${}()|[\]\\]/g;

/** Says which names fit patterns such as `order_*, !*_old`: any of them, and none with an exclamation mark. */
export function matcher(patterns: string): ((name: string) => boolean) | null {
  const parts = patterns
    .split(",")
    .map((one) => one.trim())
    .filter(Boolean);
  const wanted = parts.filter((one) => !one.startsWith("!")).map(expression);
  const refused = parts.filter((one) => one.startsWith("!") && one.length > 1).map((one) => expression(one.slice(1)));
  if (!wanted.length && !refused.length) return null;
  return (name) => (!wanted.length || wanted.some((one) => one.test(name))) && !refused.some((one) => one.test(name));
}

function expression(pattern: string): RegExp {
  const source = pattern.replace(SPECIAL, "\\$&").replaceAll("*", ".*").replaceAll("?", ".");
  return new RegExp(`^${source}$`, "is");
}
