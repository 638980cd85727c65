"""Servers and databases for all tests: each server is started once a session, each test gets a database of its own."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from mainstem.connectors.mysql.client import connect as mysql_connect
from mainstem.connectors.postgres.client import connect as postgres_connect
from mainstem.model.connection import ConnectionSettings
from mainstem.testing import servers

# How long an example takes says something about the machine and its other work, and nothing about the code.
hypothesis_settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
hypothesis_settings.load_profile("busy")


@pytest.fixture(scope="session")
def mariadb_server() -> Iterator[ConnectionSettings]:
    """A MariaDB of this session (root, no database)."""
    with servers.mariadb() as server:
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
        connection.execute(f"CREATE DATABASE {name}")
        yield replace(server, database=name)
        connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


@pytest.fixture
def postgres_db(postgres18_server: ConnectionSettings) -> Iterator[ConnectionSettings]:
    """An empty PostgreSQL 18 database of this test."""
    yield from _postgres_database(postgres18_server)


@pytest.fixture
def postgres15_db(postgres15_server: ConnectionSettings) -> Iterator[ConnectionSettings]:
    """An empty database of this test on the distribution's PostgreSQL."""
    yield from _postgres_database(postgres15_server)
