"""What the hub costs: the same copies and changes through memory and through NATS, in turn, with the ratios.

    python -m bench.hub [--rows 2000000] [--runs 3] [--only TEXT]

NATS runs on this machine, and so takes its share of the same cores.
"""

from __future__ import annotations

import argparse
import os
import statistics
from collections.abc import Callable
from dataclasses import replace

import psutil

from bench.bulk import DATABASE, TABLES, drop_table
from bench.changes import latency, one_transaction, small_transactions
from bench.command import mainstem, medians
from mainstem.bootstrap.hubs import VARIABLE
from mainstem.connectors.mysql.client import connect as mysql_connect
from mainstem.model.connection import ConnectionSettings
from mainstem.testing import servers
from mainstem.testing.nats import NatsServer, nats

MEMORY = "memory"


def through(hub: str, act: Callable[[], object]) -> object:
    """Something whose runs use this hub."""
    os.environ[VARIABLE] = hub
    try:
        return act()
    finally:
        del os.environ[VARIABLE]


def cpu_s(server: NatsServer) -> float:
    assert server.process is not None
    times = psutil.Process(server.process.pid).cpu_times()
    return times.user + times.system


def copies(source: ConnectionSettings, target: ConnectionSettings, server: NatsServer, rows: int, runs: int) -> None:
    """A table from MariaDB to PostgreSQL, by each compression."""
    table = TABLES["products"]
    settings = replace(source, database=DATABASE)
    with mysql_connect(source) as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {DATABASE}")
        cursor.execute(f"USE {DATABASE}")
        cursor.execute(f"CREATE TABLE {table.name} ({table.columns})")
        cursor.execute(f"INSERT INTO {table.name} SELECT {table.row} FROM seq_1_to_{rows}")
        cursor.execute(f"ANALYZE TABLE {table.name}")
    mainstem(settings, target, "--table", table.name)
    hubs = [MEMORY, *(f"{server.url}?compression={name}" for name in ("none", "lz4", "zstd"))]
    found: dict[str, list[object]] = {hub: [] for hub in hubs}
    spent = dict.fromkeys(hubs, 0.0)
    for _ in range(runs):
        for hub in hubs:
            drop_table(target, table.name)
            before = cpu_s(server)
            found[hub].append(through(hub, lambda: mainstem(settings, target, "--table", table.name)))
            spent[hub] += cpu_s(server) - before
    base = 0.0
    for hub in hubs:
        cost = medians(found[hub])  # type: ignore[arg-type]
        base = base or cost.seconds
        name = hub.partition("compression=")[2] or hub
        nats_s, ratio = spent[hub] / runs, base / cost.seconds
        print(f"    {name:6} {cost}   NATS's CPU {nats_s:5.2f} s   throughput {ratio:.2f} of memory's", flush=True)


def in_turn(part: Callable[[], object], server: NatsServer) -> None:
    """A part of `bench.changes` by each hub."""
    for hub in (MEMORY, server.url):
        print(f"  {hub.partition(':')[0]}")
        through(hub, part)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--only", default="", metavar="TEXT", help="only parts with this in their title")
    given = parser.parse_args()
    with servers.mariadb() as one, servers.postgres(servers.system_postgres_bin()) as two, nats() as server:
        source, target = one.settings, two.settings

        def transactions() -> None:
            times: dict[str, list[float]] = {MEMORY: [], server.url: []}
            for _ in range(given.runs):
                for hub, found in times.items():
                    run = through(hub, lambda: one_transaction(source, target, given.rows // 2, 1))
                    found += run  # type: ignore[arg-type]
            memory, other = (statistics.median(found) for found in times.values())
            print(f"    throughput of NATS {memory / other:.2f} of memory's", flush=True)

        parts: dict[str, Callable[[], object]] = {
            "copy, MariaDB → PostgreSQL": lambda: copies(source, target, server, given.rows, given.runs),
            "one transaction, MariaDB → PostgreSQL": transactions,
            "latency under light load": lambda: in_turn(lambda: latency(source, target), server),
            "80,000 small transactions": lambda: in_turn(lambda: small_transactions(source, target), server),
        }
        for title, part in parts.items():
            if given.only in title:
                print(title, flush=True)
                part()


if __name__ == "__main__":
    main()
