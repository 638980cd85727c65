import { useQuery } from "@tanstack/react-query";
import { RefreshCw } from "lucide-react";
import type { Schemas } from "@/api/client";
import { problemOf } from "@/api/problem";
import { Button } from "@/ui/Button";
import { bytes, count, duration, plural } from "@/ui/numbers";
import { Panel } from "@/ui/Page";
import { ErrorState, Skeleton } from "@/ui/States";
import { mode } from "./config";
import { Findings } from "./Findings";
import { Obstacle } from "./Obstacle";
import plan from "./Plan.module.css";
import { PlanTables } from "./PlanTables";
import { wizardQueries } from "./queries";
import base from "./Wizard.module.css";
import type { StepProps } from "./WizardPage";

/** What a start would do, before anything is touched. */
export function PlanStep({ draft, change }: StepProps) {
  const outlook = useQuery(wizardQueries.plan(draft.config));
  const again = (
    <Button small icon={<RefreshCw />} busy={outlook.isFetching} onClick={() => void outlook.refetch()}>
      Look again
    </Button>
  );
  if (outlook.error) {
    return <ErrorState error={outlook.error} title={planTitle(outlook.error)} retry={() => void outlook.refetch()} />;
  }
  if (!outlook.data) {
    return (
      <div role="status">
        <p className={base.muted}>Both sides are looked at; nothing is touched …</p>
        <Skeleton lines={10} height="1.75rem" />
      </div>
    );
  }
  const found = outlook.data;
  return (
    <>
      {found.problem && <Obstacle problem={found.problem} {...{ draft, change }} />}
      {found.warnings.map((text) => (
        <p key={text} className={base.warning}>
          {text}
        </p>
      ))}
      {found.estimate && (
        <Summary estimate={found.estimate} tables={found.tables} replicates={mode(draft.config) === "cdc"} />
      )}
      <Findings findings={found.findings} report={found.report} actions={again} />
      {found.tables.length > 0 && <PlanTables tables={found.tables} statements={found.statements} />}
      {found.skipped.length > 0 && (
        <Panel title="Skipped">
          <p>{found.skipped.join(", ")}</p>
        </Panel>
      )}
    </>
  );
}

function planTitle(error: unknown): string {
  return problemOf(error).status === 503 ? "A side cannot be reached" : "This cannot be planned";
}

const BASES = {
  these_connections: (runs: number) => `measured in ${plural(runs, "earlier run")} between these two`,
  other_connections: (runs: number) => `measured in ${plural(runs, "run")} between other systems`,
  default: () => "assumed, as nothing has been measured yet",
} as const;

interface SummaryProps {
  estimate: Schemas["EstimateLine"];
  tables: readonly Schemas["OutlookTable"][];
  replicates: boolean;
}

function Summary({ estimate, tables, replicates }: SummaryProps) {
  const speed = `${bytes(estimate.bytesPerSecond)}/s`;
  const filtered = tables.filter((table) => table.where).length;
  const tiles = [
    { label: "Tables", value: count(tables.length), told: "" },
    {
      label: "Rows, about",
      value: count(estimate.rows),
      told: filtered
        ? `as the source's catalog estimates, with all rows of ${plural(filtered, "table")} that a condition cuts`
        : "as the source's catalog estimates",
    },
    {
      label: "Space on the target, about",
      value: bytes(estimate.bytes + estimate.indexBytes),
      told: `rows ${bytes(estimate.bytes)}, indexes ${bytes(estimate.indexBytes)}`,
    },
    {
      label: replicates ? "Time of the first copy, about" : "Time, about",
      value: duration(estimate.seconds),
      told: `at ${speed}, ${BASES[estimate.basis](estimate.runs)}`,
    },
  ];
  return (
    <dl className={plan.tiles}>
      {tiles.map((tile) => (
        <div key={tile.label} className={plan.tile}>
          <dt>{tile.label}</dt>
          <dd>{tile.value}</dd>
          {tile.told && <dd className={base.muted}>{tile.told}</dd>}
        </div>
      ))}
    </dl>
  );
}
