import { Page } from "@/ui/Page";
import { Tabs } from "@/ui/Tabs";
import { About } from "./About";
import { Appearance } from "./Appearance";
import { Keys } from "./Keys";

export function Component() {
  return (
    <Page title="Settings">
      <Tabs
        label="Settings"
        tabs={[
          { id: "appearance", label: "Appearance", content: <Appearance /> },
          { id: "keys", label: "API keys", content: <Keys /> },
          { id: "about", label: "About", content: <About /> },
        ]}
      />
    </Page>
  );
}
