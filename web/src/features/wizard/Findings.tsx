import { CircleAlert, CircleCheck, Info, TriangleAlert } from "lucide-react";
import type { ReactNode } from "react";
import type { Schemas } from "@/api/client";
import { Badge } from "@/ui/Badge";
import { plural } from "@/ui/numbers";
import { Panel } from "@/ui/Page";
import plan from "./Plan.module.css";
import { rank, worst } from "./severity";
import base from "./Wizard.module.css";

const ICONS = { error: CircleAlert, warning: TriangleAlert, info: Info } as const;

interface NoteProps {
  severity: keyof typeof ICONS;
  about: string;
  message: string;
  remedy: string;
}

/** One thing to know, and what to do about it. */
export function Note({ severity, about, message, remedy }: NoteProps) {
  const Icon = ICONS[severity];
  return (
    <li className={plan.note}>
      <Icon className={plan[`${severity}Icon`]} aria-label={severity} />
      <div>
        <p>
          {about && <strong>{about}: </strong>}
          {message}
        </p>
        {remedy && <p className={base.muted}>Fix: {remedy}</p>}
      </div>
    </li>
  );
}

interface Props {
  findings: readonly Schemas["FindingLine"][];
  report: readonly Schemas["ReportLine"][];
  actions: ReactNode;
}

/** What the checks of both sides say, and what changes on the way that is about no table. */
export function Findings({ findings, report, actions }: Props) {
  const all = [...findings, ...report];
  const errors = findings.filter((one) => one.severity === "error").length;
  const title = errors ? `${plural(errors, "finding")} that would stop the start` : "Checks of both sides";
  return (
    <Panel title={title} actions={actions}>
      {all.length === 0 ? (
        <p className={base.line}>
          <CircleCheck className={plan.good} aria-hidden="true" /> Nothing stands in the way.
        </p>
      ) : (
        <ul className={plan.notes}>
          {[...findings].sort(rank).map((one) => (
            <Note
              key={`${one.role} ${one.check} ${one.message}`}
              severity={one.severity}
              about={one.role === "source" ? "Source" : "Target"}
              message={one.message}
              remedy={one.remedy}
            />
          ))}
          {[...report].sort(rank).map((one) => (
            <Note
              key={`${one.code} ${one.object} ${one.message}`}
              severity={one.severity}
              about={one.object}
              message={one.message}
              remedy={one.remedy}
            />
          ))}
        </ul>
      )}
    </Panel>
  );
}

/** How many notes a table has, in the colour of the worst. */
export function NoteCount({ report }: { report: readonly Schemas["ReportLine"][] }) {
  const found = worst(report);
  if (!found) return null;
  const tone = { error: "danger", warning: "warn", info: "info" } as const;
  return <Badge tone={tone[found]}>{plural(report.length, "note")}</Badge>;
}
