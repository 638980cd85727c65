/** What a page does, as it is done without one. */

import { stringify } from "yaml";
import type { Schemas } from "@/api/client";

/** A call of the API for a shell; the key comes from its environment. */
export function curl(method: string, path: string, body = ""): string {
  const parts = [`curl -X ${method} -H "X-API-Key: $MAINSTEM_API_KEY"`];
  if (body) parts.push(`-H 'Content-Type: application/json' -d '${body.replaceAll("'", "'\\''")}'`);
  parts.push(`${window.location.origin}/api/v1${path}`);
  return parts.join(" \\\n  ");
}

/** All that can be done with a stream, call by call. */
export function streamCalls(id: string, mode: string): string {
  const calls: [string, string, string][] = [
    ["counters", "GET", `/streams/${id}/stats`],
    ["as they change", "GET", `/streams/${id}/events`],
    ["pause", "POST", `/streams/${id}/pause`],
    ["resume", "POST", `/streams/${id}/resume`],
    ["stop for good", "POST", `/streams/${id}/stop`],
    ["hold one table", "POST", `/streams/${id}/tables/TABLE/pause`],
    ["go on with it", "POST", `/streams/${id}/tables/TABLE/resume`],
    ...(mode === "cdc"
      ? ([
          ["copy a table anew", "POST", `/streams/${id}/tables/TABLE/resync`],
          ["changes put aside", "GET", `/streams/${id}/dead-letters`],
        ] as [string, string, string][])
      : []),
  ];
  return calls.map(([what, method, path]) => `# ${what}\n${curl(method, path)}`).join("\n\n");
}

export function streamCommands(id: string): string {
  return [
    `mainstem streams stats ${id} --watch`,
    `mainstem streams logs ${id} --follow`,
    `mainstem streams pause ${id}`,
    `mainstem streams resume ${id}`,
    `mainstem streams stop ${id}`,
  ].join("\n");
}

const KEPT_BY_THE_SERVER = new Set(["id", "created", "warnings"]);

/** A config as a file; what the server adds is left out. */
export function configYaml(config: Schemas["Config"]): string {
  const members = Object.entries(config).filter(([name]) => !KEPT_BY_THE_SERVER.has(name));
  return stringify(Object.fromEntries(members), { lineWidth: 110 });
}
