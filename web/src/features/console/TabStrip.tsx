import { Plus, X } from "lucide-react";
import { useState } from "react";
import { useStore } from "@/api/store";
import { IconButton } from "@/ui/Button";
import { useConfirm } from "@/ui/Confirm";
import { cx } from "@/ui/cx";
import { notify } from "@/ui/toast";
import styles from "./Console.module.css";
import { runs } from "./runs";
import { activeTab, addTab, changeTab, chooseTab, closeTab, MOST_TABS, type SqlTab, sqlTabs } from "./tabs";

export function openTab(given: Parameters<typeof addTab>[0] = {}): void {
  if (!addTab(given)) notify.error(`There are ${MOST_TABS} tabs already; close one first`);
}

/** The editor's tabs. A double click, or F2, renames one. */
export function TabStrip() {
  const state = useStore(sqlTabs);
  const running = useStore(runs);
  const [renaming, setRenaming] = useState("");
  const confirm = useConfirm();
  const active = activeTab(state).id;
  const close = async (tab: SqlTab) => {
    const sure =
      tab.text.trim() === "" ||
      (await confirm({ title: `Close ${tab.name}?`, body: "Its text is lost.", action: "Close", danger: true }));
    if (sure) closeTab(tab.id);
  };
  const step = (by: number) => {
    const at = state.tabs.findIndex((tab) => tab.id === active);
    const next = state.tabs[(at + by + state.tabs.length) % state.tabs.length];
    if (next) {
      chooseTab(next.id);
      requestAnimationFrame(() => document.getElementById(`sql-tab-${next.id}`)?.focus());
    }
  };
  return (
    <div className={styles.tabs}>
      <ul aria-label="Queries" className={styles.tabList}>
        {state.tabs.map((tab) => (
          <li key={tab.id} className={cx(styles.tab, tab.id === active && styles.activeTab)}>
            {renaming === tab.id ? (
              <input
                className={styles.rename}
                aria-label="Name of the query"
                defaultValue={tab.name}
                // biome-ignore lint/a11y/noAutofocus: asked for by the double click that put it here
                autoFocus
                onBlur={(event) => {
                  changeTab(tab.id, { name: event.target.value.trim().slice(0, 60) || tab.name });
                  setRenaming("");
                }}
                onKeyDown={(event) => {
                  if (event.key === "Enter") event.currentTarget.blur();
                  if (event.key === "Escape") setRenaming("");
                }}
              />
            ) : (
              <button
                type="button"
                id={`sql-tab-${tab.id}`}
                aria-current={tab.id === active}
                tabIndex={tab.id === active ? 0 : -1}
                className={styles.tabName}
                onClick={() => chooseTab(tab.id)}
                onDoubleClick={() => setRenaming(tab.id)}
                onKeyDown={(event) => {
                  if (event.key === "ArrowRight") step(1);
                  if (event.key === "ArrowLeft") step(-1);
                  if (event.key === "F2") setRenaming(tab.id);
                }}
              >
                {running[tab.id]?.phase === "running" && (
                  <span className={styles.dot} role="img" aria-label="running" />
                )}
                {tab.name}
              </button>
            )}
            <IconButton small label={`Close ${tab.name}`} onClick={() => close(tab)}>
              <X />
            </IconButton>
          </li>
        ))}
      </ul>
      <IconButton small label="New query" onClick={() => openTab({ text: "" })}>
        <Plus />
      </IconButton>
    </div>
  );
}
