import { useQuery } from "@tanstack/react-query";
import { api, call } from "@/api/client";
import { Panel } from "@/ui/Page";
import { Loaded } from "@/ui/States";
import styles from "./Settings.module.css";

export function About() {
  const about = useQuery({
    queryKey: ["about"],
    queryFn: ({ signal }) => call(api.GET("/api/v1/system/defaults", { signal })),
  });
  return (
    <Panel title="Mainstem">
      <Loaded query={about} failed="The facts about this server could not be read">
        {(facts) => (
          <dl className={styles.facts}>
            <dt>Version</dt>
            <dd>{facts["version"]}</dd>
            <dt>Installation</dt>
            <dd>
              <code>{facts["installId"]}</code>
            </dd>
            <dt>Address</dt>
            <dd>
              <code>{window.location.origin}/api/v1</code>
            </dd>
            <dt>API</dt>
            <dd>
              <a href="/docs">every call</a>, <a href="/openapi.json">OpenAPI document</a>
            </dd>
            <dt>License</dt>
            <dd>Apache-2.0</dd>
          </dl>
        )}
      </Loaded>
    </Panel>
  );
}
