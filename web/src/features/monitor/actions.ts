import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "react-router";
import { api, call } from "@/api/client";
import { problemOf } from "@/api/problem";
import { useConfirm } from "@/ui/Confirm";
import { notify } from "@/ui/toast";

export type Move = "pause" | "resume" | "stop";

interface Known {
  id: string;
  name: string;
  mode: string;
}

const DONE: Record<Move, string> = { pause: "Paused", resume: "It goes on", stop: "Stopped" };

/** What can be done with a stream and its config. What is lost by it is asked first. */
export function useStreamActions() {
  const client = useQueryClient();
  const confirm = useConfirm();
  const navigate = useNavigate();
  const renew = () => {
    void client.invalidateQueries({ queryKey: ["streams"] });
    void client.invalidateQueries({ queryKey: ["stream"] });
    void client.invalidateQueries({ queryKey: ["configs"] });
  };
  const run = useMutation({
    mutationFn: async ({ work, done }: { work: () => Promise<unknown>; done: string }) => {
      await work();
      if (done) notify.done(done);
    },
    onSettled: renew,
  });

  const move = async (stream: Known, what: Move) => {
    if (what === "stop" && !(await confirm(stopping(stream)))) return;
    const path = { params: { path: { stream_id: stream.id } } };
    const posts = {
      pause: () => call(api.POST("/api/v1/streams/{stream_id}/pause", path)),
      resume: () => call(api.POST("/api/v1/streams/{stream_id}/resume", path)),
      stop: () => call(api.POST("/api/v1/streams/{stream_id}/stop", path)),
    };
    run.mutate({ work: posts[what], done: `${stream.name}: ${DONE[what]}` });
  };

  const start = (configId: string, snapshot = "") =>
    run.mutate({
      work: async () => {
        const made = await call(
          api.POST("/api/v1/stream-configs/{config_id}/start", {
            params: { path: { config_id: configId }, query: snapshot ? { snapshot } : {} },
          }),
        );
        await navigate(`/streams/${made.id}`);
      },
      done: "",
    });

  const clone = (configId: string) =>
    run.mutate({
      work: async () => {
        const made = await call(
          api.PUT("/api/v1/stream-configs/{config_id}/clone", { params: { path: { config_id: configId } } }),
        );
        notify.done(`Cloned as ${made.name}`);
      },
      done: "",
    });

  const deleteConfig = async (config: { id: string; name: string; runs: number }) => {
    const told = config.runs
      ? "Its runs and their logs stay in the list until they are deleted, too. Nothing is changed in either database."
      : "It has never been started. Nothing is changed in either database.";
    if (!(await confirm({ title: `Delete the config ${config.name}?`, body: told, action: "Delete", danger: true })))
      return;
    run.mutate({
      work: () =>
        call(api.DELETE("/api/v1/stream-configs/{config_id}", { params: { path: { config_id: config.id } } })),
      done: `${config.name} is deleted`,
    });
  };

  const deleteRun = async (stream: Known, then?: () => void) => {
    const told =
      stream.mode === "cdc"
        ? "Its log and its counters go, and what it left at the source and in the target's book. The rows stay."
        : "Its log and its counters go. The rows stay.";
    if (
      !(await confirm({ title: `Delete this run of ${stream.name}?`, body: told, action: "Delete run", danger: true }))
    )
      return;
    run.mutate({
      work: async () => {
        await removeRun(stream.id, async (problem) => {
          const told = `${problem} Deleted all the same, what it left at the source stays there and must be taken away by hand.`;
          return confirm({ title: "Delete it all the same?", body: told, action: "Delete all the same", danger: true });
        });
        then?.();
      },
      done: "The run is deleted",
    });
  };

  return { move, start, clone, deleteConfig, deleteRun, error: run.error, busy: run.isPending, reset: run.reset };
}

/** Deletes a run; when something of it could not be taken away, asks whether to do it all the same. */
async function removeRun(id: string, ask: (problem: string) => Promise<boolean>): Promise<void> {
  const remove = (force: boolean) =>
    call(api.DELETE("/api/v1/streams/{stream_id}", { params: { path: { stream_id: id }, query: { force } } }));
  try {
    await remove(false);
  } catch (error) {
    const problem = problemOf(error);
    if (problem.status !== 409 || !(await ask(problem.message))) throw error;
    await remove(true);
  }
}

function stopping(stream: Known) {
  return {
    title: `Stop ${stream.name} for good?`,
    body:
      stream.mode === "cdc"
        ? "What is applied stays. The source keeps its log no longer for this stream, so it cannot go on later: a new run begins with a new copy. To go on later, pause it instead."
        : "What is copied stays; unfinished pieces are rolled back. A stopped run cannot go on later: pause it instead if it should.",
    action: "Stop for good",
    danger: true,
  };
}

/** What can be done with one table. */
export function useTableActions(streamId: string) {
  const confirm = useConfirm();
  const run = useMutation({
    mutationFn: async ({ what, table }: { what: "pause" | "resume" | "resync"; table: string }) => {
      const path = { params: { path: { stream_id: streamId, table } } };
      const posts = {
        pause: () => call(api.POST("/api/v1/streams/{stream_id}/tables/{table}/pause", path)),
        resume: () => call(api.POST("/api/v1/streams/{stream_id}/tables/{table}/resume", path)),
        resync: () => call(api.POST("/api/v1/streams/{stream_id}/tables/{table}/resync", path)),
      };
      await posts[what]();
    },
    onSuccess: (_, { what, table }) =>
      notify.done(`${table}: ${{ pause: "paused", resume: "goes on", resync: "is copied anew" }[what]}`),
  });
  const resync = async (table: string) => {
    const told =
      "Its rows in the target are deleted first and copied anew, while the other tables stream on. Readers of the target see it empty, then filling.";
    if (await confirm({ title: `Copy ${table} anew?`, body: told, action: "Copy anew", danger: true })) {
      run.mutate({ what: "resync", table });
    }
  };
  const pause = async (table: string, mode: string) => {
    const told =
      "No change is written to it until it goes on, which then means a new copy: changes that come meanwhile are not kept.";
    if (mode !== "cdc" || (await confirm({ title: `Pause ${table}?`, body: told, action: "Pause" }))) {
      run.mutate({ what: "pause", table });
    }
  };
  return {
    pause,
    resync,
    resume: (table: string) => run.mutate({ what: "resume", table }),
    error: run.error,
    busy: run.isPending,
  };
}
