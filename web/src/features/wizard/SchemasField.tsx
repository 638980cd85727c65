import { useQuery } from "@tanstack/react-query";
import { problemOf } from "@/api/problem";
import { Checkbox } from "@/ui/Field";
import type { Place } from "./config";
import { wizardQueries } from "./queries";
import base from "./Wizard.module.css";

interface Props {
  place: Place;
  chosen: readonly string[];
  onChange: (schemas: string[]) => void;
}

/** Several schemas of the source at once. None chosen is the connection's own. */
export function SchemasField({ place, chosen, onChange }: Props) {
  const schemas = useQuery(wizardQueries.schemas(place.connectionId, place.database));
  if (schemas.error) return <p className={base.warning}>{problemOf(schemas.error).message}</p>;
  const found = schemas.data ?? [];
  if (found.length < 2) return null;
  const toggle = (name: string, on: boolean) =>
    onChange(found.filter((one) => (one === name ? on : chosen.includes(one))));
  return (
    <details className={base.more} open={chosen.length > 0}>
      <summary>Tables of several schemas {chosen.length > 0 && `(${chosen.join(", ")})`}</summary>
      <div className={base.kinds}>
        {found.map((name) => (
          <Checkbox key={name} label={name} checked={chosen.includes(name)} onChecked={(on) => toggle(name, on)} />
        ))}
      </div>
    </details>
  );
}
