"""MariaDB → PostgreSQL in bulk: the usual tools and Mainstem in turn, on the same servers, with the ratio.

    python -m bench.bulk [--rows 2000000] [--tables products,wide,json,blobs] [--pgloader]

The anchor is what a skilled person does by hand: ``mariadb --quick`` piped into ``psql \\copy``, then ADD PRIMARY KEY.
Mainstem runs with one reader and writer, and with two. See `bench.command` for what the figures are.
"""

from __future__ import annotations

import argparse
import compileall
import shlex
import shutil
import statistics
import subprocess
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

import mainstem as package
from bench.command import Cost, mainstem, medians, url
from mainstem.connectors.mysql.client import connect as mysql_connect
from mainstem.connectors.postgres.client import connect as postgres_connect
from mainstem.model.connection import ConnectionSettings
from mainstem.testing import servers

DATABASE = "bench"
JOBS = (1, 2)
PRODUCTS = (
    "id BIGINT PRIMARY KEY AUTO_INCREMENT, name VARCHAR(255) NOT NULL, price DECIMAL(10,2) NOT NULL, weight DOUBLE,"
    " created TIMESTAMP DEFAULT CURRENT_TIMESTAMP"
)
PRODUCTS_ROW = "seq, CONCAT('Product', seq), ROUND(RAND(1) * 1000, 2), RAND(2) * 100, FROM_UNIXTIME(1600000000 + seq)"
_WIDE = (("INT", "seq"), ("VARCHAR(40)", "CONCAT('v', seq)"), ("DECIMAL(12,4)", "seq / 7"), ("DATETIME(3)", "NOW(3)"),
         ("DOUBLE", "seq / 3"), ("DATE", "'2024-02-29'"))  # fmt: skip
WIDE = "id BIGINT PRIMARY KEY, " + ", ".join(f"c{i} {_WIDE[i % 6][0]}" for i in range(59))
WIDE_ROW = "seq, " + ", ".join(_WIDE[i % 6][1] for i in range(59))
_JSON = """JSON_OBJECT('n', seq, 'tags', JSON_ARRAY('a', 'b', seq), 'nested', JSON_OBJECT('x', seq / 3, 'y', 'text'))"""
JSON = "id BIGINT UNSIGNED PRIMARY KEY, name VARCHAR(255), price DECIMAL(10,2), created_at DATETIME, " + ", ".join(
    f"j{i} JSON" for i in range(5)
)
JSON_ROW = "seq, CONCAT('n', seq), seq / 4, NOW(), " + ", ".join([_JSON] * 5)


@dataclass(frozen=True)
class Table:
    name: str
    columns: str
    row: str
    share: float  # of --rows
    select: str = "*"  # what the pipe reads


TABLES = {
    "products": Table("products", PRODUCTS, PRODUCTS_ROW, 1),
    "wide": Table("wide", WIDE, WIDE_ROW, 0.25),
    "json": Table("json_heavy", JSON, JSON_ROW, 0.25),
    "blobs": Table(
        "blobs",
        "id INT PRIMARY KEY, data LONGBLOB",
        "seq, REPEAT(CHAR(seq % 256), 1000000)",
        0.001,
        "id, CONCAT(CHAR(92), 'x', HEX(data))",
    ),
}


def anchor(source: ConnectionSettings, target: ConnectionSettings, table: Table) -> float:
    """Seconds of the Unix pipe and ADD PRIMARY KEY; the table is there, empty and without a key."""
    begin = time.perf_counter()
    query = shlex.quote(f"SELECT {table.select} FROM {table.name}")
    pipe = (
        f"mariadb --no-defaults -h127.0.0.1 -P{source.port} -uroot --quick -NB {source.database} -e {query}"
        f" | psql -q -h 127.0.0.1 -p {target.port} -U postgres -d {target.database}"
        f" -c '\\copy {table.name} from stdin'"
    )
    environment = {"MYSQL_PWD": source.password, "PGPASSWORD": target.password, "PATH": "/usr/bin:/bin"}
    subprocess.run(pipe, shell=True, check=True, env=environment)
    with postgres_connect(target) as connection:
        connection.execute(f"ALTER TABLE {table.name} ADD PRIMARY KEY (id)".encode())
    return time.perf_counter() - begin


def pgloader(source: ConnectionSettings, target: ConnectionSettings, table: str) -> float:
    """Seconds of pgloader with its defaults, for the one table."""
    script = (
        f"LOAD DATABASE FROM {url(source)} INTO {url(target)}"
        f" WITH include drop, create tables, create indexes, reset sequences"
        f" INCLUDING ONLY TABLE NAMES MATCHING '{table}';"
    )
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "load"
        file.write_text(script)
        begin = time.perf_counter()
        subprocess.run(["pgloader", str(file)], check=True, capture_output=True, cwd=folder)
        return time.perf_counter() - begin


def empty_table(target: ConnectionSettings, table: str) -> None:
    """The table that Mainstem made, without rows and key, for the anchor to fill."""
    with postgres_connect(target) as connection:
        connection.execute(f"TRUNCATE {table}".encode())
        connection.execute(f"ALTER TABLE {table} DROP CONSTRAINT {table}_pkey".encode())
        connection.execute("CHECKPOINT")


def drop_table(target: ConnectionSettings, table: str) -> None:
    """The empty database that a user begins with."""
    with postgres_connect(target) as connection:
        connection.execute(f"DROP TABLE IF EXISTS {table}".encode())
        connection.execute("CHECKPOINT")


def measure(source: ConnectionSettings, target: ConnectionSettings, table: Table, rows: int, *, loader: bool) -> None:
    with mysql_connect(source) as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE TABLE {table.name} ({table.columns})")
        cursor.execute(f"INSERT INTO {table.name} SELECT {table.row} FROM seq_1_to_{rows}")
        cursor.execute(f"ANALYZE TABLE {table.name}")
    mainstem(source, target, "--table", table.name)  # warms both servers, and makes the table for the anchor
    by_hand: list[float] = []
    ours: dict[int, list[Cost]] = {jobs: [] for jobs in JOBS}
    for _ in range(3):
        empty_table(target, table.name)
        by_hand.append(anchor(source, target, table))
        for jobs in JOBS:
            drop_table(target, table.name)
            ours[jobs].append(mainstem(source, target, "--table", table.name, "--jobs", str(jobs)))
    hand = statistics.median(by_hand)
    print(f"{table.name}, {rows:,} rows: mariadb | psql {hand:6.2f} s")
    costs = {jobs: medians(found) for jobs, found in ours.items()}
    for jobs, cost in costs.items():
        print(f"    mainstem --jobs {jobs}   {cost}   ratio {cost.seconds / hand:.2f}", flush=True)
    if loader and table.name == "products":
        other, least = pgloader(source, target, table.name), min(cost.seconds for cost in costs.values())
        print(f"    pgloader {other:6.2f} s: mainstem is {other / least:.1f} times as fast", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--tables", default="products,wide,json,blobs")
    parser.add_argument("--pgloader", action="store_true")
    arguments = parser.parse_args()
    if arguments.pgloader and shutil.which("pgloader") is None:
        raise SystemExit("pgloader is not installed: apt-get install pgloader")
    compileall.compile_dir(Path(package.__file__).parent, quiet=1)  # as pip does when it installs a package
    with servers.mariadb() as source, servers.postgres(servers.system_postgres_bin()) as target:
        settings = replace(source.settings, database=DATABASE)
        with mysql_connect(source.settings) as connection, connection.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {DATABASE}")
        for name in arguments.tables.split(","):
            table = TABLES[name]
            measure(settings, target.settings, table, int(arguments.rows * table.share), loader=arguments.pgloader)


if __name__ == "__main__":
    main()
