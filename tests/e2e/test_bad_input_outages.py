"""Servers that die or fill up under a run: it ends as FAILED with the reason, and goes on once they are back."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from mainstem import failpoints
from mainstem.connectors.postgres.client import connect as postgres_connect
from mainstem.connectors.postgres.ledger import PostgresLedger
from mainstem.engine.conversion import Conversion, Endpoint
from mainstem.errors import LostConnectionError
from mainstem.model.connection import ConnectionSettings
from mainstem.model.run import Progress, RunOptions, RunState
from mainstem.testing import servers
from mainstem.testing.proxy import Proxy
from tests.e2e.conftest import Hold, Pair

ROWS = 150_000
RUN_ID = "stream_dropped"
SUMS = "SELECT COUNT(*), SUM(id), SUM(price), SUM(CHAR_LENGTH(name)) FROM products"


def in_background(conversion: Conversion) -> tuple[threading.Thread, list[Progress]]:
    outcome: list[Progress] = []
    thread = threading.Thread(target=lambda: outcome.append(conversion.run()), daemon=True)
    thread.start()
    return thread, outcome


@contextmanager
def started_again(server: servers.Server, command: list[bytes], ready: bytes) -> Iterator[None]:
    """The same server over the same data; ``ready`` is what it logs when it takes logins.

    It refuses to start as long as a process of the one that was killed is left.
    """
    log = server.folder / "server.log"
    before = log.read_bytes().count(ready)
    process = _start(command, log)
    try:
        deadline = time.monotonic() + 120
        while log.read_bytes().count(ready) == before:
            assert time.monotonic() < deadline, log.read_text(errors="replace")[-2000:]
            time.sleep(0.05)
            if process.poll() is not None:
                process = _start(command, log)
        yield
    finally:
        process.send_signal(signal.SIGINT if b"postgres" in command[0] else signal.SIGTERM)
        process.wait(120)


def _start(command: list[bytes], log: Path) -> subprocess.Popen[bytes]:
    with log.open("ab") as output:
        return subprocess.Popen(
            command, user=servers.unprivileged_user(), cwd="/", stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )


def kill(server: servers.Server, signal_number: int) -> None:
    """End a server; as long as its parent has not taken note, its process id counts as in use."""
    os.kill(server.pid, signal_number)
    os.waitpid(server.pid, 0)


def command_of(server: servers.Server) -> list[bytes]:
    return Path(f"/proc/{server.pid}/cmdline").read_bytes().split(b"\0")[:-1]


def test_a_source_killed_in_the_middle_of_a_table_fails_the_run_and_can_be_resumed(
    postgres_db: ConnectionSettings, wait_until: Callable[[Callable[[], bool]], None], hold: Hold
) -> None:
    with servers.mariadb({"innodb-flush-log-at-trx-commit": "1"}) as server:
        pair = Pair(replace(server.settings, database="shop"), postgres_db)
        Pair(server.settings, postgres_db).mysql("CREATE DATABASE shop")
        pair.fill("products", ROWS)
        pair.mysql("ANALYZE TABLE products")
        command = command_of(server)
        run = pair.conversion(RunOptions(batch_rows=200, retry_seconds=2))
        thread, outcome = in_background(run)
        hold.wait()
        wait_until(lambda: run.progress().rows_written > 0)
        kill(server, signal.SIGKILL)
        hold.let_go()
        thread.join(120)
        failed = outcome[0]
        assert failed.state is RunState.FAILED
        assert failed.error_code in {"connection_lost", "refused"}
        assert failed.error
        assert failed.remedy
        assert sum("trying again in" in event.message for event in pair.events) >= 2
        assert pair.postgres("SELECT count(*) FROM products") == [(failed.rows_written,)]
        assert 0 < failed.rows_written < ROWS
        with started_again(server, command, b"ready for connections"):
            resumed = pair.conversion(RunOptions(batch_rows=200), run_id=run.run_id).run()
            assert (resumed.state, resumed.error) == (RunState.FINISHED, "")
            assert resumed.rows_written == ROWS
            assert pair.mysql(SUMS)[0] == pair.postgres(SUMS)[0]
    assert pair.leftovers() == []


def test_rows_that_changed_while_the_source_was_away_are_told_and_each_is_of_one_moment(
    postgres_db: ConnectionSettings, wait_until: Callable[[Callable[[], bool]], None], hold: Hold
) -> None:
    """The first start's snapshot died with the server: the second reads what is missing from a new one, and says so."""
    with servers.mariadb({"innodb-flush-log-at-trx-commit": "1"}) as server:
        pair = Pair(replace(server.settings, database="shop"), postgres_db)
        Pair(server.settings, postgres_db).mysql("CREATE DATABASE shop")
        pair.fill("products", ROWS)
        pair.mysql("ANALYZE TABLE products")
        command = command_of(server)
        run = pair.conversion(RunOptions(batch_rows=200, retry_seconds=1))
        thread, outcome = in_background(run)
        hold.wait()
        wait_until(lambda: run.progress().rows_written > 0)
        kill(server, signal.SIGKILL)
        hold.let_go()
        thread.join(120)
        assert (outcome[0].state, outcome[0].tables[0].state.value) == (RunState.FAILED, "stopped")
        with started_again(server, command, b"ready for connections"):
            pair.mysql("UPDATE products SET name = CONCAT('new-', id)", f"DELETE FROM products WHERE id > {ROWS - 10}")
            resumed = pair.conversion(run_id=run.run_id).run()
    assert (resumed.state, resumed.tables[0].state.value) == (RunState.FINISHED, "finished")
    assert [item.code for item in resumed.report if "points in time" in item.message] == ["snapshot_renewed"]
    assert any("points in time" in event.message for event in pair.events)
    old, new, none, rows = pair.postgres(
        "SELECT count(*) FILTER (WHERE name = 'Ünï-' || id), count(*) FILTER (WHERE name = 'new-' || id),"
        f" count(*) FILTER (WHERE id > {ROWS - 10} AND name LIKE 'new%'), count(*) FROM products"
    )[0]
    assert old > 0
    assert new > 0
    assert none == 0
    assert old + new == rows == resumed.rows_written


def test_a_second_interruption_does_not_forget_that_the_snapshot_was_renewed(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last start had no rows left to read, and tells all the same of what the earlier ones did."""
    pair.fill("products", ROWS)
    pair.mysql("ANALYZE TABLE products")
    monkeypatch.setattr(failpoints, "_points", {"loader.after_commit": ("error", 3), "keys.before": ("error", 1)})
    monkeypatch.setattr(failpoints, "_passes", {})
    run = pair.conversion(RunOptions(retry_seconds=0.3, jobs=1))  # another lane might be done with all else
    first = run.run()
    again = pair.conversion(run_id=run.run_id).run() if first.state is RunState.FAILED else first
    assert again.state is RunState.FINISHED
    assert "snapshot_renewed" in {item.code for item in again.report}


def test_a_run_that_has_all_rows_asks_the_source_for_nothing(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    pair.fill("products", 1_000)
    monkeypatch.setattr(failpoints, "_points", {"keys.before": ("error", 1)})
    monkeypatch.setattr(failpoints, "_passes", {})
    run = pair.conversion(RunOptions(retry_seconds=0))
    assert run.run().state is RunState.FAILED
    away = replace(pair.source, settings=replace(pair.source.settings, port=servers.free_port()))
    pair.source = away
    resumed = pair.conversion(run_id=run.run_id).run()
    assert (resumed.state, resumed.error) == (RunState.FINISHED, "")
    assert "snapshot_renewed" not in {item.code for item in resumed.report}


@contextmanager
def dropped(pair: Pair, side: str, hold: Hold) -> Iterator[tuple[Pair, Progress]]:
    """A run through a proxy that hangs up on everyone once, in the middle of the rows; how it ended."""
    pair.fill("products", ROWS)
    pair.mysql("ANALYZE TABLE products")
    direct: Endpoint = getattr(pair, side)
    proxy = Proxy(direct.settings.port)
    through = Pair(pair.source.settings, pair.target.settings)
    setattr(through, side, replace(direct, settings=replace(direct.settings, port=proxy.port)))
    try:
        run = through.conversion(RunOptions(batch_rows=200), RUN_ID)
        thread, outcome = in_background(run)
        hold.wait()
        proxy.hang_up()
        hold.let_go()
        thread.join(120)
        yield through, outcome[0]
    finally:
        proxy.close()


def test_a_source_that_drops_in_the_middle_of_a_table_is_tried_again(pair: Pair, hold: Hold) -> None:
    with dropped(pair, "source", hold) as (through, progress):
        assert (progress.state, progress.error) == (RunState.FINISHED, "")
        assert any("trying again in" in event.message for event in through.events)
    assert pair.mysql(SUMS)[0] == pair.postgres(SUMS)[0]


def test_a_target_that_drops_in_the_middle_of_a_table_is_tried_again(pair: Pair, hold: Hold) -> None:
    with dropped(pair, "target", hold) as (through, progress):
        assert (progress.state, progress.error) == (RunState.FINISHED, "")
        assert any("trying again in" in event.message for event in through.events)
    assert pair.mysql(SUMS)[0] == pair.postgres(SUMS)[0]
    assert pair.leftovers() == []


def shop(pair: Pair) -> None:
    """Two tables with keys, an index and a foreign key."""
    pair.fill("products", ROWS)
    pair.mysql(
        "CREATE INDEX by_name ON products (name)",
        "CREATE TABLE stock (id INT PRIMARY KEY, product BIGINT,"
        " CONSTRAINT of_product FOREIGN KEY (product) REFERENCES products (id))",
        "INSERT INTO stock SELECT seq, seq FROM seq_1_to_500",
        "ANALYZE TABLE products",
    )


def check_shop(pair: Pair) -> None:
    """All rows once, all keys, nothing of ours left."""
    assert pair.mysql(SUMS)[0] == pair.postgres(SUMS)[0]
    assert pair.postgres("SELECT count(*), sum(product) FROM stock") == [(500, 125_250)]
    constraints = pair.postgres(
        "SELECT conrelid::regclass::text, contype::text FROM pg_constraint"
        " WHERE contype IN ('p', 'f') AND connamespace = 'public'::regnamespace ORDER BY 1, 2"
    )
    assert constraints == [("products", "p"), ("stock", "f"), ("stock", "p")]
    assert pair.postgres("SELECT count(*) FROM pg_indexes WHERE tablename = 'products'") == [(2,)]
    assert pair.leftovers() == []


BACKENDS = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"


@pytest.mark.parametrize(
    "moment", ["COPY %", "ALTER TABLE%PRIMARY KEY%", "CREATE INDEX%", "%FOREIGN KEY%", "%ANALYZE%", "DROP TABLE%"]
)
@pytest.mark.parametrize("version", [15, 18])
def test_a_target_that_ends_every_connection_is_tried_again(
    request: pytest.FixtureRequest,
    mysql_db: ConnectionSettings,
    version: int,
    moment: str,
    wait_until: Callable[[Callable[[], bool]], None],
) -> None:
    """In the middle of whatever it does: a statement is caught by a lock that it must wait for, or as it runs."""
    pair = Pair(mysql_db, request.getfixturevalue("postgres15_db" if version == 15 else "postgres_db"))
    shop(pair)
    run = pair.conversion(RunOptions(batch_rows=200))
    killed = f"SELECT pg_terminate_backend(pid) {BACKENDS}"
    seen = f"SELECT 1 {BACKENDS} AND state <> 'idle' AND query LIKE '{moment}'"
    thread, outcome = in_background(run)
    with postgres_connect(pair.target.settings) as connection:
        wait_until(lambda: connection.execute(seen.encode()).fetchone() is not None or not thread.is_alive())
        connection.execute(killed.encode())
    thread.join(120)
    assert (outcome[0].state, outcome[0].error) == (RunState.FINISHED, "")
    check_shop(pair)


@pytest.mark.parametrize("signal_number", [signal.SIGINT, signal.SIGKILL])
@pytest.mark.parametrize("stage", ["copying", "indexing"])
@pytest.mark.parametrize("version", [15, 18])
def test_a_target_that_is_restarted_in_the_middle_ends_with_every_row(
    mysql_db: ConnectionSettings,
    version: int,
    stage: str,
    signal_number: int,
    wait_until: Callable[[Callable[[], bool]], None],
) -> None:
    """A crash may take the newest commits with it: chunks and keys are committed without waiting for the disk."""
    binaries = servers.system_postgres_bin() if version == 15 else None
    with servers.postgres(binaries, {"fsync": "on"}) as server:
        pair = Pair(mysql_db, server.settings)
        shop(pair)
        command = command_of(server)
        run = pair.conversion(RunOptions(batch_rows=200))
        thread, outcome = in_background(run)
        wait_until(
            lambda: (
                any(table.state.value == stage and table.rows_written for table in run.progress().tables)
                or not thread.is_alive()
            )
        )
        kill(server, signal_number)
        with started_again(server, command, b"ready to accept connections"):
            thread.join(120)
            assert (outcome[0].state, outcome[0].error) == (RunState.FINISHED, "")
            check_shop(pair)


def test_a_target_that_stays_away_fails_the_run_and_can_be_resumed(
    mysql_db: ConnectionSettings, wait_until: Callable[[Callable[[], bool]], None], hold: Hold
) -> None:
    with servers.postgres() as server:
        pair = Pair(mysql_db, server.settings)
        shop(pair)
        command = command_of(server)
        run = pair.conversion(RunOptions(batch_rows=200, retry_seconds=2))
        thread, outcome = in_background(run)
        hold.wait()
        wait_until(lambda: run.progress().rows_written > 0)
        kill(server, signal.SIGKILL)
        hold.let_go()
        thread.join(120)
        assert outcome[0].state is RunState.FAILED
        assert outcome[0].error_code in {"connection_lost", "refused"}
        assert outcome[0].remedy
        with started_again(server, command, b"ready to accept connections"):
            resumed = pair.conversion(run_id=run.run_id).run()
            assert (resumed.state, resumed.error) == (RunState.FINISHED, "")
            check_shop(pair)


def test_a_target_without_room_fails_the_run_and_goes_on_once_there_is_some(pair: Pair, small_disk: Path) -> None:
    pair.fill("products", ROWS)
    pair.mysql("ANALYZE TABLE products")
    database = pair.target.settings.database
    pair.postgres(f"CREATE TABLESPACE {database}_small LOCATION '{small_disk}'")
    pair.postgres(f"ALTER DATABASE {database} SET default_tablespace = {database}_small")
    try:
        run = pair.conversion()
        failed = run.run()
        assert (failed.state, failed.error_code) == (RunState.FAILED, "target_full")
        assert "no room left" in failed.error
        assert failed.remedy == "free disk space there"
        assert pair.postgres("SELECT count(*) FROM products") == [(failed.rows_written,)]
        subprocess.run(["mount", "-o", "remount,size=256m", small_disk], check=True)
        resumed = pair.conversion(run_id=run.run_id).run()
        assert (resumed.state, resumed.error) == (RunState.FINISHED, "")
        assert pair.mysql(SUMS)[0] == pair.postgres(SUMS)[0]
    finally:
        pair.postgres(f"ALTER DATABASE {database} RESET default_tablespace")
        pair.postgres("DROP SCHEMA public CASCADE")
        pair.postgres("DROP SCHEMA IF EXISTS mainstem CASCADE")
        pair.postgres(f"DROP TABLESPACE {database}_small")


def test_a_connection_lost_as_the_book_is_closed_does_not_begin_the_run_anew(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The commit may have reached the server although its answer did not reach us."""
    finish = PostgresLedger.finish
    lost: list[bool] = []

    def finish_and_lose(ledger: PostgresLedger, *, keep: bool) -> None:
        finish(ledger, keep=keep)
        lost.append(True)
        raise LostConnectionError("the answer was lost")

    monkeypatch.setattr(PostgresLedger, "finish", finish_and_lose)
    pair.fill("products", 100)
    progress = pair.conversion().run()
    assert (progress.state, progress.error, lost) == (RunState.FINISHED, "", [True])
    assert pair.leftovers() == []
