"""Into MariaDB in bulk: by hand and by Mainstem in turn, on the same servers, with the ratio.

    python -m bench.tomysql [--rows 2000000] [--ways postgres,mariadb,two]

By hand, from PostgreSQL: ``psql \\copy … to file``, then LOAD DATA LOCAL INFILE into the table with its primary key.
By hand, from MariaDB: ``mariadb-dump --single-transaction --quick`` piped into ``mariadb``, within one server
(``mariadb``) and between two (``two``). ``mainstem copy`` is one process; its CPU and its peak memory are what the
kernel says of it (getrusage(2)).
"""

from __future__ import annotations

import argparse
import compileall
import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import mainstem as package
from mainstem.connectors.mysql.client import connect, query
from mainstem.connectors.postgres.client import connect as postgres_connect
from mainstem.model.connection import ConnectionSettings
from mainstem.testing import servers

RUNS = 3
HERE, THERE = "here", "there"
MARIADB_TABLE = (
    "id BIGINT PRIMARY KEY AUTO_INCREMENT, name VARCHAR(255) NOT NULL, price DECIMAL(10,2) NOT NULL, weight DOUBLE,"
    " created TIMESTAMP NULL"
)
MARIADB_ROW = "seq, CONCAT('Product', seq), ROUND(RAND(1) * 1000, 2), RAND(2) * 100, FROM_UNIXTIME(1600000000 + seq)"
POSTGRES_TABLE = (
    "id bigint PRIMARY KEY, name varchar(255) NOT NULL, price numeric(10,2) NOT NULL, weight double precision,"
    " created timestamp"
)
POSTGRES_ROW = (
    "n, 'Product' || n, round((random() * 1000)::numeric, 2), random() * 100,"
    " timestamp '2020-09-13' + n * interval '1 s'"
)
LOADED = (
    "id BIGINT PRIMARY KEY, name VARCHAR(255) NOT NULL, price DECIMAL(10,2) NOT NULL, weight DOUBLE,"
    " created DATETIME(6)"
)


@dataclass(frozen=True)
class Figures:
    """One run: seconds by the clock, seconds of CPU of our own, peak MiB."""

    seconds: float
    cpu: float
    peak: float


def mainstem(source: ConnectionSettings, target: ConnectionSettings) -> Figures:
    """``mainstem copy`` as a user runs it: start-up, planning and checks included."""
    command = [sys.executable, "-m", "mainstem", "copy", "--json", url(source), url(target)]
    begin = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert process.stdout is not None
    with process.stdout as stdout:
        out = stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - begin
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"mainstem failed: {json.loads(out).get('error')}")
    return Figures(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def by_file(source: ConnectionSettings, target: ConnectionSettings) -> float:
    """Seconds of ``\\copy`` to a file and LOAD DATA from it; the table is there with its primary key."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "products"
        copy = f"\\copy products to '{file}'"
        load = f"LOAD DATA LOCAL INFILE '{file}' INTO TABLE products CHARACTER SET utf8mb4"
        commands = (
            f"psql -q -h 127.0.0.1 -p {source.port} -U postgres -d {source.database} -c {shlex.quote(copy)}",
            f"{client(target)} --local-infile=1 {target.database} -e {shlex.quote(load)}",
        )
        with connect(target) as connection:
            query(connection, f"CREATE TABLE products ({LOADED})")
        return timed(*commands)


def by_dump(source: ConnectionSettings, target: ConnectionSettings) -> float:
    """Seconds of the dump piped into the client."""
    dump = client(source).replace("mariadb ", "mariadb-dump ", 1)
    return timed(f"{dump} --single-transaction --quick {source.database} products | {client(target)} {target.database}")


def client(settings: ConnectionSettings) -> str:
    return f"mariadb --no-defaults -h127.0.0.1 -P{settings.port} -uroot"


def timed(*commands: str) -> float:
    environment = {"MYSQL_PWD": "root", "PGPASSWORD": "postgres", "PATH": "/usr/bin:/bin"}
    begin = time.perf_counter()
    for command in commands:
        subprocess.run(command, shell=True, check=True, env=environment)
    return time.perf_counter() - begin


def url(settings: ConnectionSettings) -> str:
    return f"{settings.type}://{settings.username}:{settings.password}@127.0.0.1:{settings.port}/{settings.database}"


def renewed(target: ConnectionSettings) -> None:
    """The empty database that a user begins with."""
    with connect(replace(target, database="")) as connection:
        query(connection, f"DROP DATABASE IF EXISTS {target.database}")
        query(connection, f"CREATE DATABASE {target.database}")


def measure(
    way: str, rows: int, source: ConnectionSettings, target: ConnectionSettings,
    by_hand: Callable[[ConnectionSettings, ConnectionSettings], float],
) -> None:  # fmt: skip
    """By hand and by us in turn, after one of each that only warms the servers; the medians."""
    anchors, ours = [], []
    for _ in range(RUNS + 1):
        renewed(target)
        anchors.append(by_hand(source, target))
        renewed(target)
        ours.append(mainstem(source, target))
    anchor = sorted(anchors[1:])[RUNS // 2]
    middle = sorted(ours[1:], key=lambda figures: figures.seconds)[RUNS // 2]
    print(
        f"{way:10} {rows:>10,} rows   mainstem {middle.seconds:6.2f} s   CPU {middle.cpu:5.2f} s"
        f"   peak {middle.peak:4.0f} MiB   by hand {anchor:6.2f} s   ratio {middle.seconds / anchor:.2f}",
        flush=True,
    )


def from_postgres(rows: int, stack: ExitStack) -> None:
    target = stack.enter_context(servers.mariadb()).settings
    source = stack.enter_context(servers.postgres(servers.system_postgres_bin())).settings
    with postgres_connect(source) as connection:
        connection.execute(f"CREATE TABLE products ({POSTGRES_TABLE})".encode())
        connection.execute(f"INSERT INTO products SELECT {POSTGRES_ROW} FROM generate_series(1, {rows}) n".encode())
        connection.execute("VACUUM ANALYZE products")
    measure("postgres", rows, source, replace(target, database=THERE), by_file)


def from_mariadb(rows: int, stack: ExitStack, *, apart: bool = False) -> None:
    source = stack.enter_context(servers.mariadb()).settings
    target = stack.enter_context(servers.mariadb()).settings if apart else source
    renewed(replace(source, database=HERE))
    with connect(replace(source, database=HERE)) as connection:
        query(connection, f"CREATE TABLE products ({MARIADB_TABLE})")
        query(connection, f"INSERT INTO products SELECT {MARIADB_ROW} FROM seq_1_to_{rows}")
        query(connection, "ANALYZE TABLE products")
    way = "two" if apart else "mariadb"
    measure(way, rows, replace(source, database=HERE), replace(target, database=THERE), by_dump)


WAYS: dict[str, Callable[[int, ExitStack], None]] = {
    "postgres": from_postgres,
    "mariadb": from_mariadb,
    "two": lambda rows, stack: from_mariadb(rows, stack, apart=True),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--ways", default=",".join(WAYS))
    arguments = parser.parse_args()
    compileall.compile_dir(Path(package.__file__).parent, quiet=1)  # as pip does when it installs a package
    for way in arguments.ways.split(","):
        with ExitStack() as stack:
            WAYS[way](arguments.rows, stack)


if __name__ == "__main__":
    main()
