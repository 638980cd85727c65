import type { ComponentProps, ReactNode, Ref } from "react";
import { Link, type LinkProps } from "react-router";
import styles from "./Button.module.css";
import { cx } from "./cx";
import { Tooltip } from "./Tooltip";

export type ButtonKind = "primary" | "secondary" | "quiet" | "danger";

interface Look {
  kind?: ButtonKind;
  small?: boolean;
  icon?: ReactNode;
}

export interface ButtonProps extends ComponentProps<"button">, Look {
  /** Something is under way: shows it, and takes no further click. */
  busy?: boolean;
  ref?: Ref<HTMLButtonElement>;
}

function classes(kind: ButtonKind, small: boolean, more?: string): string {
  return cx(styles.button, styles[kind], small && styles.small, more);
}

export function Button({ kind = "secondary", small = false, icon, busy = false, children, ...rest }: ButtonProps) {
  return (
    <button
      type="button"
      {...rest}
      className={classes(kind, small, rest.className)}
      disabled={rest.disabled || busy}
      aria-busy={busy || undefined}
    >
      {busy ? <span className={styles.spinner} aria-hidden="true" /> : icon}
      {children}
    </button>
  );
}

interface IconButtonProps extends ComponentProps<"button"> {
  /** Said to screen readers, and in the tooltip. */
  label: string;
  small?: boolean;
  kind?: ButtonKind;
  ref?: Ref<HTMLButtonElement>;
}

/** A button that is an icon. */
export function IconButton({ label, small = false, kind = "quiet", children, ...rest }: IconButtonProps) {
  return (
    <Tooltip text={label}>
      <button
        type="button"
        {...rest}
        aria-label={label}
        className={classes(kind, small, cx(styles.square, rest.className))}
      >
        {children}
      </button>
    </Tooltip>
  );
}

/** A link that looks like a button. */
export function ButtonLink({ kind = "secondary", small = false, icon, children, ...rest }: LinkProps & Look) {
  return (
    <Link {...rest} className={classes(kind, small, rest.className)}>
      {icon}
      {children}
    </Link>
  );
}
