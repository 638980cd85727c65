import type { RefObject } from "react";
import { problemOf } from "@/api/problem";
import { useStore } from "@/api/store";
import { type Question, useConfirm } from "@/ui/Confirm";
import { plural } from "@/ui/numbers";
import { notify } from "@/ui/toast";
import styles from "./Console.module.css";
import type { EditorHandle } from "./Editor";
import { options } from "./options";
import { statementAt } from "./places";
import { analyze, dropRun, type Part, runExplain, runQuery, runs, type StatementInfo } from "./runs";
import type { SqlTab } from "./tabs";

const LISTED = 8;

const BEGINS = new Set(["BEGIN", "START"]);
const ENDS = new Set(["COMMIT", "END", "ROLLBACK", "ABORT"]);

/** Whether a script begins a transaction and leaves it open. */
function leavesOpen(statements: readonly StatementInfo[]): boolean {
  const verbs = statements.map((one) => one.verb.toUpperCase());
  return verbs.findLastIndex((verb) => BEGINS.has(verb)) > verbs.findLastIndex((verb) => ENDS.has(verb));
}

/** What is about to change, statement by statement, before it does. */
function question(changing: readonly StatementInfo[], where: string, open: boolean): Question {
  const destroys = changing.some((one) => one.effect === "destroy");
  return {
    title: destroys ? "Run what cannot be undone?" : "Run what changes data?",
    body: (
      <>
        <p>On {where}:</p>
        <ul className={styles.changes}>
          {changing.slice(0, LISTED).map((one) => (
            <li key={one.start}>
              <code>{one.text.length > 200 ? `${one.text.slice(0, 200)}…` : one.text}</code>
              <span className={one.effect === "destroy" ? styles.wrong : undefined}>{one.warning}</span>
            </li>
          ))}
        </ul>
        {open && <p>The run does not end the transaction that it begins, so nothing of that will be kept.</p>}
        {changing.length > LISTED && <p>and {plural(changing.length - LISTED, "more statement")}</p>}
      </>
    ),
    action: destroys ? "Run all the same" : "Run",
    danger: destroys,
  };
}

interface Runner {
  /** The selection, or the statement at the cursor. */
  run: () => void;
  runAll: () => void;
  explain: (analyzed: boolean) => void;
}

/** Runs what is in the editor of a tab, after a question where it changes something. */
export function useRunner(
  tab: SqlTab,
  editor: RefObject<EditorHandle | null>,
  connection: { name: string; readOnly?: boolean } | undefined,
): Runner {
  const confirm = useConfirm();
  const { rows, seconds, ask } = useStore(options);
  const target = { tabId: tab.id, connectionId: tab.connectionId, database: tab.database, rows, seconds };

  const wanted = async (what: "all" | "here"): Promise<{ part: Part; statements: StatementInfo[] } | null> => {
    const present = editor.current;
    if (!present || !connection) return null;
    const { text: selected, from, cursor } = present.selection();
    const whole = what === "all" || selected.trim() === "";
    const text = whole ? present.text() : selected;
    const offset = whole ? 0 : from;
    if (text.trim() === "") return null;
    const statements = await analyze(tab.connectionId, text);
    if (what === "all" || !whole) return { part: { text, offset }, statements };
    const one = statementAt(statements, cursor);
    return one ? { part: { text: one.text, offset: one.start }, statements: [one] } : null;
  };

  const guarded = async (work: () => Promise<void>) => {
    if (runs.get()[tab.id]?.phase === "running") return;
    try {
      await work();
    } catch (error) {
      dropRun(tab.id);
      notify.error(problemOf(error).message);
    }
    editor.current?.focus();
  };

  const start = (what: "all" | "here") =>
    guarded(async () => {
      const found = await wanted(what);
      if (!found || !connection) return;
      const asked = ask === "changes" ? ["write", "destroy"] : ["destroy"];
      const changing = connection.readOnly ? [] : found.statements.filter((one) => asked.includes(one.effect));
      const where = tab.database ? `${connection.name}, database ${tab.database}` : connection.name;
      if (changing.length > 0 && !(await confirm(question(changing, where, leavesOpen(found.statements))))) return;
      await runQuery(target, found.part);
    });

  return {
    run: () => void start("here"),
    runAll: () => void start("all"),
    explain: (analyzed) =>
      void guarded(async () => {
        const found = await wanted("here");
        if (found) await runExplain(target, found.part, analyzed);
      }),
  };
}
