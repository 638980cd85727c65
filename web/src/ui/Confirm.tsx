import { createContext, type ReactNode, useContext, useRef, useState } from "react";
import { Button } from "./Button";
import { Dialog } from "./Dialog";
import { Field, Input } from "./Field";

export interface Question {
  title: string;
  /** What happens, and what depends on it. */
  body?: ReactNode;
  /** The button: a verb. */
  action: string;
  danger?: boolean;
  /** A name that has to be typed first, for what cannot be undone. */
  type?: string;
}

type Ask = (question: Question) => Promise<boolean>;

const Context = createContext<Ask>(() => Promise.resolve(false));

/** `if (await confirm({title: "Delete shop?", action: "Delete", danger: true})) …` */
export function useConfirm(): Ask {
  return useContext(Context);
}

export function ConfirmProvider({ children }: { children: ReactNode }) {
  const [question, setQuestion] = useState<Question | null>(null);
  const [typed, setTyped] = useState("");
  const answer = useRef<(yes: boolean) => void>(() => {});
  const ask: Ask = (next) => {
    answer.current(false);
    setTyped("");
    setQuestion(next);
    return new Promise((done) => {
      answer.current = done;
    });
  };
  const close = (yes: boolean) => {
    answer.current(yes);
    setQuestion(null);
  };
  const blocked = question?.type !== undefined && typed !== question.type;
  return (
    <Context value={ask}>
      {children}
      <Dialog
        open={question !== null}
        onOpenChange={(open) => !open && close(false)}
        size="s"
        title={question?.title ?? ""}
        description={question?.body}
        actions={
          <>
            <Button onClick={() => close(false)}>Cancel</Button>
            <Button kind={question?.danger ? "danger" : "primary"} disabled={blocked} onClick={() => close(true)}>
              {question?.action}
            </Button>
          </>
        }
      >
        {question?.type !== undefined && (
          <Field label={`Type ${question.type} to go on`}>
            <Input value={typed} onChange={(event) => setTyped(event.target.value)} autoComplete="off" />
          </Field>
        )}
      </Dialog>
    </Context>
  );
}
