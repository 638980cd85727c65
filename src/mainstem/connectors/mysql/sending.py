"""Rows on their way to a target table or a temporary one: by LOAD DATA LOCAL, or by INSERT where it takes no files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pymysql

from mainstem.connectors.mysql import outcome
from mainstem.connectors.mysql.dialect import MysqlDialect
from mainstem.connectors.mysql.encode import BatchEncoder, Encoded
from mainstem.connectors.mysql.infile import PACKET_BYTES, LoadStream
from mainstem.connectors.mysql.insert import Inserter
from mainstem.connectors.mysql.outcome import Outcome
from mainstem.connectors.mysql.shape import Column
from mainstem.errors import RowError
from mainstem.model.cells import PIECE_BYTES
from mainstem.model.change import RowChanges
from mainstem.model.plan import ColumnPlan, TablePlan
from mainstem.model.run import RunOptions
from mainstem.model.types import Kind
from mainstem.native.ops import LoadForm

_DIALECT = MysqlDialect()
NO_FILES = frozenset({1148, 3948, 4166})
"""LOAD DATA LOCAL is forbidden."""
_ROWS_AT_ONCE = 100_000
_INSERTED_AT_ONCE = 1000
_MARGIN_BYTES = 1024
_LARGEST_BYTES = 4 * 1024 * 1024  # of a statement, where there are files
_WIDENED = 3  # bytes of a statement for one of a cell, in hex or escaped, and some more


@dataclass(slots=True)
class Sender:
    """Sends rows over a connection. Raises the driver's errors, and `RowError`.

    Attributes:
        takes_files: the server lets us send files.
        raw: see `encode.form`.
        packet_bytes: the server's bound of a packet.
        needs_key: the server makes no table without a primary key, not even a temporary one.
        coerced: values that policies have changed, since `take_coerced`.
    """

    connection: Any
    options: RunOptions
    takes_files: bool
    raw: bool
    packet_bytes: int
    needs_key: bool = False
    coerced: Counter[str] = field(default_factory=Counter)

    def send(self, into: str, plan: TablePlan, rows: pa.RecordBatch, required: frozenset[str]) -> int:
        """Send rows; returns how many error values of ENUM columns are among them.

        Args:
            into: the table, as SQL; its columns have the target's names.
            plan: its columns are those of ``rows``.
            required: as for `BatchEncoder`.
        """
        if self.takes_files:
            sent = self._send_file(into, plan, rows, required)
            if sent is not None:
                return sent
        return self._insert(into, plan, rows, required)

    def run(self, sql: str | bytes, *, unlabelled: int = 0, checked: bool = True) -> int:
        """Run a statement; returns the rows that it found, or stored.

        Args:
            unlabelled: how many warnings about error values of ENUM columns there may be.
            checked: any other warning is a refusal.
        """
        if len(sql) + _MARGIN_BYTES > self.packet_bytes:
            raise RowError(
                f"a row of about {len(sql):,} bytes is larger than the server's max_allowed_packet"
                f" ({self.packet_bytes:,} bytes)",
                remedy="raise max_allowed_packet on the server",
            )
        self.connection.query(sql)
        affected, warnings = self.connection.affected_rows(), self.connection._result.warning_count
        if warnings and checked:
            outcome.check(self.connection, Outcome(affected, 0, warnings), expected=unlabelled)
        return int(affected)

    def takes(self, changes: RowChanges) -> bool:
        """Whether each of the rows surely fits into a statement, and is best sent in one.

        A file has no bound, and large cells in it are never written as a whole.
        """
        cells = changes.after.nbytes + (0 if changes.before is None else changes.before.nbytes)
        bound = min(self.packet_bytes, _LARGEST_BYTES) if self.takes_files else self.packet_bytes
        return int(cells) * _WIDENED < bound

    def take_coerced(self) -> dict[str, int]:
        """What policies have changed, counted from 0 from here on."""
        counted, self.coerced = dict(self.coerced), Counter()
        return counted

    def _send_file(self, into: str, plan: TablePlan, rows: pa.RecordBatch, required: frozenset[str]) -> int | None:
        encoder = BatchEncoder(plan, self.options, required, raw=self.raw)
        try:
            stream = LoadStream(self.connection, encoder.load_sql(into), min(PACKET_BYTES, self.packet_bytes // 2))
        except pymysql.Error as exc:
            if not exc.args or exc.args[0] not in NO_FILES:
                raise
            self.takes_files = False
            return None
        unlabelled = 0
        try:
            for encoded in _encoded(encoder, rows):
                if encoded.refused:
                    raise encoder.error(encoded.refused[0])
                stream.send(encoded.payload)
                unlabelled += encoded.unlabelled
                self.coerced.update(encoded.coerced)
        except RowError:
            stream.abandon()
            raise
        ended = stream.finish()
        outcome.check(self.connection, ended, expected=unlabelled)
        return unlabelled

    def _insert(self, into: str, plan: TablePlan, rows: pa.RecordBatch, required: frozenset[str]) -> int:
        encoder = BatchEncoder(plan, self.options, required, into=LoadForm.LITERALS)
        names = ", ".join(_DIALECT.quote(column.target) for column in plan.columns)
        inserter = Inserter(self.connection, encoder, f"{into} ({names})", self.packet_bytes, _refuse, _nothing)
        for start in range(0, rows.num_rows, _INSERTED_AT_ONCE):
            inserter.write(rows, start, min(start + _INSERTED_AT_ONCE, rows.num_rows))
        self.coerced.update(inserter.coerced)
        return inserter.unlabelled


class Staging:
    """Temporary tables of one merge; none of them is a statement that commits.

    Source: MySQL manual, "Statements That Cause an Implicit Commit".
    """

    def __init__(self, sender: Sender) -> None:
        self._sender = sender
        self._made: list[str] = []

    def __enter__(self) -> Staging:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(pymysql.Error, OSError):  # they end with the connection, if it is broken
            while self._made:
                self._sender.run(f"DROP TEMPORARY TABLE IF EXISTS {self._made[-1]}", checked=False)
                self._made.pop()

    def table(self, columns: Iterable[Column], *more: str) -> str:
        """Make an empty table of columns that take NULL; returns its name.

        Args:
            more: definitions of columns of ours.
        """
        name = f"mainstem_staging_{len(self._made)}"
        self._made.append(name)
        defined = [f"{_DIALECT.quote(column.name)} {column.declared} NULL" for column in columns]
        # A server may give a TIMESTAMP without a default one that renews itself.
        defined = [f"{text} DEFAULT NULL" for text in defined]
        if self._sender.needs_key:
            more = *more, "mainstem_row bigint unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY"
        self._sender.run(f"CREATE TEMPORARY TABLE {name} ({', '.join([*defined, *more])}) ENGINE = InnoDB")
        return name


def _encoded(encoder: BatchEncoder, rows: pa.RecordBatch) -> Iterator[Encoded]:
    """All rows for LOAD DATA, in pieces: a large row ends one, and is in pieces itself."""
    begin = 0
    for end in _ends(rows):
        part = rows.slice(begin, end - begin)
        if part.nbytes > PIECE_BYTES and part.slice(part.num_rows - 1).nbytes > PIECE_BYTES:
            yield from encoder.encode_in_pieces(part)
        else:
            yield encoder.encode(rows, begin, end)
        begin = end


def _ends(rows: pa.RecordBatch) -> list[int]:
    """Behind each large row, and at least behind so many."""
    found = {*range(_ROWS_AT_ONCE, rows.num_rows, _ROWS_AT_ONCE), rows.num_rows}
    if rows.nbytes > PIECE_BYTES:
        for column in rows.columns:
            lengths: Any = pc.binary_length(column)  # type: ignore[call-overload]
            found.update(row + 1 for row, length in enumerate(lengths.to_pylist()) if (length or 0) > PIECE_BYTES)
    return sorted(found)


def in_order(rows: pa.RecordBatch, key: Sequence[int], columns: Sequence[ColumnPlan]) -> pa.RecordBatch:
    """Rows by their key: the server finds neighbours on the same pages. Whole numbers by value, others by bytes."""
    if rows.num_rows < 2 or not key:
        return rows
    arrays = [_sortable(rows.column(place), column) for place, column in zip(key, columns, strict=True)]
    names = [f"k{number}" for number in range(len(arrays))]
    order = pc.sort_indices(pa.table(arrays, names=names), sort_keys=[(name, "ascending") for name in names])
    return rows.take(order)


def _sortable(array: pa.Array[Any], column: ColumnPlan) -> pa.Array[Any]:
    if column.type.kind is Kind.INTEGER:
        with suppress(pa.ArrowInvalid):  # above 2**63: their order is no matter of right and wrong
            return array.cast(pa.string()).cast(pa.int64())
    return array


def _refuse(_rows: pa.RecordBatch, _row: int, error: RowError) -> None:
    raise error


def _nothing() -> None:
    """What follows a batch that needs no merging."""
