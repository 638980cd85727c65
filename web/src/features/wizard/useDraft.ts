import { useEffect, useState } from "react";
import { type Config, EMPTY } from "./config";
import { isObject, type JsonObject } from "./json";
import { opened } from "./shapes";

/** What is being written: the config, and whether it takes every table (an empty selection cannot say that it is one). */
export interface Draft {
  config: Config;
  all: boolean;
}

const KEY = "mainstem.wizard.";
const NEW: Draft = { config: EMPTY, all: true };

function stored(key: string): Draft | null {
  try {
    const found: unknown = JSON.parse(sessionStorage.getItem(key) ?? "null");
    return isObject(found) && isObject(found["config"])
      ? { config: found["config"], all: found["all"] !== false }
      : null;
  } catch {
    return null;
  }
}

/**
 * The draft of a config, kept over a reload by this tab.
 *
 * @param saved the config that is edited, once it is read; null for a new one.
 */
export function useDraft(configId: string, saved: JsonObject | null) {
  const key = KEY + (configId || "new");
  const [draft, setDraft] = useState<Draft | null>(() => stored(key) ?? (configId ? null : NEW));
  const current = draft ?? (saved && opened(saved));
  useEffect(() => {
    if (draft) sessionStorage.setItem(key, JSON.stringify(draft));
  }, [draft, key]);
  return {
    draft: current,
    /** Nothing was typed yet. */
    untouched: draft === null || draft === NEW,
    change: (next: (before: Draft) => Draft) => setDraft((before) => next(before ?? current ?? NEW)),
    /** Forget what was typed. */
    discard: () => {
      sessionStorage.removeItem(key);
      setDraft(configId ? null : NEW);
    },
  };
}
