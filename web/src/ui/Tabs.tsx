import { Tabs as Radix } from "radix-ui";
import type { ReactNode } from "react";
import { useSearchParams } from "react-router";
import styles from "./Tabs.module.css";

export interface Tab {
  id: string;
  label: ReactNode;
  content: ReactNode;
}

interface Props {
  tabs: readonly Tab[];
  label: string;
  /** The name in the address (`?tab=…`) that says which tab is open, so that a link leads to it. */
  param?: string;
}

/** Tabs whose choice is in the address. Only the open one is there. */
export function Tabs({ tabs, label, param = "tab" }: Props) {
  const [search, setSearch] = useSearchParams();
  const wanted = search.get(param);
  const value = tabs.find((tab) => tab.id === wanted)?.id ?? tabs[0]?.id ?? "";
  const choose = (next: string) =>
    setSearch(
      (before) => {
        const after = new URLSearchParams(before);
        if (next === tabs[0]?.id) after.delete(param);
        else after.set(param, next);
        return after;
      },
      { replace: true },
    );
  return (
    <Radix.Root value={value} onValueChange={choose} className={styles.root}>
      <Radix.List className={styles.list} aria-label={label}>
        {tabs.map((tab) => (
          <Radix.Trigger key={tab.id} value={tab.id} className={styles.tab}>
            {tab.label}
          </Radix.Trigger>
        ))}
      </Radix.List>
      {tabs.map((tab) => (
        <Radix.Content key={tab.id} value={tab.id} className={styles.content}>
          {tab.content}
        </Radix.Content>
      ))}
    </Radix.Root>
  );
}
