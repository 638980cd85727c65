"""A session for a user's own SQL.

Each statement goes by the extended protocol, which takes no more than one: whatever its text, no second one can ride
along. A read-only session puts each into a READ ONLY transaction that has seen a snapshot, from where on nothing can
make it READ WRITE, and rolls it back behind it.

Source: PostgreSQL manual, "Message Flow", "SET TRANSACTION"; libpq manual, "Retrieving Query Results Row-by-Row".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, cast

import psycopg
from psycopg import generators, pq

from mainstem.connectors.postgres.client import cancel, connect, translating
from mainstem.connectors.postgres.config import DEFAULT_SCHEMA
from mainstem.connectors.postgres.errors import lost_error, statement_error
from mainstem.contract.console import RawRow, Refusal, RefusedError, SessionOptions
from mainstem.contract.effects import Grammar, Statement
from mainstem.errors import LostConnectionError
from mainstem.model.connection import ConnectionSettings
from mainstem.model.shown import ShownColumn, ShownKind

GRAMMAR = Grammar(
    "postgres",
    delimiters=False,
    runs_comments=False,
    schema_is="schema",
    into_writes=True,
    harmless=frozenset({"SELECT", "WITH", "VALUES", "TABLE", "SHOW", "EXPLAIN", "SET", "RESET"}),
)
_CANCELLED = "57014"
_FIELD = pq.DiagnosticField
_STATUS = pq.ExecStatus
_ROWS = {_STATUS.SINGLE_TUPLE, _STATUS.TUPLES_OK}
_NO_COPY = b"rows cannot be sent by COPY from here"
_NO_COPY_OUT = Refusal("rows cannot be fetched by COPY from here", hint="export the result of a SELECT")
_MOST_NOTICES = 50
_KINDS: dict[str, ShownKind] = {
    **dict.fromkeys(("int2", "int4", "int8", "oid", "float4", "float8", "numeric", "money"), ShownKind.NUMBER),
    **dict.fromkeys(
        ("date", "time", "timetz", "timestamp", "timestamptz", "interval"), ShownKind.TIME
    ),
    **dict.fromkeys(("json", "jsonb"), ShownKind.JSON),
    **dict.fromkeys(("text", "varchar", "bpchar", "char", "name", "xml", "uuid"), ShownKind.TEXT),
    "bool": ShownKind.BOOLEAN,
    "bytea": ShownKind.BINARY,
}  # fmt: skip


class PostgresConsole:
    """See `contract.console.Console`."""

    def __init__(self, settings: ConnectionSettings, options: SessionOptions) -> None:
        self._settings = settings
        self._read_only = options.read_only
        self._notices: list[str] = []
        self._current: PostgresResult | None = None
        self.connection = connect(settings, application_name="mainstem console")
        self.connection.add_notice_handler(self._note)
        with translating():
            self._prepare(options)

    def _prepare(self, options: SessionOptions) -> None:
        self.connection.execute("RESET jit")
        self.connection.execute("SELECT set_config('statement_timeout', %s, false)", (str(options.seconds * 1000),))
        schema = options.schema or self._settings.schema
        if schema and schema != DEFAULT_SCHEMA:
            self.connection.execute(
                "SELECT set_config('search_path', quote_ident(%s) || ', ' || quote_ident(%s), false)",
                (schema, DEFAULT_SCHEMA),
            )

    def __enter__(self) -> PostgresConsole:
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()

    def execute(self, statement: Statement) -> Iterator[PostgresResult]:
        """See the contract: the one result."""
        if self._read_only:
            self._begin()
        result = self._current = PostgresResult(self.connection, statement.text)
        try:
            yield result
        finally:
            if self._read_only and self.connection.pgconn.status == pq.ConnStatus.OK:
                self._end(keep=result.tag in {"SET", "RESET"})

    def enough(self, *, harmless: bool) -> None:
        """See the contract. In the user's own transaction all is read to its end: breaking it off would end that."""
        if self._current is not None:
            if harmless and (self._read_only or not self.in_transaction()):
                cancel(self.connection, self._settings)
            self._current.drain()

    def stop(self) -> None:
        """See the contract."""
        cancel(self.connection, self._settings)

    def notices(self) -> list[str]:
        """See the contract."""
        told, self._notices = self._notices, []
        return told

    def in_transaction(self) -> bool:
        """See the contract."""
        return not self._read_only and self._in_block

    @property
    def _in_block(self) -> bool:
        return self._current is not None and self._current.in_block

    def _begin(self) -> None:
        with translating():
            if self.connection.pgconn.transaction_status != pq.TransactionStatus.IDLE:
                self.connection.execute("ROLLBACK")
            # With its first snapshot a transaction's mode is settled; nothing that follows can make it write.
            self.connection.execute("BEGIN READ ONLY; SELECT 1")

    def _end(self, *, keep: bool) -> None:
        with translating():
            if self.connection.pgconn.transaction_status != pq.TransactionStatus.IDLE:
                self.connection.execute("COMMIT" if keep else "ROLLBACK")

    def _note(self, said: psycopg.errors.Diagnostic) -> None:
        if len(self._notices) < _MOST_NOTICES:
            self._notices.append(f"{said.severity or 'NOTICE'}: {said.message_primary or ''}")


class PostgresResult:
    """See `contract.console.ResultSet`; sends its statement when it is made."""

    def __init__(self, connection: psycopg.Connection[Any], sql: str) -> None:
        self._connection = connection
        self._pgconn = connection.pgconn
        self.in_block = self._pgconn.transaction_status in {pq.TransactionStatus.INTRANS, pq.TransactionStatus.INERROR}
        self.names: list[str] = []
        self.tag = ""
        self.affected: int | None = None
        self._types: list[tuple[int, int]] = []
        self._refusal: Refusal | None = None
        with translating():
            self._pgconn.send_query_params(sql.encode(), None)
            self._pgconn.set_single_row_mode()
            connection.wait(generators.send(self._pgconn))
        self._next = self._fetch()

    @property
    def kinds(self) -> Sequence[ShownKind]:
        """See the contract."""
        return [self._kind(oid) for oid, _ in self._types]

    @property
    def columns(self) -> Sequence[ShownColumn]:
        """See the contract. Types that the driver has no name for are asked of the server."""
        known = self._connection.adapters.types
        asked = self._asked([pair for pair in self._types if known.get(pair[0]) is None])
        return [
            ShownColumn(name, asked.get(pair) or _type_name(known.get(pair[0]), *pair), self._kind(pair[0]))
            for name, pair in zip(self.names, self._types, strict=True)
        ]

    def __iter__(self) -> Iterator[RawRow]:
        """See the contract."""
        while self._next is not None:
            row, self._next = self._next, None
            yield row
            self._next = self._fetch()
        if self._refusal is not None:
            raise RefusedError(self._refusal)

    def drain(self) -> None:
        """Read to the end, and keep nothing; a refusal because it was broken off on purpose is none."""
        self._next = None
        while self._result() is not None:
            pass

    def _fetch(self) -> RawRow | None:
        """The next row; None at the end, when the tag is known."""
        while (result := self._result()) is not None:
            if result.ntuples:
                return self._row(result)
        return None

    def _result(self) -> pq.abc.PGresult | None:
        result: pq.abc.PGresult | None = self._connection.wait(generators.fetch(self._pgconn))
        if result is None:
            self.in_block = self._pgconn.transaction_status in {
                pq.TransactionStatus.INTRANS, pq.TransactionStatus.INERROR,
            }  # fmt: skip
            return None
        if result.status in _ROWS:
            self._describe(result)
        elif result.status == _STATUS.FATAL_ERROR:
            self._refusal = self._refused(result)
        elif result.status == _STATUS.COPY_IN:
            self._pgconn.put_copy_end(_NO_COPY)
            self._connection.wait(generators.send(self._pgconn))
        elif result.status == _STATUS.COPY_OUT:
            while self._pgconn.get_copy_data(0)[0] > 0:
                pass
            self._refusal = _NO_COPY_OUT
        if result.status in {_STATUS.TUPLES_OK, _STATUS.COMMAND_OK}:
            self.tag = (result.command_status or b"").decode()
            if not self.names or not self.tag.startswith(("SELECT", "SHOW", "EXPLAIN", "FETCH")):
                self.affected = result.command_tuples
        return result

    def _describe(self, result: pq.abc.PGresult) -> None:
        if not self.names:
            count = range(result.nfields)
            self.names = [(result.fname(number) or b"").decode("utf-8", "replace") for number in count]
            self._types = [(result.ftype(number), result.fmod(number)) for number in count]
            self._binary = [self._kind(oid) is ShownKind.BINARY for oid, _ in self._types]

    def _row(self, result: pq.abc.PGresult) -> RawRow:
        cells = [result.get_value(0, number) for number in range(len(self.names))]
        escaping = pq.Escaping()
        return [
            escaping.unescape_bytea(cell) if binary and cell is not None else cell
            for cell, binary in zip(cells, self._binary, strict=True)
        ]

    def _kind(self, oid: int) -> ShownKind:
        found = self._connection.adapters.types.get(oid)
        if found is None or found.array_oid == oid:
            return ShownKind.OTHER
        return _KINDS.get(found.name, ShownKind.OTHER)

    def _asked(self, types: list[tuple[int, int]]) -> dict[tuple[int, int], str]:
        usable = self._pgconn.transaction_status in {pq.TransactionStatus.IDLE, pq.TransactionStatus.INTRANS}
        if not types or not usable:
            return {}
        with translating():
            found = self._connection.execute(
                "SELECT o, m, pg_catalog.format_type(o, m) FROM unnest(%s::oid[], %s::int[]) AS t (o, m)",
                ([oid for oid, _ in types], [modifier for _, modifier in types]),
            ).fetchall()
        return {(oid, modifier): name for oid, modifier, name in found}

    def _refused(self, result: pq.abc.PGresult) -> Refusal:
        def said(field: pq.DiagnosticField) -> str:
            return (result.error_field(field) or b"").decode("utf-8", "replace")

        code = said(_FIELD.SQLSTATE)
        if isinstance(statement_error(code, ""), LostConnectionError) or self._pgconn.status != pq.ConnStatus.OK:
            raise lost_error()
        position = said(_FIELD.STATEMENT_POSITION)
        return Refusal(
            said(_FIELD.MESSAGE_PRIMARY), code, said(_FIELD.MESSAGE_DETAIL), said(_FIELD.MESSAGE_HINT),
            int(position) - 1 if position.isdigit() else None, stopped=code == _CANCELLED,
        )  # fmt: skip


def _type_name(known: Any, oid: int, modifier: int) -> str:
    """``numeric(10,2)``, ``varchar(20)``: a type's name with what its modifier says."""
    if known is None:
        return f"type {oid}"
    if known.array_oid == oid:
        return f"{known.regtype}[]"
    name = cast(str, known.regtype or known.name)
    if modifier < 0:
        return name
    if known.name == "numeric":
        return f"{name}({(modifier - 4) >> 16},{(modifier - 4) & 0x7FF})"
    if known.name in {"varchar", "bpchar"}:
        return f"{name}({modifier - 4})"
    return name
