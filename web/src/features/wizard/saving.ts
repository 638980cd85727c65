import { api, call, type Schemas } from "@/api/client";
import { sent } from "./queries";
import type { Draft } from "./useDraft";

/** Save a new config, or change the one of this id. */
export function saveConfig(draft: Draft, configId: string): Promise<Schemas["Config"]> {
  const body = sent(draft.config);
  return configId
    ? call(api.PUT("/api/v1/stream-configs/{config_id}", { params: { path: { config_id: configId } }, body }))
    : call(api.POST("/api/v1/stream-configs", { body }));
}

/** Begin a stream; the server looks at both sides first. */
export function startConfig(configId: string): Promise<Schemas["Stream"]> {
  return call(api.POST("/api/v1/stream-configs/{config_id}/start", { params: { path: { config_id: configId } } }));
}
