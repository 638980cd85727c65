import { useQuery } from "@tanstack/react-query";
import { queries } from "@/api/queries";
import { Page } from "@/ui/Page";
import { Loaded } from "@/ui/States";

export function Component() {
  const streams = useQuery(queries.streams());
  return (
    <Page title="Home">
      <Loaded query={streams} failed="The streams could not be read">
        {(list) => <p>{list.length} streams</p>}
      </Loaded>
    </Page>
  );
}
