import { useState } from "react";
import type { Schemas } from "@/api/client";
import { problemOf } from "@/api/problem";
import { ping } from "./queries";

export type Pinged = Schemas["Ping"] | "asking";

export interface Pings {
  of: (id: string) => Pinged | undefined;
  ask: (id: string) => Promise<void>;
}

/** What tests of connections found since the page is open. */
export function usePings(): Pings {
  const [found, setFound] = useState<ReadonlyMap<string, Pinged>>(new Map());
  const put = (id: string, result: Pinged) => setFound((before) => new Map(before).set(id, result));
  return {
    of: (id) => found.get(id),
    ask: async (id) => {
      put(id, "asking");
      try {
        put(id, await ping(id));
      } catch (error) {
        const problem = problemOf(error);
        const empty = { version: "", flavor: "", round_trip_ms: 0, tls: "" };
        put(id, { ...empty, ping: "failed", error: problem.message, code: problem.code, remedy: problem.remedy });
      }
    },
  };
}
