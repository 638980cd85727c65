"""Into MariaDB in bulk: by hand and by Mainstem in turn, on the same servers, with the ratio.

    python -m bench.tomysql [--rows 2000000] [--ways postgres,mariadb,two]

By hand, from PostgreSQL: ``psql \\copy … to file``, then LOAD DATA LOCAL INFILE into the table with its primary key.
By hand, from MariaDB: ``mariadb-dump --single-transaction --quick`` piped into ``mariadb``, within one server
(``mariadb``) and between two (``two``). ``mainstem copy`` is one process; its CPU and its peak memory are what the
kernel says of it (getrusage(2)). On a machine that others use, the CPU that servers and tools took in all says more
than the clock.
"""

from __future__ import annotations

import argparse
import compileall
import os
import resource
import shlex
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

import mainstem as package
from bench.command import Cost, mainstem, medians
from mainstem.connectors.mysql.client import connect, query
from mainstem.connectors.postgres.client import connect as postgres_connect
from mainstem.model.connection import ConnectionSettings
from mainstem.testing import servers
from mainstem.testing.servers import Server

RUNS = 3
JOBS = (1, 2)
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


def measured(servers_of_run: Sequence[Server], work: Callable[[], object]) -> tuple[float, float]:
    """Seconds by the clock, and seconds of CPU that servers and tools took in all."""
    before, begin = spent(servers_of_run), time.perf_counter()
    work()
    return time.perf_counter() - begin, spent(servers_of_run) - before


def spent(servers_of_run: Sequence[Server]) -> float:
    """Seconds of CPU so far: of servers with their processes, and of children of ours that have ended (proc(5))."""
    parents = {server.pid for server in servers_of_run}
    ticks = 0
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            if int(folder.name) in parents:
                ticks += sum(map(int, fields[11:15]))  # with the processes of a PostgreSQL that have ended
            elif int(fields[1]) in parents:
                ticks += sum(map(int, fields[11:13]))
    ours = resource.getrusage(resource.RUSAGE_CHILDREN)
    return ticks / os.sysconf("SC_CLK_TCK") + ours.ru_utime + ours.ru_stime


def by_file(source: ConnectionSettings, target: ConnectionSettings) -> None:
    """``\\copy`` to a file and LOAD DATA from it, into the table with its primary key."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "products"
        copy = f"\\copy products to '{file}'"
        load = f"LOAD DATA LOCAL INFILE '{file}' INTO TABLE products CHARACTER SET utf8mb4"
        with connect(target) as connection:
            query(connection, f"CREATE TABLE products ({LOADED})")
        shell(f"psql -q -h 127.0.0.1 -p {source.port} -U postgres -d {source.database} -c {shlex.quote(copy)}")
        shell(f"{client(target)} --local-infile=1 {target.database} -e {shlex.quote(load)}")


def by_dump(source: ConnectionSettings, target: ConnectionSettings) -> None:
    """The dump piped into the client."""
    dump = client(source).replace("mariadb ", "mariadb-dump ", 1)
    shell(f"{dump} --single-transaction --quick {source.database} products | {client(target)} {target.database}")


def client(settings: ConnectionSettings) -> str:
    return f"mariadb --no-defaults -h127.0.0.1 -P{settings.port} -uroot"


def shell(command: str) -> None:
    environment = {"MYSQL_PWD": "root", "PGPASSWORD": "postgres", "PATH": "/usr/bin:/bin"}
    subprocess.run(command, shell=True, check=True, env=environment)


def renewed(target: ConnectionSettings) -> None:
    """The empty database that a user begins with."""
    with connect(replace(target, database="")) as connection:
        query(connection, f"DROP DATABASE IF EXISTS {target.database}")
        query(connection, f"CREATE DATABASE {target.database}")


def measure(
    way: str,
    rows: int,
    source: Server,
    target: Server,
    by_hand: Callable[[ConnectionSettings, ConnectionSettings], None],
) -> None:
    """By hand and by us in turn, after one of each that only warms the servers; the medians."""
    both = {source.pid: source, target.pid: target}.values()
    here = source.settings if source.settings.type == "postgresql" else replace(source.settings, database=HERE)
    there = replace(target.settings, database=THERE)
    hand: list[tuple[float, float]] = []
    ours: dict[int, list[tuple[float, float]]] = {jobs: [] for jobs in JOBS}
    costs: dict[int, list[Cost]] = {jobs: [] for jobs in JOBS}
    for _ in range(RUNS + 1):
        renewed(there)
        hand.append(measured(list(both), lambda: by_hand(here, there)))
        for jobs in JOBS:
            renewed(there)
            run = partial(mainstem, here, there, "--jobs", str(jobs))
            ours[jobs].append(measured(list(both), lambda run=run, jobs=jobs: costs[jobs].append(run())))
    seconds, cpu = middle(hand)
    print(f"{way}, {rows:,} rows: by hand {seconds:6.2f} s, CPU of all {cpu:5.2f} s")
    for jobs in JOBS:
        own, own_cpu = middle(ours[jobs])
        print(f"    mainstem --jobs {jobs}   {medians(costs[jobs][1:])}   CPU of all {own_cpu:5.2f} s"
              f"   ratio {own / seconds:.2f}, of CPU {own_cpu / cpu:.2f}", flush=True)  # fmt: skip


def middle(runs: list[tuple[float, float]]) -> tuple[float, float]:
    """Both medians, without the first run."""
    seconds, cpu = (statistics.median(column) for column in zip(*runs[1:], strict=True))
    return seconds, cpu


def from_postgres(rows: int, stack: ExitStack) -> None:
    target = stack.enter_context(servers.mariadb())
    source = stack.enter_context(servers.postgres(servers.system_postgres_bin()))
    with postgres_connect(source.settings) as connection:
        connection.execute(f"CREATE TABLE products ({POSTGRES_TABLE})".encode())
        connection.execute(f"INSERT INTO products SELECT {POSTGRES_ROW} FROM generate_series(1, {rows}) n".encode())
        connection.execute("VACUUM ANALYZE products")
    measure("postgres", rows, source, target, by_file)


def from_mariadb(rows: int, stack: ExitStack, *, apart: bool = False) -> None:
    source = stack.enter_context(servers.mariadb())
    target = stack.enter_context(servers.mariadb()) if apart else source
    here = replace(source.settings, database=HERE)
    renewed(here)
    with connect(here) as connection:
        query(connection, f"CREATE TABLE products ({MARIADB_TABLE})")
        query(connection, f"INSERT INTO products SELECT {MARIADB_ROW} FROM seq_1_to_{rows}")
        query(connection, "ANALYZE TABLE products")
    measure("two" if apart else "mariadb", rows, source, target, by_dump)


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
