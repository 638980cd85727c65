import { useEffect, useEffectEvent, useState } from "react";
import { useLocation, useNavigate } from "react-router";
import { type Problem, problemOf } from "@/api/problem";
import { loadSession, session, signIn } from "@/api/session";
import { Mark } from "./Logo";
import styles from "./SignIn.module.css";
import { SignInForm } from "./SignInForm";

const TICKET = /^#ticket=([\w-]+)$/;

/** Where to go on: only to a path of this server. */
function target(state: unknown): string {
  const from = typeof state === "object" && state !== null && "from" in state ? state.from : null;
  return typeof from === "string" && /^\/(?!\/)/.test(from) ? from : "/";
}

/** Signs in with the ticket of a one-time link, or asks for the API key. */
export function Component() {
  const location = useLocation();
  const navigate = useNavigate();
  const [problem, setProblem] = useState<Problem | null>(null);
  const [asking, setAsking] = useState(false);
  const goOn = () => void navigate(target(location.state), { replace: true });

  const begin = useEffectEvent(async () => {
    document.title = "Sign in · Mainstem";
    const ticket = TICKET.exec(window.location.hash)?.[1];
    try {
      if (ticket) {
        // Not into the history: it is used up, and nobody's business.
        window.history.replaceState(window.history.state, "", window.location.pathname);
        await signIn({ ticket });
      } else if (session.get() === "unknown") {
        await loadSession();
      }
    } catch (error) {
      setProblem(problemOf(error));
    }
    if (session.get() === "in") goOn();
    else setAsking(true);
  });
  useEffect(() => void begin(), []);

  return (
    <main className={styles.page}>
      {asking && (
        <div className={styles.card}>
          <div className={styles.head}>
            <Mark />
            <h1>Sign in to Mainstem</h1>
          </div>
          <SignInForm onDone={goOn} problem={problem} />
        </div>
      )}
    </main>
  );
}
