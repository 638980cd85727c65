import { useState } from "react";
import { type Problem, problemOf } from "@/api/problem";
import { signIn } from "@/api/session";
import { Button } from "@/ui/Button";
import { Field, Input } from "@/ui/Field";
import { ErrorState } from "@/ui/States";
import styles from "./SignIn.module.css";

interface Props {
  onDone?: () => void;
  /** An error from before: of a sign-in link. */
  problem?: Problem | null;
}

/** The API key, exchanged for a session; the page keeps no copy of it. */
export function SignInForm({ onDone, problem: before = null }: Props) {
  const [apiKey, setApiKey] = useState("");
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(before);
  const submit = async () => {
    setBusy(true);
    setProblem(null);
    try {
      await signIn({ apiKey: apiKey.trim() });
      onDone?.();
    } catch (error) {
      setProblem(problemOf(error));
    } finally {
      setBusy(false);
    }
  };
  return (
    <form
      className={styles.form}
      onSubmit={(event) => {
        event.preventDefault();
        void submit();
      }}
    >
      {problem && <ErrorState error={problem} compact />}
      <Field
        label="API key"
        hint={
          <>
            The server showed one at its first start; <code>mainstem key create</code> makes another.
          </>
        }
      >
        <Input
          type="password"
          name="password"
          autoComplete="current-password"
          value={apiKey}
          onChange={(event) => setApiKey(event.target.value)}
          required
          autoFocus
        />
      </Field>
      <Button type="submit" kind="primary" busy={busy} disabled={!apiKey.trim()}>
        Sign in
      </Button>
    </form>
  );
}
