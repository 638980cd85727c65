import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import type { Schemas } from "@/api/client";
import { CodeBlock } from "@/ui/CodeBlock";
import { Loaded } from "@/ui/States";
import { type Tab, Tabs } from "@/ui/Tabs";
import { hasRows, KIND_NAMES, type ObjectPlace } from "../place";
import { explorerQueries } from "../queries";
import { DataTab } from "./DataTab";
import { Statistics } from "./Statistics";
import { Checks, Columns, ForeignKeys, Indexes } from "./Structure";
import styles from "./Structure.module.css";

/** A table or view: its rows, what it is made of, and figures. */
export function TablePage({ place }: { place: ObjectPlace }) {
  const view = place.kind.endsWith("view");
  const tabs: Tab[] = [
    { id: "data", label: "Data", content: <DataTab key={JSON.stringify(place)} place={place} /> },
    { id: "structure", label: "Structure", content: <Part place={place}>{(found) => <Columns found={found} />}</Part> },
    ...(view
      ? []
      : [
          {
            id: "indexes",
            label: "Indexes",
            content: <Part place={place}>{(found) => <Indexes found={found} />}</Part>,
          },
          {
            id: "keys",
            label: "Keys",
            content: (
              <Part place={place}>
                {(found) => (
                  <>
                    <ForeignKeys found={found} place={place} />
                    <Checks found={found} />
                  </>
                )}
              </Part>
            ),
          },
        ]),
    { id: "ddl", label: "DDL", content: <Part place={place}>{(found) => <Ddl found={found} />}</Part> },
    { id: "statistics", label: "Statistics", content: <Statistics place={place} /> },
  ];
  return <Tabs label={`${KIND_NAMES[place.kind]} ${place.name}`} tabs={tabs} />;
}

function Part({ place, children }: { place: ObjectPlace; children: (found: Schemas["TableStructure"]) => ReactNode }) {
  const structure = useQuery(explorerQueries.structure(place));
  return (
    <div className={styles.part}>
      <Loaded query={structure} failed="The structure could not be read">
        {children}
      </Loaded>
    </div>
  );
}

function Ddl({ found }: { found: Schemas["TableStructure"] }) {
  return <CodeBlock code={found.ddl || "-- the system tells no definition of this"} label="DDL" maxHeight="none" />;
}

/** Anything without rows: its definition. */
export function ObjectPage({ place }: { place: ObjectPlace }) {
  const definition = useQuery({ ...explorerQueries.definition(place), enabled: !hasRows(place.kind) });
  return (
    <div className={styles.part}>
      <Loaded query={definition} failed="The definition could not be read">
        {(found) => <CodeBlock code={found.sql} label="definition" maxHeight="none" />}
      </Loaded>
    </div>
  );
}
