import { lazy, Suspense } from "react";
import { Skeleton } from "@/ui/States";
import { Tabs } from "@/ui/Tabs";
import { OverviewTab } from "./OverviewTab";

const Diagram = lazy(() => import("./Diagram"));

interface Props {
  connectionId: string;
  database: string;
}

/** A database: at a glance, and as a diagram. */
export function DatabasePage({ connectionId, database }: Props) {
  return (
    <Tabs
      label={`Database ${database}`}
      tabs={[
        { id: "overview", label: "Overview", content: <OverviewTab connectionId={connectionId} database={database} /> },
        {
          id: "diagram",
          label: "Diagram",
          content: (
            <Suspense fallback={<Skeleton height="60dvh" />}>
              <Diagram key={`${connectionId}/${database}`} connectionId={connectionId} database={database} />
            </Suspense>
          ),
        },
      ]}
    />
  );
}
