import { Store } from "@/api/store";

export interface Toast {
  id: number;
  tone: "ok" | "danger";
  text: string;
}

export const toasts = new Store<readonly Toast[]>([]);
const MOST = 4;
let count = 0;

function add(tone: Toast["tone"], text: string): void {
  count += 1;
  toasts.set([...toasts.get(), { id: count, tone, text }].slice(-MOST));
}

export function dropToast(id: number): void {
  toasts.set(toasts.get().filter((toast) => toast.id !== id));
}

/** A word that goes away by itself. Errors that matter belong on the page, in an ErrorState. */
export const notify = {
  done: (text: string) => add("ok", text),
  error: (text: string) => add("danger", text),
};
