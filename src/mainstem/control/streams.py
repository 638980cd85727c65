"""Streams: runs of a config, from its start to its history."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mainstem.contract.fleet import stream_lease
from mainstem.contract.store import LogLine, StateStore, StreamRecord
from mainstem.control import preflight
from mainstem.control.clock import now_us
from mainstem.control.commands import PAUSE, PAUSE_TABLE, RESUME, RESUME_TABLE, STOP, Commands
from mainstem.control.config_body import read_config
from mainstem.control.configs import Configs
from mainstem.control.fleet import Fleet
from mainstem.control.members import Role
from mainstem.control.options import reporting_interval_s
from mainstem.control.orders import Command
from mainstem.control.plans import plan_of
from mainstem.control.runs import Ends
from mainstem.control.states import ACTIVE, StateConflict
from mainstem.control.supervisor import Supervisor, is_to_go_on
from mainstem.engine.replication import close_stream
from mainstem.errors import ConflictError, MainstemError, NotFoundError
from mainstem.model.event import Level
from mainstem.model.ids import STREAM, is_id, new_id
from mainstem.model.plan import MigrationPlan, Severity
from mainstem.model.run import Mode, RunState

CURRENT = "current"
TAKEN_WITHIN_S = 15.0
_LOOK_S = 0.1
_STARTING = "starting"
"""The lease of whoever counts how many streams are active, and adds one."""


class Streams:
    """The streams of a store, and the moves that a user may ask for.

    Args:
        max_active: how many may run or be paused at once; 0 is unlimited.
    """

    def __init__(
        self, store: StateStore, configs: Configs, supervisor: Supervisor, fleet: Fleet, max_active: int = 0
    ) -> None:
        self._store = store
        self._configs = configs
        self._supervisor = supervisor
        self._fleet = fleet
        self._max_active = max_active
        self.commands = Commands(fleet)
        self.commands.does(PAUSE, lambda stream_id: _nothing(supervisor.pause(stream_id)))
        self.commands.does(RESUME, lambda stream_id: _nothing(supervisor.resume(stream_id, self.ends)))
        self.commands.does(STOP, lambda stream_id: _nothing(supervisor.stop(stream_id, self.ends)))
        self.commands.does(PAUSE_TABLE, self._pause_table)
        self.commands.does(RESUME_TABLE, self._resume_table)

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

    def start(self, config_id: str, *, snapshot: str = "") -> StreamRecord:
        """Begin a new run of a config, once both sides have passed their checks.

        Args:
            snapshot: for this run instead of the config's own, if not empty.

        Raises:
            InvalidError: a snapshot that is none, or of a config of mode convert.
            PreflightError, ConnectError, NotFoundError, StateConflict: nothing has begun.
        """
        config = self._configs.get(config_id)
        body = {**config.body, "snapshot": snapshot} if snapshot else config.body
        self._check_writers()
        self._check_room(config_id)
        definition, source, target = self._configs.resolve(body)
        findings = preflight.check(source, target, definition.options)
        record = StreamRecord(
            new_id(STREAM), now_us(), config.id, config.name, definition.mode, config.source_id, config.target_id,
            body, RunState.READY,
        )  # fmt: skip
        with self._fleet.alone(_STARTING):
            self._check_room(config_id)  # again, because the checks of both sides took their time
            if self._supervisor.runs_streams:
                self._supervisor.begin(record, source, target, definition.options)
            else:
                self._store.add_stream(record)
        started = self._taken(record)
        for warning in (*definition.warnings, *self._held(config_id)):
            self._supervisor.say(record.id, warning, level=Level.WARN)
        for item in findings:
            level = Level.INFO if item.finding.severity is Severity.INFO else Level.WARN
            self._supervisor.say(record.id, f"{item.role}: {item.finding.message}", level=level, part=item.role.value)
        return started

    def _check_writers(self) -> None:
        """`StateConflict` unless there is a process that can run a stream."""
        members = self._fleet.members
        missing = [role for role in (Role.WRITER, Role.READER) if not members.has(role) and not members.live(role)]
        if missing:
            raise StateConflict(
                f"no process with role {' or '.join(missing)} is there to run a stream",
                remedy=f"start one (mainstem serve --role {','.join(missing)}); GET /system/members lists them",
                details={"field": "role", "value": [role.value for role in missing]},
            )

    def _taken(self, record: StreamRecord) -> StreamRecord:
        """The record once a process leads the stream; without one in time it is forgotten, and nothing has begun."""
        deadline_s = time.monotonic() + TAKEN_WITHIN_S
        while True:
            found = self.get(record.id)
            if found.state is not RunState.READY:
                return found
            late = time.monotonic() > deadline_s
            lease = self._fleet.leases.acquire(stream_lease(record.id)) if late else None
            if lease is not None:
                self._store.delete_stream(record.id)
                self._fleet.leases.release(lease)
                raise StateConflict(
                    "no process with role writer took the stream; it has not begun",
                    remedy="see GET /system/members, and the logs of those processes",
                    details={"field": "role", "value": [Role.WRITER.value]},
                )
            time.sleep(_LOOK_S)

    def _held(self, config_id: str) -> Iterator[str]:
        """Warnings of earlier replications of a config for which the source may still keep its log."""
        for record in self._store.streams(config_id=config_id, states=(RunState.FAILED,)):
            if record.mode == Mode.CDC:
                yield f"the source may still keep its log for stream {record.id}, which failed: delete it"

    def create_and_start(self, body: Mapping[str, Any]) -> StreamRecord:
        """Save a config and start it; when it cannot start, the config is forgotten again."""
        config = self._configs.create(body)
        try:
            return self.start(config.id)
        except BaseException:
            self._configs.delete(config.id)
            raise

    def reporting_interval_s(self, record: StreamRecord) -> int:
        """Seconds between two reports of a stream; 0 is none."""
        return reporting_interval_s(read_config(record.body))

    def plan(self, config_id: str) -> tuple[MigrationPlan, list[preflight.RoleFinding]]:
        """What a start of this config would do, and what its checks would say; touches nothing."""
        definition, source, target = self._configs.resolve(self._configs.get(config_id).body)
        findings = preflight.look(source, target, definition.options)
        return plan_of(source, target, definition.options), findings

    def pause(self, stream_id: str) -> StreamRecord:
        """Hold a stream."""
        return self._moved(self.get(stream_id), PAUSE)

    def stop(self, stream_id: str) -> StreamRecord:
        """End a stream for good; of a replication the source keeps nothing more."""
        return self._moved(self.get(stream_id), STOP)

    def resume(self, stream_id: str) -> StreamRecord:
        """Go on after a pause, a failure, or the end of the server."""
        record = self.get(stream_id)
        self._check_writers()
        if record.state is not RunState.FAILED:  # it is active itself, or cannot be resumed
            return self._moved(record, RESUME)
        with self._fleet.alone(_STARTING):
            self._check_room(record.config_id)
            return self._moved(record, RESUME)

    def _moved(self, record: StreamRecord, command: Command) -> StreamRecord:
        self.commands.have(command, record.id)
        return self.get(record.id)

    def pause_table(self, stream_id: str, table: str) -> StreamRecord:
        """Hold one table while the others go on. `StateConflict` when the stream does not run."""
        record = self.get(stream_id)
        self.commands.have(PAUSE_TABLE, record.id, table)
        return record

    def resume_table(self, stream_id: str, table: str) -> StreamRecord:
        """Go on with a table that is held; in mode cdc by a new copy. `StateConflict` when the stream does not run."""
        record = self.get(stream_id)
        self.commands.have(RESUME_TABLE, record.id, table)
        return record

    def _pause_table(self, stream_id: str, table: str) -> None:
        self._supervisor.led_run(stream_id).pause_table(table)
        self._supervisor.say(stream_id, f"{table}: paused on request", table=table)

    def _resume_table(self, stream_id: str, table: str) -> None:
        self._supervisor.led_run(stream_id).resume_table(table)
        self._supervisor.say(stream_id, f"{table}: goes on on request", table=table)

    def forget(self, config_id: str, run_ids: Sequence[str] = (), *, force: bool = False) -> int:
        """Delete streams of a config that have ended (these, or all); returns how many.

        What a replication has left at its source and in its target's book goes with it.

        Args:
            force: delete also where that cannot be done.

        Raises:
            ConflictError: one is active, or keeps what it left because a system cannot be asked.
        """
        records = {record.id: record for record in self.all(config_id)}
        for run_id in run_ids:
            if run_id not in records:
                raise NotFoundError(f"the config has no stream {run_id if is_id(run_id) else 'of that id'}")
        chosen = [records[run_id] for run_id in run_ids] or [one for one in records.values() if one.state not in ACTIVE]
        for record in chosen:
            if record.state in ACTIVE:
                raise ConflictError(f"stream {record.id} is {record.state}", remedy="stop it first", stream=record.id)
            if record.mode == Mode.CDC and not force:
                self._close(record)
        return sum(self._delete(record) for record in chosen)

    def _delete(self, record: StreamRecord) -> bool:
        with self._fleet.alone(stream_lease(record.id), patience_s=0.0):
            return self._store.delete_stream(record.id)

    def _close(self, record: StreamRecord) -> None:
        try:
            with self._fleet.alone(stream_lease(record.id)) as lease:
                close_stream(*self._supervisor.through(record.id, lease.token, self.ends(record)), record.id)
        except MainstemError as exc:
            raise ConflictError(
                f"what stream {record.id} left at its source or target could not be taken away: {exc.message}",
                remedy="mend that and try again; with ?force=true the stream is deleted all the same, and its slot must"
                " be dropped by hand",
                stream=record.id,
            ) from exc

    def logs(self, stream_id: str, levels: list[str], limit: int, before: int | None = None) -> list[LogLine]:
        """The newest lines of a stream (below a number if given), oldest first."""
        record = self.get(stream_id)
        self._supervisor.flush()
        return self._store.logs(record.id, levels=levels, limit=limit, before=before)

    def go_on(self) -> None:
        """Resume the replications that ran when the last server ended; one that cannot be is told in its log."""
        for record in self._store.streams(states=(RunState.PAUSED,)):
            if not is_to_go_on(record.state, record.message):
                continue
            try:
                self._supervisor.resume(record.id, self.ends)
            except MainstemError as exc:
                self._supervisor.say(record.id, f"it cannot go on by itself: {exc.message}", level=Level.ERROR)

    def ends(self, record: StreamRecord) -> Ends:
        """Both systems as their connections are now, and the options of a stream.

        Raises:
            NotFoundError: a connection is gone.
        """
        definition, source, target = self._configs.resolve(record.body)
        return source, target, definition.options

    def ends_of(self, stream_id: str) -> Ends:
        """The same of a stream by its id."""
        return self.ends(self.get(stream_id))

    def _check_room(self, config_id: str) -> None:
        active = self._store.streams(states=ACTIVE)
        same = [stream.id for stream in active if stream.config_id == config_id]
        if same:
            raise StateConflict(
                f"stream {same[0]} of this config is still active",
                remedy="resume it, or stop it first; another config can run beside it",
                details={"field": "stream_state", "value": same},
            )
        if self._max_active and len(active) >= self._max_active:
            raise StateConflict(
                f"{len(active)} streams are active, which is the limit",
                remedy="stop one, or raise MAINSTEM_MAX_ACTIVE_STREAMS",
                details={"field": "stream_state", "value": [stream.id for stream in active]},
            )


def _nothing(_record: StreamRecord) -> None:
    """What an order answers with: the record is in the store for everyone to read."""
