import type { Schemas } from "@/api/client";
import { Badge, type Tone } from "./Badge";

type RunState = Schemas["Stream"]["status"];

const LOOKS: Record<RunState, readonly [text: string, tone: Tone, live?: boolean]> = {
  READY: ["Ready", "info"],
  RUNNING: ["Running", "accent", true],
  PAUSED: ["Paused", "warn"],
  STOPPED: ["Stopped", "neutral"],
  FINISHED: ["Finished", "ok"],
  FAILED: ["Failed", "danger"],
  TIME_LIMIT_REACHED: ["Time limit reached", "warn"],
  EVENT_LIMIT_REACHED: ["Event limit reached", "warn"],
};

/** The state of a stream, in plain words. */
export function StateBadge({ state }: { state: RunState }) {
  const [text, tone, live] = LOOKS[state];
  return (
    <Badge tone={tone} dot={live ? "live" : true}>
      {text}
    </Badge>
  );
}
