"""Changes into PostgreSQL, with the checkpoint in the same transaction.

A segment is applied by sets, and where those won't do, event by event. Foreign keys and triggers of the target are off
meanwhile (session_replication_role = replica), where the login may do that: the source has checked and done it all.

Source: PostgreSQL manual, "Client Connection Defaults" (session_replication_role), "SAVEPOINT", "TRUNCATE".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

import psycopg

from mainstem import failpoints
from mainstem.connectors.postgres import book, holders
from mainstem.connectors.postgres.client import cancel, connect, row_error, translate_error, translating
from mainstem.connectors.postgres.dialect import PostgresDialect
from mainstem.connectors.postgres.fence import in_the_way
from mainstem.connectors.postgres.merge import Staging
from mainstem.connectors.postgres.segment import RefusedError, Segments
from mainstem.connectors.postgres.shape import ForeignKey, read_foreign_keys, read_shape
from mainstem.connectors.postgres.work import TargetTable, Work
from mainstem.contract.apply import PART_WAIT_S, Applied
from mainstem.errors import CancelledError, ConflictError, LockedError, MainstemError, StatementError, TransientError
from mainstem.model.change import RowChanges, Truncate
from mainstem.model.connection import ConnectionSettings
from mainstem.model.names import TableId
from mainstem.model.run import RunOptions
from mainstem.model.stream import Checkpoint, DeadLetter, SchemaRecord, StreamTable

LOCK_WAIT_S = 15
BESIDE_WAIT_S = 1  # of two transactions of ours, the one that was there first may be what is waited for
_SAVEPOINT = "mainstem"
_RELEASE = f"RELEASE SAVEPOINT {_SAVEPOINT}; "
_DIALECT = PostgresDialect()
# Keys of a segment are looked up in order, so that pages are mostly at hand: at the usual cost of a page the planner
# prefers to read the whole index.
_SESSION = (
    "SET lc_monetary = 'C'; SET xmloption = content; SET work_mem = '32MB'; SET temp_buffers = '32MB';"
    " SET random_page_cost = 1.1; SET default_transaction_isolation = 'read committed';"
    " SET default_transaction_deferrable = off; SET row_security = off"  # an error is better than rows unseen
)


class PostgresChangeTarget:
    """See `contract.apply.ChangeTarget`."""

    def __init__(self, settings: ConnectionSettings, options: RunOptions) -> None:
        self._settings = settings
        self._options = options

    def applier(self, stream_id: str, part: int | None = None) -> PostgresApplier:
        """A connection that applies changes."""
        return PostgresApplier(self._settings, self._options, stream_id, part)

    def book(self, stream_id: str) -> book.PostgresBook:
        """What the target knows of a stream."""
        return book.PostgresBook(self._settings, stream_id, self._options.token)


@dataclass(slots=True)
class _Standing:
    """What two connections of one stream have in common.

    Attributes:
        position: of the checkpoint, once it is known.
        beside: there are two.
    """

    position: str | None = None
    beside: bool = False


class PostgresApplier:
    """See `contract.apply.Applier`.

    Args:
        shared: makes it one that goes ahead (see `contract.apply.Applier.ahead`).
    """

    def __init__(
        self,
        settings: ConnectionSettings,
        options: RunOptions,
        stream_id: str,
        part: int | None = None,
        shared: _Standing | None = None,
    ) -> None:
        self._settings = settings
        self._options = options
        self._stream_id, self._part = stream_id, part
        self._is_ahead, self._shared = shared is not None, shared or _Standing()
        self._name = "ahead" if self._is_ahead else "apply" if part is None else f"part{part}"
        self._fence = book.stream_fence(stream_id, options.token)
        self._connection: psycopg.Connection[Any] = connect(
            settings, prepare_threshold=None, application_name=self._fence.name(self._name)
        )
        try:
            self._prepare_session()
        except BaseException:
            self._connection.close()
            raise
        self._segments = Segments(self._connection, replica=self._replica, foreign_keys=self._foreign_keys)
        self._tables: dict[TableId, TargetTable] = {}
        self._made = 0
        self._staging_before = Staging()
        self._keys: list[ForeignKey] | None = None
        self._begun = False  # the server knows of the transaction
        self._held = False  # a savepoint of this transaction is not released yet
        self._altered = False  # this transaction has changed the structure
        self._interrupted = False

    def __enter__(self) -> PostgresApplier:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._is_ahead:
            self._shared.beside = False
        self._connection.close()

    @property
    def goes_ahead(self) -> bool:
        """With triggers on, only the order of the commits would do; a soft delete may have to add its column."""
        return self._replica and self._part is None and not self._options.changes.soft_delete

    def ahead(self) -> PostgresApplier:
        """Another connection, that goes ahead of this one."""
        made = PostgresApplier(self._settings, self._options, self._stream_id, shared=self._shared)
        self._shared.beside = True
        return made

    def begin(self) -> None:
        """Start a transaction."""
        shared = self._shared
        with translating():
            if shared.position is None:
                shared.position = book.read_position(self._connection, self._stream_id, self._part)
            if shared.position is None:
                if self._fence.token:
                    raise self._fence.taken_over(None)
                raise ConflictError(f"the target does not know the stream {self._stream_id}", stream=self._stream_id)
        self._begun = self._held = self._altered = False  # the server hears of it together with what comes first
        self._staging_before = self._segments.staging.copy()
        self._interrupted = False

    @property
    def fires_triggers(self) -> bool:
        """Unless they could be switched off."""
        return not self._replica

    def apply(self, changes: Sequence[RowChanges], tables: Mapping[TableId, StreamTable]) -> Applied:
        """Bring the tables to where these changes leave them; all of it or, with an error, nothing."""
        failpoints.hit("applier.before_apply")
        with self._whole():
            works = [self._work(part, tables[part.table]) for part in changes if part.count]
            applied = self._segments.apply(works, _SAVEPOINT)
        failpoints.hit("applier.after_apply")
        return applied

    def truncate(self, part: Truncate, tables: Mapping[TableId, StreamTable]) -> None:
        """Empty tables."""
        with self._whole():
            targets = {tables[table].plan.target: tables[table] for table in part.tables}
            soft = self._options.changes.soft_delete
            if soft:
                for table in targets.values():
                    said, name = self._target(table).statements, _DIALECT.quote(soft)
                    self._execute(f"UPDATE {said.shape.name} SET {name} = now() WHERE {name} IS NULL")
                return
            held = {key.parent for key in self._foreign_keys() if key.parent in targets and key.child not in targets}
            names = {target: self._target(table).statements.shape.name for target, table in targets.items()}
            for target in held:
                self._execute(f"DELETE FROM {names[target]}")
            free = ", ".join(name for target, name in names.items() if target not in held)
            if free:
                self._execute(f"TRUNCATE {free}{' RESTART IDENTITY' if part.restart_identity else ''}")

    def undo(self) -> None:
        """Take back the `apply` or `truncate` that was the last call."""
        with self._translated():
            self._segments.undo(_SAVEPOINT, self._staging_marked)

    def alter(self, statements: Sequence[str]) -> None:
        """Change structure, within the transaction."""
        with self._whole():
            self._altered = True
            for statement in statements:
                self._execute(statement)
            self._forget()

    def save(self, table: StreamTable) -> None:
        """Write down the state of a table."""
        with self._whole():
            book.save_table(self._connection, self._stream_id, table)

    def forget(self, table: TableId) -> None:
        """The stream has this table no more."""
        with self._whole():
            book.forget_table(self._connection, self._stream_id, table)
        self._tables.pop(table, None)

    def reject(self, letter: DeadLetter) -> None:
        """Put a change aside."""
        with self._whole():
            book.put_letter(self._connection, self._stream_id, letter)

    def discard(self, table: TableId, number: int | None = None) -> int:
        """Forget the change of that number that was put aside, or all of a table; how many there were."""
        with self._whole():
            return book.drop_letters(self._connection, self._stream_id, table, number)

    def record(self, line: SchemaRecord) -> None:
        """Write down what became of a schema change."""
        with self._whole():
            book.put_record(self._connection, self._stream_id, line)

    def commit(self, checkpoint: Checkpoint) -> None:
        """Make all of it durable together with the checkpoint."""
        failpoints.hit("applier.before_checkpoint")
        with self._translated():
            if not self._begun:
                self._execute(self._opening())
            if not book.move_checkpoint(
                self._connection, self._fence, self._shared.position or "", checkpoint, self._part
            ):
                raise ConflictError(
                    f"another process has moved the checkpoint of {self._stream_id}",
                    remedy="stop the other process that runs this stream",
                    stream=self._stream_id,
                )
            failpoints.hit("applier.before_commit")
            self._connection.execute("COMMIT")
        self._shared.position = checkpoint.position
        failpoints.hit("applier.after_commit")

    def rollback(self) -> None:
        """Leave the target as it was before `begin`."""
        self._segments.staging = self._staging_before.copy()
        if self._altered:
            self._forget()
        with suppress(psycopg.Error):
            self._connection.rollback()

    def interrupt(self) -> None:
        """From another thread: break off what runs now, with `CancelledError`."""
        self._interrupted = True
        cancel(self._connection, self._settings)

    # The session

    def _prepare_session(self) -> None:
        version, wait = self._connection.info.server_version, self._options.changes.lock_timeout_s
        with translating():
            self._connection.execute(_SESSION)
            # A commit is confirmed to the source once it is made: it must be on disk by then.
            if self._connection.execute("SHOW synchronous_commit").fetchone() == ("off",):
                self._connection.execute("SET synchronous_commit = on")
            if version >= 140_000:  # or a statement of a process that was killed would go on to its end
                with suppress(psycopg.Error):  # not every platform can
                    self._connection.execute("SET client_connection_check_interval = '2s'")
            if self._is_ahead:
                self._fence.check(self._connection)
                wait = BESIDE_WAIT_S
            else:
                self._own()
                wait = wait or (0 if self._part is None else PART_WAIT_S)
            self._connection.execute(f"SET lock_timeout = '{wait}s'")
            try:
                self._connection.execute("SET session_replication_role = replica")
                self._replica = True
            except psycopg.errors.InsufficientPrivilege:
                self._replica = False

    def _own(self) -> None:
        """Be the only process of this stream; one that has just been killed is waited for, a former holder ended."""
        former = self._fence.claim(self._connection, alone=self._name)
        of_part = "" if self._part is None else f"/{self._part}"
        self._connection.execute(f"SET lock_timeout = '{LOCK_WAIT_S}s'")
        try:
            self._connection.execute(
                "SELECT pg_advisory_lock(hashtextextended(%s, 0))", (f"mainstem.stream:{self._stream_id}{of_part}",)
            )
        except psycopg.errors.LockNotAvailable as exc:
            if self._fence.token:
                raise in_the_way(former) from exc
            raise ConflictError(
                f"another process runs the stream {self._stream_id}",
                remedy="stop it, or give this stream a name of its own",
                stream=self._stream_id,
            ) from exc

    # Savepoints and errors

    @contextmanager
    def _whole(self) -> Iterator[None]:
        """Inside, all of it happens, or with an error nothing; the driver's errors become ours."""
        with self._translated():
            self._mark()
        try:
            with self._translated():
                yield
        except BaseException as exc:
            self._undo()
            named = self._named(exc) if isinstance(exc, LockedError) else exc
            if self._altered:
                self._forget()
            if named is not exc:
                raise named from exc
            raise

    def _named(self, error: LockedError) -> LockedError:
        """The error, with who has a table of the stream; but for what two of our own do with each other."""
        if not (self._is_ahead or self._shared.beside):
            names = [table.statements.shape.name for table in self._tables.values()]
            with suppress(psycopg.Error):
                return holders.named(self._connection, error, names)
        return error

    def _mark(self) -> None:
        """A savepoint in place of the last one. The last one is released only now: its work may be undone no more."""
        release, staging = _RELEASE if self._held else "", self._segments.staging
        self._execute(f"{self._opening()}{release}{staging.emptying()}SAVEPOINT {_SAVEPOINT}")
        self._begun = self._held = True
        staging.filled.clear()
        self._staging_marked = staging.copy()

    def _opening(self) -> str:
        if self._begun:
            return ""
        if not self._replica:
            return "BEGIN; SET CONSTRAINTS ALL DEFERRED; "
        return f"BEGIN; SET LOCAL lock_timeout = '{BESIDE_WAIT_S}s'; " if self._shared.beside else "BEGIN; "

    def _undo(self) -> None:
        with suppress(psycopg.Error):
            self._segments.undo(_SAVEPOINT, self._staging_marked)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except MainstemError:
            raise
        except RefusedError as exc:
            raise self._translation(exc.error, exc.table, exc.seq) from exc.error
        except Exception as exc:
            raise self._translation(exc) from exc

    def _translation(self, exc: Exception, table: str | None = None, seq: int | None = None) -> MainstemError:
        error: MainstemError
        if isinstance(exc, psycopg.errors.QueryCanceled):  # says nothing about the changes
            error = TransientError("PostgreSQL: someone has cancelled the statement", remedy="try again")
            if self._interrupted:
                error = CancelledError("applying was interrupted")
        else:
            error = (row_error(exc) if isinstance(exc, psycopg.Error) else None) or translate_error(exc)
        error.where.update({key: value for key, value in (("table", table), ("seq", seq)) if value is not None})
        if isinstance(error, StatementError):
            self._forget()
        return error

    def _forget(self) -> None:
        """The target's tables are not what they were."""
        self._tables.clear()
        self._keys = None
        self._segments.stale = True

    def _execute(self, sql: str) -> None:
        self._connection.execute(sql.encode())

    # Tables

    def _foreign_keys(self) -> list[ForeignKey]:
        if self._keys is None:
            self._keys = read_foreign_keys(self._connection)
        return self._keys

    def _target(self, table: StreamTable) -> TargetTable:
        found = self._tables.get(table.source)
        if found is None or (found.source_plan is not table.plan and found.source_plan != table.plan):
            soft, name = self._options.changes.soft_delete, table.plan.target
            shape = read_shape(self._connection, table.plan)
            if soft and soft not in shape.columns:
                self._altered = True
                self._execute(f"ALTER TABLE {_DIALECT.qualified(name)} ADD COLUMN {_DIALECT.quote(soft)} timestamptz")
                shape = read_shape(self._connection, table.plan)
            self._keys = None
            self._made += 1
            found = self._tables[table.source] = TargetTable(table.plan, shape, self._made, self._options)
        return found

    def _work(self, changes: RowChanges, table: StreamTable) -> Work:
        target = self._target(table)
        return Work(target, table, target.ready(changes, f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S.%f}".encode()))
