import { useEffect, useState } from "react";
import type { Store } from "@/api/store";
import type { Column } from "./cells";
import { keep, kept, shapeOf } from "./keeping";
import { countOf, NOTHING, type Staged } from "./staging";

/** What became of changes that were not sent: brought back, thrown away, or too large to be kept. */
export type Keeping = "" | "restored" | "dropped" | "unkept";

/** For which shape of its table each store's changes were made. */
const shapes = new WeakMap<Store<Staged>, string>();

/**
 * Keeps a table's changes over a reload, and brings them back once the table is seen to have the columns that they were
 * made for; else they are thrown away.
 *
 * @param columns those of the rows that are shown; null before there are any.
 */
export function useKept(table: string, store: Store<Staged>, columns: readonly Column[] | null) {
  const [told, setTold] = useState<Keeping>("");
  const shape = columns && shapeOf(columns);
  useEffect(() => {
    if (shape === null) return;
    const found = restored(table, store, shape);
    if (found) setTold(found);
    shapes.set(store, shape);
    return store.subscribe(() => {
      const staged = store.get();
      const roomy = keep(table, shape, staged);
      setTold((before) => (!roomy ? "unkept" : before === "restored" && countOf(staged) > 0 ? before : ""));
    });
  }, [table, store, shape]);
  return { told, dismiss: () => setTold("") };
}

function restored(table: string, store: Store<Staged>, shape: string): Keeping {
  const made = shapes.get(store);
  const saved = kept(table, shape);
  const misfit = saved === "misfit" || (made !== undefined && made !== shape && countOf(store.get()) > 0);
  if (misfit) {
    keep(table, shape, NOTHING);
    store.set(NOTHING);
    return "dropped";
  }
  if (saved === null || countOf(store.get()) > 0) return "";
  store.set(saved);
  return "restored";
}
