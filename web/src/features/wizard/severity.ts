/** The order of what matters. Pure. */

export type Severity = "info" | "warning" | "error";

const ORDER: Readonly<Record<Severity, number>> = { error: 0, warning: 1, info: 2 };

export function rank(one: { severity: Severity }, other: { severity: Severity }): number {
  return ORDER[one.severity] - ORDER[other.severity];
}

export function worst(items: readonly { severity: Severity }[]): Severity | null {
  return [...items].sort(rank)[0]?.severity ?? null;
}
