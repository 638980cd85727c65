"""Stop breaks off a statement that would run for hours, also where certificates are checked."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from mainstem.connectors.postgres.client import connect
from mainstem.model.connection import ConnectionSettings, SslMode
from mainstem.model.run import Progress, RunOptions, RunState
from tests.connectors import tls
from tests.e2e.conftest import Pair

WAITING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE %s"


@pytest.fixture(scope="module")
def certificates() -> tls.Certificates:
    return tls.Certificates()


@pytest.fixture(scope="module")
def server(certificates: tls.Certificates) -> Iterator[tls.TlsServer]:
    with tls.postgresql(certificates) as started:
        yield started


@pytest.mark.parametrize("mode", [SslMode.DISABLED, SslMode.VERIFY_FULL])
@pytest.mark.parametrize(
    ("key", "lock", "statement"),
    [
        ("PRIMARY KEY (id)", "SHARE", "COPY %"),
        ("KEY (id)", "ROW EXCLUSIVE", "%CREATE INDEX%"),
        ("PRIMARY KEY (id)", "ROW EXCLUSIVE", "%ALTER TABLE%"),
    ],
)
def test_stop_breaks_off_a_statement_that_waits_for_somebody_else(
    server: tls.TlsServer,
    certificates: tls.Certificates,
    mysql_db: ConnectionSettings,
    mode: SslMode,
    key: str,
    lock: str,
    statement: str,
    wait_until: Callable[[Callable[[], bool]], None],
) -> None:
    """A lock of somebody else holds the statement up, for as long as the test wants."""
    secure = replace(server.settings, ssl=certificates.ssl(mode, client="good"))
    pair = Pair(mysql_db, secure)
    pair.postgres("DROP TABLE IF EXISTS products")
    pair.postgres("DROP SCHEMA IF EXISTS mainstem CASCADE")
    pair.mysql(f"CREATE TABLE products (id INT NOT NULL, {key})", "INSERT INTO products SELECT seq FROM seq_1_to_50000")
    run = pair.conversion(RunOptions())
    outcome: list[Progress] = []
    thread = threading.Thread(target=lambda: outcome.append(run.run()), daemon=True)
    with connect(secure) as other:
        thread.start()
        wait_until(lambda: other.execute("SELECT to_regclass('products')").fetchone() != (None,))
        with other.transaction():
            other.execute(f"LOCK TABLE products IN {lock} MODE".encode())
            with connect(secure) as looker:
                wait_until(lambda: looker.execute(WAITING, (statement,)).fetchone() != (0,) or not thread.is_alive())
            run.stop()
            thread.join(120)
            assert not thread.is_alive(), "it waits for the lock"
    assert outcome[0].state is RunState.STOPPED
