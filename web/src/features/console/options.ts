/** How the console runs things, kept in this browser. */

import { Store } from "@/api/store";

export interface Options {
  rows: number;
  seconds: number;
  /** Before what the console asks. */
  ask: "changes" | "destroys";
  /** Height of the editor in pixels. */
  height: number;
}

const KEY = "mainstem.sql.options";
const DEFAULTS: Options = { rows: 1000, seconds: 300, ask: "changes", height: 260 };

function restored(): Options {
  try {
    return { ...DEFAULTS, ...(JSON.parse(localStorage.getItem(KEY) ?? "{}") as Partial<Options>) };
  } catch {
    return DEFAULTS;
  }
}

export const options = new Store<Options>(restored());

export function setOption(change: Partial<Options>): void {
  options.set({ ...options.get(), ...change });
  try {
    localStorage.setItem(KEY, JSON.stringify(options.get()));
  } catch {
    // The browser's room is full: they last as long as this page.
  }
}

export const ROW_CHOICES = [100, 1000, 10_000, 100_000] as const;
export const TIME_CHOICES = [10, 60, 300, 1800, 86_400] as const;
