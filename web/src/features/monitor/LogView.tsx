import { useVirtualizer } from "@tanstack/react-virtual";
import { ArrowDownToLine, Pause } from "lucide-react";
import { useEffect, useMemo, useRef, useState } from "react";
import { useSearchParams } from "react-router";
import { api, call } from "@/api/client";
import { useStore } from "@/api/store";
import { Button } from "@/ui/Button";
import { CopyButton } from "@/ui/CopyButton";
import { cx } from "@/ui/cx";
import { Checkbox, Select } from "@/ui/Field";
import { count, plural } from "@/ui/numbers";
import { SearchInput } from "@/ui/SearchInput";
import { ErrorState } from "@/ui/States";
import { clockTime, exactTime } from "@/ui/time";
import type { LogLine } from "./data";
import styles from "./LogView.module.css";
import { filterOf, LEVELS, type LogFilter, matching, tableOf, textOf } from "./log";
import type { Watch } from "./watch";

const ROW_PX = 24;
const OLDER = 1000;
const AT_END_PX = 40;

interface Props {
  watch: Watch;
  streamId: string;
}

/** The stream's log as it comes: filtered here, followed to its end unless the reader scrolls up or holds it. */
export function LogView({ watch, streamId }: Props) {
  const log = useStore(watch.log);
  const [search, setSearch] = useSearchParams();
  const filter = filterOf(search);
  const [held, setHeld] = useState<{ lines: LogLine[] } | null>(null);
  const lines = held?.lines ?? log.lines;
  const version = held ? -1 : log.version;
  const { level, part, text, counters } = filter;
  // biome-ignore lint/correctness/useExhaustiveDependencies: lines are added in place; the version tells of it
  const shown = useMemo(
    () => matching(lines, { level, part, text, counters }),
    [lines, version, level, part, text, counters],
  );
  const set = (change: Partial<LogFilter>) =>
    setSearch((before) => withFilter(before, { ...filterOf(before), ...change }), { replace: true });
  const older = useOlder(watch, streamId);
  const hold = () => setHeld(held ? null : { lines: [...log.lines] });
  const newer = held ? log.lines.filter((line) => line.number > (held.lines.at(-1)?.number ?? 0)).length : 0;
  return (
    <div className={styles.box}>
      <div className={styles.bar}>
        <SearchInput label="Search the log, or name a table" value={text} onValue={(value) => set({ text: value })} />
        <Select aria-label="Level" value={level} onValue={(value) => set({ level: value })} choices={LEVELS} />
        <Select
          aria-label="Who speaks"
          value={part}
          onValue={(value) => set({ part: value })}
          choices={[
            { value: "", label: "All sides" },
            { value: "api", label: "Server" },
            { value: "source", label: "Source" },
            { value: "target", label: "Target" },
          ]}
        />
        <Checkbox label="Counters" checked={counters !== ""} onChecked={(on) => set({ counters: on ? "1" : "" })} />
        <span className={styles.count}>
          {shown.length === lines.length
            ? plural(lines.length, "line")
            : `${count(shown.length)} of ${plural(lines.length, "line")}`}
        </span>
        <Button small icon={held ? <ArrowDownToLine /> : <Pause />} onClick={hold} aria-pressed={held !== null}>
          {held ? (newer ? `Go on (${count(newer)} new)` : "Go on") : "Hold"}
        </Button>
        <CopyButton wide label="Copy all" text={() => shown.map(textOf).join("\n")} />
      </div>
      {older.error !== null && (
        <ErrorState compact error={older.error} title="Older lines could not be read" retry={older.load} />
      )}
      <Lines
        lines={shown}
        version={version}
        gaps={log.gaps}
        follow={held === null}
        onTop={older.load}
        whole={older.whole}
      />
    </div>
  );
}

function withFilter(search: URLSearchParams, filter: LogFilter): URLSearchParams {
  const after = new URLSearchParams(search);
  for (const [name, value] of Object.entries(filter)) {
    if (value) after.set(`log-${name}`, value);
    else after.delete(`log-${name}`);
  }
  return after;
}

/** Loads lines from before the first that is there. */
function useOlder(watch: Watch, streamId: string) {
  const [error, setError] = useState<unknown>(null);
  const [whole, setWhole] = useState(false);
  const busy = useRef(false);
  const load = async () => {
    const first = watch.log.get().lines[0]?.number;
    if (busy.current || whole || first === undefined) return;
    busy.current = true;
    try {
      const lines = await call(
        api.GET("/api/v1/streams/{stream_id}/logs", {
          params: { path: { stream_id: streamId }, query: { before: first, limit: OLDER } },
        }),
      );
      watch.prepend(lines);
      setWhole(lines.length < OLDER);
      setError(null);
    } catch (problem) {
      setError(problem);
    } finally {
      busy.current = false;
    }
  };
  return { load, error, whole };
}

interface LinesProps {
  lines: readonly LogLine[];
  version: number;
  gaps: ReadonlySet<number>;
  follow: boolean;
  onTop: () => void;
  whole: boolean;
}

function Lines({ lines, version, gaps, follow, onTop, whole }: LinesProps) {
  const scroller = useRef<HTMLDivElement>(null);
  const [atEnd, setAtEnd] = useState(true);
  const [open, setOpen] = useState<LogLine | null>(null);
  const virtual = useVirtualizer({
    count: lines.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW_PX,
    overscan: 12,
    getItemKey: (index) => lines[index]?.number ?? index,
  });
  // biome-ignore lint/correctness/useExhaustiveDependencies: each new version is to be followed
  useEffect(() => {
    const element = scroller.current;
    if (element && follow && atEnd) element.scrollTop = element.scrollHeight;
  }, [version, lines, follow, atEnd]);
  const onScroll = () => {
    const element = scroller.current;
    if (!element) return;
    setAtEnd(element.scrollHeight - element.scrollTop - element.clientHeight < AT_END_PX);
    if (element.scrollTop < ROW_PX && !whole) onTop();
  };
  return (
    <>
      <div className={styles.frame}>
        <div
          ref={scroller}
          className={styles.scroller}
          onScroll={onScroll}
          role="log"
          aria-label="Log"
          aria-live="off"
          // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
          tabIndex={0}
        >
          {lines.length === 0 && <p className={styles.none}>No line of the log is like this</p>}
          <div className={styles.body} style={{ height: virtual.getTotalSize() }}>
            {virtual.getVirtualItems().map((item) => {
              const line = lines[item.index];
              if (!line) return null;
              return (
                <button
                  key={item.key}
                  type="button"
                  tabIndex={-1}
                  className={cx(styles.line, styles[line.level], open?.number === line.number && styles.open)}
                  style={{ transform: `translateY(${item.start}px)` }}
                  onClick={() => setOpen(open?.number === line.number ? null : line)}
                >
                  <time className={styles.time}>{clockTime(line.timestamp)}</time>
                  <span className={styles.level}>{line.level}</span>
                  <span className={styles.part}>{PARTS[line.type] ?? line.type}</span>
                  <span className={styles.message}>
                    {gaps.has(line.number) && <em>(lines before this are no longer kept) </em>}
                    {line.message}
                  </span>
                </button>
              );
            })}
          </div>
        </div>
        {!atEnd && follow && (
          <div className={styles.jump}>
            <Button small kind="primary" icon={<ArrowDownToLine />} onClick={() => setAtEnd(true)}>
              To the newest
            </Button>
          </div>
        )}
      </div>
      {open && <Detail line={open} />}
    </>
  );
}

const PARTS: Record<string, string> = { api: "server", source: "source", target: "target" };

function Detail({ line }: { line: LogLine }) {
  const table = tableOf(line);
  return (
    <div className={styles.detail} role="status">
      <div>
        <p className={styles.told}>{line.message}</p>
        <p className={styles.facts}>
          {exactTime(line.timestamp)} · {line.level} · {PARTS[line.type] ?? line.type}
          {table && ` · ${table}`}
          {typeof line["code"] === "string" && ` · ${line["code"]}`}
        </p>
        {typeof line["remedy"] === "string" && line["remedy"] && <p>Fix: {line["remedy"]}</p>}
      </div>
      <CopyButton text={textOf(line)} label="Copy line" />
    </div>
  );
}
