"""What the target knows of a stream, outside of its transactions: the book that a start reads and a user looks into."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from types import TracebackType

import pymysql

from mainstem import failpoints
from mainstem.connectors.mysql import client
from mainstem.connectors.mysql.bookkeeping import drop_tables, locked, open_books
from mainstem.connectors.mysql.config import STREAM_TABLES
from mainstem.connectors.mysql.dialect import MysqlDialect
from mainstem.connectors.mysql.fence import stream_fence
from mainstem.connectors.mysql.ledger import transaction
from mainstem.connectors.mysql.streambook import CREATE, CREATE_PARTS, StreamRows
from mainstem.errors import ConflictError
from mainstem.model.connection import ConnectionSettings
from mainstem.model.names import TableId
from mainstem.model.stream import DeadLetter, SchemaRecord, StoredStream, StreamPart, StreamTable

_DIALECT = MysqlDialect()
_NO_TABLE, _DUPLICATE = 1146, 1062
_COUNTER_MARGIN = 1000
_SPARE_SHARE = 10
"""Of the numbers that a type has left, the margin is this part at most."""
COUNTER_WAIT_S = 5
"""For so long somebody's lock of a table keeps its counters from being set, and others who come to it wait."""
_COUNTER = (
    "SELECT column_name, column_type FROM information_schema.columns WHERE table_schema = {0} AND table_name = {1}"
    " AND extra LIKE '%auto_increment%'"
)
_BITS = {"tinyint": 8, "smallint": 16, "mediumint": 24, "int": 32, "bigint": 64}
_TYPE = re.compile(r"[a-z]+")


class MysqlStreamBook:
    """See `contract.apply.StreamBook`."""

    def __init__(self, settings: ConnectionSettings, stream_id: str, token: int = 0) -> None:
        """Connect, and claim the stream for a token (see `fence`)."""
        self._fence = stream_fence(settings, stream_id, token)
        self._connection = open_books(settings, "stream", self._fence)
        self._rows = StreamRows(self._connection, stream_id)
        self._stream_id, self._database = stream_id, settings.database

    def __enter__(self) -> MysqlStreamBook:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(Exception):  # closing what has gone already
            self._connection.close()

    def load(self) -> StoredStream | None:
        """What an earlier start left, or None."""
        with client.translating(), _unless_missing():
            return self._rows.load()
        return None

    def create(self, stored: StoredStream) -> None:
        """Begin a stream. Raises `ConflictError` if there is one of this id."""
        with client.translating(), self._locked():
            for statement in CREATE:
                client.query(self._connection, statement)
            failpoints.hit("book.before_create")
            try:
                with transaction(self._connection):
                    self._rows.create(stored)
            except pymysql.IntegrityError as exc:
                if exc.args[0] != _DUPLICATE:
                    raise
                self._fence.claim(self._connection)
                raise ConflictError(
                    "the target has a stream of this id already", remedy="resume it, or drop it first"
                ) from exc
            self._fence.claim(self._connection)
        failpoints.hit("book.created")

    def save(self, table: StreamTable) -> None:
        """Write down the state of a table, in a transaction of its own."""
        with client.translating(), transaction(self._connection):
            self._fence.hold(self._connection)
            self._rows.save(table)

    def parts(self) -> tuple[StreamPart, ...]:
        """The parts that the stream is divided into, as far as each is now."""
        with client.translating(), _unless_missing():
            return self._rows.parts()
        return ()

    def divide(self, stored: StoredStream, parts: Sequence[Sequence[TableId]]) -> None:
        """Write checkpoint and tables down anew, and parts that are as far as it is."""
        with client.translating():
            client.query(self._connection, CREATE_PARTS)
            with transaction(self._connection):
                self._fence.hold(self._connection)
                self._rows.divide(stored, parts)

    def letters(self, limit: int = 1000) -> list[DeadLetter]:
        """Changes that were put aside, in their order."""
        with client.translating(), _unless_missing():
            return self._rows.letters(limit)
        return []

    def count_letters(self) -> dict[TableId, int]:
        """How many there are of each table."""
        with client.translating(), _unless_missing():
            return self._rows.count_letters()
        return {}

    def discard(self, numbers: Sequence[int]) -> None:
        """Forget letters that were dealt with."""
        with client.translating(), _unless_missing():
            self._rows.discard(numbers)

    def changes(self, limit: int = 1000) -> list[SchemaRecord]:
        """Schema changes that were seen, newest last."""
        with client.translating(), _unless_missing():
            return self._rows.changes(limit)
        return []

    def advance_counters(self, tables: Sequence[StreamTable]) -> list[str]:
        """Set every AUTO_INCREMENT past the highest value in use, and some more.

        Returns ``table.column = next value`` of what was set.
        """
        told = []
        with client.translating():
            client.query(self._connection, f"SET SESSION lock_wait_timeout = {COUNTER_WAIT_S}")
        for table in tables:
            target = table.plan.target
            schema = self._connection.escape(target.schema) if target.schema else "DATABASE()"
            with client.translating(table=str(target)):
                names = schema, self._connection.escape(target.name)
                for column, type_ in client.query(self._connection, _COUNTER.format(*names)):
                    value = self._advance(target, column, type_)
                    told.append(f"{target}.{column} = {value}")
        return told

    def drop(self) -> None:
        """Forget the stream; what is not of a stream any more is dropped."""
        with client.translating(), self._locked(), _unless_missing():
            if self._rows.revision() is not None:  # an earlier version's book has none
                client.query(self._connection, CREATE_PARTS)
            with transaction(self._connection):
                last = self._rows.drop(STREAM_TABLES)
            if last:
                drop_tables(self._connection, STREAM_TABLES)

    def _advance(self, table: TableId, column: str, type_: str) -> int:
        name = _DIALECT.qualified(table)
        ((highest,),) = client.query(self._connection, f"SELECT MAX({_DIALECT.quote(column)}) FROM {name}")
        used = max(int(highest or 0), 0)
        spare = max(_largest(type_) - used - 1, 0) // _SPARE_SHARE
        value = used + 1 + min(_COUNTER_MARGIN - 1, spare)
        client.query(self._connection, f"ALTER TABLE {name} AUTO_INCREMENT = {value}")
        return value

    def _locked(self) -> AbstractContextManager[None]:
        return locked(self._connection, self._database, "stream")


@contextmanager
def _unless_missing() -> Iterator[None]:
    """Inside, tables of ours that are not there are no error: nothing is known then."""
    try:
        yield
    except pymysql.Error as exc:
        if not exc.args or exc.args[0] != _NO_TABLE:
            raise


def _largest(type_: str) -> int:
    found = _TYPE.match(type_.lower())
    bits = _BITS.get(found[0] if found else "", 24)  # FLOAT and DOUBLE can count, too
    return int(2 ** (bits if "unsigned" in type_.lower() else bits - 1) - 1)
