import { queryClient } from "@/api/queries";
import { reach } from "@/api/server";
import { loadSession, session } from "@/api/session";

const RENEW_MS = 15 * 60 * 1000;

/** What happens beside the pages: who is signed in, and asking anew once the server, or the session, is back. */
export function start(): void {
  const ask = () => loadSession().catch(() => undefined);
  if (!window.location.pathname.startsWith("/signin")) void ask();
  setInterval(() => session.get() === "in" && void ask(), RENEW_MS);
  reach.subscribe(() => {
    if (reach.get() !== "here") return;
    if (session.get() === "unknown") void ask();
    void queryClient.invalidateQueries();
  });
  let before = session.get();
  session.subscribe(() => {
    const after = session.get();
    if (after === "in" && before === "expired") void queryClient.invalidateQueries();
    if (after === "out" && before !== "unknown") queryClient.clear();
    before = after;
  });
}
