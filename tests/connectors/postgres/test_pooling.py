"""Who stands before a server, by the process ids that it is told and those that the server has."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from types import SimpleNamespace
from typing import Any, cast

import psycopg
import pytest

from mainstem.connectors.postgres import pooling
from mainstem.connectors.postgres.client import connect
from mainstem.connectors.postgres.pooling import shares_sessions
from mainstem.model.connection import ConnectionSettings


class Told:
    """A connection through a pooler: what it is told is its process, and the sessions that answer it in turn."""

    def __init__(self, *sessions: int) -> None:
        self.info = SimpleNamespace(backend_pid=4711)
        self._sessions = list(sessions)

    def execute(self, _sql: str) -> Any:
        if self._sessions == [0]:
            raise psycopg.errors.ProtocolViolation("transaction blocks not allowed in statement pooling mode")
        session = self._sessions.pop(0) if len(self._sessions) > 1 else self._sessions[0]
        return SimpleNamespace(fetchone=lambda: (session,))

    def transaction(self) -> AbstractContextManager[None]:
        return nullcontext()

    def close(self) -> None: ...


@pytest.mark.parametrize(
    ("first", "other", "shared"),
    [
        pytest.param([1], [2], False, id="a session for each connection"),
        pytest.param([1], [1], True, id="the other one got it"),
        pytest.param([1, 3], [2], True, id="it has another one now"),
        pytest.param([1], [0], True, id="no transactions at all"),
    ],
)
def test_a_pooler_that_deals_sessions_out_anew_is_known(
    monkeypatch: pytest.MonkeyPatch, postgres_db: ConnectionSettings, first: list[int], other: list[int], shared: bool
) -> None:
    monkeypatch.setattr(pooling, "connect", lambda _settings: Told(*other))
    assert shares_sessions(cast("psycopg.Connection[Any]", Told(*first)), postgres_db) is shared


def test_a_server_itself_is_none(postgres_db: ConnectionSettings) -> None:
    with connect(postgres_db) as connection:
        assert not shares_sessions(connection, postgres_db)
