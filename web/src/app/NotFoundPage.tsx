import { ButtonLink } from "@/ui/Button";
import { Page } from "@/ui/Page";
import { EmptyState } from "@/ui/States";

export function Component() {
  return (
    <Page title="No such page">
      <EmptyState title="There is nothing at this address" actions={<ButtonLink to="/">Home</ButtonLink>}>
        The link may be old, or what it led to has been deleted.
      </EmptyState>
    </Page>
  );
}
