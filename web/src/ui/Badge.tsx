import type { ReactNode } from "react";
import styles from "./Badge.module.css";
import { cx } from "./cx";

export type Tone = "neutral" | "ok" | "warn" | "danger" | "info" | "accent";

interface Props {
  tone?: Tone;
  /** A dot before it, moving while something is under way. */
  dot?: boolean | "live";
  children: ReactNode;
}

export function Badge({ tone = "neutral", dot = false, children }: Props) {
  return (
    <span className={cx(styles.badge, styles[tone])}>
      {dot && <span className={cx(styles.dot, dot === "live" && styles.live)} aria-hidden="true" />}
      {children}
    </span>
  );
}
