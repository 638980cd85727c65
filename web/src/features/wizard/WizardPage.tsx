import { useQuery } from "@tanstack/react-query";
import { RotateCcw } from "lucide-react";
import { useEffect, useMemo, useRef } from "react";
import { useSearchParams } from "react-router";
import { Button } from "@/ui/Button";
import { useConfirm } from "@/ui/Confirm";
import { Page } from "@/ui/Page";
import { ErrorState, Skeleton } from "@/ui/States";
import { place, type Role, setPlace } from "./config";
import { EndsStep } from "./EndsStep";
import { Equivalents } from "./Equivalents";
import type { JsonObject } from "./json";
import { OptionsStep } from "./OptionsStep";
import { missing, type StepId, stepOf } from "./order";
import { PlanStep } from "./PlanStep";
import { wizardQueries } from "./queries";
import { StepFooter, StepNav } from "./Steps";
import { TablesStep } from "./TablesStep";
import { type Draft, useDraft } from "./useDraft";
import base from "./Wizard.module.css";

/** What every step gets. */
export interface StepProps {
  draft: Draft;
  change: (next: (before: Draft) => Draft) => void;
  configId: string;
}

const ROLES: readonly Role[] = ["source", "target"];
const CONTENT = { ends: EndsStep, options: OptionsStep, tables: TablesStep, plan: PlanStep } as const;

export function Component() {
  const [search] = useSearchParams();
  const configId = search.get("config") ?? "";
  return <Wizard key={configId} configId={configId} />;
}

function Wizard({ configId }: { configId: string }) {
  const saved = useQuery({ ...wizardQueries.config(configId), enabled: configId !== "" });
  const config = useMemo(() => (saved.data ? (saved.data as unknown as JsonObject) : null), [saved.data]);
  const { draft, change, discard, untouched } = useDraft(configId, config);
  const title = configId ? "Edit stream" : "New stream";
  if (!draft) {
    return (
      <Page title={title}>
        {saved.error ? (
          <ErrorState error={saved.error} title="The config could not be read" retry={() => void saved.refetch()} />
        ) : (
          <Skeleton lines={8} />
        )}
      </Page>
    );
  }
  return <Opened {...{ draft, change, discard, untouched, configId, title }} />;
}

interface OpenedProps extends StepProps {
  discard: () => void;
  untouched: boolean;
  title: string;
}

function Opened({ draft, change, discard, untouched, configId, title }: OpenedProps) {
  const [search, setSearch] = useSearchParams();
  const confirm = useConfirm();
  const content = useRef<HTMLDivElement>(null);
  useGiven(change);
  const step = stepOf(search.get("step"), draft);
  const go = (next: StepId) =>
    setSearch((before) => {
      const after = without(before, [...ROLES, "take", "connection"]);
      after.set("step", next);
      return after;
    });
  const startOver = async () => {
    const question = { title: "Forget what you have chosen?", action: "Start over", danger: true };
    if (await confirm({ ...question, body: "Nothing that is saved is changed." })) {
      discard();
      go("ends");
    }
  };
  // biome-ignore lint/correctness/useExhaustiveDependencies: another step is seen from its beginning
  useEffect(() => {
    content.current?.closest("main")?.scrollTo({ top: 0 });
  }, [step]);
  const Content = CONTENT[step];
  return (
    <Page
      title={title}
      actions={
        <Button kind="quiet" small icon={<RotateCcw />} disabled={untouched} onClick={startOver}>
          Start over
        </Button>
      }
    >
      <StepNav step={step} draft={draft} onGo={go} />
      <div className={base.step} key={step} ref={content}>
        <Content draft={draft} change={change} configId={configId} />
      </div>
      <StepFooter step={step} problem={missing(step, draft)} onGo={go} save={{ draft, configId, done: discard }} />
      <Equivalents draft={draft} configId={configId} />
    </Page>
  );
}

/** Takes over what the address gives: `?source=conn_…`, or the `connection` that was made for a role (`take`). Once. */
function useGiven(change: StepProps["change"]) {
  const [search, setSearch] = useSearchParams();
  const taken = useRef("");
  useEffect(() => {
    const given = ROLES.map((role) => [role, search.get(role) ?? made(search, role)] as const);
    const key = given.map(([, id]) => id).join(" ");
    if ((key.trim() === "" && !search.has("take")) || taken.current === key) return;
    taken.current = key;
    change((before) => ({
      ...before,
      config: given.reduce(
        (config, [role, id]) =>
          id && id !== place(config, role).connectionId ? setPlace(config, role, "connectionId", id) : config,
        before.config,
      ),
    }));
    setSearch((before) => without(before, [...ROLES, "take", "connection"]), { replace: true });
  }, [search, setSearch, change]);
}

function without(search: URLSearchParams, names: readonly string[]): URLSearchParams {
  const after = new URLSearchParams(search);
  for (const name of names) after.delete(name);
  return after;
}

function made(search: URLSearchParams, role: Role): string {
  return search.get("take") === role ? (search.get("connection") ?? "") : "";
}
