"""Servers that die or fill up under a run: it ends as FAILED with the reason, and goes on once they are back."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from mainstem.engine.conversion import Conversion, Endpoint
from mainstem.model.connection import ConnectionSettings
from mainstem.model.run import Progress, RunOptions, RunState
from mainstem.testing import servers
from tests.e2e.conftest import Pair

ROWS = 150_000
RUN_ID = "stream_dropped"
SUMS = "SELECT COUNT(*), SUM(id), SUM(price), SUM(CHAR_LENGTH(name)) FROM products"


def in_background(conversion: Conversion) -> tuple[threading.Thread, list[Progress]]:
    outcome: list[Progress] = []
    thread = threading.Thread(target=lambda: outcome.append(conversion.run()), daemon=True)
    thread.start()
    return thread, outcome


@contextmanager
def started_again(command: list[bytes], log: Path) -> Iterator[None]:
    """The same server over the same data."""
    before = log.read_bytes().count(b"ready for connections")
    process = subprocess.Popen(
        command, user=servers.unprivileged_user(), cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        deadline = time.monotonic() + 60
        while log.read_bytes().count(b"ready for connections") == before:
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait(60)


def test_a_source_killed_in_the_middle_of_a_table_fails_the_run_and_can_be_resumed(
    postgres_db: ConnectionSettings, wait_until: Callable[[Callable[[], bool]], None]
) -> None:
    with servers.mariadb({"innodb-flush-log-at-trx-commit": "1"}) as server:
        pair = Pair(replace(server.settings, database="shop"), postgres_db)
        Pair(server.settings, postgres_db).mysql("CREATE DATABASE shop")
        pair.fill("products", ROWS)
        pair.mysql("ANALYZE TABLE products")
        command = Path(f"/proc/{server.pid}/cmdline").read_bytes().split(b"\0")[:-1]
        run = pair.conversion(RunOptions(batch_rows=200, retry_seconds=2))
        thread, outcome = in_background(run)
        wait_until(lambda: run.progress().rows_written > 0)
        os.kill(server.pid, signal.SIGKILL)
        thread.join(60)
        failed = outcome[0]
        assert failed.state is RunState.FAILED
        assert failed.error_code in {"connection_lost", "refused"}
        assert failed.error
        assert failed.remedy
        assert sum("trying again in" in event.message for event in pair.events) >= 2
        assert pair.postgres("SELECT count(*) FROM products") == [(failed.rows_written,)]
        assert 0 < failed.rows_written < ROWS
        with started_again(command, server.folder / "server.log"):
            resumed = pair.conversion(RunOptions(batch_rows=200), run_id=run.run_id).run()
            assert (resumed.state, resumed.error) == (RunState.FINISHED, "")
            assert resumed.rows_written == ROWS
            assert pair.mysql(SUMS)[0] == pair.postgres(SUMS)[0]
    assert pair.leftovers() == []


class Proxy:
    """Passes a TCP port on, until it is told to hang up on everyone."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._sockets: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(("127.0.0.1", self._to))
                self._sockets += [near, far]
                for here, there in ((near, far), (far, near)):
                    threading.Thread(target=self._pass_on, args=(here, there), daemon=True).start()

    def _pass_on(self, here: socket.socket, there: socket.socket) -> None:
        with suppress(OSError):
            while data := here.recv(65536):
                there.sendall(data)
        with suppress(OSError):
            there.shutdown(socket.SHUT_RDWR)

    def hang_up(self) -> None:
        sockets, self._sockets = self._sockets, []
        for one in sockets:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._listener.close()
        self.hang_up()


@contextmanager
def dropped(pair: Pair, side: str, wait_until: Callable[[Callable[[], bool]], None]) -> Iterator[tuple[Pair, Progress]]:
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
        wait_until(lambda: run.progress().rows_written > 0)
        proxy.hang_up()
        thread.join(90)
        yield through, outcome[0]
    finally:
        proxy.close()


def test_a_source_that_drops_in_the_middle_of_a_table_is_tried_again(
    pair: Pair, wait_until: Callable[[Callable[[], bool]], None]
) -> None:
    with dropped(pair, "source", wait_until) as (through, progress):
        assert (progress.state, progress.error) == (RunState.FINISHED, "")
        assert any("trying again in" in event.message for event in through.events)
    assert pair.mysql(SUMS)[0] == pair.postgres(SUMS)[0]


def test_a_target_that_drops_in_the_middle_of_a_table_loses_nothing(
    pair: Pair, wait_until: Callable[[Callable[[], bool]], None]
) -> None:
    """The connections that build the structure are not made again: the run fails, and goes on when resumed."""
    with dropped(pair, "target", wait_until) as (_, progress):
        assert (progress.state, progress.error_code) == (RunState.FAILED, "connection_lost")
        assert progress.remedy
    assert pair.conversion(run_id=RUN_ID).run().state is RunState.FINISHED
    assert pair.mysql(SUMS)[0] == pair.postgres(SUMS)[0]


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A disk of 8 MB that PostgreSQL may write to."""
    user = servers.unprivileged_user()
    folder = Path(tempfile.mkdtemp(prefix="mainstem-small-"))
    mounted = user is not None and not subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", folder], capture_output=True, check=False
    ).returncode  # fmt: skip
    try:
        if not mounted:
            pytest.skip("a small disk can be mounted by root alone")
        shutil.chown(folder, user)
        yield folder
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", folder], check=True)
        folder.rmdir()


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
