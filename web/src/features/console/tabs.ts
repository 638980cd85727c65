/** The editor's tabs. They live in this browser, so that nothing typed is lost by a reload. */

import { Store } from "@/api/store";

export interface SqlTab {
  id: string;
  name: string;
  text: string;
  connectionId: string;
  database: string;
}

export interface SqlTabs {
  tabs: readonly SqlTab[];
  active: string;
}

const KEY = "mainstem.sql.tabs";
const SAVE_MS = 300;
export const MOST_TABS = 20;

function newTab(tabs: readonly SqlTab[], given: Partial<SqlTab> = {}): SqlTab {
  const numbers = tabs.map((tab) => Number(/^Query (\d+)$/.exec(tab.name)?.[1] ?? 0));
  const name = `Query ${Math.max(0, ...numbers) + 1}`;
  return { id: crypto.randomUUID(), name, text: "", connectionId: "", database: "", ...given };
}

function isTab(value: unknown): value is SqlTab {
  const tab = value as Partial<Record<keyof SqlTab, unknown>> | null;
  const members = ["id", "name", "text", "connectionId", "database"] as const;
  return typeof tab === "object" && tab !== null && members.every((member) => typeof tab[member] === "string");
}

/** What was kept, or one empty tab. */
export function restored(saved: string | null): SqlTabs {
  try {
    const kept = JSON.parse(saved ?? "") as Partial<SqlTabs>;
    const tabs = Array.isArray(kept.tabs) ? kept.tabs.filter(isTab).slice(0, MOST_TABS) : [];
    const active = tabs.find((tab) => tab.id === kept.active) ?? tabs[0];
    if (active) return { tabs, active: active.id };
  } catch {
    // Kept by another version, or by hand: begin anew.
  }
  const tab = newTab([]);
  return { tabs: [tab], active: tab.id };
}

export const sqlTabs = new Store<SqlTabs>(restored(localStorage.getItem(KEY)));
let saving = 0;

function save(): void {
  try {
    localStorage.setItem(KEY, JSON.stringify(sqlTabs.get()));
  } catch {
    // The browser's room is full: the tabs live as long as this page.
  }
}

function set(next: SqlTabs): void {
  sqlTabs.set(next);
  window.clearTimeout(saving);
  saving = window.setTimeout(save, SAVE_MS);
}

window.addEventListener("pagehide", save);

export function activeTab({ tabs, active }: SqlTabs): SqlTab {
  const found = tabs.find((tab) => tab.id === active) ?? tabs[0];
  if (!found) throw new Error("there is always a tab");
  return found;
}

export function changeTab(id: string, change: Partial<Omit<SqlTab, "id">>): void {
  const { tabs, active } = sqlTabs.get();
  set({ tabs: tabs.map((tab) => (tab.id === id ? { ...tab, ...change } : tab)), active });
}

export function chooseTab(id: string): void {
  set({ ...sqlTabs.get(), active: id });
}

/** A new tab at the end, on the connection of the present one; false when there are too many. */
export function addTab(given: Partial<Omit<SqlTab, "id">> = {}): boolean {
  const state = sqlTabs.get();
  if (state.tabs.length >= MOST_TABS) return false;
  const { connectionId, database } = activeTab(state);
  const tab = newTab(state.tabs, { connectionId, database, ...given });
  set({ tabs: [...state.tabs, tab], active: tab.id });
  return true;
}

/** Closes a tab; the last one becomes an empty one. */
export function closeTab(id: string): void {
  const { tabs, active } = sqlTabs.get();
  const at = tabs.findIndex((tab) => tab.id === id);
  const closed = tabs[at];
  const left = tabs.filter((tab) => tab.id !== id);
  if (!closed) return;
  if (left.length === 0) left.push(newTab([], { connectionId: closed.connectionId, database: closed.database }));
  const next = active === id ? (left[Math.min(at, left.length - 1)]?.id ?? "") : active;
  set({ tabs: left, active: next });
}
