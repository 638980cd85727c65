from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from demo.processes import processes_of
from demo.shop import Sizes, fill

from mainstem.connectors.mysql.client import connect
from mainstem.model.connection import ConnectionSettings
from mainstem.testing.servers import free_port, mariadb_available

ROOT = Path(__file__).resolve().parents[2]
DEADLINE_S = 500
ROWS = "2000"
pytestmark = pytest.mark.skipif(not mariadb_available(), reason="MariaDB is not installed")


@pytest.fixture
def folder() -> Iterator[Path]:
    """Where the demo makes its folders; open to all, as the system's own is."""
    path = Path(tempfile.mkdtemp(prefix="demo-test-"))
    path.chmod(0o1777)
    yield path
    shutil.rmtree(path, ignore_errors=True)


def _start(folder: Path, *arguments: str, port: int = 0) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "demo", "--rows", ROWS, "--port", str(port or free_port()), *arguments],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(folder), "PYTHONUNBUFFERED": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def _until(process: subprocess.Popen[str], wanted: str) -> str:
    assert process.stdout is not None
    heard = ""
    while wanted not in heard:
        line = process.stdout.readline()
        assert line, heard
        heard += line
    return heard


def _nothing_left(folder: Path) -> bool:
    return not processes_of(folder) and not any(folder.iterdir())


def test_it_plays_to_its_end_and_leaves_nothing_behind(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        process = _start(folder, "--exit", "--seconds", "6", port=port)
        out, _ = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 0, out
    assert f"port {port} is taken" in out
    assert "POST /stream-configs" in out
    assert "rows add up" in out
    assert "the same on both servers" in out
    assert "streaming  ·" in out
    assert "safe to switch" in out
    assert "equal on both servers" in out
    assert "API key" in out
    assert "psql" in out
    assert _nothing_left(folder)


def test_it_stays_up_until_ctrl_c_which_is_a_good_end(folder: Path) -> None:
    process = _start(folder)
    _until(process, "until Ctrl-C")
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: everyone in the group gets it
    out, _ = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 0, out
    assert _nothing_left(folder)


@pytest.mark.parametrize("moment", ["Servers of our own", "MariaDB 1"])
def test_ctrl_c_in_the_middle_leaves_nothing_behind(folder: Path, moment: str) -> None:
    process = _start(folder)
    _until(process, moment)
    os.killpg(process.pid, signal.SIGINT)
    out, _ = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 130, out
    assert _nothing_left(folder)


@pytest.mark.parametrize(
    ("program", "number", "logged"),
    [(b"serve", signal.SIGKILL, ""), (b"bin/postgres", signal.SIGINT, "database system is shut down")],
)
def test_a_failure_is_told_with_the_end_of_its_log_and_leaves_nothing_behind(
    folder: Path, program: bytes, number: signal.Signals, logged: str
) -> None:
    process = _start(folder)
    _until(process, "until Ctrl-C")
    server = next(pid for pid in processes_of(folder) if program in Path(f"/proc/{pid}/cmdline").read_bytes())
    os.kill(server, number)
    out, _ = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 1
    assert "ended by itself; the end of its log:" in out
    assert logged in out
    assert _nothing_left(folder)


def test_the_shop_is_as_big_as_asked_and_the_same_each_time(mariadb_server: ConnectionSettings) -> None:
    written = [fill(mariadb_server, f"shop_{number}", rows=2000) for number in (1, 2)]
    assert written[0] == written[1] == pytest.approx(2000, rel=0.1)
    checksums = []
    with connect(mariadb_server) as connection, connection.cursor() as cursor:
        for number in (1, 2):
            tables = ("product", "customer", "orders", "order_line", "review")
            cursor.execute("CHECKSUM TABLE " + ", ".join(f"shop_{number}.{table}" for table in tables))
            checksums.append([row[1] for row in cursor.fetchall()])
            cursor.execute(f"DROP DATABASE shop_{number}")
    assert checksums[0] == checksums[1]


@pytest.mark.parametrize("rows", [1, 2000, 690_000, 5_000_000])
def test_sizes_grow_with_the_rows_and_never_break_a_key(rows: int) -> None:
    sizes = Sizes.for_rows(rows)
    assert sizes.warehouses <= 12  # the key is a tinyint, and each product is in four of them at most
    assert sizes.customers >= 20
    assert sizes.orders >= rows * 0.17 - 20
