import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import type { Schemas } from "@/api/client";
import { problemOf } from "@/api/problem";
import { EquivalentPanel } from "@/ui/EquivalentPanel";
import { place } from "./config";
import { wizardQueries } from "./queries";
import type { Draft } from "./useDraft";
import base from "./Wizard.module.css";

const SETTLED_MS = 400;

/** The value, once it has not changed for a moment. */
function useSettled<T>(value: T): T {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), SETTLED_MS);
    return () => clearTimeout(timer);
  }, [value]);
  return settled;
}

/** What the config says as REST calls, as a command and as YAML, by the server's own word. */
export function Equivalents({ draft, configId }: { draft: Draft; configId: string }) {
  const config = useSettled(draft.config);
  const ready = place(config, "source").connectionId !== "" && place(config, "target").connectionId !== "";
  const found = useQuery({
    ...wizardQueries.equivalents(config, configId),
    enabled: ready,
    placeholderData: keepPreviousData,
  });
  if (!ready)
    return <p className={base.muted}>REST call, command and YAML of this stream: once both sides are chosen.</p>;
  if (found.error) {
    const problem = problemOf(found.error);
    return (
      <p className={base.muted} role="status">
        REST call, command and YAML: not yet, because {problem.message}
      </p>
    );
  }
  if (!found.data) return <p className={base.muted}>REST call, command and YAML are being made …</p>;
  return (
    <EquivalentPanel
      rest={found.data.rest.map((one) => one.curl).join("\n\n")}
      cli={commandText(found.data.cli)}
      yaml={found.data.yaml}
    />
  );
}

/** A command with what must be there before it can run. */
export function commandText(cli: Schemas["CliCommand"]): string {
  const lines = [
    ...cli.variables.map((name) => `# ${name} must hold the password: read -rs ${name}; export ${name}`),
    ...cli.files.map((name) => `# ${name}: the certificate or key of the connection`),
    ...(cli.needsFile
      ? [`# stream.yaml is the YAML beside this; options alone cannot say: ${cli.reasons.join("; ")}`]
      : []),
  ];
  return [...lines, cli.command].join("\n");
}
