import { useRouteError } from "react-router";
import { Page } from "@/ui/Page";
import { ErrorState } from "@/ui/States";

/** In place of a page that broke. A chunk that can't be loaded any more means that the server has a newer build. */
export function RouteError() {
  const error = useRouteError();
  return (
    <Page title="This page broke">
      <ErrorState error={error} title="This page could not be shown" retry={() => window.location.reload()} />
    </Page>
  );
}
