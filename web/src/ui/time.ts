/** Times in the reader's zone. The API gives seconds since 1970, or ISO 8601 in UTC; empty or 0 is never. */

import { Store } from "@/api/store";

export type Moment = number | string | Date | null | undefined;

const exact = new Intl.DateTimeFormat(undefined, {
  dateStyle: "medium",
  timeStyle: "long",
});
const day = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const relative = new Intl.RelativeTimeFormat(undefined, { numeric: "auto", style: "long" });
const STEPS: readonly [limit_s: number, unit: Intl.RelativeTimeFormatUnit, seconds: number][] = [
  [60, "second", 1],
  [3600, "minute", 60],
  [86_400, "hour", 3600],
  [86_400 * 30, "day", 86_400],
];

/** The date, or null for never. */
export function dateOf(moment: Moment): Date | null {
  if (moment === null || moment === undefined || moment === "" || moment === 0) return null;
  const date = typeof moment === "number" ? new Date(moment * 1000) : new Date(moment);
  return Number.isNaN(date.getTime()) ? null : date;
}

/** `Nov 25, 2026, 10:15:30 PM GMT+1` */
export function exactTime(moment: Moment): string {
  const date = dateOf(moment);
  return date ? exact.format(date) : "never";
}

/** `22:15:30` */
export function clockTime(moment: Moment): string {
  const date = dateOf(moment);
  return date ? clock.format(date) : "";
}

/** `5 minutes ago`; the date once it is more than a month. */
export function ago(moment: Moment, nowMs = Date.now()): string {
  const date = dateOf(moment);
  if (!date) return "never";
  const seconds = (date.getTime() - nowMs) / 1000;
  if (Math.abs(seconds) < 5) return "just now";
  const step = STEPS.find(([limit]) => Math.abs(seconds) < limit);
  return step ? relative.format(Math.trunc(seconds / step[2]), step[1]) : day.format(date);
}

/** The present, in milliseconds, renewed while the page is looked at: so that "5 minutes ago" stays true. */
export const now = new Store(Date.now());
const RENEWED_MS = 10_000;
setInterval(() => document.visibilityState === "visible" && now.set(Date.now()), RENEWED_MS);
