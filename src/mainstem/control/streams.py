"""Streams: runs of a config, from its start to its history."""

from __future__ import annotations

from mainstem.contract.store import LogLine, StateStore, StreamRecord
from mainstem.control import preflight
from mainstem.control.clock import now_us
from mainstem.control.configs import Configs
from mainstem.control.states import ACTIVE, Move, StateConflict, after, is_there_already
from mainstem.control.supervisor import Supervisor
from mainstem.engine.conversion import make_plan
from mainstem.errors import NotFoundError
from mainstem.model.event import Level
from mainstem.model.ids import STREAM, is_id, new_id
from mainstem.model.plan import MigrationPlan, Severity
from mainstem.model.run import RunState

CURRENT = "current"


class Streams:
    """The streams of a store, and the moves that a user may ask for.

    Args:
        max_active: how many may run or be paused at once; 0 is unlimited.
    """

    def __init__(self, store: StateStore, configs: Configs, supervisor: Supervisor, max_active: int = 0) -> None:
        self._store = store
        self._configs = configs
        self._supervisor = supervisor
        self._max_active = max_active

    def all(self, config_id: str = "") -> list[StreamRecord]:
        """Streams, newest first; of one config if given."""
        return self._store.streams(config_id=config_id)

    def get(self, stream_id: str) -> StreamRecord:
        """One; ``current`` is the newest. `NotFoundError` if there is none."""
        if stream_id == CURRENT:
            newest = self._store.streams()
            if not newest:
                raise NotFoundError("no active stream", remedy="start one: POST /stream-configs/{id}/start")
            return newest[0]
        record = self._store.stream(stream_id) if is_id(stream_id) else None
        if record is None:
            shown = stream_id if is_id(stream_id) else "of that id"
            raise NotFoundError(f"there is no stream {shown}", remedy="GET /streams lists them")
        return record

    def start(self, config_id: str) -> StreamRecord:
        """Begin a new run of a config, once both sides have passed their checks.

        Raises:
            PreflightError, ConnectError, NotFoundError, StateConflict: nothing has begun.
        """
        config = self._configs.get(config_id)
        self._check_room()
        definition = self._configs.definition(config.body)
        source, target = self._configs.endpoints(definition)
        findings = preflight.check(source, target, definition.options)
        record = StreamRecord(
            new_id(STREAM), now_us(), config.id, config.name, definition.mode, config.source_id, config.target_id,
            config.body, RunState.READY,
        )  # fmt: skip
        self._store.add_stream(record)
        for warning in definition.warnings:
            self._supervisor.say(record.id, warning, level=Level.WARN)
        for item in findings:
            level = Level.WARN if item.finding.severity is Severity.WARNING else Level.INFO
            self._supervisor.say(record.id, f"{item.role}: {item.finding.message}", level=level)
        return self._supervisor.launch(record.id, source, target, definition.options, Move.START)

    def plan(self, config_id: str) -> MigrationPlan:
        """What a start of this config would do; touches nothing."""
        definition = self._configs.definition(self._configs.get(config_id).body)
        source, target = self._configs.endpoints(definition)
        return make_plan(source, target, definition.options)

    def pause(self, stream_id: str) -> StreamRecord:
        """Hold a stream."""
        return self._supervisor.pause(self.get(stream_id).id)

    def stop(self, stream_id: str) -> StreamRecord:
        """End a stream."""
        return self._supervisor.stop(self.get(stream_id).id)

    def resume(self, stream_id: str) -> StreamRecord:
        """Go on: with the run that is paused, or, after a failure or the server's end, with a new start of it."""
        record = self.get(stream_id)
        if is_there_already(record.state, Move.RESUME) or self._supervisor.has_thread(record.id):
            return self._supervisor.resume(record.id)
        after(record.state, Move.RESUME, record.id)
        definition = self._configs.definition(record.body)
        source, target = self._configs.endpoints(definition)
        return self._supervisor.launch(record.id, source, target, definition.options, Move.RESUME)

    def logs(self, stream_id: str, levels: list[str], limit: int) -> list[LogLine]:
        """The newest lines of a stream, oldest first."""
        record = self.get(stream_id)
        self._supervisor.flush()
        return self._store.logs(record.id, levels=levels, limit=limit)

    def _check_room(self) -> None:
        active = self._store.streams(states=ACTIVE)
        if self._max_active and len(active) >= self._max_active:
            ids = [stream.id for stream in active]
            raise StateConflict(
                f"{len(active)} streams are active, which is the limit",
                remedy="stop one, or raise MAINSTEM_MAX_ACTIVE_STREAMS",
                details={"field": "stream_state", "value": ids},
            )
