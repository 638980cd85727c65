"""Changes into MySQL and MariaDB: rows and checkpoint in one transaction.

Foreign keys are not checked: the source has, and the order of tables within a transaction need not be kept. Where the
source's log leaves out what its keys do to other tables, events that make them do it run with checks on, in order.
Source: MySQL manual, "FOREIGN KEY Constraints", "InnoDB Error Handling", "Locking Functions".
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

import pymysql
from pymysql.constants import CLIENT

from mainstem import failpoints
from mainstem.connectors.mysql import client
from mainstem.connectors.mysql.altering import Alterations
from mainstem.connectors.mysql.book import MysqlStreamBook
from mainstem.connectors.mysql.dialect import MysqlDialect
from mainstem.connectors.mysql.fence import kill, stream_fence
from mainstem.connectors.mysql.merge import Merger
from mainstem.connectors.mysql.outcome import row_error
from mainstem.connectors.mysql.segments import Segment, segments
from mainstem.connectors.mysql.sending import Sender
from mainstem.connectors.mysql.session import connect_writer, interrupt
from mainstem.connectors.mysql.shape import Effect, read_effects, read_shape
from mainstem.connectors.mysql.streambook import StreamRows
from mainstem.connectors.mysql.written import WrittenTable, carried_out, has_updates, written_table
from mainstem.contract.apply import PART_WAIT_S, Applied, Applier
from mainstem.errors import ConflictError, LostConnectionError, MainstemError, StatementError, TransientError, WireError
from mainstem.model.change import RowChanges, Truncate
from mainstem.model.connection import ConnectionSettings
from mainstem.model.names import TableId
from mainstem.model.net import soften
from mainstem.model.run import ACTIVE, RunOptions
from mainstem.model.stream import Checkpoint, DeadLetter, SchemaRecord, StreamTable

_DIALECT = MysqlDialect()
_SAVEPOINT = "mainstem_apply"
_OTHER_WAIT_S = 60  # a process that was killed holds its lock until the server has ended its last statement
_SESSION = "SET foreign_key_checks = 0, innodb_lock_wait_timeout = {wait}, lock_wait_timeout = {wait}"
_LONGEST_WAIT_S = 31_536_000  # what the server takes
# Without gap locks other users of the target wait less. Statements of this level cannot be logged as statements.
_ISOLATION = "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED"
_NO_SAVEPOINT = 1305
_BROKEN_OFF = {1028, 1317}  # by KILL QUERY, ours or another's
_VARIABLES = (
    "local_infile", "max_allowed_packet", "log_bin", "binlog_format", "enforce_gtid_consistency", "version",
    "sql_require_primary_key", "innodb_force_primary_key",
)  # fmt: skip
# Before, and when it logs statements, a server with GTIDs makes no temporary table within a transaction (MySQL manual,
# "Restrictions on Replication with GTIDs").
_STAGES_SINCE = (8, 0, 13)


class MysqlChangeTarget:
    """See `contract.apply.ChangeTarget`."""

    def __init__(self, settings: ConnectionSettings, options: RunOptions) -> None:
        self._settings, self._options = settings, options

    def applier(self, stream_id: str, part: int | None = None) -> MysqlApplier:
        """A connection that applies changes; there is one at a time for a stream."""
        return MysqlApplier(self._settings, self._options, stream_id, part)

    def book(self, stream_id: str) -> MysqlStreamBook:
        """What the target knows of a stream."""
        return MysqlStreamBook(self._settings, stream_id, self._options.token)


class MysqlApplier:
    """See `contract.apply.Applier`. Holds a lock of the stream's name for as long as its connection lives.

    After a `TransientError` the transaction is over, as the server may have rolled back all of it (a deadlock) or one
    statement (a lock that was not granted): every call but `rollback` raises it again.
    """

    def __init__(
        self, settings: ConnectionSettings, options: RunOptions, stream_id: str, part: int | None = None
    ) -> None:
        self._settings, self._options, self._part = settings, options, part
        self._connection: Any = connect_writer(settings, client_flag=CLIENT.FOUND_ROWS)
        self._fence = stream_fence(settings, stream_id, options.token)
        try:
            with client.translating():
                self._sender = self._begin_session()
                self._fence.enter(self._connection)
                self._fence.claim(self._connection)
                self._take_lock(stream_id)
                self._rows = StreamRows(self._connection, stream_id, self._sender.packet_bytes, part)
                self._revision = self._rows.revision()
        except BaseException:
            self._connection._force_close()
            raise
        self._alterations = Alterations(self._connection, stream_id)
        self._mergers: dict[TableId, tuple[StreamTable, WrittenTable, Merger]] = {}
        self._effects: dict[str, Effect] | None = None
        self._over: MainstemError | None = None
        self._changed = False

    def __enter__(self) -> MysqlApplier:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(Exception):  # in the middle of a file the server would wait for its end
            self._connection._force_close()

    def begin(self) -> None:
        """Start a transaction."""
        with self._guarded():
            self._connection.begin()
            self._changed = False

    @property
    def fires_triggers(self) -> bool:
        """Always: this server can't switch them off."""
        return True

    @property
    def goes_ahead(self) -> bool:
        """Not yet: its locks of gaps between keys would be waited for."""
        return False

    def ahead(self) -> Applier:
        """Not asked of it."""
        raise NotImplementedError

    def apply(self, changes: Sequence[RowChanges], tables: Mapping[TableId, StreamTable]) -> Applied:
        """Bring the tables to where these changes leave them; all of it or, with an error, nothing."""
        applied = Applied()
        failpoints.hit("applier.before_apply")
        self._soften([part.table for part in changes], tables)
        with self._guarded(), self._all_or_nothing():
            self._sender.take_coerced()
            for segment in self._segments(changes, tables):
                self._write(segment, applied)
        failpoints.hit("applier.after_apply")
        return applied

    def truncate(self, part: Truncate, tables: Mapping[TableId, StreamTable]) -> None:
        """Empty tables row by row: the statement for it would commit."""
        soft = self._options.changes.soft_delete
        self._soften(part.tables, tables)
        with self._guarded(), self._all_or_nothing():
            for name in part.tables:
                stream = tables.get(name)
                if stream is None:
                    continue
                table = self._merger(stream)[0]
                sql = f"DELETE FROM {table.sql}"
                if soft:
                    column = _DIALECT.quote(soft)
                    sql = f"UPDATE {table.sql} SET {column} = UTC_TIMESTAMP(6) WHERE {column} IS NULL"
                self._sender.run(sql, checked=False)

    def undo(self) -> None:
        """Take back the `apply` or `truncate` that was the last call."""
        with self._guarded():
            self._roll_back_to()
            if self._over is not None:
                raise self._over

    def alter(self, statements: Sequence[str]) -> None:
        """Change structure.

        If the transaction has changes, they are rolled back, the statements run, and `TransientError` asks for the same
        changes again, behind which the statements are then found to have run (see `altering`).
        """
        with self._guarded():
            waiting = self._alterations.pending(statements)
            changed = self._changed
            if waiting:
                self._connection.rollback()
                for statement in waiting:
                    if not self._alterations.run(statement):
                        break
                if changed:
                    raise TransientError(
                        "the target's structure was changed, ahead of the rows that came before", remedy="try again"
                    )
                self._connection.begin()
            self._changed = True
            self._look_again()
            self._alterations.settle(statements)

    def save(self, table: StreamTable) -> None:
        """Write down the state of a table."""
        with self._noted():
            self._look_again()
            self._rows.save(table)

    def forget(self, table: TableId) -> None:
        """The stream has this table no more."""
        with self._noted():
            self._rows.forget(table)

    def reject(self, letter: DeadLetter) -> None:
        """Put a change aside."""
        with self._noted():
            self._rows.reject(letter)

    def discard(self, table: TableId, number: int | None = None) -> int:
        """Forget the change of that number that was put aside, or all of a table; how many there were."""
        with self._noted():
            return self._rows.drop_letters(table, number)

    def record(self, line: SchemaRecord) -> None:
        """Write down what became of a schema change."""
        with self._noted():
            self._rows.record(line)

    def commit(self, checkpoint: Checkpoint) -> None:
        """Make all of it durable together with the checkpoint."""
        with self._guarded():
            failpoints.hit("applier.before_checkpoint")
            if self._part is not None:
                self._fence.hold(self._connection)
            if self._revision is None or not self._rows.move(checkpoint, self._revision, self._fence.token):
                self._fence.check(self._connection)
                raise ConflictError(
                    "another process has moved this stream's checkpoint in the target, or dropped the stream",
                    remedy="stop the other process, and start this stream again",
                )
            failpoints.hit("applier.before_commit")
            self._connection.commit()
            self._revision += 1
            self._changed = False
            failpoints.hit("applier.after_commit")

    def rollback(self) -> None:
        """Leave the target as it was before `begin`; also after an error and on a broken connection."""
        if not isinstance(self._over, LostConnectionError | WireError):
            self._over = None
        self._changed = False
        try:
            self._connection.rollback()
        except (pymysql.Error, OSError, AttributeError):
            self._over = LostConnectionError("the connection to the MySQL server was lost", remedy="try again")

    def interrupt(self) -> None:
        """From another thread: break off what runs now."""
        interrupt(self._connection, self._settings)

    def _session(self) -> str:
        longest = _LONGEST_WAIT_S if self._part is None else PART_WAIT_S
        return _SESSION.format(wait=self._options.changes.lock_timeout_s or longest)

    def _begin_session(self) -> Sender:
        client.query(self._connection, self._session())
        names = ", ".join(f"'{name}'" for name in _VARIABLES)
        rows = client.query(self._connection, f"SHOW VARIABLES WHERE Variable_name IN ({names})")
        values = {str(name).lower(): str(value).upper() for name, value in rows}
        if values.get("log_bin") != "ON" or values.get("binlog_format") != "STATEMENT":
            client.query(self._connection, _ISOLATION)
        mariadb = client.flavor(self._connection) == "mariadb"
        by_rows = values.get("binlog_format") != "STATEMENT" and _version(values) >= _STAGES_SINCE
        self._stages = mariadb or values.get("enforce_gtid_consistency") != "ON" or by_rows
        return Sender(
            self._connection, self._options, values["local_infile"] == "ON", mariadb,
            int(values["max_allowed_packet"]),
            "ON" in (values.get("sql_require_primary_key"), values.get("innodb_force_primary_key")),
        )  # fmt: skip

    def _take_lock(self, stream_id: str) -> None:
        of_part = "" if self._part is None else f"\0{self._part}"
        digest = hashlib.sha256(f"{self._settings.database}\0{stream_id}{of_part}".encode()).hexdigest()
        name = f"mainstem.{digest[:48]}"
        self._end_former(name)
        ((granted,),) = client.query(self._connection, "SELECT GET_LOCK(%s, %s)", (name, _OTHER_WAIT_S))
        if not granted:
            ((holder,),) = client.query(self._connection, "SELECT IS_USED_LOCK(%s)", (name,))
            raise ConflictError(
                f"another process applies the changes of this stream (the server's connection {holder})",
                remedy=f"stop it; if there is none any more, run KILL {holder} on the target",
            )

    def _end_former(self, lock: str) -> None:
        """End the connection that a former holder of the stream, or an earlier one of ours, left behind with the lock.

        Who held it before the fence was seen to be ours did not come later than we did.
        """
        ((holder,),) = client.query(self._connection, "SELECT IS_USED_LOCK(%s)", (lock,))
        if holder is not None and self._fence.token:
            self._fence.check(self._connection)
            kill(self._connection, int(holder))

    def _segments(self, changes: Sequence[RowChanges], tables: Mapping[TableId, StreamTable]) -> Iterator[Segment]:
        """The changes in pieces that can be applied each by itself, with the columns that we add."""
        parts = []
        for part in changes:
            table = self._merger(tables[part.table])[0]
            softened = soften(part, table.stream.plan.identity, _now()) if table.soft else part
            parts.append((softened, carried_out(table, softened)))
        return segments(parts)

    def _write(self, segment: Segment, applied: Applied) -> None:
        if segment.carries_out:
            client.query(self._connection, "SET foreign_key_checks = 1")
        for part in segment.changes:
            stream, _, merger = self._mergers[part.table]
            with self._guarded(part.table):
                # By sets, a row that gets another key would be deleted, with all that refers to it.
                ordered = segment.carries_out and has_updates(part)
                missing = merger.write_in_order(part) if ordered else merger.write(part)
            if missing and not stream.until:
                applied.missing[part.table] = applied.missing.get(part.table, 0) + missing
            coerced = applied.coerced.setdefault(part.table, {})
            for what, count in self._sender.take_coerced().items():
                coerced[what] = coerced.get(what, 0) + count
        if segment.carries_out:
            client.query(self._connection, "SET foreign_key_checks = 0")

    def _soften(self, wanted: Sequence[TableId], tables: Mapping[TableId, StreamTable]) -> None:
        """Add the column of a soft delete where it is not there yet.

        The statement commits, and waits for whoever uses the table: that may be this transaction, which has changed
        others that foreign keys bind to it. It is rolled back first, and comes again if it had anything.
        """
        soft = self._options.changes.soft_delete
        if not soft:
            return
        with self._guarded():
            lacking = self._lacking(soft, [tables[name] for name in wanted if name in tables])
            if not lacking:
                return
            changed = self._changed
            if changed and self._part is None:  # rather now than one by one
                lacking = self._lacking(soft, [table for table in tables.values() if table.state in ACTIVE])
            self._connection.rollback()
            for target in lacking:
                name = _DIALECT.qualified(target)
                client.query(self._connection, f"ALTER TABLE {name} ADD COLUMN {_DIALECT.quote(soft)} datetime(6) NULL")
            if changed:
                raise TransientError("the target's tables got a column, ahead of the rows", remedy="try again")
            self._connection.begin()

    def _lacking(self, soft: str, tables: Sequence[StreamTable]) -> list[TableId]:
        found = []
        for table in tables:
            target = table.plan.target
            with suppress(StatementError):  # there is no such table
                known = table.source in self._mergers
                if not known and soft.lower() not in read_shape(self._connection, target).columns:
                    found.append(target)
        return found

    def _merger(self, stream: StreamTable) -> tuple[WrittenTable, Merger]:
        known = self._mergers.get(stream.source)
        if known is None or (known[0] is not stream and known[0] != stream):
            table = self._look(stream)
            known = self._mergers[stream.source] = stream, table, Merger(self._sender, table, stages=self._stages)
        return known[1], known[2]

    def _look_again(self) -> None:
        """Tables may be others from here on, or have other foreign keys."""
        self._mergers.clear()
        self._effects = None

    def _look(self, stream: StreamTable) -> WrittenTable:
        soft = self._options.changes.soft_delete
        with self._guarded(stream.source):
            target = stream.plan.target
            shape = read_shape(self._connection, target)
            if soft and soft.lower() not in shape.columns:
                raise TransientError(f"the column {soft} of {target} is gone", remedy="try again")
            if stream.cascades:
                if self._effects is None:
                    self._effects = read_effects(self._connection, target.schema)
                shape = replace(shape, effect=self._effects.get(target.name, Effect()))
        return written_table(stream, shape, soft)

    @contextmanager
    def _all_or_nothing(self) -> Iterator[None]:
        self._changed = True
        client.query(self._connection, f"SAVEPOINT {_SAVEPOINT}")
        try:
            yield
        except BaseException:
            self._roll_back_to()
            raise

    def _roll_back_to(self) -> None:
        if self._over is not None:
            return
        try:
            client.query(self._connection, f"ROLLBACK TO SAVEPOINT {_SAVEPOINT}")
            client.query(self._connection, "SET foreign_key_checks = 0")
        except (pymysql.Error, OSError) as exc:
            gone = bool(exc.args) and exc.args[0] == _NO_SAVEPOINT
            error = client.translate_error(exc)
            self._over = TransientError("the server has rolled back the transaction") if gone else error

    @contextmanager
    def _noted(self) -> Iterator[None]:
        with self._guarded():
            self._changed = True
            yield

    @contextmanager
    def _guarded(self, table: TableId | None = None) -> Iterator[None]:
        """Inside, the driver's errors become ours; one that ends the transaction is kept."""
        if self._over is not None:
            raise self._over
        try:
            yield
        except Exception as exc:
            error = _told(exc)
            if table is not None:
                error.where.setdefault("table", str(table))
            if isinstance(error, TransientError | LostConnectionError | WireError):
                self._over = error
            elif isinstance(error, StatementError):
                self._look_again()
            if error is exc:
                raise
            raise error from exc


def _told(exc: Exception) -> MainstemError:
    """What an error means; a statement that somebody broke off says nothing about the changes."""
    if isinstance(exc, pymysql.Error) and exc.args and exc.args[0] in _BROKEN_OFF:
        return TransientError("MySQL: the statement was broken off", remedy="try again", error=exc.args[0])
    return row_error(exc) or client.translate_error(exc)


def _version(variables: Mapping[str, str]) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", variables["version"])[:3])


def _now() -> bytes:
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S.%f").encode()
