"""Changes into PostgreSQL, with the checkpoint in the same transaction.

A segment is applied by sets, and where those won't do, event by event. Foreign keys and triggers of the target are off
meanwhile (session_replication_role = replica), where the login may do that: the source has checked and done it all.

Source: PostgreSQL manual, "Client Connection Defaults" (session_replication_role), "SAVEPOINT", "TRUNCATE".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

import psycopg
from psycopg import pq

from mainstem import failpoints
from mainstem.connectors.postgres import book
from mainstem.connectors.postgres.client import cancel, connect, row_error, translate_error, translating
from mainstem.connectors.postgres.dialect import PostgresDialect
from mainstem.connectors.postgres.events import Events, Meaning, Step, in_order
from mainstem.connectors.postgres.merge import Merge, NotBySetsError, Staging
from mainstem.connectors.postgres.pipeline import Call, CallError, Pipeline
from mainstem.connectors.postgres.shape import ForeignKey, parents_first, read_foreign_keys, read_shape
from mainstem.connectors.postgres.work import TargetTable, Work
from mainstem.contract.apply import Applied
from mainstem.errors import CancelledError, ConflictError, MainstemError, RowError, StatementError, TransientError
from mainstem.model.change import Op, RowChanges, Truncate
from mainstem.model.connection import ConnectionSettings
from mainstem.model.names import TableId
from mainstem.model.net import only_inserts
from mainstem.model.run import RunOptions, TableState
from mainstem.model.stream import Checkpoint, DeadLetter, SchemaRecord, StreamTable

FEW = 80
"""Events of a table up to which single statements in a pipeline cost less than staging (bench/apply.py)."""

FEW_BYTES = 1024 * 1024
"""Their bytes up to which: a parameter is held several times over."""

LOCK_WAIT_S = 15
_STEPS_AT_ONCE = 4000
_SAVEPOINT = "mainstem"
_RELEASE = f"RELEASE SAVEPOINT {_SAVEPOINT}; "
_DIALECT = PostgresDialect()
# Keys of a segment are looked up in order, so that pages are mostly at hand: at the usual cost of a page the planner
# prefers to read the whole index.
_SESSION = (
    "SET lc_monetary = 'C'; SET xmloption = content; SET work_mem = '32MB'; SET temp_buffers = '32MB';"
    " SET random_page_cost = 1.1; SET default_transaction_isolation = 'read committed';"
    " SET default_transaction_deferrable = off"
)
_OTHERS_ROWS = {"23505", "23503", "23P01"}  # refusals for what other rows are at that moment: order may help


class _PutInError(Exception):
    """An UPDATE of a whole row met none: it has to be put in, before what comes after it."""


class _OrderError(Exception):
    """A row was refused for what other rows are at that moment: another way may help."""

    def __init__(self, refused: RowError) -> None:
        super().__init__(refused.message)
        self.refused = refused


class PostgresChangeTarget:
    """See `contract.apply.ChangeTarget`."""

    def __init__(self, settings: ConnectionSettings, options: RunOptions) -> None:
        self._settings = settings
        self._options = options

    def applier(self, stream_id: str) -> PostgresApplier:
        """A connection that applies changes."""
        return PostgresApplier(self._settings, self._options, stream_id)

    def book(self, stream_id: str) -> book.PostgresBook:
        """What the target knows of a stream."""
        return book.PostgresBook(self._settings, stream_id)


class PostgresApplier:
    """See `contract.apply.Applier`."""

    def __init__(self, settings: ConnectionSettings, options: RunOptions, stream_id: str) -> None:
        self._settings = settings
        self._options = options
        self._stream_id = stream_id
        self._connection: psycopg.Connection[Any] = connect(settings, prepare_threshold=None)
        try:
            self._prepare_session()
        except BaseException:
            self._connection.close()
            raise
        self._pipeline = Pipeline(self._connection)
        self._tables: dict[TableId, TargetTable] = {}
        self._made = 0
        self._staging = Staging()
        self._staging_before = self._staging_marked = self._staging
        self._keys: list[ForeignKey] | None = None
        self._position: str | None = None
        self._begun = False  # the server knows of the transaction
        self._held = False  # a savepoint of this transaction is not released yet
        self._altered = False  # this transaction has changed the structure
        self._interrupted = False
        self._stale = False  # prepared statements are of another structure

    def __enter__(self) -> PostgresApplier:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def begin(self) -> None:
        """Start a transaction."""
        with translating():
            if self._position is None:
                self._position = book.read_position(self._connection, self._stream_id)
            if self._position is None:
                raise ConflictError(f"the target does not know the stream {self._stream_id}", stream=self._stream_id)
        self._begun = self._held = self._altered = False  # the server hears of it together with what comes first
        self._staging_before = self._staging.copy()
        self._interrupted = False

    def apply(self, changes: Sequence[RowChanges], tables: Mapping[TableId, StreamTable]) -> Applied:
        """Bring the tables to where these changes leave them; all of it or, with an error, nothing."""
        failpoints.hit("applier.before_apply")
        with self._whole():
            works = [self._work(part, tables[part.table]) for part in changes if part.count]
            applied = self._tried(works)
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
            if not book.move_checkpoint(self._connection, self._stream_id, self._position or "", checkpoint):
                raise ConflictError(
                    f"another process has moved the checkpoint of {self._stream_id}",
                    remedy="stop the other process that runs this stream",
                    stream=self._stream_id,
                )
            failpoints.hit("applier.before_commit")
            self._connection.execute("COMMIT")
        self._position = checkpoint.position
        failpoints.hit("applier.after_commit")

    def rollback(self) -> None:
        """Leave the target as it was before `begin`."""
        self._staging = self._staging_before.copy()
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
            self._own()
            self._connection.execute(f"SET lock_timeout = '{wait}s'")
            try:
                self._connection.execute("SET session_replication_role = replica")
                self._replica = True
            except psycopg.errors.InsufficientPrivilege:
                self._replica = False

    def _own(self) -> None:
        """Be the only process of this stream; one that has just been killed is waited for."""
        self._connection.execute(f"SET lock_timeout = '{LOCK_WAIT_S}s'")
        try:
            self._connection.execute(
                "SELECT pg_advisory_lock(hashtextextended(%s, 0))", (f"mainstem.stream:{self._stream_id}",)
            )
        except psycopg.errors.LockNotAvailable as exc:
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
        except BaseException:
            self._undo()
            raise

    def _mark(self) -> None:
        """A savepoint in place of the last one. The last one is released only now: its work may be undone no more."""
        release, empty = _RELEASE if self._held else "", self._staging.emptying()
        self._execute(f"{self._opening()}{release}{empty}SAVEPOINT {_SAVEPOINT}")
        self._begun = self._held = True
        self._staging.filled.clear()
        self._staging_marked = self._staging.copy()

    def _opening(self) -> str:
        if self._begun:
            return ""
        return "BEGIN; " if self._replica else "BEGIN; SET CONSTRAINTS ALL DEFERRED; "

    def _undo(self) -> None:
        self._staging = self._staging_marked.copy()
        with suppress(psycopg.Error):
            if self._connection.info.transaction_status in (pq.TransactionStatus.INERROR, pq.TransactionStatus.INTRANS):
                self._connection.execute(f"ROLLBACK TO SAVEPOINT {_SAVEPOINT}")

    @contextmanager
    def _translated(self, table: str = "") -> Iterator[None]:
        try:
            yield
        except MainstemError:
            raise
        except _OrderError as exc:
            raise exc.refused from exc.__cause__
        except Exception as exc:
            raise self._translation(exc, table) from exc

    def _translation(self, exc: Exception, table: str) -> MainstemError:
        if isinstance(exc, psycopg.errors.QueryCanceled):  # says nothing about the changes
            if self._interrupted:
                return CancelledError("applying was interrupted")
            return TransientError("PostgreSQL: someone has cancelled the statement", remedy="try again", table=table)
        error = (row_error(exc) if isinstance(exc, psycopg.Error) else None) or translate_error(exc)
        if table:
            error.where.setdefault("table", table)
        if isinstance(error, StatementError):
            self._forget()
        return error

    def _forget(self) -> None:
        """The target's tables are not what they were."""
        self._tables.clear()
        self._keys = None
        self._stale = True

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

    def _is_parent(self, work: Work, *, acts: bool = False) -> bool:
        target = work.plan.target
        return any(key.parent == target and (key.acts or not acts) for key in self._foreign_keys())

    def _acts(self, work: Work) -> bool:
        """Whether the target's own keys have to change other tables' rows, each at its moment in the source's order."""
        if self._replica and not work.table.cascades:
            return False
        return not only_inserts(work.changes) and self._is_parent(work, acts=True)

    # Ways to apply a segment

    def _tried(self, works: Sequence[Work]) -> Applied:
        """The first way that works; each begins where the segment began."""
        ways = self._ways(works)
        while True:
            applied, way = Applied(), ways.pop(0)
            try:
                way(applied)
            except (NotBySetsError, _PutInError, _OrderError):
                if not ways:
                    raise
            else:
                for work in works:
                    coerced = work.target.take_coerced()
                    if coerced:
                        applied.coerced[work.table.source] = coerced
                return applied
            self._undo()
            for work in works:
                work.target.take_coerced()

    def _ways(self, works: Sequence[Work]) -> list[Callable[[Applied], None]]:
        def one_by_one(*, careful: bool) -> Callable[[Applied], None]:
            return lambda applied: self._one_by_one(works, applied, careful=careful)

        def by_sets(*, replace: bool) -> Callable[[Applied], None]:
            return lambda applied: self._by_sets(works, applied, replace=replace)

        if _are_few(works) or any(self._acts(work) for work in works):
            return [one_by_one(careful=False), one_by_one(careful=True)]
        ways = [one_by_one(careful=True)]
        if self._replica or not any(self._is_parent(work) for work in works):
            ways.insert(0, by_sets(replace=True))
        if not any(work.table.state is TableState.CATCHING_UP for work in works):
            ways.insert(0, by_sets(replace=False))
        return ways

    def _by_sets(self, works: Sequence[Work], applied: Applied, *, replace: bool) -> None:
        few = [work for work in works if _are_few([work])] if self._replica and not replace else []
        many = [work for work in works if work not in few]
        if not self._replica:
            order = parents_first([work.plan.target for work in many], self._foreign_keys())
            many.sort(key=lambda work: order.index(work.plan.target))

        def missing(table: TableId, count: int) -> None:
            applied.missing[table] = applied.missing.get(table, 0) + count

        merge = Merge(self._connection, self._staging, missing, replace=replace)
        try:
            merge.run(many, moves=lambda work: self._replica or not self._is_parent(work))
        except psycopg.Error as exc:
            raise self._refused(exc, str(merge.table)) from exc
        if few:
            self._one_by_one(few, applied, careful=False)
        self._check_constraints()

    def _one_by_one(self, works: Sequence[Work], applied: Applied, *, careful: bool) -> None:
        tables = [Events(work, careful=careful) for work in works]
        steps: list[Step] = []
        for place, event in in_order(tables):
            steps += self._steps(tables[place], works[place], event)
            if len(steps) >= _STEPS_AT_ONCE:
                self._make(steps, applied)
                steps.clear()
        self._make(steps, applied)
        self._check_constraints()

    def _steps(self, events: Events, work: Work, event: int) -> Iterator[Step]:
        if not self._replica or events.op(event) is Op.INSERT or not self._acts(work):
            yield from events.steps(event)
            return
        yield Step(Call("SET LOCAL session_replication_role = origin"), work, event)
        yield from events.steps(event)
        yield Step(Call("SET LOCAL session_replication_role = replica"), work, event)

    def _make(self, steps: Sequence[Step], applied: Applied) -> None:
        if not steps:
            return
        if self._stale:
            self._pipeline.forget()
            self._stale = False
        try:
            results = self._pipeline.run([step.call for step in steps])
        except CallError as exc:
            step = steps[exc.index]
            seq = step.work.changes.seqs[step.event].as_py()
            raise self._refused(exc.error, str(step.work.table.source), seq) from exc.error
        for step, result in zip(steps, results, strict=True):
            rows = result.command_tuples or 0
            if rows == (1 if step.meaning is Meaning.ADDED else 0) and step.meaning is not Meaning.NOTHING:
                if step.meaning is Meaning.PUT_IN:
                    raise _PutInError
                source = step.work.table.source
                applied.missing[source] = applied.missing.get(source, 0) + 1

    def _refused(self, error: psycopg.Error, table: str, seq: int | None = None) -> Exception:
        """Our error for the driver's; `_OrderError` where another way may help."""
        refused = row_error(error)
        if refused is None:
            return self._translation(error, table)
        refused.where.update({"table": table} if seq is None else {"table": table, "seq": seq})
        return _OrderError(refused) if error.sqlstate in _OTHERS_ROWS else refused

    def _check_constraints(self) -> None:
        """Constraints that could be put off have to hold now: at the commit nobody could tell whose fault it is."""
        if not self._replica:
            self._connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
            self._connection.execute("SET CONSTRAINTS ALL DEFERRED")


def _are_few(works: Sequence[Work]) -> bool:
    count = sum(work.changes.count for work in works)
    return count <= FEW and sum(work.changes.size_bytes for work in works) <= FEW_BYTES
