"""One run in mode convert, from plan to finished target. Blocking; runs in a thread of its caller's choice."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import ExitStack

from mainstem.contract.hub import Hub
from mainstem.contract.source import Source
from mainstem.contract.target import Ledger, Target
from mainstem.engine import traced
from mainstem.engine.control import Interrupts, RunControl
from mainstem.engine.copying import Copying
from mainstem.engine.cuts import RENEWED, MovedRounds, filled_by_us
from mainstem.engine.data import wait_after
from mainstem.engine.endpoint import Endpoint
from mainstem.engine.means import Means
from mainstem.engine.planjson import plan_from_json, plan_to_json
from mainstem.engine.planner import make_plan
from mainstem.engine.progress import Tracker
from mainstem.engine.retry import Backoff
from mainstem.errors import (
    AccountingError,
    CancelledError,
    ConflictError,
    MainstemError,
    PlanError,
    TakenOverError,
    TargetChangedError,
)
from mainstem.model.event import Event
from mainstem.model.plan import MigrationPlan
from mainstem.model.run import Progress, RunOptions, RunState, TableState

__all__ = ["Conversion", "Endpoint", "make_plan"]

_RENEWED_REMEDY = (
    ". If rows contradict each other, they may have changed at the source while the copy was interrupted: then run"
    " again with drop_and_recreate"
)


class Conversion:
    """Copies structure and rows once.

    The same ``run_id`` again goes on where the target's ledger says that the run stood: a run that failed, or whose
    process was killed, is resumed by making a new `Conversion` with its id.

    Args:
        listen: gets every event, from any thread; must not block.
        make_hub: makes the hub between readers and writers, bounded by so many bytes.
        begun: an earlier start of this run has written to the target, so that its ledger must be there.
    """

    def __init__(
        self,
        run_id: str,
        source: Endpoint,
        target: Endpoint,
        options: RunOptions,
        listen: Callable[[Event], None],
        make_hub: Callable[[int], Hub],
        *,
        begun: bool = False,
    ) -> None:
        self.run_id = run_id
        self._source, self._target, self._options = source, target, options
        self._make_hub = make_hub
        self._control = RunControl(options.max_rows, options.max_seconds, options.row_error_limit)
        self._tracker = Tracker(self._control, listen)
        self._interrupts = Interrupts(self._control)
        self._backoff = Backoff(options.retry_seconds)
        self._begun = begun
        self._planned = False  # the ledger holds the plan: from here on lost connections are tried again
        self._closing = options.closing  # all is done, but for the ledger, which may be gone already

    @traced.whole_run("convert")
    def run(self) -> Progress:
        """Work to a terminal state (FINISHED, FAILED, STOPPED, or a limit).

        A failure is told by the progress (``error``, ``error_code``, ``remedy``), and of `MainstemError` only
        `TakenOverError` is raised: another process has the run, whose end this is not.
        """
        self._control.start_clock()
        self._tracker.set_state(RunState.RUNNING)
        done = threading.Event()
        reporter = threading.Thread(target=self._report_until, args=(done,), name="reporter", daemon=True)
        reporter.start()
        try:
            state, error = self._work(), None
        except CancelledError:
            state, error = RunState.STOPPED, None
        except TakenOverError:
            raise
        except MainstemError as exc:
            stopped = self._control.stopped
            state, error = (RunState.STOPPED, None) if stopped else (RunState.FAILED, exc)
        finally:
            done.set()
            reporter.join()
        return self._tracker.finish(state, error)

    def pause(self) -> None:
        """Stop moving rows; `run` goes on waiting. Unfinished chunks are rolled back after a short grace."""
        self._control.pause()
        self._tracker.set_state(RunState.PAUSED)

    def resume(self) -> None:
        """Go on after `pause`."""
        self._tracker.set_state(RunState.RUNNING)
        self._control.resume()

    def pause_table(self, name: str) -> None:
        """Copy no more of one table while the others go on; chunks under way are brought to their end.

        The source's snapshot stays open meanwhile.

        Raises:
            NotFoundError: there is no such table, or several.
            ConflictError: there is nothing left to hold back.
        """
        table = self._tracker.find(name).source
        self._control.hold(table)
        waits = TableState.PENDING, TableState.COPYING
        state = self._tracker.change_state(table, waits, TableState.PAUSED)
        if state not in (*waits, TableState.PAUSED):
            self._control.release(table)
            raise ConflictError(f"{table} is {state}: it has no rows left to wait with")

    def resume_table(self, name: str) -> None:
        """Go on with a table. Raises as `pause_table`."""
        table = self._tracker.find(name)
        goes_on = TableState.COPYING if table.chunks_total else TableState.PENDING
        state = self._tracker.change_state(table.source, (TableState.PAUSED,), goes_on)
        self._control.release(table.source)
        if state is not TableState.PAUSED:
            raise ConflictError(f"{table.source} is {state}, and not paused")

    def stop(self) -> None:
        """End the run in state STOPPED; what is durable stays, half-done chunks are rolled back."""
        self._control.stop()
        self._interrupts.run()

    def progress(self) -> Progress:
        """A copy of the present counters; cheap, from any thread."""
        return self._tracker.snapshot()

    def _work(self) -> RunState:
        """Try until one try gets to its end: each goes on where the ledger says that the run stands.

        A connection to the target that is lost, anywhere, ends a try, also because a server that crashed may have lost
        commits that were thought to be done: all of them are looked up again.
        """
        target = self._open_target()
        while True:
            try:
                return self._try(target)
            except MainstemError as exc:
                self._control.check_stopped()
                if not self._planned:
                    raise
                wait_after(exc, self._backoff, self._control, self._tracker)

    def _try(self, target: Target) -> RunState:
        with self._interrupts.trying(), ExitStack() as stack:
            ledger = stack.enter_context(target.ledger(self.run_id))
            earlier = ledger.known_plan()
            if self._closing and not earlier:
                return self._control.limit or RunState.FINISHED
            plan = self._plan(ledger, earlier)
            self._tracker.plan(plan)
            self._tracker.stage("structure")
            builder = stack.enter_context(target.builder(self.run_id))
            self._interrupts.add(builder.interrupt)
            copying = self._copying(target, plan, planned=not earlier)
            copying.copy(ledger, builder)
            state = self._control.limit or RunState.FINISHED
            self._fail_if_tables_failed()
            if state is RunState.FINISHED:
                self._check_all_finished()
            self._tracker.stage("finishing")
            copying.finish(builder, partial=state is not RunState.FINISHED)
            self._closing = True
            self._tracker.stage("done")  # told first: whoever goes on with this run need not miss its ledger
            ledger.finish(keep=False)
        return state

    def _copying(self, target: Target, plan: MigrationPlan, *, planned: bool) -> Copying:
        means = Means(
            target, self._target, self._options, self._control, self._tracker, self._backoff, self._interrupts,
            self._make_hub,
        )  # fmt: skip
        ours = filled_by_us(plan, self._options)
        rounds = MovedRounds(self._tracker, ours)
        return Copying(self.run_id, plan, self._open_source(), means, ours, rounds, planned=planned)

    def _open_source(self) -> Source:
        make = self._source.spec.source
        if make is None:
            raise PlanError(f"{self._source.spec.title} cannot be a source yet")
        return make(self._source.settings)

    def _open_target(self) -> Target:
        make = self._target.spec.target
        if make is None:
            raise PlanError(f"{self._target.spec.title} cannot be a target yet")
        return make(self._target.settings, self._options)

    def _plan(self, ledger: Ledger, known: str) -> MigrationPlan:
        """The plan of an earlier start of this run, so that both mean the same chunks and types; or a new one."""
        self._tracker.stage("planning")
        if self._begun and not known:
            raise TargetChangedError(
                "this run's book (schema mainstem, or tables mainstem_…) is gone from the target, so that nobody knows"
                " which rows are in",
                remedy="begin a new run with schemaPolicy drop_and_recreate, or writeMode truncate_and_load",
            )
        if not known:
            plan = make_plan(self._source, self._target, self._options)
            self._control.check_stopped()
            ours = plan_to_json(plan)
            known = ledger.open(ours)
            if known == ours:
                self._planned = self._begun = True
                return plan
        elif not self._planned:
            self._tracker.say("going on with an earlier start of this run")
        self._planned = self._begun = True
        return plan_from_json(known)

    def _fail_if_tables_failed(self) -> None:
        self._control.check_stopped()
        failed = self._tracker.failed_tables()
        if failed:
            names = ", ".join(str(table.source) for table in failed[:10])
            progress = self._tracker.snapshot()
            renewed = any(item.code == RENEWED for item in progress.report)
            raise PlanError(
                f"{len(failed)} of {len(progress.tables)} tables failed: {names}; {failed[0].error}",
                remedy=f"{failed[0].remedy or 'mend the cause'}; the other tables are in: then resume the stream"
                f"{_RENEWED_REMEDY * renewed}",
            )

    def _check_all_finished(self) -> None:
        if left := self._tracker.open_tables():
            names = ", ".join(f"{table.source} ({table.state})" for table in left[:10])
            raise AccountingError(f"{len(left)} tables were not finished: {names}", remedy="resume the stream")

    def _report_until(self, done: threading.Event) -> None:
        every = self._options.reporting_interval_s
        while not done.wait(every or 3600):
            if every and not self._control.paused:
                self._tracker.tell_stats()
