"""A schema of many tables: pgloader and Mainstem in turn, whole databases, on the same servers.

    python -m bench.many [--tables 300] [--rows 2000000] [--runs 3] [--no-pgloader]

Four shapes of tables like those of a rental shop's database, with keys, indexes and foreign keys. pgloader runs with
fewer rows ahead than by default: with 100,000 it exhausts its heap on this schema.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from bench.command import mainstem, medians, url
from mainstem.connectors.mysql.client import connect as mysql_connect
from mainstem.connectors.postgres.client import connect as postgres_connect
from mainstem.model.connection import ConnectionSettings
from mainstem.testing import servers

DATABASE = "many"
SHAPES = (
    (
        "film",
        "id SMALLINT UNSIGNED PRIMARY KEY AUTO_INCREMENT, title VARCHAR(255) NOT NULL, description TEXT, released YEAR,"
        " rate DECIMAL(4,2) NOT NULL DEFAULT 4.99, rating ENUM('G','PG','R') DEFAULT 'G', KEY (title)",
        "seq, CONCAT('Film ', seq), REPEAT('lorem ', 10), 2006, 4.99, 'PG'",
    ),
    (
        "stock",
        "id MEDIUMINT UNSIGNED PRIMARY KEY AUTO_INCREMENT, film_id SMALLINT UNSIGNED NOT NULL,"
        " updated TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP, KEY (film_id)",
        "seq, 1 + seq % {few}, FROM_UNIXTIME(1600000000 + seq)",
    ),
    (
        "rental",
        "id INT PRIMARY KEY AUTO_INCREMENT, rented DATETIME NOT NULL, stock_id MEDIUMINT UNSIGNED NOT NULL,"
        " returned DATETIME, KEY (stock_id), UNIQUE KEY (rented, stock_id, id)",
        "seq, '2005-05-24 22:53:30' + INTERVAL seq SECOND, 1 + seq % {few}, NULL",
    ),
    (
        "payment",
        "id INT PRIMARY KEY AUTO_INCREMENT, rental_id INT, amount DECIMAL(5,2) NOT NULL, paid DATETIME NOT NULL,"
        " KEY (rental_id)",
        "seq, 1 + seq % {few}, seq % 100, '2005-05-25 11:30:37'",
    ),
)


def fill(source: ConnectionSettings, tables: int, rows: int) -> None:
    """So many tables; each fourth refers to the one before it."""
    each = max(rows // tables, 1)
    with mysql_connect(source) as connection, connection.cursor() as cursor:
        for number in range(tables):
            name, columns, row = SHAPES[number % len(SHAPES)]
            table = f"{name}_{number // len(SHAPES)}"
            cursor.execute(f"CREATE TABLE {table} ({columns})")
            cursor.execute(f"INSERT INTO {table} SELECT {row.format(few=min(each, 1000))} FROM seq_1_to_{each}")
        for number in range(0, tables - 3, len(SHAPES)):
            group = number // len(SHAPES)
            cursor.execute(f"ALTER TABLE stock_{group} ADD FOREIGN KEY (film_id) REFERENCES film_{group} (id)")
        cursor.execute("SHOW TABLES")
        names = ", ".join(name for (name,) in cursor.fetchall())
        cursor.execute(f"ANALYZE TABLE {names}")


def empty_database(target: ConnectionSettings) -> None:
    with postgres_connect(replace(target, database="postgres")) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)".encode())
        connection.execute(f"CREATE DATABASE {DATABASE}".encode())
        connection.execute("CHECKPOINT")


def pgloader(source: ConnectionSettings, target: ConnectionSettings) -> float:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "load"
        file.write_text(f"LOAD DATABASE FROM {url(source)} INTO {url(target)} WITH prefetch rows = 5000;")
        begin = time.perf_counter()
        done = subprocess.run(["pgloader", str(file)], check=False, capture_output=True, cwd=folder, text=True)
        if done.returncode:
            raise SystemExit(f"pgloader failed: {(done.stdout + done.stderr)[-1500:]}")
        return time.perf_counter() - begin


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--tables", type=int, default=300)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--no-pgloader", action="store_true")
    arguments = parser.parse_args()
    with (
        servers.mariadb({"innodb_flush_log_at_trx_commit": "0"}) as source,
        servers.postgres(servers.system_postgres_bin()) as target,
    ):
        settings, into = replace(source.settings, database=DATABASE), replace(target.settings, database=DATABASE)
        with mysql_connect(source.settings) as connection, connection.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {DATABASE}")
        fill(settings, arguments.tables, arguments.rows)
        plans, costs, others = [], [], []
        for _ in range(arguments.runs):
            empty_database(into)
            if not arguments.no_pgloader:
                others.append(pgloader(settings, into))
                empty_database(into)
            plans.append(mainstem(settings, into, "--dry-run"))
            costs.append(mainstem(settings, into))
        print(f"{arguments.tables:,} tables, {arguments.rows:,} rows")
        print(f"    mainstem --dry-run   {medians(plans)}")
        cost = medians(costs)
        print(f"    mainstem             {cost}", flush=True)
        if others:
            other = statistics.median(others)
            print(f"    pgloader {other:6.2f} s: mainstem is {other / cost.seconds:.1f} times as fast", flush=True)


if __name__ == "__main__":
    main()
