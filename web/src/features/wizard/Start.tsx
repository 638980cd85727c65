import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Play, Save } from "lucide-react";
import { useState } from "react";
import { useNavigate } from "react-router";
import type { Schemas } from "@/api/client";
import { Button } from "@/ui/Button";
import { plural } from "@/ui/numbers";
import { ErrorState } from "@/ui/States";
import { notify } from "@/ui/toast";
import { wizardQueries } from "./queries";
import { saveConfig, startConfig } from "./saving";
import type { Draft } from "./useDraft";
import base from "./Wizard.module.css";

export interface StartProps {
  draft: Draft;
  configId: string;
  /** The draft is saved, and needs to be kept no more. */
  done: () => void;
}

/** Why a start would be refused; empty when nothing is known that speaks against it. */
export function refusal(plan: Schemas["Outlook"] | undefined): string {
  const errors = plan?.findings.filter((one) => one.severity === "error").length ?? 0;
  if (errors) return `${plural(errors, "finding")} above would stop the start`;
  return plan?.problem ? "What is said above would stop the start" : "";
}

/** Saves the config, and starts a stream of it. */
export function Start({ draft, configId, done }: StartProps) {
  const navigate = useNavigate();
  const client = useQueryClient();
  const [busy, setBusy] = useState<"save" | "start" | "">("");
  const [error, setError] = useState<{ title: string; cause: unknown } | null>(null);
  // Once it is saved, another try after a failed start changes it instead of making a second one.
  const [savedId, setSavedId] = useState(configId);
  const refused = refusal(useQuery(wizardQueries.plan(draft.config)).data);
  const act = async (what: "save" | "start") => {
    setBusy(what);
    setError(null);
    try {
      const saved = await saveConfig(draft, savedId);
      setSavedId(saved.id);
      await client.invalidateQueries({ queryKey: ["configs"] });
      if (what === "save") {
        done();
        notify.done(`${saved.name} is saved`);
        await navigate("/streams");
        return;
      }
      try {
        const stream = await startConfig(saved.id);
        done();
        await client.invalidateQueries({ queryKey: ["streams"] });
        await navigate(`/streams/${stream.id}`);
      } catch (cause) {
        setError({ title: `${saved.name} is saved, and could not be started`, cause });
      }
    } catch (cause) {
      setError({ title: "The stream could not be saved", cause });
    } finally {
      setBusy("");
    }
  };
  return (
    <>
      {refused && (
        <span className={base.muted} role="status">
          {refused}
        </span>
      )}
      <Button icon={<Save />} busy={busy === "save"} disabled={busy !== ""} onClick={() => act("save")}>
        Save
      </Button>
      <Button
        kind="primary"
        icon={<Play />}
        busy={busy === "start"}
        disabled={busy !== "" || refused !== ""}
        onClick={() => act("start")}
      >
        Save and start
      </Button>
      {error && (
        <div className={base.wholeLine}>
          <ErrorState error={error.cause} title={error.title} />
        </div>
      )}
    </>
  );
}
