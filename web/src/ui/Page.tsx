import { type ReactNode, useEffect } from "react";
import { cx } from "./cx";
import styles from "./Page.module.css";

interface PageProps {
  title: string;
  /** Beside the title: a badge, a name. */
  aside?: ReactNode;
  actions?: ReactNode;
  /** Fills the window and scrolls within, as grids and editors do. */
  full?: boolean;
  children: ReactNode;
}

/** A page with its title, which is the window's too. */
export function Page({ title, aside, actions, full = false, children }: PageProps) {
  useEffect(() => {
    document.title = `${title} · Mainstem`;
  }, [title]);
  return (
    <div className={cx(styles.page, full && styles.full)}>
      <header className={styles.head}>
        <div className={styles.title}>
          <h1>{title}</h1>
          {aside}
        </div>
        {actions && <div className={styles.actions}>{actions}</div>}
      </header>
      {children}
    </div>
  );
}

interface PanelProps {
  title?: ReactNode;
  actions?: ReactNode;
  /** Without space around its content: tables. */
  flush?: boolean;
  className?: string | undefined;
  children: ReactNode;
}

/** A part of a page. */
export function Panel({ title, actions, flush = false, className, children }: PanelProps) {
  return (
    <section className={cx(styles.panel, className)}>
      {(title || actions) && (
        <header className={styles.panelHead}>
          <h2>{title}</h2>
          {actions && <div className={styles.actions}>{actions}</div>}
        </header>
      )}
      <div className={cx(styles.panelBody, flush && styles.flush)}>{children}</div>
    </section>
  );
}
