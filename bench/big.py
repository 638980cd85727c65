"""Rows of 100 MB, in every direction: how much memory they take.

    python -m bench.big [--mib 100] [--rows 20]

A row has a text and as many bytes. Peak memory is bounded by a few rows, however many there are.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from bench.command import mainstem
from mainstem.connectors.mysql.client import connect as mysql_connect
from mainstem.connectors.postgres.client import connect as postgres_connect
from mainstem.model.connection import ConnectionSettings
from mainstem.testing import servers

MIB = 1024 * 1024
MYSQL, POSTGRES = "mysql", "postgresql"


def execute(settings: ConnectionSettings, *statements: str) -> None:
    """Run statements on a server of either kind."""
    if settings.type == MYSQL:
        with mysql_connect(settings) as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
    else:
        with postgres_connect(settings) as session:
            for statement in statements:
                session.execute(statement.encode())


def fill(here: ConnectionSettings, rows: int, size: int) -> None:
    """Half of a row's bytes are text, half are bytes."""
    half = size // 2
    if here.type == MYSQL:
        values, numbers = f"REPEAT('abcdefg\\n', {half // 8}), REPEAT(X'00FF5C0A', {half // 4})", f"seq_1_to_{rows}"
        types = ("LONGTEXT", "LONGBLOB")
    else:
        values = f"repeat(E'abcdefg\\n', {half // 8}), decode(repeat('00ff5c0a', {half // 4}), 'hex')"
        numbers, types = f"generate_series(1, {rows}) AS s(seq)", ("text", "bytea")
    execute(here, f"CREATE TABLE big (id int PRIMARY KEY, t {types[0]}, b {types[1]})")
    execute(here, f"INSERT INTO big SELECT seq, {values} FROM {numbers}")


@contextmanager
def both() -> Iterator[dict[str, ConnectionSettings]]:
    """A server of either kind that takes such rows."""
    packets = {"max_allowed_packet": "1G", "innodb_log_file_size": "2G", "innodb_buffer_pool_size": "512M"}
    with servers.mariadb(packets) as mysql, servers.postgres(servers.system_postgres_bin()) as postgres:
        yield {MYSQL: mysql.settings, POSTGRES: postgres.settings}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mib", type=int, default=100)
    parser.add_argument("--rows", type=int, default=20)
    given = parser.parse_args()
    with both() as ends:
        for kind, server in ends.items():
            here = replace(server, database="here")
            execute(server, "CREATE DATABASE here")
            fill(here, given.rows, given.mib * MIB)
            for other, target in ends.items():
                execute(target, "DROP DATABASE IF EXISTS there", "CREATE DATABASE there")
                cost = mainstem(here, replace(target, database="there"), "--jobs", "1")
                print(f"{kind:10} → {other:10} {given.rows} rows of {given.mib} MiB   {cost}", flush=True)
            execute(server, "DROP DATABASE here")


if __name__ == "__main__":
    main()
