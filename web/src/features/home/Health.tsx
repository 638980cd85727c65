import { useQuery } from "@tanstack/react-query";
import { api, call } from "@/api/client";
import { queries } from "@/api/queries";
import { reach } from "@/api/server";
import { useStore } from "@/api/store";
import { Badge } from "@/ui/Badge";
import { count } from "@/ui/numbers";
import styles from "./Home.module.css";

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
            <Badge tone="danger">{ready.error.message}</Badge>
          ) : (
            <Badge tone={ready.data && !away ? "ok" : "neutral"}>{ready.data && !away ? "answers" : "unknown"}</Badge>
          )}
        </dd>
      </div>
      {members.data && members.data.length > 1 && (
        <div>
          <dt>Processes</dt>
          <dd title={members.data.map((member) => `${member.host}: ${member.roles.join(", ")}`).join("\n")}>
            {count(members.data.length)}
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
