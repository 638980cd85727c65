import { useStore } from "@/api/store";
import { Tooltip } from "./Tooltip";
import { ago, clockTime, dateOf, exactTime, type Moment, now } from "./time";

interface Props {
  at: Moment;
  /** `ago` (5 minutes ago), `clock` (22:15:30) or `exact`. */
  as?: "ago" | "clock" | "exact";
}

const TEXTS = { ago, clock: clockTime, exact: exactTime } as const;

/** A time in the reader's zone; the exact one is in the tooltip. */
export function Time({ at, as = "ago" }: Props) {
  const present = useStore(now);
  const date = dateOf(at);
  if (!date) return <span>never</span>;
  return (
    <Tooltip text={exactTime(at)}>
      <time dateTime={date.toISOString()}>{TEXTS[as](at, present)}</time>
    </Tooltip>
  );
}
