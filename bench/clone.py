"""PostgreSQL → PostgreSQL: pgcopydb, a pipe of two psql, and Mainstem in turn, on the same servers, with the ratios.

    python -m bench.clone [--rows 2000000] [--runs 3] [--formats]

Both servers are the distribution's. The pipe is what a skilled person does by hand: COPY in binary format from the one
into the other, then ADD PRIMARY KEY. ``pgcopydb clone`` runs with its defaults (apt-get install pgcopydb), which split
no table. With ``--formats`` the rows alone are also moved in each form in which they can pass.
"""

from __future__ import annotations

import argparse
import compileall
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import mainstem as package
from bench.command import Cost, mainstem, medians, run, url
from mainstem.connectors.postgres.client import connect
from mainstem.connectors.postgres.inspector import PostgresInspector
from mainstem.connectors.postgres.load import PostgresTarget
from mainstem.connectors.postgres.snapshot import PostgresSource
from mainstem.contract.source import BatchLimits
from mainstem.model.connection import ConnectionSettings
from mainstem.model.names import TableId
from mainstem.model.plan import ColumnPlan, TablePlan
from mainstem.model.run import RunOptions
from mainstem.testing import servers

COLUMNS = "id bigint, name varchar(255), price numeric(10,2), weight double precision, created timestamp"
ROW = (
    "i, 'Product' || i, round((random() * 1000)::numeric, 2), random() * 100,"
    " timestamp '2020-09-13' + i * '1 s'::interval"
)
TABLE = TableId("public", "products")
JOBS = (1, 2)
Way = Callable[[ConnectionSettings, ConnectionSettings], Cost]


def pgcopydb(source: ConnectionSettings, target: ConnectionSettings) -> Cost:
    with tempfile.TemporaryDirectory() as folder:
        ends = ["--source", url(source), "--target", url(target), "--dir", f"{folder}/work"]
        return run(["pgcopydb", "clone", "--no-acl", "--no-owner", *ends], folder)


def pipe(source: ConnectionSettings, target: ConnectionSettings) -> Cost:
    with connect(target) as connection:
        connection.execute(f"CREATE TABLE products ({COLUMNS})".encode())
    here, there = (f"psql -qXh 127.0.0.1 -p {side.port} -U postgres -d {side.database}" for side in (source, target))
    copy = "(format binary)"
    script = (
        f'{here} -c "copy products to stdout {copy}" | {there} -c "copy products from stdin {copy}"'
        f' && {there} -c "alter table products add primary key (id)"'
    )
    return run(["bash", "-c", script], environment={"PGPASSWORD": "postgres"})


def format_cost(source: ConnectionSettings, target: ConnectionSettings, raw: str) -> Cost:
    """The rows alone, by one reader and one loader in this thread."""
    with PostgresInspector(source) as inspector:
        table = inspector.catalog([TABLE]).tables[0]
    columns = tuple(
        ColumnPlan(item.name, item.name, item.type, item.native, native=item.native) for item in table.columns
    )
    plan = TablePlan(TABLE, TABLE, columns, raw=raw, rows_estimate=table.rows_estimate)
    with connect(target) as connection:
        connection.execute(f"CREATE TABLE products ({COLUMNS})".encode())
    ends = PostgresTarget(target, RunOptions())
    usage, begin = os.times(), time.perf_counter()
    with PostgresSource(source).snapshot(1) as snapshot, ends.ledger("bench") as ledger, ends.loader("bench") as loader:
        ledger.open("{}")
        chunks = snapshot.readers[0].plan_chunks(plan, 10**9)
        ledger.plan(TABLE, chunks)
        rows = 0
        loader.begin(plan, chunks[0], quarantine=None)
        for batch in snapshot.readers[0].read(plan, chunks[0], BatchLimits()):
            loader.write(batch)
            rows += batch.count
        loader.commit(rows)
        ledger.finish(keep=False)
    seconds, after = time.perf_counter() - begin, os.times()
    return Cost(seconds, after.user + after.system - usage.user - usage.system, 0)


def by_mainstem(jobs: int, source: ConnectionSettings, target: ConnectionSettings) -> Cost:
    return mainstem(source, target, "--jobs", str(jobs))


def drop(target: ConnectionSettings) -> None:
    """The empty database that a user begins with."""
    with connect(target) as connection:
        connection.execute("DROP TABLE IF EXISTS products; DROP SCHEMA IF EXISTS pgcopydb CASCADE")
        connection.execute("CHECKPOINT")


def measure(source: ConnectionSettings, target: ConnectionSettings, runs: int, *, formats: bool) -> None:
    ways: dict[str, Way] = {"pipe": pipe}
    ways |= {f"mainstem --jobs {jobs}": partial(by_mainstem, jobs) for jobs in JOBS}
    if shutil.which("pgcopydb"):
        ways["pgcopydb"] = pgcopydb
    costs: dict[str, list[Cost]] = {name: [] for name in ways}
    for number in range(runs + 1):
        for name, way in ways.items():
            drop(target)
            cost = way(source, target)
            if number:  # the first turn warms both servers
                costs[name].append(cost)
    ours = medians(costs["mainstem --jobs 1"])
    for name, found in costs.items():
        cost = medians(found)
        print(
            f"{name:17} {cost}   mainstem --jobs 1 takes {ours.seconds / cost.seconds:.2f} of it"
            f"   {sorted(round(item.seconds, 2) for item in found)}",
            flush=True,
        )
    for raw in ("copy-binary", "copy-text", "") if formats else ():
        found = []
        for _ in range(runs):
            drop(target)
            found.append(format_cost(source, target, raw))
        cost = medians(found)
        print(f"rows alone, {raw or 'decoded':12} {cost.seconds:6.2f} s   own CPU {cost.cpu_s:5.2f} s", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--formats", action="store_true")
    arguments = parser.parse_args()
    compileall.compile_dir(Path(package.__file__).parent, quiet=1)  # as pip does when it installs a package
    binaries = servers.system_postgres_bin()
    with servers.postgres(binaries) as source, servers.postgres(binaries) as target:
        for server in (source, target):
            with connect(server.settings) as connection:
                connection.execute("CREATE DATABASE bench")
        here, there = (replace(server.settings, database="bench") for server in (source, target))
        with connect(here) as connection:
            connection.execute(f"CREATE TABLE products ({COLUMNS})".encode())
            connection.execute(
                f"INSERT INTO products SELECT {ROW} FROM generate_series(1, {arguments.rows}) i".encode()
            )
            connection.execute("ALTER TABLE products ADD PRIMARY KEY (id)")
            connection.execute("VACUUM ANALYZE products")
        measure(here, there, arguments.runs, formats=arguments.formats)


if __name__ == "__main__":
    main()
