"""Servers and databases for all tests: each server is started once a session, each test gets a database of its own."""

from __future__ import annotations

import os
import secrets
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from httpx._config import DEFAULT_TIMEOUT_CONFIG
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from mainstem.connectors.mysql.client import connect as mysql_connect
from mainstem.connectors.postgres.client import connect as postgres_connect
from mainstem.model.connection import ConnectionSettings
from mainstem.testing import servers
from mainstem.testing.databases import drops, ends_senders

# For waits that a success ends: generous, since a machine may have much other work.
DEADLINE_S = 60.0

# httpx gives a server five seconds by itself.
for _part in ("connect", "read", "write", "pool"):
    setattr(DEFAULT_TIMEOUT_CONFIG, _part, DEADLINE_S)

# How long an example takes says something about the machine and its other work, and nothing about the code.
hypothesis_settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
hypothesis_settings.load_profile("busy")

# Where temporary files lie in memory. A run writes a few gigabytes there, nearly all of them the servers'.
_MEMORY, _NEEDED_BYTES = Path("/dev/shm"), 8 * 1024**3


def _use_memory() -> None:
    """Put temporary files into memory: making a database takes a tenth of the time there.

    Not where there is little room, as in a container by default, nor where programs may not be run from it: at need
    PostgreSQL's are copied beside its data (`servers.postgres`).
    """
    if "TMPDIR" in os.environ or not _MEMORY.is_dir():
        return
    room = os.statvfs(_MEMORY)
    free = min(room.f_bavail * room.f_frsize, psutil.virtual_memory().available)
    if free >= _NEEDED_BYTES and not room.f_flag & os.ST_NOEXEC:
        os.environ["TMPDIR"] = tempfile.tempdir = str(_MEMORY)


_use_memory()

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell starts what it puts into the background with Ctrl-C ignored, and so would everything be that tests start.
    signal.signal(signal.SIGINT, signal.default_int_handler)


# Files that take longest, so that none of them is left for the end, when the other processes have nothing left to do.
_FIRST = (
    "e2e/test_kill_matrix", "web/test_accessibility", "fleet/test_struck", "types/test_matrix", "e2e/test_resync",
    "e2e/test_changes_network", "web/test_console",
    "e2e/test_bad_input_outages", "demo/test_demo", "e2e/test_awkward", "web/test_explorer", "cli/test_copy",
    "web/test_monitor", "api/test_openapi", "connectors/postgres/test_changes", "api/test_replications_live",
    "e2e/test_conversion", "e2e/test_replication_constraints", "e2e/test_handover", "e2e/test_changed_before_copy",
    "web/test_wizard", "e2e/test_clone", "control/test_fleet", "e2e/test_mysql_runs", "api/test_stream_options",
    "web/test_security", "e2e/test_nats_hub", "api/test_secrets", "e2e/test_changes_under_load",
    "connectors/postgres/test_snapshot", "cli/test_server_commands", "connectors/postgres/test_changes_outages",
    "e2e/test_remote_writers", "hub/test_nats", "connectors/mysql/test_changes_servers", "api/test_servers",
    "e2e/test_expressions", "e2e/test_postgres_to_postgres", "e2e/test_schema_changes", "api/test_monitor",
    "connectors/mysql/test_changes_schema", "api/test_sessions", "connectors/postgres/test_changes_tables",
    "api/test_documented_answers", "connectors/postgres/test_changes_ahead", "e2e/test_remote_reading",
    "connectors/postgres/test_leaves", "api/test_replications", "api/test_wire_habits",
    "connectors/postgres/test_apply_history", "api/test_store_postgres", "web/test_shell",
    "connectors/postgres/test_publishing", "e2e/test_locked",
)  # fmt: skip


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first; ``--dist loadfile --no-loadscope-reorder`` hands them out in this order."""
    places = {Path(__file__).parent / f"{name}.py": place for place, name in enumerate(_FIRST)}
    items.sort(key=lambda item: places.get(item.path, len(_FIRST)))


@pytest.fixture(scope="session")
def mariadb_server() -> Iterator[ConnectionSettings]:
    """A MariaDB of this session (root, no database)."""
    with servers.mariadb({"innodb-log-file-size": "256M"}) as server:
        yield server.settings


@pytest.fixture(scope="session")
def postgres18_server() -> Iterator[ConnectionSettings]:
    """A PostgreSQL 18 of this session."""
    with servers.postgres() as server:
        yield server.settings


@pytest.fixture(scope="session")
def postgres15_server() -> Iterator[ConnectionSettings]:
    """The distribution's PostgreSQL, run by this session."""
    binaries = servers.system_postgres_bin()
    if binaries is None:
        pytest.skip("the distribution's PostgreSQL server is not installed")
    with servers.postgres(binaries) as server:
        yield server.settings


ServersOf = Callable[[tuple[str, str]], tuple[ConnectionSettings, ConnectionSettings]]


@pytest.fixture(scope="session")
def servers_of(
    mariadb_server: ConnectionSettings, postgres15_server: ConnectionSettings, postgres18_server: ConnectionSettings
) -> ServersOf:
    """Both servers of a route, by its systems; from PostgreSQL to PostgreSQL the target is the newer."""
    here, there = ({"mysql": mariadb_server, "postgresql": other} for other in (postgres15_server, postgres18_server))
    return lambda route: (here[route[0]], there[route[1]])


@pytest.fixture
def mysql_db(mariadb_server: ConnectionSettings) -> Iterator[ConnectionSettings]:
    """An empty MariaDB database of this test."""
    name = f"t_{secrets.token_hex(6)}"
    with mysql_connect(mariadb_server) as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name}")
        yield replace(mariadb_server, database=name)
        cursor.execute(f"DROP DATABASE IF EXISTS {name}")


def _postgres_database(server: ConnectionSettings) -> Iterator[ConnectionSettings]:
    name = f"t_{secrets.token_hex(6)}"
    with postgres_connect(server) as connection:
        strategy = "STRATEGY file_copy" if connection.info.server_version >= 150_000 else ""
        connection.execute(f"CREATE DATABASE {name} {strategy}".encode())  # no need to log every page of the template
        yield replace(server, database=name)
        deadline = time.monotonic() + DEADLINE_S
        # A sender ends a moment after the process that it sent to.
        while connection.execute(ends_senders(name).encode()).fetchall() and time.monotonic() < deadline:
            time.sleep(0.05)
        for statement in drops(name):
            connection.execute(statement.encode())


@pytest.fixture
def postgres_db(postgres18_server: ConnectionSettings) -> Iterator[ConnectionSettings]:
    """An empty PostgreSQL 18 database of this test."""
    yield from _postgres_database(postgres18_server)


@pytest.fixture
def postgres15_db(postgres15_server: ConnectionSettings) -> Iterator[ConnectionSettings]:
    """An empty database of this test on the distribution's PostgreSQL."""
    yield from _postgres_database(postgres15_server)
