import { Store } from "./store";

/** Whether the server answers. `away` shows a banner; the return makes every query ask again. */
export type Reach = "here" | "away";

const HEALTH = "/api/v1/health";
const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 5000;
const LOOK_MS = 10_000;

export const reach = new Store<Reach>("here");
let waiting = false;

/** Called by whoever could not reach the server: asks until it answers. */
export function lostServer(): void {
  reach.set("away");
  if (!waiting) void waitForServer();
}

async function waitForServer(): Promise<void> {
  waiting = true;
  let wait = FIRST_WAIT_MS;
  while (!(await answers())) {
    await new Promise((done) => setTimeout(done, wait));
    wait = Math.min(wait * 1.6, LONGEST_WAIT_MS);
  }
  waiting = false;
  reach.set("here");
}

async function answers(): Promise<boolean> {
  try {
    return (await fetch(HEALTH, { cache: "no-store" })).ok;
  } catch {
    return false;
  }
}

/** Looks now and then, so that a page on which nothing moves tells of it too. Returns how to end it. */
export function watchServer(): () => void {
  const timer = setInterval(async () => {
    if (!waiting && document.visibilityState === "visible" && !(await answers())) lostServer();
  }, LOOK_MS);
  return () => clearInterval(timer);
}
