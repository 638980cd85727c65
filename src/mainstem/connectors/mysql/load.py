"""Rows into MySQL and MariaDB by LOAD DATA: one chunk, one transaction, with its line in the ledger."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from types import TracebackType
from typing import Any

import pyarrow as pa
import pymysql

from mainstem import failpoints
from mainstem.connectors.mysql import client, outcome
from mainstem.connectors.mysql.arrays import ArrayInsert, array_insert
from mainstem.connectors.mysql.dialect import MysqlDialect
from mainstem.connectors.mysql.encode import BatchEncoder, Encoded
from mainstem.connectors.mysql.fence import run_fence
from mainstem.connectors.mysql.infile import PACKET_BYTES, LoadStream
from mainstem.connectors.mysql.insert import Inserter
from mainstem.connectors.mysql.ledger import mark_chunk
from mainstem.connectors.mysql.outcome import Outcome, row_error
from mainstem.connectors.mysql.session import TableFacts, connect_writer, interrupt, table_facts
from mainstem.contract.target import Receipt
from mainstem.errors import AccountingError, ConflictError, MainstemError, PlanError, RowError, StatementError
from mainstem.model.batch import Batch, ChangeBatch
from mainstem.model.cells import LARGE_BYTES
from mainstem.model.connection import ConnectionSettings
from mainstem.model.frame import Chunk
from mainstem.model.names import TableId
from mainstem.model.plan import TablePlan
from mainstem.model.run import Mode, Rejected, RunOptions, RunState
from mainstem.native.ops import LoadForm

_DIALECT = MysqlDialect()
_STAGING = "mainstem_staging"
_INTERLEAVED = 2  # of innodb_autoinc_lock_mode
_SETTINGS = (
    "SELECT @@local_infile, @@max_allowed_packet, @@innodb_autoinc_lock_mode,"
    " 0 /*M!100200 + (@@log_bin AND @@binlog_format = 'STATEMENT') */"
)
_NO_FILES = {1148, 3948, 4166}  # LOAD DATA LOCAL is forbidden
TRANSACTIONAL = frozenset({"innodb", "rocksdb", "tokudb", "ndbcluster", "ndb"})


class MysqlLoader:
    """See `contract.target.Loader`.

    Without quarantine a chunk is one LOAD DATA, or INSERTs where the server takes no files; where a LOAD DATA would
    keep others out of the table, it is INSERTs with arrays of parameters, if the server takes those. With quarantine,
    every batch is an INSERT inside a savepoint; of one that is refused, the row that is to blame is found and put
    aside. Rows of an upsert go through a temporary table.
    """

    def __init__(self, settings: ConnectionSettings, options: RunOptions, run_id: str) -> None:
        self._options, self._settings = options, settings
        self._fence = run_fence(settings, run_id, options.token)
        self._connection: Any = connect_writer(settings)
        self._checked = True
        self._never_checked = options.mode is Mode.CDC  # a table that is copied anew is of another moment
        with client.translating():
            self._fence.enter(self._connection)
            ((files, packet_bytes, locks, as_text),) = client.query(self._connection, _SETTINGS)
        self._takes_files, self._locks = bool(files), int(locks) < _INTERLEAVED
        self._takes_arrays = self._connection.takes_arrays and not as_text
        self._raw_bytes = client.flavor(self._connection) == "mariadb"
        self._packet_bytes = int(packet_bytes)
        self._facts: dict[TableId, TableFacts] = {}
        self._chunk: Chunk | None = None
        self._stream: LoadStream | None = None
        self._arrays: ArrayInsert | None = None

    def __enter__(self) -> MysqlLoader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(Exception):  # in the middle of a file the server would wait for its end
            self._connection._force_close()

    def begin(self, table: TablePlan, chunk: Chunk, *, quarantine: Callable[[], bool] | None) -> None:
        """Start the chunk's transaction."""
        self._table, self._chunk, self._quarantine = table, chunk, quarantine
        self._rejected: list[Rejected] = []
        self._stream, self._written, self._unlabelled = None, 0, 0
        self._coerced: Counter[str] = Counter()
        self._staged = table.merge
        self._target = _DIALECT.qualified(table.target)
        self._into = _STAGING if self._staged else self._target
        try:
            self._check_keys(checked=not (self._never_checked or table.unchecked))
            self._prepare(self._look(table.target))
            self._connection.begin()
        except pymysql.Error as exc:
            raise self._error(exc) from exc

    @property
    def session(self) -> str:
        """The connection's id."""
        return str(int(self._connection.thread_id()))

    @property
    def alone(self) -> bool:
        """A LOAD DATA keeps the lock of an AUTO_INCREMENT until it ends, unless numbers may have gaps in between.

        INSERTs with numbers do not.

        Source: MySQL manual, "AUTO_INCREMENT Handling in InnoDB".
        """
        return self._arrays is None and self._takes_files and self._keeps_lock()

    def write(self, batch: Batch) -> None:
        """Send a batch."""
        if not isinstance(batch, ChangeBatch):
            raise PlanError(f"rows of table {batch.table} that are not decoded cannot be written to MySQL")
        rows = batch.rows
        try:
            if self._quarantine is not None:
                self._inserter.write_carefully(rows, 0, rows.num_rows)
            elif not self._write_array(batch) and (not self._takes_files or not self._write_file(batch)):
                self._inserter.write(rows, 0, rows.num_rows)
        except (pymysql.Error, RowError, OSError) as exc:
            raise self._error(exc) from exc

    def commit(self, rows: int, limit: RunState | None = None) -> Receipt:
        """Make rows and ledger line durable in one transaction."""
        if self._chunk is None:
            raise ConflictError("commit without begin")
        try:
            self._end_file()
            if self._arrays is not None:
                self._arrays.settle()
            written = self._written + self._inserter.written
            self._check_count(rows, written)
            if self._staged and self._quarantine is None:
                self._merge()
            done = self._connection, self._fence, self._chunk, written, self._rejected, limit
            if not mark_chunk(*done):
                raise ConflictError("another process has written this chunk", table=str(self._chunk.table))
            failpoints.hit("loader.before_commit")
            self._connection.commit()
        except (pymysql.Error, RowError, OSError) as exc:
            raise self._error(exc) from exc
        failpoints.hit("loader.after_commit")
        self._chunk = None
        coerced = self._coerced + self._inserter.coerced
        return Receipt(written, len(self._rejected), tuple(self._rejected), dict(coerced))

    def rollback(self) -> None:
        """Leave the target as it was before `begin`; also after an error and on a broken connection."""
        self._chunk = None
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.abandon()
        if self._arrays is not None:
            self._arrays.abandon()
        with suppress(pymysql.Error, OSError, AttributeError):
            self._connection.rollback()

    def interrupt(self) -> None:
        """From another thread: break off what runs now."""
        interrupt(self._connection, self._settings)

    def _check_keys(self, *, checked: bool) -> None:
        if checked is not self._checked:
            client.query(self._connection, f"SET foreign_key_checks = {int(checked)}")
            self._checked = checked

    def _look(self, table: TableId) -> TableFacts:
        facts = self._facts.get(table)
        if facts is None:
            facts = self._facts[table] = table_facts(self._connection, table)
        if facts.engine and facts.engine.lower() not in TRANSACTIONAL:
            raise StatementError(
                f"table {table} of the target uses the engine {facts.engine}, which has no transactions: a run that is"
                " broken off could not tell which rows are in",
                remedy=f"ALTER TABLE {_DIALECT.qualified(table)} ENGINE = InnoDB",
                table=str(table),
            )
        return facts

    def _prepare(self, facts: TableFacts) -> None:
        """Encoders and the staging table, outside of the transaction."""
        if self._staged:
            client.query(self._connection, f"DROP TEMPORARY TABLE IF EXISTS {_STAGING}")
            client.query(
                self._connection,
                f"CREATE TEMPORARY TABLE {_STAGING} ENGINE = InnoDB AS SELECT {self._columns()} FROM {self._target}"
                " WHERE FALSE",
            )
        self._file_encoder = BatchEncoder(self._table, self._options, facts.required, raw=self._raw_bytes)
        encoder = BatchEncoder(self._table, self._options, facts.required, into=LoadForm.LITERALS)
        after = self._merge_and_empty if self._staged else _nothing
        into = f"{self._into} ({self._columns()})"
        self._inserter = Inserter(self._connection, encoder, into, self._packet_bytes, self._put_aside, after)
        self._prepare_array(facts.required)

    def _prepare_array(self, required: frozenset[str]) -> None:
        """The statement for arrays, where they let several write at once and a LOAD DATA does not."""
        if self._arrays is not None:
            self._arrays.close()
            self._arrays = None
        if self._takes_arrays and self._quarantine is None and not self._staged and self._keeps_lock():
            encoder = BatchEncoder(self._table, self._options, required, into=LoadForm.PARAMETERS, raw=self._raw_bytes)
            self._arrays = array_insert(self._connection, encoder, self._into, self._packet_bytes)

    def _keeps_lock(self) -> bool:
        """Whether a LOAD DATA keeps others out of the table."""
        return self._locks and self._facts[self._table.target].numbered

    def _write_array(self, batch: ChangeBatch) -> bool:
        """Send a batch as an array; False where it has to go another way."""
        if self._arrays is None or self._stream is not None:
            return False
        encoded = self._arrays.encode(batch.rows) if batch.size_bytes <= LARGE_BYTES else None
        if encoded is None:
            self._arrays.settle()
            return False
        self._arrays.send(encoded, batch.rows.num_rows)
        self._written += batch.rows.num_rows
        self._coerced.update(encoded.coerced)
        return True

    def _write_file(self, batch: ChangeBatch) -> bool:
        """Send a batch as part of the file; False when the server turns out to take none."""
        if self._stream is None:
            try:
                sql = self._file_encoder.load_sql(self._into)
                self._stream = LoadStream(self._connection, sql, min(PACKET_BYTES, self._packet_bytes // 2))
            except pymysql.Error as exc:
                if not exc.args or exc.args[0] not in _NO_FILES:
                    raise
                self._takes_files = False
                return False
        for encoded in self._encoded(batch):
            if encoded.refused:
                raise self._file_encoder.error(encoded.refused[0])
            self._stream.send(encoded.payload)
            self._coerced.update(encoded.coerced)
            self._unlabelled += encoded.unlabelled
        return True

    def _encoded(self, batch: ChangeBatch) -> Iterator[Encoded]:
        if batch.size_bytes > LARGE_BYTES:
            yield from self._file_encoder.encode_in_pieces(batch.rows)
        else:
            yield self._file_encoder.encode(batch.rows, 0, batch.rows.num_rows)

    def _end_file(self) -> None:
        if self._stream is not None:
            stream, self._stream = self._stream, None
            ended = stream.finish()
            outcome.check(self._connection, ended, expected=self._unlabelled)
            self._written += ended.rows

    def _check_count(self, rows: int, written: int) -> None:
        if written + len(self._rejected) != rows:
            raise AccountingError(
                f"{rows} rows were read, but {written} written and {len(self._rejected)} rejected",
                table=str(self._table.source),
            )

    def _put_aside(self, rows: pa.RecordBatch, row: int, error: RowError) -> None:
        if self._quarantine is None or not self._quarantine():
            raise RowError(
                f"more rows of {self._table.source} were refused than rowErrors.limit allows; the last one: "
                f"{error.message}",
                column=error.column,
                table=str(self._table.source),
                remedy="repair the rows at the source, choose a policy for such values, or raise rowErrors.limit",
            )
        key = self._file_encoder.key(rows, row)
        self._rejected.append(Rejected(self._table.source, key, error.column or "", error.message))

    def _columns(self, of: str = "") -> str:
        return ", ".join(f"{of}{_DIALECT.quote(column.target)}" for column in self._table.columns)

    def _merge(self) -> None:
        """From the staging table into the target, by primary key alone: another unique key refuses the row."""
        plan = self._table
        keys = [_DIALECT.quote(column.target) for column in plan.columns if column.source in plan.key]
        others = [_DIALECT.quote(column.target) for column in plan.columns if column.source not in plan.key]
        same = " AND ".join(f"t.{name} = s.{name}" for name in keys)
        changes = ", ".join(f"t.{name} = s.{name}" for name in others)
        if changes:
            # From the few rows to the many, which have the key; the server may not guess that it is this way round.
            self._run(f"UPDATE {_STAGING} s STRAIGHT_JOIN {self._target} t ON {same} SET {changes}")
        self._run(
            f"INSERT INTO {self._target} ({self._columns()}) SELECT {self._columns('s.')} FROM {_STAGING} s"
            f" LEFT JOIN {self._target} t ON {same} WHERE t.{keys[0]} IS NULL"
        )

    def _merge_and_empty(self) -> None:
        self._merge()
        client.query(self._connection, f"DELETE FROM {_STAGING}")

    def _run(self, sql: str) -> None:
        self._connection.query(sql)
        stored, warnings = self._connection.affected_rows(), self._connection._result.warning_count
        outcome.check(self._connection, Outcome(stored, 0, warnings), expected=self._unlabelled)

    def _error(self, exc: Exception) -> MainstemError:
        error: MainstemError = row_error(exc) or client.translate_error(exc)
        error.where.setdefault("table", str(self._table.source))
        return error


def _nothing() -> None:
    """What follows a batch that needs no merging."""
