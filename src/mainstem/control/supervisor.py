"""Runs streams in threads, moves them through their states, and writes down what they say."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from mainstem.contract.store import StateStore, StreamRecord
from mainstem.control.alerts import AlertSender, Letter
from mainstem.control.clock import now_us
from mainstem.control.events import Broadcaster
from mainstem.control.hiding import hide
from mainstem.control.leftovers import LEFT, release
from mainstem.control.progress import carried, from_json, stored_rates, to_json
from mainstem.control.rates import RateMeter, Rates, averages
from mainstem.control.states import ACTIVE, ENDING_OF, Move, StateConflict, after, is_there_already
from mainstem.control.timelines import Timelines
from mainstem.engine.conversion import Endpoint
from mainstem.engine.replication import Replication
from mainstem.errors import MainstemError, PositionLostError, TakenOverError
from mainstem.log import logger
from mainstem.model.event import Category, Event, Level
from mainstem.model.run import Mode, Progress, RunOptions, RunState

KEPT_LINES = 10_000
KEPT_TROUBLES = 1000
SAVE_EVERY_S = 1.0
STOP_WAIT_S = 10.0
INTERRUPTED = "the server ended while this stream ran; resume goes on from what is durable"
TO_GO_ON = "the server ended while this stream ran; it goes on by itself when the server is there again"
PAUSED_BY_REQUEST = "paused on request"
HOLDS_LOG = (
    "paused on request; meanwhile the source's log is kept for this stream, which takes room there (PostgreSQL),"
    " or must last that long (MySQL)"
)
_PENDING_LINES = 20_000
_END_ATTEMPTS = 10
_log = logger(__name__)
_LOG_METHOD = {Level.DEBUG: "debug", Level.INFO: "info", Level.WARN: "warning", Level.ERROR: "error"}
START_ANEW = (
    "start the config anew with snapshot always (mainstem streams start CONFIG --snapshot always), then delete this"
    " stream"
)


class Run(Protocol):
    """What the supervisor needs of `engine.conversion.Conversion` and `engine.replication.Replication`."""

    def run(self) -> Progress:
        """Work to a terminal state."""
        ...

    def pause(self) -> None:
        """Hold."""
        ...

    def resume(self) -> None:
        """Go on."""
        ...

    def stop(self) -> None:
        """End."""
        ...

    def progress(self) -> Progress:
        """How far it is."""
        ...

    def pause_table(self, name: str) -> None:
        """Hold one table while the others go on."""
        ...

    def resume_table(self, name: str) -> None:
        """Go on with a table that is held; in mode cdc by a new copy."""
        ...


Ends = tuple[Endpoint, Endpoint, RunOptions]
MakeRun = Callable[[str, Endpoint, Endpoint, RunOptions, Callable[[Event], None], bool], Run]
"""The last argument: an earlier start of the stream has written to the target."""


@dataclass(slots=True)
class _Active:
    """A run that has a thread.

    Attributes:
        before: what an earlier start of the stream had done.
        hidden: takes this run's passwords out of a text.
    """

    stream_id: str
    run: Run
    ends: Ends
    before: Progress
    hidden: Callable[[str], str]
    meter: RateMeter = field(default_factory=RateMeter)
    done: threading.Event = field(default_factory=threading.Event)

    def progress(self) -> Progress:
        return self.told(self.run.progress())

    def told(self, progress: Progress) -> Progress:
        """What may be shown: on top of the earlier start, without passwords."""
        progress = carried(self.before, progress)
        tables = [replace(table, error=self.hidden(table.error)) if table.error else table for table in progress.tables]
        alerts = [replace(alert, message=self.hidden(alert.message)) for alert in progress.alerts]
        error, remedy = self.hidden(progress.error), self.hidden(progress.remedy)
        return replace(progress, tables=tables, alerts=alerts, error=error, remedy=remedy)

    def stored(self, progress: Progress, timelines: Timelines) -> dict[str, Any]:
        """What the store keeps of it, for other servers too."""
        rates = self.meter.rates(time.monotonic(), progress)
        return to_json(progress, rates, timelines.recent(self.stream_id))


def is_to_go_on(record: StreamRecord) -> bool:
    """Whether a stream was interrupted by the server's end and goes on without being asked."""
    return record.state is RunState.PAUSED and record.message == TO_GO_ON


def _interruption(record: StreamRecord) -> str:
    return TO_GO_ON if record.mode == Mode.CDC else INTERRUPTED


class Supervisor:
    """All runs of this process.

    A stream's state changes only here, under one lock, and always by `states.after`; the store is written in the same
    breath, so that what it says is what was last true.
    """

    def __init__(self, store: StateStore, broadcaster: Broadcaster, make_run: MakeRun) -> None:
        self._store = store
        self._broadcaster = broadcaster
        self._make_run = make_run
        self._lock = threading.RLock()
        self._active: dict[str, _Active] = {}
        self.timelines = Timelines(store)
        self._pending: deque[tuple[str, Event]] = deque()
        self._left_out = 0
        self._flushing = threading.Lock()
        self._closing = threading.Event()
        self._alerts = AlertSender(lambda stream_id, text: self.say(stream_id, text, level=Level.WARN))
        self._recorder = threading.Thread(target=self._record, name="recorder", daemon=True)

    def start(self) -> None:
        """Take over from a server that ended: what ran then is PAUSED now. Then begin to write things down."""
        for record in self._store.streams(states=(RunState.RUNNING, RunState.READY)):
            if record.state is RunState.READY:
                self._moved(
                    record, Move.FAIL, error="the server ended before the stream began", error_code="never_began"
                )
            else:
                told = _interruption(record)
                self._moved(record, Move.INTERRUPT, message=told)
                self.say(record.id, told, level=Level.WARN)
        self._recorder.start()

    def begin(self, record: StreamRecord, source: Endpoint, target: Endpoint, options: RunOptions) -> StreamRecord:
        """Save a new stream and run it. Raises `StateConflict` when the server is about to end."""
        with self._lock:
            self._check_open(record.id)
            active = self._make_active(record, Progress(), source, target, options)
            self._store.add_stream(record)
            return self._launch(record, active, Move.START)

    def pause(self, stream_id: str) -> StreamRecord:
        """Hold a stream; its progress is kept."""
        with self._lock:
            record = self._find(stream_id)
            if is_there_already(record.state, Move.PAUSE):
                return record
            told = HOLDS_LOG if record.mode == Mode.CDC else PAUSED_BY_REQUEST
            record = self._moved(record, Move.PAUSE, message=told)
            active = self._active.get(stream_id)
            if active is not None:
                active.run.pause()
            return record

    def resume(self, stream_id: str, ends: Callable[[StreamRecord], Ends]) -> StreamRecord:
        """Go on: with the run that is paused; or, after a failure or the server's end, with a new run of the same id.

        Args:
            ends: finds both systems and the options of a stream that needs a new run.
        """
        with self._lock:
            record = self._find(stream_id)
            if is_there_already(record.state, Move.RESUME):
                return record
            after(record.state, Move.RESUME, stream_id)
            self._check_open(stream_id)
            active = self._active.get(stream_id)
            if active is None:
                active = self._make_active(record, from_json(record.progress), *ends(record))
                return self._launch(record, active, Move.RESUME)
            record = self._moved(record, Move.RESUME, message="")
            active.run.resume()
            return record

    def stop(self, stream_id: str, ends: Callable[[StreamRecord], Ends]) -> StreamRecord:
        """End a stream; waits until it has ended, `STOP_WAIT_S` at most. What has ended stays as it is.

        The source keeps nothing more for a replication that has been stopped.

        Args:
            ends: finds both systems and the options of a stream that has no thread.
        """
        with self._lock:
            record = self._find(stream_id)
            if is_there_already(record.state, Move.STOP):
                return record
            active = self._active.get(stream_id)
            if active is None:
                record = self._moved(record, Move.STOP, message="stopped on request", finished_us=now_us())
        if active is None:
            self._release(record, lambda: ends(record))
            return record
        active.run.stop()
        active.done.wait(STOP_WAIT_S)
        return self._find(stream_id)

    def run_of(self, stream_id: str) -> Run | None:
        """The run of a stream, if it has a thread."""
        active = self._active.get(stream_id)
        return None if active is None else active.run

    def replication(self, stream_id: str) -> Replication | None:
        """The run of a stream of mode cdc, if it has a thread."""
        active = self._active.get(stream_id)
        return active.run if active is not None and isinstance(active.run, Replication) else None

    def progress(self, record: StreamRecord) -> Progress:
        """How far a stream is: live if it has a thread here, else as saved, each second; its state is the record's."""
        active = self._active.get(record.id)
        progress = active.progress() if active is not None else from_json(record.progress)
        progress.state = record.state
        if record.state not in ACTIVE:
            progress.alerts = []
        return progress

    def rates(self, record: StreamRecord, progress: Progress) -> Rates:
        """Rates of the last seconds for a stream that runs, here or elsewhere; of its whole time for any other."""
        if record.state is not RunState.RUNNING:
            return averages(progress)
        active = self._active.get(record.id)
        if active is None:
            return stored_rates(record.progress, progress)
        return active.meter.rates(time.monotonic(), progress)

    def say(
        self, stream_id: str, message: str, *, level: Level = Level.INFO, part: str = "api", **data: object
    ) -> None:
        """An event of the control plane's own."""
        self._take(stream_id, Event(level, Category.GENERAL, message, now_us(), part, dict(data)))

    def flush(self) -> None:
        """Write down the lines that wait, so that a reader of the log sees them."""
        with self._flushing:
            lines = [self._pending.popleft() for _ in range(len(self._pending))]
            lost, self._left_out = self._left_out, 0
            if lost and lines:
                told = f"{lost:,} lines of all streams came faster than they could be written down, and were left out"
                lines.append((lines[-1][0], Event(Level.WARN, Category.GENERAL, told, now_us())))
            self._store.append_logs(lines, keep=KEPT_LINES, keep_troubles=KEPT_TROUBLES)

    def close(self, deadline_s: float = 15.0) -> None:
        """End all runs so that they can be resumed: what runs becomes PAUSED, half-done chunks are rolled back."""
        deadline = time.monotonic() + deadline_s
        with self._lock:
            active = list(self._active.values())
            self._closing.set()
            for one in active:
                record = self._find(one.stream_id)
                if record.state is RunState.RUNNING:
                    self._moved(record, Move.INTERRUPT, message=_interruption(record))
        for one in active:
            one.run.stop()
        for one in active:
            one.done.wait(max(deadline - time.monotonic(), 0.0))
        if self._recorder.is_alive():
            self._recorder.join(max(deadline - time.monotonic(), 1.0))
        self._alerts.close()
        self.flush()

    def _make_active(
        self, record: StreamRecord, before: Progress, source: Endpoint, target: Endpoint, options: RunOptions
    ) -> _Active:
        if options.max_seconds:
            options = replace(options, max_seconds=max(int(options.max_seconds - before.elapsed_s), 1))

        def hidden(text: str) -> str:
            return hide(text, source.settings, target.settings)

        def listen(event: Event) -> None:
            event = replace(event, message=hidden(event.message))
            self._take(record.id, event)
            if event.category is Category.ALERT and options.changes.alert_url:
                self._alerts.send(Letter(record.id, record.config_name, options.changes.alert_url, event))

        run = self._make_run(record.id, source, target, options, listen, bool(before.tables))
        return _Active(record.id, run, (source, target, options), before, hidden)

    def _launch(self, record: StreamRecord, active: _Active, move: Move) -> StreamRecord:
        record = self._moved(record, move, message="", error="", error_code="", remedy="", finished_us=0)
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

    def _find(self, stream_id: str) -> StreamRecord:
        record = self._store.stream(stream_id)
        if record is None:
            raise LookupError(stream_id)  # the caller has looked it up, and only streams that have ended are deleted
        return record

    def _moved(self, record: StreamRecord, move: Move, **changes: str | int) -> StreamRecord:
        """The record after a move, written down and told; the caller holds the lock."""
        state = after(record.state, move, record.id)
        active = self._active.get(record.id)
        progress = record.progress
        if active is not None:
            progress = active.stored(replace(active.progress(), state=state), self.timelines)
        moved = replace(record, state=state, progress=progress, **changes)  # type: ignore[arg-type]
        if not moved.started_us and state is RunState.RUNNING:
            moved = replace(moved, started_us=now_us())
        self._store.put_stream(moved)
        self._tell_state(record, state)
        return moved

    def _tell_state(self, record: StreamRecord, state: RunState) -> None:
        self.say(record.id, f"{record.state} -> {state}", state=state.value)

    def _work(self, active: _Active) -> None:
        try:
            progress = active.told(active.run.run())
        except TakenOverError as exc:
            self._drop(active, exc)
            return
        except Exception as exc:  # a bug of ours must end as FAILED, not as a stream that runs for ever
            _log.exception("a run broke off", stream=active.stream_id)
            progress = active.progress()
            progress.state, progress.error_code = RunState.FAILED, "internal"
            progress.error = f"internal error ({type(exc).__name__}); the server's log has the details"
        try:
            self._write_down(active, progress)
            if progress.state is not RunState.FAILED and not self._closing.is_set():
                self._release(self._find(active.stream_id), lambda: active.ends)
        finally:
            with self._lock:
                self._active.pop(active.stream_id, None)
            active.done.set()

    def _drop(self, active: _Active, error: TakenOverError) -> None:
        """Have no more to do with a run that another process has; its record is that process's."""
        self.say(active.stream_id, f"{error.message}; this process has let go of it", level=Level.WARN)
        with self._lock:
            self._active.pop(active.stream_id, None)
        active.done.set()

    def _release(self, record: StreamRecord, ends: Callable[[], Ends]) -> None:
        """Have the source keep nothing more for a replication that is over for good; a failure is told."""
        if record.mode != Mode.CDC:
            return
        try:
            release(*ends(), record.id)
        except MainstemError as exc:
            self.say(record.id, f"{LEFT}{exc.message}; delete the stream to try it again", level=Level.WARN)

    def _write_down(self, active: _Active, progress: Progress) -> None:
        """The end of a run; a store that is away for a moment is asked again."""
        for _attempt in range(_END_ATTEMPTS):
            try:
                self._ended(active, progress)
            except Exception:
                _log.exception("the end of a run could not be written down", stream=active.stream_id)
                if self._closing.wait(SAVE_EVERY_S):
                    return
            else:
                return

    def _ended(self, active: _Active, progress: Progress) -> None:
        with self._lock:
            record = self._find(active.stream_id)
            self.timelines.sample(record.id, progress)
            self.timelines.end(record.id)
            if self._closing.is_set() and progress.state is RunState.STOPPED:
                self._store.save_progress(record.id, to_json(replace(progress, state=record.state)))
                return
            state = after(record.state, ENDING_OF.get(progress.state, Move.FAIL), record.id)
            ended = replace(
                record,
                state=state,
                progress=to_json(replace(progress, state=state)),
                error=progress.error,
                error_code=progress.error_code,
                remedy=START_ANEW if progress.error_code == PositionLostError.code else progress.remedy,
                message="",
                finished_us=now_us(),
            )
            self._store.put_stream(ended)
            self._active.pop(active.stream_id, None)
        self._tell_state(record, state)

    def _take(self, stream_id: str, event: Event) -> None:
        event = replace(event, message=event.message.replace("\0", "\N{REPLACEMENT CHARACTER}"))
        if event.category is not Category.STAT or not event.data.get("table"):  # a table's counters are told live alone
            if len(self._pending) < _PENDING_LINES:
                self._pending.append((stream_id, event))
            else:
                self._left_out += 1
        self._broadcaster.publish(stream_id, event)
        method = "debug" if event.category is Category.STAT else _LOG_METHOD[event.level]
        getattr(_log, method)(event.message, stream=stream_id, part=event.part)

    def _record(self) -> None:
        while not self._closing.wait(SAVE_EVERY_S):
            try:
                self._save_progress()
                self.flush()
            except Exception:
                _log.exception("progress could not be written down; the next second tries again")

    def _save_progress(self) -> None:
        for active in list(self._active.values()):
            progress = active.progress()
            active.meter.add(time.monotonic(), progress)
            with self._lock:
                if active.stream_id in self._active:
                    self.timelines.sample(active.stream_id, progress)
                    self._store.save_progress(active.stream_id, active.stored(progress, self.timelines))
        self.timelines.save_due()
