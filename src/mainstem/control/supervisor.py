"""Runs the streams that this process leads, moves them through their states, and writes down what they say."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from mainstem.contract.fleet import Lease, stream_lease
from mainstem.contract.store import StateStore, StreamRecord
from mainstem.control.alerts import AlertSender
from mainstem.control.clock import now_us
from mainstem.control.events import Broadcaster
from mainstem.control.fleet import Fleet
from mainstem.control.leftovers import LEFT, release
from mainstem.control.listening import Listener
from mainstem.control.logbook import LogBook
from mainstem.control.members import Role
from mainstem.control.orders import LedElsewhereError
from mainstem.control.progress import from_json, stored_rates
from mainstem.control.rates import Rates, averages
from mainstem.control.records import ANEW, Records
from mainstem.control.rounds import Rounds
from mainstem.control.runs import Active, Ends, MakeRun, Run, Through, directly
from mainstem.control.states import ACTIVE, Move, StateConflict, after, is_there_already
from mainstem.control.timelines import Timelines
from mainstem.engine.endpoint import Endpoint
from mainstem.engine.replication import Replication
from mainstem.errors import MainstemError, TakenOverError
from mainstem.log import logger
from mainstem.model.event import Category, Event, Level
from mainstem.model.run import Mode, Progress, RunOptions, RunState

SAVE_EVERY_S = 1.0
CLOSING = "done"
"""The stage of a run that has done all, but to forget what its target knows of it."""
STOP_WAIT_S = 10.0
INTERRUPTED = "the server ended while this stream ran; resume goes on from what is durable"
TO_GO_ON = "the server ended while this stream ran; it goes on by itself when the server is there again"
NEVER_BEGAN = "the server ended before the stream began"
PAUSED_BY_REQUEST = "paused on request"
HOLDS_LOG = (
    "paused on request; meanwhile the source's log is kept for this stream, which takes room there (PostgreSQL),"
    " or must last that long (MySQL)"
)
WENT_ON = "this server goes on with the stream, which another one led before"
LET_GO = "this server could not keep the stream; another one may go on with it"
_END_ATTEMPTS = 60
_log = logger(__name__)
EndsOf = Callable[[StreamRecord], Ends]


@contextmanager
def _told(failure: str) -> Iterator[None]:
    """What fails at the end is logged, and the end goes on."""
    try:
        yield
    except Exception:
        _log.exception(failure)


def is_to_go_on(state: RunState, message: str) -> bool:
    """Whether a stream was interrupted by the server's end and goes on without being asked."""
    return state is RunState.PAUSED and message == TO_GO_ON


class Supervisor:
    """All runs of this process: it holds the lease of each stream that it runs.

    A stream's state changes only here, under one lock and by whoever holds its lease, and always by `states.after`; the
    store is written in the same breath, so that what it says is what was last true. Methods that need the lease raise
    `LedElsewhereError` when another process holds it.

    Attributes:
        through: how this process reaches the source of a stream that nobody leads.
    """

    def __init__(
        self, store: StateStore, broadcaster: Broadcaster, make_run: MakeRun, fleet: Fleet, through: Through = directly
    ) -> None:
        self.through = through
        self._store = store
        self._records = Records(store)
        self._make_run = make_run
        self._fleet = fleet
        self._lock = threading.RLock()
        self._active: dict[str, Active] = {}
        self.timelines = Timelines(store)
        self._logbook = LogBook(store, broadcaster)
        self._closing = threading.Event()
        self._alerts = AlertSender(lambda stream_id, text: self.say(stream_id, text, level=Level.WARN))
        self._recorder = Rounds("recorder", SAVE_EVERY_S, self._record)

    @property
    def runs_streams(self) -> bool:
        """Whether streams may run in this process."""
        return self._fleet.members.has(Role.WRITER)

    def start(self) -> None:
        """Join the fleet, and begin to write things down.

        Of a store that is this process's alone, what ran when the last server ended is PAUSED now.
        """
        self._fleet.start(self._lost)
        if not self._fleet.shared:
            for record in self._store.streams(states=(RunState.RUNNING, RunState.READY)):
                if record.state is RunState.READY:
                    self._moved(record, Move.FAIL, error=NEVER_BEGAN, error_code="never_began")
                else:
                    told = self._interruption(record)
                    self._moved(record, Move.INTERRUPT, message=told)
                    self.say(record.id, told, level=Level.WARN)
        self._recorder.start()

    def begin(self, record: StreamRecord, source: Endpoint, target: Endpoint, options: RunOptions) -> StreamRecord:
        """Save a new stream and run it. Raises `StateConflict` when the server is about to end."""
        with self._lock, self._leading(record.id, keep=True) as (_, lease):
            self._check_open(record.id)
            active = self._make_active(record, Progress(), lease, (source, target, options))
            self._store.add_stream(record)
            return self._launch(record, active, Move.START)

    def take(
        self, stream_id: str, wanted: Callable[[StreamRecord], bool], ends: EndsOf, over: Lease | None = None
    ) -> bool:
        """Lead a stream that nobody leads, if its record is as wanted; False if it is not, or another was faster.

        Args:
            over: the lease of one that leads it in vain.
        """
        with self._lock:
            if self._closing.is_set() or stream_id in self._active:
                return False
            if over is not None and not ((led := self._store.stream(stream_id)) and wanted(led)):
                return False  # it is left to its leader
            lease = self._fleet.leases.acquire(stream_lease(stream_id), over)
            if lease is None:
                return False
            try:
                record = self._store.stream(stream_id)
                if record is not None and wanted(record):
                    self._go_on(record, lease, ends)
            finally:
                if stream_id not in self._active:
                    self._fleet.leases.release(lease)
            return stream_id in self._active

    def pause(self, stream_id: str) -> StreamRecord:
        """Hold a stream; its progress is kept."""
        with self._lock, self._leading(stream_id) as (active, lease):
            record = self._records.find(stream_id)
            if is_there_already(record.state, Move.PAUSE):
                return record
            told = HOLDS_LOG if record.mode == Mode.CDC else PAUSED_BY_REQUEST
            record = self._moved(record, Move.PAUSE, lease, message=told)
            if active is not None:
                active.run.pause()
            return record

    def resume(self, stream_id: str, ends: EndsOf) -> StreamRecord:
        """Go on: with the run that is paused; or, after a failure or the server's end, with a new run of the same id.

        Args:
            ends: finds both systems and the options of a stream that needs a new run.
        """
        with self._lock, self._leading(stream_id, keep=True) as (active, lease):
            record = self._records.find(stream_id)
            if is_there_already(record.state, Move.RESUME):
                return record
            after(record.state, Move.RESUME, stream_id)
            self._check_open(stream_id)
            if active is not None:
                record = self._moved(record, Move.RESUME, lease, message="")
                active.run.resume()
                return record
            found = ends(record)
            if not self.runs_streams:  # a writer finds it within a second
                return self._moved(record, Move.RESUME, lease, **ANEW)
            active = self._make_active(record, from_json(record.progress), lease, found)
            return self._launch(record, active, Move.RESUME)

    def stop(self, stream_id: str, ends: EndsOf) -> StreamRecord:
        """End a stream; waits until it has ended, `STOP_WAIT_S` at most. What has ended stays as it is.

        The source keeps nothing more for a replication that has been stopped.

        Args:
            ends: finds both systems and the options of a stream that has no thread.
        """
        with self._leading(stream_id) as (active, lease):
            record = self._records.find(stream_id)
            if is_there_already(record.state, Move.STOP):
                return record
            if active is None:
                with self._lock:
                    record = self._moved(record, Move.STOP, lease, message="stopped on request", finished_us=now_us())
                self._release(record, lambda: self.through(record.id, lease.token, ends(record)))
                return record
        active.run.stop()
        active.done.wait(STOP_WAIT_S)
        return self._records.find(stream_id)

    def run_of(self, stream_id: str) -> Run | None:
        """The run of a stream that this process leads."""
        active = self._led(stream_id)
        return None if active is None else active.run

    def led_run(self, stream_id: str, *, at_work: bool = False) -> Run:
        """The same.

        Args:
            at_work: one that is paused will not do.

        Raises:
            LedElsewhereError: another process leads it, or may do so in a moment.
            StateConflict: it does not run.
        """
        run, record = self.run_of(stream_id), self._records.find(stream_id)
        if run is not None and not (at_work and record.state is RunState.PAUSED):
            return run
        if run is None and self._fleet.shared and (record.state is RunState.RUNNING or self._is_led(stream_id)):
            raise LedElsewhereError("another process leads this stream")
        raise StateConflict(
            f"stream {record.id} is {record.state}; it must run for this",
            remedy="resume it, or start its config again",
            details={"field": "stream_state", "state": record.state.value, "value": record.id},
        )

    def replication(self, stream_id: str) -> Replication | None:
        """The run of a stream of mode cdc that this process leads."""
        run = self.run_of(stream_id)
        return run if isinstance(run, Replication) else None

    def progress(self, record: StreamRecord) -> Progress:
        """How far a stream is: live if it has a thread here, else as saved, each second; its state is the record's."""
        active = self._led(record.id)
        progress = active.progress() if active is not None else from_json(record.progress)
        progress.state = record.state
        if record.state not in ACTIVE:
            progress.alerts = []
        return progress

    def rates(self, record: StreamRecord, progress: Progress) -> Rates:
        """Rates of the last seconds for a stream that runs, here or elsewhere; of its whole time for any other."""
        if record.state is not RunState.RUNNING:
            return averages(progress)
        active = self._led(record.id)
        if active is None:
            return stored_rates(record.progress, progress)
        return active.meter.rates(time.monotonic(), progress)

    def say(
        self, stream_id: str, message: str, *, level: Level = Level.INFO, part: str = "api", **data: object
    ) -> None:
        """An event of the control plane's own."""
        self._logbook.take(stream_id, Event(level, Category.GENERAL, message, now_us(), part, dict(data)))

    def flush(self) -> None:
        """Write down the lines that wait, so that a reader of the log sees them."""
        self._logbook.flush()

    def close(self, deadline_s: float = 15.0) -> None:
        """End all runs so that others, or a next server, can go on; half-done chunks are rolled back.

        What runs stays RUNNING for another process that leads streams; without one it becomes PAUSED.
        """
        deadline = time.monotonic() + deadline_s
        with self._lock:
            self._closing.set()
            active = [one for one in self._active.values() if not one.lost]
            with _told("the store could not be told that this server ends"):
                self._fleet.members.retire()
                if not self._fleet.members.others(Role.WRITER):
                    self._interrupt(active)
        for one in active:
            one.run.stop()
        for one in active:
            one.done.wait(max(deadline - time.monotonic(), 0.0))
        self._recorder.close(max(deadline - time.monotonic(), 1.0))
        self._alerts.close()
        with _told("the last lines of the log could not be written down"):
            self.flush()
        with _told("this server could not leave the others"):
            self._fleet.close()

    def _interrupt(self, active: list[Active]) -> None:
        for one in active:
            record = self._records.find(one.stream_id)
            if record.state is RunState.RUNNING:
                self._moved(record, Move.INTERRUPT, one.lease, message=self._interruption(record))

    def _interruption(self, record: StreamRecord) -> str:
        return TO_GO_ON if self._fleet.shared or record.mode == Mode.CDC else INTERRUPTED

    @contextmanager
    def _leading(self, stream_id: str, *, keep: bool = False) -> Iterator[tuple[Active | None, Lease]]:
        """A stream's run, if it has one here, and its lease, which is this process's meanwhile.

        Args:
            keep: a run that began meanwhile keeps the lease.
        """
        active = self._led(stream_id)
        if active is not None:
            yield active, active.lease
            return
        lease = self._fleet.leases.acquire(stream_lease(stream_id))
        if lease is None:
            raise LedElsewhereError("another process leads this stream")
        try:
            yield None, lease
        finally:
            led = self._active.get(stream_id)
            if not keep or led is None or led.lease != lease:
                self._fleet.leases.release(lease)

    def _led(self, stream_id: str) -> Active | None:
        active = self._active.get(stream_id)
        return None if active is None or active.lost else active

    def _is_led(self, stream_id: str) -> bool:
        return bool(self._fleet.leases.holder(stream_lease(stream_id)))

    def _go_on(self, record: StreamRecord, lease: Lease, ends: EndsOf) -> None:
        """Run a stream that another process began or led."""
        try:
            active = self._make_active(record, from_json(record.progress), lease, ends(record))
        except MainstemError as exc:
            self._cannot_go_on(record, lease, exc)
            return
        self._launch(record, active, {RunState.READY: Move.START, RunState.PAUSED: Move.RESUME}.get(record.state))
        if record.state is RunState.RUNNING:
            self.say(record.id, WENT_ON, level=Level.WARN)

    def _cannot_go_on(self, record: StreamRecord, lease: Lease, error: MainstemError) -> None:
        told = f"it cannot go on by itself: {error.message}"
        if record.state is RunState.PAUSED:
            self._store.put_stream(replace(record, message=told), lease)
            self.say(record.id, told, level=Level.ERROR)
        else:
            why = {"error": error.message, "error_code": error.code, "remedy": error.remedy}
            self._moved(record, Move.FAIL, lease, finished_us=now_us(), **why)

    def _make_active(self, record: StreamRecord, before: Progress, lease: Lease, ends: Ends) -> Active:
        source, target, options = ends
        if record.id in self._active:
            raise StateConflict(
                f"the former run of stream {record.id} is still about to end",
                remedy="try again in a moment",
                details={"field": "stream_state", "value": record.id},
            )
        if options.max_seconds:
            options = replace(options, max_seconds=max(int(options.max_seconds - before.elapsed_s), 1))
        options = replace(options, token=lease.token, closing=before.stage == CLOSING)

        listener = Listener(record, (source, target, options), self._logbook, self._alerts, self._mark)
        run = self._make_run(record.id, source, target, options, listener.take, bool(before.tables))
        if isinstance(run, Replication):
            run.remember(before.alerts)
        return Active(record.id, lease, run, (source, target, options), before, listener.hidden, listener.over)

    def _launch(self, record: StreamRecord, active: Active, move: Move | None) -> StreamRecord:
        record = self._moved(record, move, active.lease, **ANEW)
        self._active[record.id] = active
        self.timelines.begin(record, active.before)
        threading.Thread(target=self._work, args=(active,), name=f"run-{record.id}", daemon=True).start()
        return record

    def _check_open(self, stream_id: str) -> None:
        if self._closing.is_set():
            raise StateConflict(
                "the server is ending; no stream can start now",
                remedy="start the server again",
                details={"field": "stream_state", "value": stream_id},
            )

    def _moved(
        self, record: StreamRecord, move: Move | None, lease: Lease | None = None, **changes: str | int
    ) -> StreamRecord:
        """The record after a move, see `Records.move`, told; the caller holds the lock."""
        active = self._led(record.id)
        progress = None if active is None else active.stored(active.progress(), self.timelines)
        moved = self._records.move(record, move, lease, progress, **changes)
        if move is not None:
            self._tell_state(record.id, record.state, moved.state)
        return moved

    def _tell_state(self, stream_id: str, before: RunState, state: RunState) -> None:
        self.say(stream_id, f"{before} -> {state}", state=state.value)

    def _work(self, active: Active) -> None:
        try:
            self._end(active, self._outcome(active))
        except TakenOverError as exc:
            active.lost = True
            self.say(active.stream_id, f"{exc.message}; this process has let go of it", level=Level.WARN)
        finally:
            with self._lock:
                self._active.pop(active.stream_id, None)
            self._fleet.leases.release(active.lease)
            active.done.set()

    def _outcome(self, active: Active) -> Progress:
        try:
            return active.told(active.run.run())
        except TakenOverError:
            raise
        except Exception as exc:  # a bug of ours must end as FAILED, not as a stream that runs for ever
            _log.exception("a run broke off", stream=active.stream_id)
            progress = active.progress()
            progress.state, progress.error_code = RunState.FAILED, "internal"
            progress.error = f"internal error ({type(exc).__name__}); the server's log has the details"
            return progress

    def _end(self, active: Active, progress: Progress) -> None:
        """Write down how a run ended, unless it did because this process leads the stream no more."""
        if active.lost and progress.state in {RunState.STOPPED, RunState.FAILED}:
            self.timelines.forget(active.stream_id)
            return
        written = self._write_down(active, progress)
        if written and progress.state is not RunState.FAILED and not self._closing.is_set():
            active.over(progress.alerts)
            self._release(self._records.find(active.stream_id), active.renewed_ends)

    def _lost(self, lease: Lease) -> None:
        """Have no more to do with the stream of a lease that is another's, or may be in a moment."""
        active = next((one for one in list(self._active.values()) if one.lease == lease), None)
        if active is not None:
            active.lost = True
            self.say(active.stream_id, LET_GO, level=Level.WARN)
            threading.Thread(target=active.run.stop, name=f"let-go-{active.stream_id}", daemon=True).start()

    def _release(self, record: StreamRecord, ends: Callable[[], Ends]) -> None:
        """Have the source keep nothing more for a replication that is over for good; a failure is told."""
        if record.mode != Mode.CDC:
            return
        try:
            release(*ends(), record.id)
        except MainstemError as exc:
            self.say(record.id, f"{LEFT}{exc.message}; delete the stream to try it again", level=Level.WARN)

    def _write_down(self, active: Active, progress: Progress) -> bool:
        """The end of a run, unless another process has the stream by now; a store that is away is asked again."""
        for _attempt in range(_END_ATTEMPTS):
            try:
                self._ended(active, progress)
            except LedElsewhereError:
                break
            except Exception:
                _log.exception("the end of a run could not be written down", stream=active.stream_id)
                if self._closing.wait(SAVE_EVERY_S):
                    break
            else:
                return True
        return False

    def _ended(self, active: Active, progress: Progress) -> None:
        with self._lock:
            self.timelines.sample(active.stream_id, progress)
            self.timelines.end(active.stream_id)
            handed_over = self._closing.is_set()
            before, state = self._records.end(active.stream_id, progress, active.lease, handed_over=handed_over)
            self._active.pop(active.stream_id, None)
        if state is not before:
            self._tell_state(active.stream_id, before, state)

    def _record(self) -> None:
        self._save_progress()
        self.flush()

    def _mark(self, stream_id: str) -> None:
        """Have the store know at once that a run is about to forget what its target knows of it."""
        active = self._led(stream_id)
        if active is not None and (progress := active.progress()).stage == CLOSING:
            with _told("the last stage of a run could not be written down"):
                self._store.save_progress(stream_id, active.stored(progress, self.timelines), active.lease)

    def _save_progress(self) -> None:
        for active in [one for one in list(self._active.values()) if not one.lost]:
            progress = active.progress()
            active.meter.add(time.monotonic(), progress)
            with self._lock:
                if active.stream_id in self._active:
                    self.timelines.sample(active.stream_id, progress)
                    self._store.save_progress(active.stream_id, active.stored(progress, self.timelines), active.lease)
        self.timelines.save_due()
