"""A source with rows and an empty target, and a way to run a conversion between them."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tools.twins import Twins, twins

from mainstem import bootstrap, failpoints
from mainstem.connectors.mysql.client import connect as mysql_connect
from mainstem.connectors.postgres.client import connect as postgres_connect
from mainstem.contract.registry import Registry
from mainstem.engine.conversion import Conversion, Endpoint
from mainstem.model.connection import ConnectionSettings
from mainstem.model.event import Event
from mainstem.model.ids import STREAM, new_id
from mainstem.model.plan import ReportItem
from mainstem.model.run import RunOptions
from mainstem.testing import servers
from tests.e2e.routes import CROSSING, MYSQL, POSTGRES, ROUTES, End, Route

Rows = list[tuple[Any, ...]]


class Pair:
    """A MariaDB database, a PostgreSQL database, and conversions from the one to the other."""

    def __init__(self, source: ConnectionSettings, target: ConnectionSettings) -> None:
        registry = Registry.installed()
        self.source = Endpoint(registry.find("mysql"), source)
        self.target = Endpoint(registry.find("postgresql"), target)
        self.events: list[Event] = []
        self.report: list[ReportItem] = []

    def mysql(self, *statements: str) -> Rows:
        """Run statements on the source; the rows of the last one."""
        with mysql_connect(self.source.settings) as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
            return list(cursor.fetchall())

    def postgres(self, statement: str) -> Rows:
        """Run a statement on the target; its rows."""
        with postgres_connect(self.target.settings) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def conversion(self, options: RunOptions | None = None, run_id: str = "") -> Conversion:
        """A run that has not begun."""
        return bootstrap.conversion(
            run_id or new_id(STREAM), self.source, self.target, options or RunOptions(), self.events.append
        )

    def fill(self, table: str, rows: int) -> None:
        """A table of so many rows with a key, text, a decimal, a double and a timestamp."""
        self.mysql(
            f"CREATE TABLE {table} (id BIGINT PRIMARY KEY AUTO_INCREMENT, name VARCHAR(40) NOT NULL,"
            " price DECIMAL(10,2), weight DOUBLE, created TIMESTAMP NULL)",
            f"INSERT INTO {table} SELECT seq, CONCAT('Ünï-', seq), seq / 4, seq / 3,"
            f" FROM_UNIXTIME(1600000000 + seq) FROM seq_1_to_{rows}",
        )

    def leftovers(self) -> Sequence[str]:
        """Schemas that a run has left behind."""
        return [name for (name,) in self.postgres("SELECT nspname FROM pg_namespace WHERE nspname = 'mainstem'")]


@pytest.fixture
def pair(mysql_db: ConnectionSettings, postgres_db: ConnectionSettings) -> Pair:
    return Pair(mysql_db, postgres_db)


@pytest.fixture
def wait_until() -> Callable[[Callable[[], bool]], None]:
    """Wait for a condition, for a minute at most."""
    import time

    def wait(condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 120
        while not condition():
            assert time.monotonic() < deadline, "the condition did not come true in time"
            time.sleep(0.02)

    return wait


class Hold:
    """Stops every thread that passes a failpoint, from a certain pass on, until it is let go.

    So that a run is in the middle of its rows when a test does something to it, however fast or slow the machine is.
    """

    def __init__(self, place: str, passes: int) -> None:
        self._place, self._left = place, passes
        self._lock = threading.Lock()
        self.reached = threading.Event()
        self._let_go = threading.Event()

    def hit(self, name: str) -> None:
        """Instead of `failpoints.hit`."""
        if name != self._place:
            return
        with self._lock:
            self._left -= 1
            held = self._left <= 0
        if held:
            self.reached.set()
            assert self._let_go.wait(120), f"nobody let go of what was held at {name}"

    def wait(self) -> None:
        """Until a thread is held."""
        assert self.reached.wait(120), f"nobody came to {self._place} in time"

    def let_go(self) -> None:
        """Hold nobody any more."""
        self._let_go.set()


@pytest.fixture
def hold(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hold]:
    """Readers are held at their 300th batch."""
    hold = Hold("reader.batch", 300)
    monkeypatch.setattr(failpoints, "hit", hold.hit)
    yield hold
    hold.let_go()


@pytest.fixture(params=ROUTES, ids=lambda route: f"{route[0]}-{route[1]}")
def route(
    request: pytest.FixtureRequest, mariadb_server: ConnectionSettings, postgres18_server: ConnectionSettings
) -> Route:
    """Two empty databases; those of one kind are on one server."""
    settings = {MYSQL: mariadb_server, POSTGRES: postgres18_server}
    ends = [
        End(replace(settings[kind], database=f"awkward_{side}")) for side, kind in zip("st", request.param, strict=True)
    ]
    if ends[0].endpoint.spec.source is None or ends[1].endpoint.spec.target is None:
        pytest.skip("not yet")
    for end in ends:
        end.recreate(settings[end.settings.type])
    return Route(*ends)


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


@pytest.fixture(params=CROSSING, ids="-".join)
def ends(
    request: pytest.FixtureRequest, mariadb_server: ConnectionSettings, postgres18_server: ConnectionSettings
) -> Iterator[Twins]:
    """Two databases of different kinds, to be written to and compared."""
    of = {MYSQL: mariadb_server, POSTGRES: postgres18_server}
    with twins(of[request.param[0]], of[request.param[1]]) as found:
        yield found
