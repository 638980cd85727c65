import { useQuery } from "@tanstack/react-query";
import { AlignLeft, ChevronDown, History, Network, Play } from "lucide-react";
import type { Schemas } from "@/api/client";
import { useStore } from "@/api/store";
import { Button } from "@/ui/Button";
import { Select } from "@/ui/Field";
import { Menu } from "@/ui/Menu";
import { count, duration } from "@/ui/numbers";
import styles from "./Console.module.css";
import { options, ROW_CHOICES, setOption, TIME_CHOICES } from "./options";
import { consoleQueries } from "./queries";
import type { SqlTab } from "./tabs";

interface PlaceProps {
  tab: SqlTab;
  connections: readonly Schemas["Connection"][];
  onConnection: (id: string) => void;
  onDatabase: (name: string) => void;
}

/** Where a tab's SQL runs. */
export function PlacePicker({ tab, connections, onConnection, onDatabase }: PlaceProps) {
  const found = useQuery({ ...consoleQueries.databases(tab.connectionId), enabled: tab.connectionId !== "" });
  const own = connections.find((one) => one.id === tab.connectionId)?.database ?? "";
  const names = [...new Set([own, tab.database, ...(found.data ?? []).map((one) => one.name)])].filter(Boolean);
  return (
    <>
      <Select
        aria-label="Connection"
        value={tab.connectionId}
        onValue={onConnection}
        choices={[
          ...(tab.connectionId ? [] : [{ value: "", label: "Choose a connection" }]),
          ...connections.map((one) => ({ value: one.id, label: one.name })),
        ]}
      />
      <Select
        aria-label="Database"
        value={tab.database || own}
        disabled={!tab.connectionId}
        onValue={(name) => onDatabase(name === own ? "" : name)}
        choices={
          own
            ? names.map((name) => ({ value: name, label: name }))
            : [{ value: "", label: "Default" }, ...names.map((name) => ({ value: name, label: name }))]
        }
      />
    </>
  );
}

interface RunProps {
  disabled: boolean;
  running: boolean;
  onRun: () => void;
  onRunAll: () => void;
  onExplain: (analyzed: boolean) => void;
  onFormat: () => void;
  onHistory: () => void;
}

/** What can be done with the SQL of the editor, and how. */
export function RunBar({ disabled, running, onRun, onRunAll, onExplain, onFormat, onHistory }: RunProps) {
  const { rows, seconds, ask } = useStore(options);
  return (
    <div className={styles.runBar}>
      <Button kind="primary" icon={<Play />} disabled={disabled || running} onClick={onRun} title="Ctrl+Enter">
        Run
      </Button>
      <Button disabled={disabled || running} onClick={onRunAll} title="Shift+Enter">
        Run all
      </Button>
      <Menu
        align="start"
        items={[
          { label: "Explain", onSelect: () => onExplain(false) },
          { label: "Explain and measure: runs it, undoes changes", onSelect: () => onExplain(true) },
        ]}
      >
        <Button icon={<Network />} disabled={disabled || running}>
          Explain <ChevronDown aria-hidden="true" />
        </Button>
      </Menu>
      <Button icon={<AlignLeft />} onClick={onFormat} title="Ctrl+Shift+F">
        Format
      </Button>
      <Button icon={<History />} onClick={onHistory}>
        History
      </Button>
      <span className={styles.limits}>
        <Select
          aria-label="Most rows"
          value={String(rows)}
          onValue={(value) => setOption({ rows: Number(value) })}
          choices={ROW_CHOICES.map((value) => ({ value: String(value), label: `${count(value)} rows` }))}
        />
        <Select
          aria-label="Time limit"
          value={String(seconds)}
          onValue={(value) => setOption({ seconds: Number(value) })}
          choices={TIME_CHOICES.map((value) => ({ value: String(value), label: `at most ${duration(value)}` }))}
        />
        <Select
          aria-label="Ask before"
          value={ask}
          onValue={(value) => setOption({ ask: value === "destroys" ? "destroys" : "changes" })}
          choices={[
            { value: "changes", label: "ask before changes" },
            { value: "destroys", label: "ask before destruction" },
          ]}
        />
      </span>
    </div>
  );
}
