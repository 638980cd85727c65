from __future__ import annotations

from mainstem.connectors.mysql.client import connect as mysql_connect
from mainstem.connectors.postgres.client import connect as postgres_connect
from mainstem.model.connection import ConnectionSettings


def test_mariadb_gives_each_test_an_empty_database(mysql_db: ConnectionSettings) -> None:
    with mysql_connect(mysql_db) as connection, connection.cursor() as cursor:
        cursor.execute("SHOW TABLES")
        assert cursor.fetchall() == ()


def test_postgres_gives_each_test_an_empty_database(
    postgres_db: ConnectionSettings, postgres15_db: ConnectionSettings
) -> None:
    for settings, major in ((postgres_db, 18), (postgres15_db, 15)):
        with postgres_connect(settings) as connection:
            assert connection.info.server_version // 10000 == major
