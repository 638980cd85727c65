import { Problem, problemOfResponse, unreachable } from "./problem";
import type { components } from "./schema.gen";
import { lostServer } from "./server";
import { Store } from "./store";

type SessionInfo = components["schemas"]["SessionInfo"];

/**
 * unknown: not asked yet. out: nobody is signed in. in. expired: somebody was, and may sign in again in a dialog,
 * behind which the page stays as it is.
 */
export type SessionState = "unknown" | "out" | "in" | "expired";

const PATH = "/api/v1/session";
const SAFE = new Set(["GET", "HEAD", "OPTIONS"]);

export const session = new Store<SessionState>("unknown");
export const signedInKey = new Store("");
let csrfToken = "";

async function ask(method: "GET" | "POST" | "DELETE", body?: object): Promise<SessionInfo> {
  const headers = new Headers(body ? { "Content-Type": "application/json" } : {});
  if (csrfToken) headers.set("X-CSRF-Token", csrfToken);
  let response: Response;
  try {
    response = await fetch(PATH, { method, headers, body: body ? JSON.stringify(body) : null });
  } catch {
    lostServer();
    throw unreachable();
  }
  if (!response.ok) throw await problemOfResponse(response);
  return (await response.json()) as SessionInfo;
}

function take(info: SessionInfo): void {
  csrfToken = info.csrfToken;
  signedInKey.set(info.key);
  session.set(info.signedIn ? "in" : "out");
}

/** Asks who is signed in; also renews the cookie. */
export async function loadSession(): Promise<void> {
  take(await ask("GET"));
}

export async function signIn(given: { apiKey: string } | { ticket: string }): Promise<void> {
  take(await ask("POST", given));
}

/** Ends the session, and whatever this tab has kept of it: by a page that is loaded anew, memory is empty, too. */
export async function signOut(): Promise<void> {
  try {
    await ask("DELETE");
  } catch (error) {
    if (!(error instanceof Problem && error.status === 401)) throw error;
  }
  sessionStorage.clear();
  window.location.assign("/signin");
}

function signedInAgain(): Promise<void> {
  session.set("expired");
  return new Promise((done) => {
    const leave = session.subscribe(() => {
      if (session.get() === "in") {
        leave();
        done();
      }
    });
  });
}

/**
 * fetch with the session's token. A call that comes too late for the session waits until somebody has signed in again,
 * and is then sent once more: nothing that was typed is lost.
 */
export async function sessionFetch(input: RequestInfo | URL, init?: RequestInit): Promise<Response> {
  const request = new Request(input, init);
  const again = request.clone();
  const response = await send(request);
  if (response.status === 401) {
    if (session.get() === "out" || session.get() === "unknown") return response;
    await signedInAgain();
    return send(again);
  }
  // Another tab signed in anew, so this one's token is not the cookie's any more.
  if (response.status === 403 && !SAFE.has(request.method)) {
    const before = csrfToken;
    await loadSession();
    if (csrfToken && csrfToken !== before) return send(again);
  }
  return response;
}

async function send(request: Request): Promise<Response> {
  if (csrfToken && !SAFE.has(request.method)) request.headers.set("X-CSRF-Token", csrfToken);
  try {
    return await fetch(request);
  } catch (error) {
    if (request.signal.aborted) throw error;
    lostServer();
    throw unreachable();
  }
}
