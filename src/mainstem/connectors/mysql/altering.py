"""Changes of structure in a stream: DDL commits by itself, so that what it is part of is taken apart in safe steps.

A statement's line is written before it runs (begun) and after (done, or refused), and deleted in the transaction that
moves the checkpoint past the change. Whoever comes to the same change again finds the line: a statement that was done
is not run again, and one that was begun is, unless what it makes is there. Statements run ahead of rows that came
before them: these fit the new structure as they fit the old one, as only what is additive is carried over.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from mainstem import failpoints
from mainstem.connectors.mysql import client
from mainstem.connectors.mysql.build import was_done
from mainstem.errors import LostConnectionError, MainstemError, StatementError, TransientError


class Alterations:
    """The lines of one stream's statements. Raises the driver's errors, and ours of a statement that is refused."""

    def __init__(self, connection: Any, stream_id: str) -> None:
        self._connection, self._id = connection, stream_id

    def pending(self, statements: Sequence[str]) -> list[str]:
        """Those that have not run yet; none behind one that was refused."""
        waiting = []
        for statement in statements:
            known = self._query(
                "SELECT error FROM mainstem_stream_step WHERE stream_id = %s AND step = %s AND done IS NOT NULL",
                *self._key(statement),
            )
            if not known:
                waiting.append(statement)
            elif known[0][0] is not None:
                return []
        return waiting

    def run(self, statement: str) -> bool:
        """Run a statement, outside of any transaction, and write down what became of it; whether it was done.

        Raises `LostConnectionError` and `TransientError`; any other refusal is told by `settle`.
        """
        known = self._query(
            "SELECT 1 FROM mainstem_stream_step WHERE stream_id = %s AND step = %s", *self._key(statement)
        )
        if not known:
            self._query(
                "INSERT INTO mainstem_stream_step (stream_id, step, statement) VALUES (%s, %s, %s)",
                *self._key(statement), statement,
            )  # fmt: skip
        failpoints.hit("applier.alter_begun")
        error: MainstemError | None = None
        try:
            client.query(self._connection, statement)
        except Exception as exc:
            if not (known and was_done(exc)):
                error = client.translate_error(exc)
            if isinstance(error, LostConnectionError):
                raise error from exc
        failpoints.hit("applier.alter_ran")
        if isinstance(error, TransientError):
            self._forget(statement)
            raise error
        self._query(
            "UPDATE mainstem_stream_step SET done = NOW(6), error = %s, remedy = %s WHERE stream_id = %s AND step = %s",
            None if error is None else error.message, "" if error is None else error.remedy, *self._key(statement),
        )  # fmt: skip
        failpoints.hit("applier.alter_done")
        return error is None

    def settle(self, statements: Sequence[str]) -> None:
        """Within the transaction that goes past the change: forget the lines; raise what was refused."""
        refused = None
        for statement in statements:
            told = self._query(
                "SELECT error, remedy FROM mainstem_stream_step WHERE stream_id = %s AND step = %s",
                *self._key(statement),
            )
            self._forget(statement)
            if told and told[0][0] is not None:
                refused = StatementError(told[0][0], remedy=told[0][1])
        if refused is not None:
            raise refused

    def _forget(self, statement: str) -> None:
        self._query("DELETE FROM mainstem_stream_step WHERE stream_id = %s AND step = %s", *self._key(statement))

    def _key(self, statement: str) -> tuple[str, str]:
        return self._id, hashlib.sha256(statement.encode()).hexdigest()

    def _query(self, sql: str, *arguments: object) -> list[tuple[Any, ...]]:
        return client.query(self._connection, sql, arguments)
