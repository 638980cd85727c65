import { Check } from "lucide-react";
import type { ReactNode } from "react";
import { ButtonLink } from "@/ui/Button";
import { cx } from "@/ui/cx";
import { Panel } from "@/ui/Page";
import styles from "./Home.module.css";

interface Props {
  connections: number;
  streams: number;
}

/** The way from an empty install to a database that has moved. */
export function FirstSteps({ connections, streams }: Props) {
  return (
    <Panel title="First steps">
      <ol className={styles.steps}>
        <Step
          number={1}
          done={connections >= 2}
          title="Connect both databases"
          action={
            <ButtonLink to="/connections/new" kind={connections < 2 ? "primary" : "secondary"}>
              New connection
            </ButtonLink>
          }
        >
          {connections === 1 ? "One is there. The other may be empty: it becomes the copy." : WHAT}
        </Step>
        <Step
          number={2}
          done={streams > 0}
          title="Make a stream"
          action={<ButtonLink to="/streams/new">New stream</ButtonLink>}
        >
          Choose tables, see the plan with every statement and all that changes on the way, then start. Nothing is
          touched before that.
        </Step>
        <Step number={3} done={false} title="Watch it, and trust it">
          Rows, rates and lag live; each row counted on both sides; what could not be carried over is told, never
          dropped.
        </Step>
      </ol>
    </Panel>
  );
}

const WHAT = "MySQL, MariaDB or PostgreSQL, in any direction. A test tells what is wrong while you type.";

interface StepProps {
  number: number;
  done: boolean;
  title: string;
  action?: ReactNode;
  children: ReactNode;
}

function Step({ number, done, title, action, children }: StepProps) {
  return (
    <li className={cx(styles.step, done && styles.done)}>
      <span className={styles.number}>{done ? <Check aria-label="Done" /> : number}</span>
      <div>
        <h3>{title}</h3>
        <p className={styles.muted}>{children}</p>
        {action}
      </div>
    </li>
  );
}
