import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { api, call } from "@/api/client";
import { queries } from "@/api/queries";
import { reach } from "@/api/server";
import { useStore } from "@/api/store";
import { Badge } from "@/ui/Badge";
import { count } from "@/ui/numbers";
import styles from "./Home.module.css";
import { Processes } from "./Processes";

const EVERY_MS = 10_000;

/** Whether the server and its store answer, and how much they hold. */
export function Health() {
  const away = useStore(reach) === "away";
  const ready = useQuery({
    queryKey: ["ready"],
    queryFn: ({ signal }) => call(api.GET("/api/v1/ready", { signal })),
    refetchInterval: EVERY_MS,
  });
  const about = useQuery({
    queryKey: ["about"],
    queryFn: ({ signal }) => call(api.GET("/api/v1/system/defaults", { signal })),
  });
  const members = useQuery({
    queryKey: ["members"],
    queryFn: ({ signal }) => call(api.GET("/api/v1/system/members", { signal })),
    refetchInterval: EVERY_MS,
  });
  const connections = useQuery(queries.connections());
  const configs = useQuery(queries.configs());
  const overview = useQuery(queries.overview());
  const names = useMemo(
    () => new Map(overview.data?.flatMap(({ newest, name }) => (newest ? [[newest.id, name] as const] : []))),
    [overview.data],
  );
  const size = (list: readonly unknown[] | undefined) => (list ? count(list.length) : "…");
  return (
    <dl className={styles.facts}>
      <div>
        <dt>Server</dt>
        <dd>{away ? <Badge tone="danger">away</Badge> : <Badge tone="ok">answers</Badge>}</dd>
      </div>
      <div>
        <dt>Store</dt>
        <dd>
          {ready.isError && !away ? (
            <Badge tone="danger">does not answer</Badge>
          ) : (
            <Badge tone={ready.data && !away ? "ok" : "neutral"}>{ready.data && !away ? "answers" : "unknown"}</Badge>
          )}
        </dd>
        {ready.isError && !away && <dd className={styles.why}>{ready.error.message}</dd>}
      </div>
      {members.data && members.data.length > 1 && (
        <div>
          <dt>Processes</dt>
          <dd>
            <Processes members={members.data} names={names} />
          </dd>
        </div>
      )}
      <div>
        <dt>Connections</dt>
        <dd>{size(connections.data)}</dd>
      </div>
      <div>
        <dt>Stream configs</dt>
        <dd>{size(configs.data)}</dd>
      </div>
      <div>
        <dt>Version</dt>
        <dd>{about.data?.["version"] ?? "…"}</dd>
      </div>
    </dl>
  );
}
