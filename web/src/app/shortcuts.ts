import { useEffect, useEffectEvent } from "react";
import { useNavigate } from "react-router";
import { features } from "./features";

const apple = /Mac|iPhone|iPad/.test(navigator.userAgent);
/** The key beside the letter, as this keyboard calls it. */
export const modifier = apple ? "⌘" : "Ctrl";

const CHORD_MS = 1200;

/** The keys that work on every page; `ShortcutsDialog` shows them. */
export const SHORTCUTS: readonly (readonly [keys: string, what: string])[] = [
  [`${modifier} K`, "Search and commands"],
  ["?", "These shortcuts"],
  ...features.flatMap(({ nav }) => (nav ? [[`g ${nav.key}`, nav.label] as const] : [])),
  ["Esc", "Close what is open"],
];

function isTyping(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName))
  );
}

interface Actions {
  palette: () => void;
  help: () => void;
}

/** Hears the keys of `SHORTCUTS`. Letters alone do nothing while somebody types. */
export function useShortcuts(actions: Actions): void {
  const navigate = useNavigate();
  const press = useEffectEvent((event: KeyboardEvent, chord: boolean): boolean => {
    if ((event.ctrlKey || event.metaKey) && !event.altKey && event.key.toLowerCase() === "k") {
      event.preventDefault();
      actions.palette();
      return false;
    }
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target))
      return false;
    if (chord) {
      const entry = features.find(({ nav }) => nav?.key === event.key)?.nav;
      if (entry) void navigate(entry.to);
      return false;
    }
    if (event.key === "?") actions.help();
    return event.key === "g";
  });
  useEffect(() => {
    let chordUntil = 0;
    const listener = (event: KeyboardEvent) => {
      const begun = press(event, event.timeStamp < chordUntil);
      chordUntil = begun ? event.timeStamp + CHORD_MS : 0;
    };
    window.addEventListener("keydown", listener);
    return () => window.removeEventListener("keydown", listener);
  }, []);
}
