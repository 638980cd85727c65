import { CircleAlert, RotateCw } from "lucide-react";
import type { ReactNode } from "react";
import { Link } from "react-router";
import { problemOf } from "@/api/problem";
import { Button } from "./Button";
import { cx } from "./cx";
import styles from "./States.module.css";

interface EmptyProps {
  icon?: ReactNode;
  title: string;
  children?: ReactNode;
  actions?: ReactNode;
}

/** Nothing there: why, and what to do about it. */
export function EmptyState({ icon, title, children, actions }: EmptyProps) {
  return (
    <div className={styles.empty}>
      {icon}
      <h2>{title}</h2>
      {children && <div className={styles.muted}>{children}</div>}
      {actions && <div className={styles.actions}>{actions}</div>}
    </div>
  );
}

interface ErrorProps {
  error: unknown;
  /** What did not work: "The streams could not be read". */
  title?: string;
  retry?: (() => void) | undefined;
  /** For a place within a page. */
  compact?: boolean;
}

/** What happened, the remedy that the server gives, and another try. It stays until that works. */
export function ErrorState({ error, title, retry, compact = false }: ErrorProps) {
  const problem = problemOf(error);
  const fields = Object.entries(problem.fields);
  const listed = fields.length > 0 && fields.every(([name, text]) => problem.message.includes(`${name} ${text}`));
  return (
    <div className={cx(styles.error, compact && styles.compact)} role="alert">
      <CircleAlert aria-hidden="true" />
      <div className={styles.told}>
        <strong>{title ?? problem.message}</strong>
        {title && !listed && <p>{problem.message}</p>}
        {fields.length > 0 && (
          <ul className={styles.fields}>
            {fields.map(([name, text]) => (
              <li key={name}>
                <code>{name}</code> {text}
              </li>
            ))}
          </ul>
        )}
        {problem.remedy && (
          <p>
            <span className={styles.label}>Fix: </span>
            <Remedy text={problem.remedy} />
          </p>
        )}
        {problem.requestId && <p className={styles.muted}>Request {problem.requestId}</p>}
      </div>
      {retry && (
        <Button small icon={<RotateCw />} onClick={retry}>
          Try again
        </Button>
      )}
    </div>
  );
}

/** Pages that show what a call of the API lists. */
const PAGES: Readonly<Record<string, [page: string, label: string]>> = {
  "/streams": ["/streams", "see all streams"],
  "/stream-configs": ["/streams", "see all streams"],
  "/connections": ["/connections", "see all connections"],
};

/** What to do; a call that lists what there is, is a page here. */
function Remedy({ text }: { text: string }) {
  const found = PAGES[/^GET (\/[\w-]+) lists them$/.exec(text)?.[1] ?? ""];
  return found ? <Link to={found[0]}>{found[1]}</Link> : text;
}

interface SkeletonProps {
  /** Any CSS length. */
  width?: string;
  height?: string;
  lines?: number;
}

/** Holds the place of what is on its way, so that nothing jumps when it comes. */
export function Skeleton({ width = "100%", height = "1rem", lines = 1 }: SkeletonProps) {
  return (
    <div className={styles.skeletons} aria-hidden="true">
      {Array.from({ length: lines }, (_, line) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: lines are all alike
        <div key={line} className={styles.skeleton} style={{ width, height }} />
      ))}
    </div>
  );
}

interface QueryLike<T> {
  data: T | undefined;
  error: unknown;
  isPending: boolean;
  refetch: () => unknown;
}

interface LoadedProps<T> {
  query: QueryLike<T>;
  /** What could not be read, if it can't: "The streams could not be read". */
  failed: string;
  children: (data: T) => ReactNode;
  skeleton?: ReactNode;
}

/** A query's data, or its error, or the place where it will be. Data that is there stays while the server is away. */
export function Loaded<T>({ query, failed, children, skeleton }: LoadedProps<T>) {
  if (query.data !== undefined) return children(query.data);
  if (query.error) return <ErrorState error={query.error} title={failed} retry={() => query.refetch()} />;
  return (
    <div role="status">
      <span className="visually-hidden">Loading</span>
      {skeleton ?? <Skeleton lines={4} height="1.5rem" />}
    </div>
  );
}
