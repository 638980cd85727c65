import { setDiagnostics } from "@codemirror/lint";
import { Compartment, EditorState } from "@codemirror/state";
import { EditorView } from "@codemirror/view";
import { type Ref, useEffect, useImperativeHandle, useRef } from "react";
import type { Schemas } from "@/api/client";
import styles from "./Editor.module.css";
import { wordAt } from "./places";
import { type EditorKeys, editorSetup, language } from "./setup";

/** What the page asks of the editor. Places are in UTF-16 units. */
export interface EditorHandle {
  /** What is selected; empty `text` when nothing is. */
  selection: () => { text: string; from: number; cursor: number };
  text: () => string;
  replace: (text: string) => void;
  focus: () => void;
}

interface Props extends EditorKeys {
  /** Another one is another text. */
  tabId: string;
  initial: string;
  type: string;
  names: Schemas["NamesAnswer"] | undefined;
  error: { at: number; message: string } | null;
  height: number;
  onText: (text: string) => void;
  ref: Ref<EditorHandle>;
}

const states = new Map<string, EditorState>();

/** CodeMirror. Each tab keeps its own undo history and cursor while the page is loaded. */
export function Editor({ tabId, initial, type, names, error, height, onText, ref, ...keys }: Props) {
  const frame = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView>(null);
  const compartment = useRef(new Compartment());
  const latest = useRef({ keys, onText, initial });
  latest.current = { keys, onText, initial };

  useEffect(() => {
    if (!frame.current) return;
    const kept = states.get(tabId);
    const fresh = EditorState.create({
      doc: latest.current.initial,
      extensions: [
        editorSetup(
          () => latest.current.keys,
          (text) => latest.current.onText(text),
        ),
        compartment.current.of([]),
      ],
    });
    const state = kept?.doc.toString() === latest.current.initial && compartment.current.get(kept) ? kept : fresh;
    const made = new EditorView({ state, parent: frame.current });
    view.current = made;
    made.focus();
    return () => {
      states.set(tabId, made.state);
      made.destroy();
      view.current = null;
    };
  }, [tabId]);

  // biome-ignore lint/correctness/useExhaustiveDependencies: another tab is another view, which has no language yet
  useEffect(() => {
    view.current?.dispatch({ effects: compartment.current.reconfigure(language(type, names)) });
  }, [type, names, tabId]);

  // biome-ignore lint/correctness/useExhaustiveDependencies: as above
  useEffect(() => {
    const present = view.current;
    if (!present) return;
    const text = present.state.doc.toString();
    const found = error ? [{ ...wordAt(text, error.at), severity: "error" as const, message: error.message }] : [];
    present.dispatch(setDiagnostics(present.state, found));
    const place = found[0]?.from;
    if (place !== undefined) present.dispatch({ effects: EditorView.scrollIntoView(place, { y: "nearest" }) });
  }, [error, tabId]);

  useImperativeHandle(ref, () => ({
    selection: () => {
      const state = view.current?.state;
      const main = state?.selection.main;
      if (!state || !main) return { text: "", from: 0, cursor: 0 };
      return { text: state.sliceDoc(main.from, main.to), from: main.from, cursor: main.head };
    },
    text: () => view.current?.state.doc.toString() ?? "",
    replace: (text) => {
      const present = view.current;
      present?.dispatch({ changes: { from: 0, to: present.state.doc.length, insert: text } });
    },
    focus: () => view.current?.focus(),
  }));

  return <div ref={frame} className={styles.editor} style={{ height }} />;
}
