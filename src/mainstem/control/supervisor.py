"""Runs conversions in threads, moves streams through their states, and writes down what they say."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Protocol

from mainstem.contract.store import StateStore, StreamRecord
from mainstem.control.clock import now_us
from mainstem.control.events import Broadcaster
from mainstem.control.hiding import hide
from mainstem.control.progress import Rate, RateMeter, carried, from_json, to_json
from mainstem.control.states import ENDING_OF, Move, after, is_there_already
from mainstem.engine.conversion import Endpoint
from mainstem.log import logger
from mainstem.model.event import Category, Event, Level
from mainstem.model.names import TableId
from mainstem.model.run import Progress, RunOptions, RunState

KEPT_LINES = 2000
SAVE_EVERY_S = 1.0
STOP_WAIT_S = 10.0
INTERRUPTED = "the server ended while this stream ran; resume goes on from what is durable"
_PENDING_LINES = 20_000
_log = logger(__name__)
_LOG_METHOD = {Level.DEBUG: "debug", Level.INFO: "info", Level.WARN: "warning", Level.ERROR: "error"}


class Run(Protocol):
    """What the supervisor needs of `engine.conversion.Conversion`."""

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


MakeRun = Callable[[str, Endpoint, Endpoint, RunOptions, Callable[[Event], None]], Run]


@dataclass(slots=True)
class _Active:
    """A run that has a thread."""

    stream_id: str
    run: Run
    before: Progress
    hidden: Callable[[str], str]
    meter: RateMeter = field(default_factory=RateMeter)
    done: threading.Event = field(default_factory=threading.Event)

    def progress(self) -> Progress:
        return carried(self.before, self.run.progress())


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
        self._pending: deque[tuple[str, Event]] = deque(maxlen=_PENDING_LINES)
        self._closing = threading.Event()
        self._recorder = threading.Thread(target=self._record, name="recorder", daemon=True)

    def start(self) -> None:
        """Take over from a server that ended: what ran then is PAUSED now. Then begin to write things down."""
        for record in self._store.streams(states=(RunState.RUNNING, RunState.READY)):
            move = Move.INTERRUPT if record.state is RunState.RUNNING else Move.FAIL
            interrupted = replace(record, state=after(record.state, move, record.id), message=INTERRUPTED)
            if move is Move.FAIL:
                interrupted = replace(
                    interrupted, error="the server ended before the stream began", error_code="never_began"
                )
            self._store.put_stream(interrupted)
            self.say(record.id, INTERRUPTED, level=Level.WARN)
        self._recorder.start()

    def launch(
        self, stream_id: str, source: Endpoint, target: Endpoint, options: RunOptions, move: Move
    ) -> StreamRecord:
        """Begin a stream (START), or go on with one that has no thread (RESUME)."""
        with self._lock:
            record = self._find(stream_id)
            before = from_json(record.progress) if move is Move.RESUME else Progress()
            if options.max_seconds:
                options = replace(options, max_seconds=max(int(options.max_seconds - before.elapsed_s), 1))
            active = _Active(
                stream_id,
                self._make_run(stream_id, source, target, options, self._listener(stream_id, source, target)),
                before,
                lambda text: hide(text, source.settings, target.settings),
            )
            record = self._moved(record, move, message="", error="", error_code="", remedy="", finished_us=0)
            self._active[stream_id] = active
        threading.Thread(target=self._work, args=(active,), name=f"run-{stream_id}", daemon=True).start()
        return record

    def has_thread(self, stream_id: str) -> bool:
        """Whether the stream's run is alive in this process."""
        return stream_id in self._active

    def pause(self, stream_id: str) -> StreamRecord:
        """Hold a stream; its progress is kept."""
        with self._lock:
            record = self._find(stream_id)
            if is_there_already(record.state, Move.PAUSE):
                return record
            record = self._moved(record, Move.PAUSE, message="paused on request")
            self._active[stream_id].run.pause()
            return record

    def resume(self, stream_id: str) -> StreamRecord:
        """Go on with a paused stream whose run is alive (see `launch` for the others)."""
        with self._lock:
            record = self._find(stream_id)
            if is_there_already(record.state, Move.RESUME):
                return record
            record = self._moved(record, Move.RESUME, message="")
            self._active[stream_id].run.resume()
            return record

    def stop(self, stream_id: str) -> StreamRecord:
        """End a stream; waits until it has ended, `STOP_WAIT_S` at most. What has ended stays as it is."""
        with self._lock:
            record = self._find(stream_id)
            if is_there_already(record.state, Move.STOP):
                return record
            active = self._active.get(stream_id)
            if active is None:
                return self._moved(record, Move.STOP, message="stopped on request", finished_us=now_us())
        active.run.stop()
        active.done.wait(STOP_WAIT_S)
        return self._find(stream_id)

    def progress(self, record: StreamRecord) -> Progress:
        """How far a stream is, live if it has a thread; its state is the record's."""
        active = self._active.get(record.id)
        progress = active.progress() if active is not None else from_json(record.progress)
        progress.state = record.state
        return progress

    def rates(self, record: StreamRecord, progress: Progress) -> tuple[Rate, dict[TableId, Rate]]:
        """Rates of a stream that runs; without a thread, or paused, nothing moves."""
        active = self._active.get(record.id)
        if active is None or record.state is not RunState.RUNNING:
            return RateMeter().rates(0.0, progress)
        return active.meter.rates(time.monotonic(), progress)

    def say(self, stream_id: str, message: str, *, level: Level = Level.INFO, **data: object) -> None:
        """An event of the control plane's own."""
        self._take(stream_id, Event(level, Category.GENERAL, message, now_us(), "api", dict(data)))

    def close(self, deadline_s: float = 15.0) -> None:
        """End all runs so that they can be resumed: what runs becomes PAUSED, half-done chunks are rolled back."""
        deadline = time.monotonic() + deadline_s
        with self._lock:
            active = list(self._active.values())
            self._closing.set()
            for one in active:
                record = self._find(one.stream_id)
                if record.state is RunState.RUNNING:
                    self._moved(record, Move.INTERRUPT, message=INTERRUPTED)
        for one in active:
            one.run.stop()
        for one in active:
            one.done.wait(max(deadline - time.monotonic(), 0.0))
        self._recorder.join(max(deadline - time.monotonic(), 1.0))
        self._flush()

    def _find(self, stream_id: str) -> StreamRecord:
        record = self._store.stream(stream_id)
        if record is None:
            raise LookupError(stream_id)  # the caller has looked it up, and nothing but `forget` removes it
        return record

    def _moved(self, record: StreamRecord, move: Move, **changes: str | int) -> StreamRecord:
        """The record after a move, written down; the caller holds the lock."""
        state = after(record.state, move, record.id)
        active = self._active.get(record.id)
        progress = record.progress if active is None else to_json(replace(active.progress(), state=state))
        moved = replace(record, state=state, progress=progress, **changes)  # type: ignore[arg-type]
        if not moved.started_us and state is RunState.RUNNING:
            moved = replace(moved, started_us=now_us())
        self._store.put_stream(moved)
        self.say(record.id, f"{record.state} -> {state}", state=state.value)
        return moved

    def _work(self, active: _Active) -> None:
        try:
            progress = carried(active.before, active.run.run())
        except Exception as exc:  # a bug of ours must end as FAILED, not as a stream that runs for ever
            _log.exception("a run broke off", stream=active.stream_id)
            progress = active.progress()
            progress.state, progress.error_code = RunState.FAILED, "internal"
            progress.error = f"internal error ({type(exc).__name__}); the server's log has the details"
        try:
            self._ended(active, progress)
        except Exception:
            _log.exception("the end of a run could not be written down", stream=active.stream_id)
        finally:
            active.done.set()

    def _ended(self, active: _Active, progress: Progress) -> None:
        with self._lock:
            self._active.pop(active.stream_id, None)
            record = self._find(active.stream_id)
            if self._closing.is_set() and progress.state is RunState.STOPPED:
                self._store.save_progress(record.id, to_json(replace(progress, state=record.state)))
                return
            state = after(record.state, ENDING_OF[progress.state], record.id)
            ended = replace(
                record,
                state=state,
                progress=to_json(progress),
                error=active.hidden(progress.error),
                error_code=progress.error_code,
                remedy=active.hidden(progress.remedy),
                message="",
                finished_us=now_us(),
            )
            self._store.put_stream(ended)
        self.say(record.id, f"{record.state} -> {state}", state=state.value)

    def _listener(self, stream_id: str, source: Endpoint, target: Endpoint) -> Callable[[Event], None]:
        def listen(event: Event) -> None:
            self._take(stream_id, replace(event, message=hide(event.message, source.settings, target.settings)))

        return listen

    def _take(self, stream_id: str, event: Event) -> None:
        event = replace(event, message=event.message.replace("\0", "\N{REPLACEMENT CHARACTER}"))
        self._pending.append((stream_id, event))
        self._broadcaster.publish(stream_id, event)
        method = "debug" if event.category is Category.STAT else _LOG_METHOD[event.level]
        getattr(_log, method)(event.message, stream=stream_id, part=event.part)

    def _record(self) -> None:
        while not self._closing.wait(SAVE_EVERY_S):
            try:
                self._save_progress()
                self._flush()
            except Exception:
                _log.exception("progress could not be written down; the next second tries again")

    def _save_progress(self) -> None:
        for active in list(self._active.values()):
            progress = active.progress()
            active.meter.add(time.monotonic(), progress)
            with self._lock:
                if active.stream_id in self._active:
                    self._store.save_progress(active.stream_id, to_json(progress))

    def flush(self) -> None:
        """Write down the lines that wait, so that a reader of the log sees them."""
        self._flush()

    def _flush(self) -> None:
        lines = []
        while self._pending:
            lines.append(self._pending.popleft())
        self._store.append_logs(lines, keep=KEPT_LINES)
