import { Button } from "@/ui/Button";
import { plural } from "@/ui/numbers";
import type { Size } from "./selection";
import base from "./Wizard.module.css";

interface Props {
  shown: readonly Size[];
  chosen: (name: string) => boolean;
  filtered: boolean;
  onToggle: (on: boolean) => void;
}

/** Takes or leaves all tables that are shown. */
export function SelectionBar({ shown, chosen, filtered, onToggle }: Props) {
  const taken = shown.filter((one) => chosen(one.name)).length;
  const which = filtered ? `these ${plural(shown.length, "table")}` : "all";
  return (
    <div className={base.line}>
      <Button small disabled={taken === shown.length} onClick={() => onToggle(true)}>
        Take {which}
      </Button>
      <Button small disabled={taken === 0} onClick={() => onToggle(false)}>
        Leave out {which}
      </Button>
    </div>
  );
}
