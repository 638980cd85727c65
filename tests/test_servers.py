from __future__ import annotations

import subprocess
import sys

from mainstem.connectors.mysql.client import connect as mysql_connect
from mainstem.connectors.postgres.client import connect as postgres_connect
from mainstem.model.connection import ConnectionSettings
from mainstem.testing import servers


def test_mariadb_gives_each_test_an_empty_database(mysql_db: ConnectionSettings) -> None:
    with mysql_connect(mysql_db) as connection, connection.cursor() as cursor:
        cursor.execute("SHOW TABLES")
        assert cursor.fetchall() == ()


def test_postgres_gives_each_test_an_empty_database(
    postgres_db: ConnectionSettings, postgres15_db: ConnectionSettings
) -> None:
    system = servers.system_postgres_bin()
    assert system is not None
    for settings, major in ((postgres_db, 18), (postgres15_db, servers.postgres_major(system))):
        with postgres_connect(settings) as connection:
            assert connection.info.server_version // 10000 == major


def test_a_port_is_given_once_also_among_processes() -> None:
    given = [servers.free_port() for _ in range(50)]
    assert len(set(given)) == 50
    asked = "from mainstem.testing import servers; servers._ports = lambda: range({0}, {0} + 1); servers.free_port()"
    done = subprocess.run([sys.executable, "-c", asked.format(given[0])], capture_output=True, text=True, check=False)
    assert "no TCP port of 127.0.0.1 is free" in done.stderr
