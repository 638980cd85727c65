import { ArrowRight, Copy, Ellipsis, History, Pause, Pencil, Play, RotateCw, Square, Trash2 } from "lucide-react";
import { useEffect, useEffectEvent } from "react";
import { Link, useNavigate } from "react-router";
import { Button, IconButton } from "@/ui/Button";
import { Menu, type MenuItem } from "@/ui/Menu";
import { ErrorState } from "@/ui/States";
import { Tooltip } from "@/ui/Tooltip";
import { type Move, useStreamActions } from "./actions";
import { type Stream, useConnectionNames } from "./data";
import styles from "./MonitorPage.module.css";
import { modeName } from "./words";

/** From where to where, and how. */
export function Route({ stream }: { stream: Stream }) {
  const name = useConnectionNames();
  return (
    <p className={styles.route}>
      {modeName(stream.mode)}: <Link to={`/connections/${stream.source}`}>{name(stream.source)}</Link>
      <ArrowRight aria-label="to" />
      <Link to={`/connections/${stream.target}`}>{name(stream.target)}</Link>
    </p>
  );
}

/** What can be done with the stream now. `p` pauses and resumes, `Shift S` stops. */
export function StreamActions({ stream, onCutover }: { stream: Stream; onCutover: () => void }) {
  const actions = useStreamActions();
  const navigate = useNavigate();
  const can = (what: string) => stream.allowed.includes(what);
  const startAnew = stream.code === "position_lost" ? "always" : "";
  const start = () => actions.start(stream.configId, startAnew);
  useKeys((key) => {
    const moves: Record<string, readonly Move[]> = { p: ["pause", "resume"], S: ["stop"] };
    const move = moves[key]?.find(can);
    if (move) void actions.move(stream, move);
  });
  const again = stream.allowed.length === 0 || stream.status === "FAILED";
  const items: (MenuItem | null)[] = [
    { label: "Edit config", icon: <Pencil />, onSelect: () => void navigate(`/streams/new?config=${stream.configId}`) },
    { label: "Clone config", icon: <Copy />, onSelect: () => actions.clone(stream.configId) },
    { label: "History", icon: <History />, onSelect: () => void navigate(`/configs/${stream.configId}/history`) },
    null,
    {
      label: "Delete this run",
      icon: <Trash2 />,
      danger: true,
      disabled: can("stop"),
      onSelect: () => void actions.deleteRun(stream, () => void navigate("/streams")),
    },
  ];
  return (
    <>
      {stream.mode === "cdc" && stream.status === "RUNNING" && <Button onClick={onCutover}>Cut over…</Button>}
      {can("pause") && (
        <Key text="P">
          <Button
            icon={<Pause />}
            busy={actions.busy}
            aria-keyshortcuts="p"
            onClick={() => void actions.move(stream, "pause")}
          >
            Pause
          </Button>
        </Key>
      )}
      {can("resume") && (
        <Key text="P">
          <Button
            kind="primary"
            icon={<Play />}
            busy={actions.busy}
            aria-keyshortcuts="p"
            onClick={() => void actions.move(stream, "resume")}
          >
            Resume
          </Button>
        </Key>
      )}
      {can("stop") && (
        <Key text="Shift S">
          <Button
            kind="danger"
            icon={<Square />}
            busy={actions.busy}
            aria-keyshortcuts="Shift+S"
            onClick={() => void actions.move(stream, "stop")}
          >
            Stop
          </Button>
        </Key>
      )}
      {again && (
        <Button kind={can("resume") ? "secondary" : "primary"} icon={<RotateCw />} busy={actions.busy} onClick={start}>
          {startAnew ? "Start with a new copy" : "Start anew"}
        </Button>
      )}
      <Menu items={items}>
        <IconButton label="More" kind="secondary">
          <Ellipsis />
        </IconButton>
      </Menu>
      {actions.error !== null && (
        <div className={styles.actionError}>
          <ErrorState compact error={actions.error} retry={actions.reset} />
        </div>
      )}
    </>
  );
}

function Key({ text, children }: { text: string; children: React.ReactElement }) {
  return <Tooltip text={`Key: ${text}`}>{children}</Tooltip>;
}

/** Keys of this page, unless somebody types or something is open in front of it. */
function useKeys(onKey: (key: string) => void): void {
  const press = useEffectEvent(onKey);
  useEffect(() => {
    const listener = (event: KeyboardEvent) => {
      const target = event.target;
      const typing =
        target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));
      if (typing || event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
      if (document.querySelector('[role="dialog"], [role="alertdialog"], [role="menu"]')) return;
      press(event.key);
    };
    window.addEventListener("keydown", listener);
    return () => window.removeEventListener("keydown", listener);
  }, []);
}
