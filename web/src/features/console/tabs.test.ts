import { expect, test } from "vitest";
import { activeTab, addTab, changeTab, closeTab, restored, sqlTabs } from "./tabs";

test("what cannot be read gives one empty tab", () => {
  for (const saved of [null, "", "{", "[]", '{"tabs": [{"id": 1}], "active": "x"}', '{"tabs": "no"}']) {
    const { tabs, active } = restored(saved);
    expect(tabs.map((tab) => [tab.id, tab.text])).toEqual([[active, ""]]);
  }
});

test("tabs come back as they were", () => {
  const tab = { id: "a", name: "n", text: "select 1", connectionId: "c", database: "d" };
  expect(restored(JSON.stringify({ tabs: [tab], active: "gone" }))).toEqual({ tabs: [tab], active: "a" });
});

test("a new tab has a new name and the present connection; closing leads to its neighbour", () => {
  changeTab(activeTab(sqlTabs.get()).id, { connectionId: "c1", text: "select 1" });
  addTab();
  addTab({ text: "select 3" });
  const { tabs } = sqlTabs.get();
  expect(tabs.map((tab) => [tab.name, tab.connectionId])).toEqual([
    ["Query 1", "c1"],
    ["Query 2", "c1"],
    ["Query 3", "c1"],
  ]);
  for (const tab of tabs.toReversed()) closeTab(tab.id);
  expect(sqlTabs.get().tabs.map((tab) => [tab.text, tab.connectionId])).toEqual([["", "c1"]]);
});
