import type { Schemas } from "@/api/client";
import { plural } from "@/ui/numbers";

type Overview = Schemas["Overview"];

/** Something that somebody should look at. */
export interface Attention {
  id: string;
  level: "error" | "warn";
  stream: string;
  title: string;
  /** What happened, in the server's words. */
  why: string;
  remedy: string;
  to: string;
}

/** What needs somebody, errors first: newest runs that failed or wait, alerts, changes and rows that were put aside. */
export function attention(overview: readonly Overview[]): Attention[] {
  const found = overview.flatMap(ofStream);
  return [...found.filter((item) => item.level === "error"), ...found.filter((item) => item.level === "warn")];
}

function ofStream({ name, newest, brief }: Overview): Attention[] {
  if (!newest) return [];
  const to = `/streams/${newest.id}`;
  const item = (kind: string, level: Attention["level"], title: string, why = "", remedy = ""): Attention => ({
    id: `${newest.id} ${kind}`,
    level,
    stream: name,
    title,
    why,
    remedy,
    to,
  });
  const found: Attention[] = [];
  if (newest.status === "FAILED") found.push(item("failed", "error", "failed", newest.error, newest.remedy));
  if (newest.status === "PAUSED") {
    found.push(item("paused", "warn", "is paused", newest.error || newest.message, newest.remedy));
  }
  if (!brief) return found;
  for (const alert of brief.alerts) {
    const title = alert.subject ? `${alert.alert} (${alert.subject})` : alert.alert;
    found.push(item(`${alert.alert} ${alert.subject}`, "warn", title, alert.message, alert.remedy));
  }
  if (brief.tablesFailed && newest.status !== "FAILED") {
    found.push(item("tables", "error", `${plural(brief.tablesFailed, "table")} failed or held`));
  }
  if (brief.deadLetters) {
    found.push(item("letters", "warn", `${plural(brief.deadLetters, "change")} put aside`, "", LETTERS));
  }
  if (brief.rowsRejected) {
    found.push(item("rejected", "warn", `${plural(brief.rowsRejected, "row")} put aside`, "", REJECTED));
  }
  return found;
}

const LETTERS = "look at them, mend the target, then replay or discard them";
const REJECTED = "the monitor lists them with the reason of each";
