import { useQuery } from "@tanstack/react-query";
import { CircleCheck, Plus } from "lucide-react";
import { queries } from "@/api/queries";
import { ButtonLink } from "@/ui/Button";
import { Page, Panel } from "@/ui/Page";
import { EmptyState, Loaded, Skeleton } from "@/ui/States";
import { AttentionList } from "./AttentionList";
import { attention } from "./attention";
import { FirstSteps } from "./FirstSteps";
import { Health } from "./Health";
import styles from "./Home.module.css";
import { Recent } from "./Recent";
import { Running } from "./Running";

const BUSY_MS = 2000;
const QUIET_MS = 10_000;

export function Component() {
  const overview = useQuery({
    ...queries.overview(),
    refetchInterval: ({ state }) =>
      state.data?.some(({ newest }) => newest?.status === "RUNNING" || newest?.status === "READY") ? BUSY_MS : QUIET_MS,
  });
  const connections = useQuery(queries.connections());
  const starting = overview.data?.length === 0 || connections.data?.length === 0;
  return (
    <Page
      title="Home"
      actions={
        <ButtonLink to="/streams/new" kind="primary" icon={<Plus />}>
          New stream
        </ButtonLink>
      }
    >
      {starting && connections.data && (
        <FirstSteps connections={connections.data.length} streams={overview.data?.length ?? 0} />
      )}
      <div className={styles.columns}>
        <div className={styles.main}>
          <Panel title="Needs attention">
            <Loaded
              query={overview}
              failed="What needs attention could not be read"
              skeleton={<Skeleton lines={2} height="2rem" />}
            >
              {(list) => {
                const found = attention(list);
                return found.length > 0 ? (
                  <AttentionList items={found} />
                ) : (
                  <p className={styles.calm}>
                    <CircleCheck aria-hidden="true" /> Nothing: no stream has failed, is paused or late.
                  </p>
                );
              }}
            </Loaded>
          </Panel>
          <Panel title="Running now">
            <Loaded query={overview} failed="The streams could not be read">
              {(list) => {
                const running = list.filter(({ newest }) => newest?.status === "RUNNING" || newest?.status === "READY");
                return running.length > 0 ? (
                  <Running streams={running} />
                ) : (
                  <EmptyState title="Nothing runs">
                    A stream copies a database, or copies it and then keeps the copy equal.
                  </EmptyState>
                );
              }}
            </Loaded>
          </Panel>
        </div>
        <div className={styles.side}>
          <Panel title="Service">
            <Health />
          </Panel>
          <Panel title="Lately">
            <Loaded query={overview} failed="The streams could not be read">
              {(list) => <Recent streams={list} />}
            </Loaded>
          </Panel>
        </div>
      </div>
    </Page>
  );
}
