import { Page } from "@/ui/Page";
import { EmptyState } from "@/ui/States";

export function Component() {
  return (
    <Page title="Settings">
      <EmptyState title="This page is being built" />
    </Page>
  );
}
