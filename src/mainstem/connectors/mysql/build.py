"""Structure: DDL statements, each with its line in the ledger, which says when one was begun and when it was done."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any

import pymysql

from mainstem import failpoints
from mainstem.connectors.mysql import client
from mainstem.connectors.mysql.dialect import MysqlDialect
from mainstem.connectors.mysql.fence import run_fence
from mainstem.connectors.mysql.ledger import step_name
from mainstem.connectors.mysql.session import SESSION, interrupt
from mainstem.ddl.references import orphaned
from mainstem.errors import LostConnectionError, StatementError
from mainstem.model.connection import ConnectionSettings
from mainstem.model.names import TableId
from mainstem.model.plan import Phase, Statement

_DIALECT = MysqlDialect()
# What a statement comes to that was begun before, and had been done when the process died: there already, or gone
# already (database, table, column, index, primary key, routine, trigger, foreign key, check, sequence, view).
_DONE_BEFORE = {
    1007, 1008, 1022, 1050, 1051, 1060, 1061, 1068, 1091, 1304, 1305, 1359, 1360, 1826, 3821, 3822, 3940, 4091,
    4092,
}  # fmt: skip
_CANNOT_CREATE, _DUPLICATE_ERRNO = 1005, "errno: 121"
# Tables are dropped, made and emptied in any order; afterwards a foreign key is made only if every row has its parent.
_UNCHECKED = {Phase.SCHEMA, Phase.TABLES}
_LISTED = 10


class MysqlBuilder:
    """See `contract.target.Builder`, but that DDL is no part of a transaction here: see the ledger.

    So no commit tells whether the run is still ours. Before each statement the fence is looked at, and whoever raises
    it ends this connection first and waits until it has gone (see `fence`): a former holder's statement is over, done
    or rolled back, before the next one's begin. Its line then says "begun", and the statement is run again.
    """

    def __init__(self, settings: ConnectionSettings, run_id: str, token: int = 0) -> None:
        self._settings = settings
        self._fence = run_fence(settings, run_id, token)
        self._connection: Any = client.connect(settings)
        self._run_id = run_id
        self._checked: bool | None = None
        with client.translating():
            self._query(SESSION)
            self._fence.enter(self._connection)

    def __enter__(self) -> MysqlBuilder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(Exception):  # closing what has gone already
            self._connection.close()

    def apply(self, statement: Statement) -> None:
        """Run a statement unless the ledger says that it ran."""
        if not statement.sql:
            with client.translating(object=statement.object):
                self._look_for_rows(statement)
            return
        self._once(statement, [statement.sql])

    def truncate(self, tables: Sequence[TableId]) -> None:
        """Empty these tables, foreign keys between them notwithstanding; once per run, as `apply`."""
        if not tables:
            return
        self._refuse_orphans(tables)
        texts = [f"TRUNCATE TABLE {_DIALECT.qualified(table)}" for table in tables]
        self._once(Statement(Phase.TABLES, "; ".join(texts), "the tables to be loaded"), texts)

    def count(self, table: TableId) -> int:
        """Rows in a table."""
        with client.translating(table=str(table)):
            ((count,),) = self._query(f"SELECT COUNT(*) FROM {_DIALECT.qualified(table)}")
        return int(count)

    def counted(self, table: TableId, rows: int) -> bool:
        """Never: this server does not tell."""
        return False

    def interrupt(self) -> None:
        """From another thread: break off what runs now."""
        interrupt(self._connection, self._settings)

    def _once(self, statement: Statement, texts: Sequence[str]) -> None:
        step = self._run_id, step_name(statement)
        with client.translating(object=statement.object):
            self._fence.check(self._connection)
            known = self._query("SELECT done IS NOT NULL FROM mainstem_step WHERE run_id = %s AND step = %s", *step)
            if known and known[0][0]:
                return
            self._look_for_rows(statement)
            if not known:
                self._query(
                    "INSERT INTO mainstem_step (run_id, step, label, note) VALUES (%s, %s, %s, FALSE)",
                    *step, f"{statement.phase}: {statement.object}",
                )  # fmt: skip
            failpoints.hit("builder.begun")
            self._check_keys(checked=statement.phase not in _UNCHECKED and not statement.against)
            self._run(texts, step, again=bool(known))
            failpoints.hit("builder.ran")
            self._query("UPDATE mainstem_step SET done = NOW(6) WHERE run_id = %s AND step = %s", *step)
            failpoints.hit("builder.done")

    def _run(self, texts: Sequence[str], step: tuple[str, str], *, again: bool) -> None:
        """Run a step's statements; one that is refused leaves no line."""
        try:
            for text in texts:
                self._query(text)
        except Exception as exc:
            error = client.translate_error(exc)
            if again and was_done(exc):
                return
            if not isinstance(error, LostConnectionError):
                self._query("DELETE FROM mainstem_step WHERE run_id = %s AND step = %s", *step)
            raise error from exc

    def _look_for_rows(self, statement: Statement) -> None:
        """With its checks on, the server copies the whole table to add a foreign key; without, it only notes it."""
        if statement.against and self._query(f"{statement.against} LIMIT 1"):
            raise orphaned(statement)

    def _check_keys(self, *, checked: bool) -> None:
        if checked is not self._checked:
            self._query(f"SET foreign_key_checks = {int(checked)}")
            self._checked = checked

    def _refuse_orphans(self, tables: Sequence[TableId]) -> None:
        """TRUNCATE without checks would leave rows of other tables that refer to these without their parents."""
        with client.translating():
            rows = self._query(
                "SELECT DISTINCT table_schema, table_name, COALESCE(referenced_table_schema, DATABASE()),"
                " referenced_table_name FROM information_schema.key_column_usage"
                " WHERE referenced_table_name IS NOT NULL AND referenced_table_schema IN (DATABASE(), %s)",
                tables[0].schema,
            )
            ((database,),) = self._query("SELECT DATABASE()")
        emptied = {(table.schema or database, table.name) for table in tables}
        others = [f"{schema}.{name}" for schema, name, *parent in rows if tuple(parent) in emptied
                  and (schema, name) not in emptied]  # fmt: skip
        if others:
            raise StatementError(
                f"tables that are not copied refer to those that would be emptied: {', '.join(others[:_LISTED])}",
                remedy="copy these tables too, or drop their foreign keys first",
            )

    def _query(self, sql: str, *arguments: object) -> list[tuple[Any, ...]]:
        return client.query(self._connection, sql, arguments or None)


def was_done(exc: Exception) -> bool:
    """Whether the error says that what a statement makes is there, or what it drops is gone."""
    if not isinstance(exc, pymysql.Error) or not exc.args:
        return False
    code, text = (*exc.args, "")[:2]
    return code in _DONE_BEFORE or (code == _CANNOT_CREATE and _DUPLICATE_ERRNO in str(text))
