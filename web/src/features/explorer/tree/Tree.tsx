import { useQueries, useQuery } from "@tanstack/react-query";
import { useVirtualizer } from "@tanstack/react-virtual";
import {
  Braces,
  ChevronRight,
  Database,
  Eye,
  Hash,
  Layers,
  type LucideIcon,
  Plug,
  RefreshCw,
  Table2,
  Timer,
  Zap,
} from "lucide-react";
import { type KeyboardEvent, useDeferredValue, useEffect, useId, useMemo, useRef, useState } from "react";
import { useNavigate } from "react-router";
import type { Schemas } from "@/api/client";
import { problemOf } from "@/api/problem";
import { queries, queryClient } from "@/api/queries";
import { IconButton } from "@/ui/Button";
import { cx } from "@/ui/cx";
import { Checkbox, Input } from "@/ui/Field";
import { ErrorState, Skeleton } from "@/ui/States";
import { KIND_NAMES, type ObjectKind, type Place, pathOf } from "../place";
import { explorerQueries } from "../queries";
import { connectionId, databaseId, lineAfter, linesOf, pathTo, type TreeInput, type TreeNode } from "./nodes";
import styles from "./Tree.module.css";

const NONE: TreeInput["connections"] = [];
const LINE_PX = 28;
const OPEN_KEY = "mainstem.explorer.open";

const ICONS: Record<ObjectKind, LucideIcon> = {
  table: Table2,
  partitioned_table: Layers,
  foreign_table: Plug,
  view: Eye,
  materialized_view: Eye,
  sequence: Hash,
  function: Braces,
  procedure: Braces,
  trigger: Zap,
  event: Timer,
};

function remembered(): Set<string> {
  try {
    const kept: unknown = JSON.parse(sessionStorage.getItem(OPEN_KEY) ?? "[]");
    return new Set(Array.isArray(kept) ? kept.filter((id) => typeof id === "string") : []);
  } catch {
    return new Set();
  }
}

function databaseOf(id: string): [string, string] | null {
  if (!id.startsWith("d:") || id.includes("]/")) return null;
  const [connection, database] = JSON.parse(id.slice(2)) as [string, string];
  return [connection, database];
}

interface Props {
  place: Place;
  onOpen?: () => void;
}

/** Connections, and what is behind them: loaded as it is opened, searched by name. */
export function Tree({ place, onOpen }: Props) {
  const navigate = useNavigate();
  const id = useId();
  const scroller = useRef<HTMLDivElement>(null);
  const [open, setOpen] = useState<ReadonlySet<string>>(remembered);
  const [typed, setTyped] = useState("");
  const [system, setSystem] = useState(false);
  const search = useDeferredValue(typed.trim());
  const connections = useQuery(queries.connections());
  const input = useTree(connections.data ?? NONE, open, search, system);
  const lines = useMemo(() => linesOf(input), [input]);
  const [active, setActive] = useState("");
  const current = lines.findIndex((line) => line.place !== undefined && pathOf(line.place) === pathOf(place));
  const found = lines.findIndex((line) => line.id === active);
  const index = found >= 0 ? found : Math.max(current, 0);

  // What the address names is opened, once for each address.
  const path = pathTo(place, Boolean(place.schema && place.schema !== place.database)).join("\n");
  useEffect(() => {
    if (path) setOpen((before) => new Set([...before, ...path.split("\n")]));
  }, [path]);
  useEffect(() => sessionStorage.setItem(OPEN_KEY, JSON.stringify([...open])), [open]);

  const virtual = useVirtualizer({
    count: lines.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => LINE_PX,
    overscan: 12,
  });
  const toggle = (line: TreeNode, wanted = !line.open) => {
    if (line.open === undefined) return;
    setOpen((before) => {
      const after = new Set(before);
      if (wanted) after.add(line.id);
      else after.delete(line.id);
      return after;
    });
  };
  const choose = (line: TreeNode) => {
    setActive(line.id);
    if (line.place?.database) {
      void navigate(pathOf(line.place));
      onOpen?.();
      if (line.open === false) toggle(line, true);
    } else toggle(line);
  };
  const go = (to: number) => {
    const line = lines[Math.max(0, Math.min(lines.length - 1, to))];
    if (!line) return;
    setActive(line.id);
    virtual.scrollToIndex(lines.indexOf(line));
  };
  const press = (event: KeyboardEvent) => {
    const line = lines[index];
    if (!line) return;
    const page = Math.max(1, Math.floor((scroller.current?.clientHeight ?? 0) / LINE_PX) - 1);
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const next = lineAfter(lines, index, event.key, page);
    if (next !== null) go(next);
    else if (event.key === "ArrowRight" || event.key === "ArrowLeft") toggle(line, event.key === "ArrowRight");
    else if (event.key === "Enter" || event.key === " ") choose(line);
    else return;
    event.preventDefault();
  };
  return (
    <div className={styles.tree}>
      <div className={styles.tools}>
        <Input
          type="search"
          aria-label="Search the tree"
          placeholder="Search objects"
          value={typed}
          onChange={(event) => setTyped(event.target.value)}
        />
        <IconButton
          label="Read the tree again"
          onClick={() => void queryClient.invalidateQueries({ queryKey: ["explorer"] })}
        >
          <RefreshCw />
        </IconButton>
      </div>
      {connections.error && !connections.data && (
        <ErrorState compact error={connections.error} retry={() => connections.refetch()} />
      )}
      {connections.isPending && <Skeleton lines={6} height="1.25rem" />}
      {search && lines.length === 0 && <p className={styles.nothing}>Nothing by that name in what is open</p>}
      <div
        ref={scroller}
        role="tree"
        aria-label="Databases"
        className={styles.lines}
        tabIndex={0}
        aria-activedescendant={lines[index] ? `${id}-${index}` : undefined}
        onKeyDown={press}
      >
        <div className={styles.all} style={{ height: virtual.getTotalSize() }}>
          {virtual.getVirtualItems().map((item) => {
            const line = lines[item.index];
            return (
              line && (
                <Line
                  key={line.id}
                  id={`${id}-${item.index}`}
                  line={line}
                  top={item.start}
                  active={item.index === index}
                  current={item.index === current}
                  onChoose={() => choose(line)}
                  onToggle={() => toggle(line)}
                />
              )
            );
          })}
        </div>
      </div>
      <div className={styles.foot}>
        <Checkbox label="System objects" checked={system} onChecked={setSystem} />
      </div>
    </div>
  );
}

function answers<T>(results: readonly { data: T | undefined; error: Error | null }[]) {
  return results.map(({ data, error }) => ({ data, error }));
}

/** What has been loaded of what is open. */
function useTree(connections: TreeInput["connections"], open: ReadonlySet<string>, search: string, system: boolean) {
  const wanted = useMemo(() => connections.filter((item) => open.has(connectionId(item.id))), [connections, open]);
  const databases = useQueries({
    queries: wanted.map((item) => explorerQueries.databases(item.id, system)),
    combine: answers,
  });
  const places = useMemo(() => [...open].map(databaseOf).filter((found) => found !== null), [open]);
  const objects = useQueries({
    queries: places.map(([connection, database]) => explorerQueries.objects(connection, database, system)),
    combine: answers,
  });
  return useMemo((): TreeInput => {
    const named = new Map<string, readonly string[] | Error>();
    for (const [at, item] of wanted.entries()) {
      const { data, error } = databases[at] ?? {};
      if (data)
        named.set(
          item.id,
          data.map((one) => one.name),
        );
      else if (error) named.set(item.id, problemOf(error));
    }
    const held = new Map<string, Schemas["DatabaseObjects"] | Error>();
    for (const [at, [connection, database]] of places.entries()) {
      const { data, error } = objects[at] ?? {};
      if (data) held.set(databaseId(connection, database), data);
      else if (error) held.set(databaseId(connection, database), problemOf(error));
    }
    return { connections, databases: named, objects: held, open, search };
  }, [connections, wanted, databases, places, objects, open, search]);
}

interface LineProps {
  id: string;
  line: TreeNode;
  top: number;
  active: boolean;
  current: boolean;
  onChoose: () => void;
  onToggle: () => void;
}

function Line({ id, line, top, active, current, onChoose, onToggle }: LineProps) {
  const Icon = line.object
    ? ICONS[line.object]
    : line.kind === "connection"
      ? Plug
      : line.kind === "database"
        ? Database
        : null;
  const named = line.object && line.object !== "table" ? `${KIND_NAMES[line.object]} ` : "";
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: the tree has the focus and hears the keys
    <div
      id={id}
      role="treeitem"
      aria-level={line.level}
      aria-posinset={line.position}
      aria-setsize={line.siblings}
      aria-expanded={line.open}
      aria-selected={current}
      className={cx(
        styles.line,
        active && styles.active,
        current && styles.current,
        line.kind === "note" && styles.note,
      )}
      style={{ transform: `translateY(${top}px)`, height: LINE_PX, paddingLeft: (line.level - 1) * 14 + 4 }}
      onClick={onChoose}
      title={line.label}
    >
      {line.open === undefined ? (
        <span className={styles.gap} />
      ) : (
        // biome-ignore lint/a11y/noStaticElementInteractions: for pointers; keys have the arrows
        // biome-ignore lint/a11y/useKeyWithClickEvents: as above
        <span
          className={cx(styles.arrow, line.open && styles.opened)}
          onClick={(event) => {
            event.stopPropagation();
            onToggle();
          }}
        >
          <ChevronRight aria-hidden="true" />
        </span>
      )}
      {Icon && <Icon aria-hidden="true" className={styles.icon} />}
      {named && <span className="visually-hidden">{named}</span>}
      <span className={styles.label}>{line.label}</span>
      {line.detail && <span className={styles.detail}>{line.detail}</span>}
    </div>
  );
}
