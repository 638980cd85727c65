"""A session for a user's own SQL.

Each statement is a query of its own: the driver does not ask for the protocol's multi-statements, so the server takes
no second one. A read-only session puts each into a READ ONLY transaction and rolls it back. What could leave that
transaction (CALL, EXECUTE, compound statements, SET) is not let through at all: see `Grammar.harmless`.

Source: MySQL manual, "START TRANSACTION", "KILL"; MariaDB manual, "SET TRANSACTION".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import pymysql
from pymysql.constants import SERVER_STATUS
from pymysql.cursors import SSCursor

from mainstem.connectors.mysql import client
from mainstem.connectors.mysql.columns import Field, column
from mainstem.connectors.mysql.session import interrupt
from mainstem.contract.console import RawRow, Refusal, RefusedError, SessionOptions
from mainstem.contract.effects import Grammar, Statement
from mainstem.contract.scripts import words
from mainstem.errors import InvalidError, LostConnectionError
from mainstem.model.connection import ConnectionSettings
from mainstem.model.shown import ShownColumn, ShownKind

GRAMMAR = Grammar(
    "mysql",
    delimiters=True,
    runs_comments=True,
    schema_is="database",
    into_writes=False,
    harmless=frozenset(
        {"SELECT", "WITH", "VALUES", "TABLE", "SHOW", "DESCRIBE", "DESC", "EXPLAIN", "HELP", "USE", "CHECKSUM"}
    ),
    harmful=frozenset({"OUTFILE", "DUMPFILE"}),
)
# The user's statements get the server's own rules, not those that our copies need.
_SESSION = "SET SESSION sql_mode = @@GLOBAL.sql_mode, sql_notes = @@GLOBAL.sql_notes"
_LIMITS = "/*M!100101 SET SESSION max_statement_time = {0} */", "/*!50708 SET SESSION max_execution_time = {0}000 */"
_STOPPED = {1317, 1969, 3024, 1028}
_MOST_NOTICES = 50
_BIT = 16
_KINDS = {
    **dict.fromkeys((0, 1, 2, 3, 4, 5, 8, 9, 13, 246), ShownKind.NUMBER),
    **dict.fromkeys((7, 10, 11, 12, 14), ShownKind.TIME),
    245: ShownKind.JSON,
    255: ShownKind.BINARY,
    _BIT: ShownKind.OTHER,
}
_TEXTS = {15, 247, 248, 249, 250, 251, 252, 253, 254}
_NEAR = re.compile(r"near '(.*)' at line (\d+)$", re.DOTALL)
_NAMED = re.compile(r"'((?:[^']|'')+)'")


class MysqlConsole:
    """See `contract.console.Console`."""

    def __init__(self, settings: ConnectionSettings, options: SessionOptions) -> None:
        self._settings = settings
        self._read_only = options.read_only
        self._notices: list[str] = []
        self._current: MysqlResult | None = None
        self.connection: Any = client.connect(settings, cursorclass=SSCursor, conv={}, use_unicode=False)
        with client.translating():
            self._prepare(options)

    def _prepare(self, options: SessionOptions) -> None:
        mariadb = client.flavor(self.connection) == "mariadb"
        limit = _LIMITS[0 if mariadb else 1].format(options.seconds)
        for sql in (_SESSION, limit, *(("SET SESSION TRANSACTION READ ONLY",) if self._read_only else ())):
            client.query(self.connection, sql)

    def __enter__(self) -> MysqlConsole:
        return self

    def __exit__(self, *_: object) -> None:
        self.connection._force_close()  # a good-bye would wait for rows that nobody reads

    def execute(self, statement: Statement) -> Iterator[MysqlResult]:
        """See the contract."""
        if self._read_only:
            with client.translating():
                client.query(self.connection, "START TRANSACTION READ ONLY")
        cursor = self.connection.cursor()
        try:
            result: MysqlResult | None = MysqlResult(cursor, statement)
            while result is not None:
                self._current = result
                yield result
                result = result.following()
            self._warn(cursor)
        finally:
            if self._read_only and self.connection.open:
                with client.translating():
                    client.query(self.connection, "ROLLBACK")

    def enough(self, *, harmless: bool) -> None:
        """See the contract."""
        if self._current is not None:
            if harmless:
                self.stop()
            self._current.drain()
            if harmless:
                self._await_kill()

    def stop(self) -> None:
        """See the contract."""
        interrupt(self.connection, self._settings)

    def notices(self) -> list[str]:
        """See the contract."""
        told, self._notices = self._notices, []
        return told

    def in_transaction(self) -> bool:
        """See the contract."""
        return not self._read_only and bool(self.connection.server_status & SERVER_STATUS.SERVER_STATUS_IN_TRANS)

    def _await_kill(self) -> None:
        """A kill that came after the statement's end would meet the next one: let it meet this."""
        try:
            client.query(self.connection, "DO 0")
        except pymysql.Error as exc:
            if exc.args[0] not in _STOPPED:
                raise client.translate_error(exc) from exc

    def _warn(self, cursor: Any) -> None:
        count = getattr(cursor._result, "warning_count", 0) if cursor._result is not None else 0
        if count:
            with client.translating():
                for level, code, text in client.query(self.connection, f"SHOW WARNINGS LIMIT {_MOST_NOTICES}"):
                    self._notices.append(f"{_text(level)} {_text(code)}: {_text(text)}")


class MysqlResult:
    """See `contract.console.ResultSet`; sends its statement when it is made."""

    def __init__(self, cursor: Any, statement: Statement, *, further: bool = False) -> None:
        self._cursor = cursor
        self._statement = statement
        self._refusal: Refusal | None = None
        self.names: list[str] = []
        self.tag = ""
        self.affected: int | None = None
        self._fields: list[Field] = []
        try:
            if not further:
                cursor.execute(statement.text)
        except Exception as exc:
            self._refusal = _refused(exc, statement)
            return
        self._describe()

    def _describe(self) -> None:
        result = self._cursor._result
        for field in getattr(result, "fields", ()) if result.field_count else ():
            self._fields.append(
                Field(field.name, field.type_code, field.flags, field.charsetnr, field.length, field.scale)
            )
        # Without use_unicode the driver still reads names as text.
        self.names = [field.name for field in self._fields]
        if not self._fields:
            self.affected = result.affected_rows
        self.tag = self._statement.verb

    @property
    def kinds(self) -> Sequence[ShownKind]:
        """See the contract."""
        return [_kind(field) for field in self._fields]

    @property
    def columns(self) -> Sequence[ShownColumn]:
        """See the contract."""
        return [ShownColumn(field.name, _type_name(field), _kind(field)) for field in self._fields]

    def __iter__(self) -> Iterator[RawRow]:
        """See the contract."""
        if self._refusal is not None:
            raise RefusedError(self._refusal)
        if not self._fields:
            return
        kinds = [field.type_code == _BIT for field in self._fields]
        try:
            while (row := self._cursor.fetchone()) is not None:
                yield (
                    [_bits(cell) if bit else cell for cell, bit in zip(row, kinds, strict=True)] if any(kinds) else row
                )
        except Exception as exc:
            raise RefusedError(self._broken(exc)) from exc

    def drain(self) -> None:
        """Read to the end, and keep nothing; a refusal because it was broken off on purpose is none."""
        try:
            while self._fields and self._cursor.fetchone() is not None:
                pass
        except Exception as exc:
            self._broken(exc)

    def _broken(self, exc: Exception) -> Refusal:
        """An error in place of a row ends the result, which the driver does not know."""
        refusal = _refused(exc, self._statement)
        self._cursor._result.unbuffered_active = False
        self._cursor._result.has_next = False
        return refusal

    def following(self) -> MysqlResult | None:
        """The next result of a procedure; its last is the call's own, without rows."""
        if self._refusal is not None or not self._cursor._result.has_next:
            return None
        try:
            self._cursor.nextset()
        except Exception as exc:
            raise RefusedError(_refused(exc, self._statement)) from exc
        return MysqlResult(self._cursor, self._statement, further=True)


def _refused(exc: Exception, statement: Statement) -> Refusal:
    """What the server said; raises `LostConnectionError` where it says nothing any more."""
    if isinstance(exc, RuntimeError):  # the driver, asked by the server to send a file
        return Refusal("a file cannot be sent from here", hint="load it with the server's own client")
    meaning = client.translate_error(exc)
    if isinstance(meaning, LostConnectionError):
        raise meaning from exc
    code, text = (*exc.args, 0, "")[:2]
    return Refusal(str(text), str(code), position=_position(str(text), statement), stopped=code in _STOPPED)


def _position(message: str, statement: Statement) -> int | None:
    """Where the error is: behind "near", in the line that is named, or at the first name that is quoted."""
    near = _NEAR.search(message)
    if near is not None:
        starts = [0, *(found.end() for found in re.finditer("\n", statement.text))]
        start = starts[min(int(near[2]), len(starts)) - 1]
        at = statement.text.find(near[1], start) if near[1] else len(statement.text)
        return at if at >= 0 else statement.text.rfind(near[1]) if near[1] in statement.text else start
    named = _NAMED.search(message)
    if named is None:
        return None
    wanted = named[1].rpartition(".")[2].strip("`").upper()
    found = words(statement.text, GRAMMAR.sql_name) or []
    bare = [(statement.text[word.start : word.end].strip("`").upper(), word.start) for word in found]
    return next((start for text, start in bare if text == wanted), None)


def _kind(field: Field) -> ShownKind:
    if field.type_code in _TEXTS:
        return ShownKind.BINARY if field.binary else ShownKind.TEXT
    return _KINDS.get(field.type_code, ShownKind.OTHER)


def _type_name(field: Field) -> str:
    try:
        return column(field).native
    except InvalidError:
        return f"type {field.type_code}"


def _bits(cell: bytes | None) -> bytes | None:
    """A BIT value in binary digits."""
    return None if cell is None else format(int.from_bytes(cell), "b").encode()


def _text(cell: Any) -> str:
    return cell.decode("utf-8", "replace") if isinstance(cell, bytes) else str(cell)
