"""Rows into PostgreSQL by COPY: one chunk, one transaction, with its line in the ledger."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any

import psycopg

from mainstem import failpoints
from mainstem.connectors.postgres import ledger
from mainstem.connectors.postgres.build import PostgresBuilder
from mainstem.connectors.postgres.client import cancel, connect, row_error, translate_error, translating
from mainstem.connectors.postgres.copyin import CopyIn
from mainstem.connectors.postgres.dialect import PostgresDialect
from mainstem.connectors.postgres.encode import BatchEncoder, Refused
from mainstem.connectors.postgres.ledger import PostgresLedger
from mainstem.connectors.postgres.raw import BINARY
from mainstem.connectors.postgres.splice import encoded, pieces
from mainstem.contract.target import Receipt
from mainstem.errors import AccountingError, ConflictError, MainstemError, PlanError, RowError
from mainstem.model.batch import Batch, ChangeBatch, PlacedBatch, RawBatch
from mainstem.model.cells import LARGE_BYTES
from mainstem.model.connection import ConnectionSettings
from mainstem.model.frame import Chunk
from mainstem.model.plan import TablePlan
from mainstem.model.run import Mode, Rejected, RunOptions, RunState

if TYPE_CHECKING:
    import pyarrow as pa

_DIALECT = PostgresDialect()
_STAGING = "mainstem_staging"
# A chunk lost by a crash of the target is lost together with its ledger line, so that waiting for the disk at each
# commit buys nothing; the ledger's `finish` waits once for all.
# Money is written by the locale that `snapshot` has it printed by, and XML need not be a whole document.
_SESSION = "SET synchronous_commit = off; SET lc_monetary = 'C'; SET xmloption = content; SET row_security = off"
_PART = "load"  # of the name of its connections, see `fence.session_name`


class PostgresTarget:
    """A PostgreSQL database to write to."""

    def __init__(self, settings: ConnectionSettings, options: RunOptions) -> None:
        self._settings = settings
        self._options = options

    def ledger(self, run_id: str) -> PostgresLedger:
        """The ledger of a run."""
        return PostgresLedger(self._settings, run_id, self._options.token)

    def builder(self, run_id: str) -> PostgresBuilder:
        """A connection that changes structure."""
        return PostgresBuilder(self._settings, run_id, self._options.token)

    def loader(self, run_id: str) -> PostgresLoader:
        """A connection that writes rows."""
        return PostgresLoader(self._settings, self._options, run_id)

    def end_loader(self, run_id: str, session: str) -> None:
        """End the connection of a loader whose process was lost."""
        with connect(self._settings) as connection, translating():
            ledger.run_fence(run_id, self._options.token).end_own(connection, _PART, int(session))


class PostgresLoader:
    """See `contract.target.Loader`.

    Without quarantine a chunk is one COPY. With it, every batch is a COPY of its own inside a savepoint; when one is
    refused, the server names the line, that row is put aside, and the rows before and behind it are sent again.
    Rows of an upsert go through a staging table: a batch is merged in the same savepoint.
    """

    def __init__(self, settings: ConnectionSettings, options: RunOptions, run_id: str) -> None:
        self._options = options
        self._fence = ledger.run_fence(run_id, options.token)
        self._settings = settings
        self._connection: psycopg.Connection[Any] = connect(settings, application_name=self._fence.name(_PART))
        with translating():
            self._connection.execute(_SESSION)
        if options.mode is Mode.CDC:  # a table that is copied anew is of another moment than its parents
            with suppress(psycopg.errors.InsufficientPrivilege):
                self._connection.execute("SET session_replication_role = replica")
        self._chunk: Chunk | None = None

    def __enter__(self) -> PostgresLoader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def begin(self, table: TablePlan, chunk: Chunk, *, quarantine: Callable[[], bool] | None) -> None:
        """Start the chunk's transaction."""
        self._table, self._chunk, self._quarantine = table, chunk, quarantine
        self._raw = bool(table.raw) or not table.columns  # without columns there is nothing to encode
        if not self._raw:
            self._encoder = BatchEncoder(table, self._options)
        self._binary = table.raw == BINARY if self._raw else self._encoder.binary
        self._written = self._rows_before = 0
        self._rejected: list[Rejected] = []
        self._copy: CopyIn | None = None
        self._staged = table.merge
        self._into = _STAGING if self._staged else _DIALECT.qualified(table.target)
        try:
            self._connection.execute("BEGIN")
            if table.unchecked:
                self._connection.execute("SET LOCAL session_replication_role = replica")
            if self._staged:
                self._connection.execute(
                    f"CREATE TEMP TABLE {_STAGING} ON COMMIT DROP AS"
                    f" SELECT {self._columns()} FROM {_DIALECT.qualified(table.target)} WITH NO DATA"
                )
        except psycopg.Error as exc:
            raise self._error(exc) from exc

    @property
    def session(self) -> str:
        """The server process's id."""
        return str(self._connection.info.backend_pid)

    @property
    def alone(self) -> bool:
        """Never: several COPYs fill one table."""
        return False

    def write(self, batch: Batch) -> None:
        """Send a batch."""
        if isinstance(batch, PlacedBatch):
            raise PlanError(f"rows of table {batch.table} that are elsewhere cannot be written to PostgreSQL")
        try:
            if isinstance(batch, RawBatch):
                self._send(batch.data)
            elif self._quarantine is None:
                self._write_straight(batch)
            else:
                self._write_carefully(batch.rows, 0, batch.rows.num_rows)
        except psycopg.Error as exc:
            raise self._error(exc) from exc
        self._rows_before += batch.count

    def commit(self, rows: int, limit: RunState | None = None) -> Receipt:
        """Make rows and ledger line durable in one transaction."""
        if self._chunk is None:
            raise ConflictError("commit without begin")
        try:
            self._end_copy()
            self._check_count(rows)
            if self._staged and self._quarantine is None:
                self._merge()
            done = self._connection, self._fence, self._chunk, self._written, self._rejected, limit
            if not ledger.mark_chunk(*done):
                raise ConflictError("another process has written this chunk", table=str(self._chunk.table))
            failpoints.hit("loader.before_commit")
            self._connection.execute("COMMIT")
        except psycopg.Error as exc:
            raise self._error(exc) from exc
        failpoints.hit("loader.after_commit")
        self._chunk = None
        coerced = {} if self._raw else self._encoder.take_coerced()
        return Receipt(self._written, len(self._rejected), tuple(self._rejected), coerced)

    def _check_count(self, rows: int) -> None:
        if self._written + len(self._rejected) != rows:
            raise AccountingError(
                f"{rows} rows were read, but {self._written} written and {len(self._rejected)} rejected",
                table=str(self._table.source),
            )

    def rollback(self) -> None:
        """Leave the target as it was before `begin`; also after an error and on a broken connection."""
        self._chunk = None
        copy, self._copy = getattr(self, "_copy", None), None
        with suppress(psycopg.Error):
            if copy is not None:
                copy.abandon()
            self._connection.rollback()

    def interrupt(self) -> None:
        """From another thread: break off what runs now."""
        cancel(self._connection, self._settings)

    def _columns(self) -> str:
        return ", ".join(_DIALECT.quote(column.target) for column in self._table.columns)

    def _copy_sql(self) -> str:
        columns = self._columns()
        form = " (FORMAT binary)" if self._binary else ""
        return f"COPY {self._into}{f' ({columns})' if columns else ''} FROM STDIN{form}"

    def _open_copy(self) -> CopyIn:
        return CopyIn(self._connection, self._copy_sql(), binary=self._binary)

    def _write_straight(self, batch: ChangeBatch) -> None:
        for payload in self._encoded(batch):
            self._send(payload)

    def _encoded(self, batch: ChangeBatch) -> Iterator[Any]:
        """Its rows in COPY's format; of a large one, the cells that can pass as they are."""
        if batch.size_bytes > LARGE_BYTES:
            yield from pieces(self._encoder, batch.rows)
        else:
            yield encoded(self._encoder, batch.rows, 0, batch.rows.num_rows)

    def _send(self, payload: Any) -> None:
        if self._copy is None:
            self._copy = self._open_copy()
        self._copy.write(payload)

    def _end_copy(self) -> None:
        if self._copy is not None:
            copy, self._copy = self._copy, None
            self._written += copy.finish()

    def _write_carefully(self, rows: pa.RecordBatch, start: int, stop: int) -> None:
        """Send rows start..stop; put aside what the target refuses."""
        while start < stop:
            payload, refused = self._encoder.encode(rows, start, stop)
            sent = _sent_rows(start, stop, refused)
            try:
                with self._connection.transaction():
                    copy = self._open_copy()
                    copy.write(payload)
                    written = copy.finish()
                    if self._staged:
                        self._merge()
                        self._connection.execute(f"TRUNCATE {_STAGING}")
                self._written += written
            except psycopg.Error as exc:
                error = row_error(exc)
                if error is None:
                    raise
                start = self._split(rows, start, sent, error)
                continue
            for item in refused:
                self._put_aside(rows, item.row, self._encoder.error(item))
            return

    def _split(self, rows: pa.RecordBatch, start: int, sent: Sequence[int], error: RowError) -> int:
        """Deal with one refused row: send those before it, put it aside; returns where to go on.

        Where the server names no line, halves are tried until one row is left.
        """
        if error.row is not None and error.row < len(sent):
            culprit = sent[error.row]
            if culprit > start:
                self._write_carefully(rows, start, culprit)
            self._put_aside(rows, culprit, error)
            return culprit + 1
        if len(sent) == 1:
            self._put_aside(rows, sent[0], error)
            return sent[0] + 1
        middle = sent[len(sent) // 2]
        self._write_carefully(rows, start, middle)
        return middle

    def _put_aside(self, rows: pa.RecordBatch, row: int, error: RowError) -> None:
        if self._quarantine is None or not self._quarantine():
            raise RowError(
                f"more rows of {self._table.source} were refused than rowErrors.limit allows; the last one: "
                f"{error.message}",
                column=error.column,
                table=str(self._table.source),
                remedy="repair the rows at the source, choose a policy for such values, or raise rowErrors.limit",
            )
        self._rejected.append(
            Rejected(self._table.source, self._encoder.key(rows, row), error.column or "", error.message)
        )

    def _merge(self) -> None:
        """From the staging table into the target: one row per key, the last one wins."""
        plan = self._table
        keys = [column.target for column in plan.columns if column.source in plan.key]
        others = [column.target for column in plan.columns if column.source not in plan.key]
        updates = ", ".join(f"{_DIALECT.quote(name)} = EXCLUDED.{_DIALECT.quote(name)}" for name in others)
        conflict = ", ".join(_DIALECT.quote(name) for name in keys)
        self._connection.execute(
            # COPY fills an identity that is GENERATED ALWAYS by itself
            f"INSERT INTO {_DIALECT.qualified(plan.target)} ({self._columns()}) OVERRIDING SYSTEM VALUE"
            f" SELECT {self._columns()} FROM {_STAGING}"
            f" ON CONFLICT ({conflict}) {f'DO UPDATE SET {updates}' if updates else 'DO NOTHING'}".encode()
        )

    def _error(self, exc: psycopg.Error) -> MainstemError:
        error: MainstemError = row_error(exc) or translate_error(exc)
        error.where.setdefault("table", str(self._table.source))
        return error


def _sent_rows(start: int, stop: int, refused: Sequence[Refused]) -> list[int]:
    left_out = {item.row for item in refused}
    return [row for row in range(start, stop) if row not in left_out]
