import { useQuery } from "@tanstack/react-query";
import { Pencil } from "lucide-react";
import { problemOf } from "@/api/problem";
import { ButtonLink } from "@/ui/Button";
import { CodeBlock } from "@/ui/CodeBlock";
import { EquivalentPanel } from "@/ui/EquivalentPanel";
import { Panel } from "@/ui/Page";
import { ErrorState, Loaded } from "@/ui/States";
import { monitorQueries, type Stream } from "./data";
import { configYaml, streamCalls, streamCommands } from "./equivalents";

/** What the stream was told to do, and how to do without this page. */
export default function ConfigTab({ stream }: { stream: Stream }) {
  const query = useQuery(monitorQueries.config(stream.configId));
  const gone = query.error && problemOf(query.error).status === 404;
  return (
    <>
      {gone ? (
        <ErrorState
          compact
          error={query.error}
          title="The config of this run was deleted; the run itself keeps what it was told"
        />
      ) : (
        <Loaded query={query} failed="The config could not be read">
          {(config) => (
            <Panel
              title="Config"
              actions={
                <ButtonLink small icon={<Pencil />} to={`/streams/new?config=${config.id}`}>
                  Edit
                </ButtonLink>
              }
            >
              <CodeBlock code={configYaml(config)} label="Config as YAML" maxHeight="32rem" />
            </Panel>
          )}
        </Loaded>
      )}
      <EquivalentPanel
        open
        rest={streamCalls(stream.id, stream.mode)}
        cli={streamCommands(stream.id)}
        yaml={query.data ? configYaml(query.data) : undefined}
      />
    </>
  );
}
