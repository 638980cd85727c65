/** How the SQL editor looks and what it knows. */

import {
  acceptCompletion,
  autocompletion,
  closeBrackets,
  closeBracketsKeymap,
  closeCompletion,
  completionKeymap,
} from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap, indentWithTab } from "@codemirror/commands";
import { MariaSQL, MySQL, PostgreSQL, type SQLDialect, sql } from "@codemirror/lang-sql";
import { bracketMatching, HighlightStyle, indentOnInput, indentUnit, syntaxHighlighting } from "@codemirror/language";
import { highlightSelectionMatches, search, searchKeymap } from "@codemirror/search";
import { EditorState, type Extension } from "@codemirror/state";
import {
  drawSelection,
  EditorView,
  highlightActiveLine,
  highlightActiveLineGutter,
  keymap,
  lineNumbers,
  placeholder,
} from "@codemirror/view";
import { tags } from "@lezer/highlight";
import type { Schemas } from "@/api/client";
import { cspNonce } from "@/app/nonce";
import styles from "./Editor.module.css";

const DIALECTS: Readonly<Record<string, SQLDialect>> = { postgresql: PostgreSQL, mysql: MySQL, mariadb: MariaSQL };

/** Classes, so that both themes are the stylesheet's matter. */
const colours = HighlightStyle.define(
  (
    [
      [[tags.keyword, tags.operatorKeyword, tags.modifier], styles["keyword"]],
      [[tags.string, tags.special(tags.string)], styles["string"]],
      [[tags.number, tags.bool, tags.null], styles["number"]],
      [[tags.lineComment, tags.blockComment], styles["comment"]],
      [[tags.typeName, tags.standard(tags.name)], styles["type"]],
      [[tags.name], styles["name"]],
    ] as const
  ).map(([tag, name]) => ({ tag: [...tag], class: name ?? "" })),
);

const theme = EditorView.theme({
  "&": { color: "var(--text)", backgroundColor: "var(--bg-raised)" },
  ".cm-scroller": { fontFamily: "var(--mono)", lineHeight: "1.55" },
  ".cm-content": { caretColor: "var(--text)", padding: "6px 0" },
  ".cm-cursor": { borderLeftColor: "var(--text)" },
  ".cm-gutters": { backgroundColor: "var(--bg-sunken)", color: "var(--text-muted)", border: "none" },
  ".cm-activeLine": { backgroundColor: "transparent" },
  "&.cm-focused .cm-activeLine": { backgroundColor: "var(--bg-hover)" },
  ".cm-activeLineGutter": { backgroundColor: "var(--bg-hover)" },
  "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground": {
    backgroundColor: "var(--bg-selected)",
  },
  ".cm-placeholder": { color: "var(--text-muted)" },
  ".cm-tooltip, .cm-panels": {
    backgroundColor: "var(--bg-raised)",
    color: "var(--text)",
    border: "1px solid var(--border)",
    borderRadius: "var(--radius-m)",
  },
  ".cm-tooltip-autocomplete > ul > li[aria-selected]": {
    backgroundColor: "var(--accent-ground)",
    color: "var(--text)",
  },
  ".cm-matchingBracket": { backgroundColor: "var(--accent-ground)" },
  ".cm-diagnostic-error": { borderLeftColor: "var(--danger)" },
  ".cm-lintRange-error": {
    backgroundImage: "none",
    textDecoration: "underline wavy var(--danger)",
    backgroundColor: "var(--danger-ground)",
  },
});

/**
 * Typing over a selection. Left to the browser it would give the new text an inline style, which the page's policy
 * refuses aloud.
 */
const typeOver = EditorView.domEventHandlers({
  beforeinput: (event, view) => {
    const { main } = view.state.selection;
    const text = event.data;
    if (event.inputType !== "insertText" || !text || main.empty || view.composing) return false;
    event.preventDefault();
    const insert = () => view.state.update(view.state.replaceSelection(text), { userEvent: "input.type" });
    const handled = view.state
      .facet(EditorView.inputHandler)
      .some((one) => one(view, main.from, main.to, text, insert));
    if (!handled) view.dispatch(insert());
    return true;
  },
});

export interface EditorKeys {
  /** The selection, or the statement at the cursor. */
  run: () => void;
  runAll: () => void;
  format: () => void;
}

/** All but the language, which follows the connection. */
export function editorSetup(keys: () => EditorKeys, changed: (text: string) => void): Extension {
  const press = (key: keyof EditorKeys) => (view: EditorView) => {
    closeCompletion(view);
    keys()[key]();
    return true;
  };
  return [
    EditorView.cspNonce.of(cspNonce()),
    typeOver,
    keymap.of([
      { key: "Mod-Enter", run: press("run") },
      { key: "Shift-Enter", run: press("runAll") },
      { key: "Mod-Shift-f", run: press("format") },
      { key: "Tab", run: acceptCompletion },
    ]),
    lineNumbers(),
    highlightActiveLineGutter(),
    highlightActiveLine(),
    history(),
    drawSelection(),
    EditorState.allowMultipleSelections.of(true),
    indentOnInput(),
    indentUnit.of("  "),
    bracketMatching(),
    closeBrackets(),
    autocompletion({ icons: false }),
    search({ top: true }),
    highlightSelectionMatches(),
    syntaxHighlighting(colours),
    theme,
    EditorView.lineWrapping,
    placeholder("SELECT …"),
    EditorView.contentAttributes.of({
      "aria-label": "SQL. Control Enter runs the statement at the cursor, Escape and then Tab leaves the editor.",
      spellcheck: "false",
    }),
    EditorView.updateListener.of((update) => {
      if (update.docChanged) changed(update.state.doc.toString());
    }),
    keymap.of([
      ...closeBracketsKeymap,
      ...defaultKeymap,
      ...searchKeymap,
      ...historyKeymap,
      ...completionKeymap,
      indentWithTab,
    ]),
  ];
}

type Columns = Record<string, string[]>;

/** The names as the language wants them. Without prototypes: a table may be called `__proto__`. */
export function namespaceOf(names: Schemas["NamesAnswer"]): Record<string, Columns> {
  const found: Record<string, Columns> = Object.create(null);
  for (const schema of names.schemas) found[schema] = Object.create(null);
  for (const table of names.tables) {
    found[table.schema] ??= Object.create(null);
    const tables = found[table.schema];
    if (tables) tables[table.name] = table.columns;
  }
  return found;
}

/** The language of a connection, with what can be named there. */
export function language(type: string, names: Schemas["NamesAnswer"] | undefined): Extension {
  const dialect = DIALECTS[type] ?? PostgreSQL;
  const known = names ? { schema: namespaceOf(names), defaultSchema: names.defaultSchema } : {};
  return sql({ dialect, upperCaseKeywords: true, ...known });
}
