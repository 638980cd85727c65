"""Decoding a log alone, without a target: PostgreSQL's, beside `pg_recvlogical`, which throws away what it reads.

    python -m bench.decode_pg [--rows 1000000] [--runs 3]

One transaction is read again and again, by a slot of its own each time; server time is part of both.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import time
from pathlib import Path

from mainstem.connectors.postgres.changes import Origin, PostgresChanges
from mainstem.connectors.postgres.client import connect
from mainstem.connectors.postgres.inspector import PostgresInspector
from mainstem.contract.changes import GroupLimits
from mainstem.model.change import ChangeGroup
from mainstem.model.connection import ConnectionSettings
from mainstem.model.names import TableId
from mainstem.model.plan import ColumnPlan, TablePlan
from mainstem.model.run import Mode, RunOptions, TableState
from mainstem.model.stream import StreamTable
from mainstem.testing import servers

TABLE = TableId("public", "products")
FILL = (
    "INSERT INTO products SELECT i, 'Product' || i, round((random() * 1000)::numeric, 2), random() * 100,"
    " timestamp '2020-09-13' + i * '1 s'::interval FROM generate_series(1, {rows}) i"
)


def stream_table(settings: ConnectionSettings) -> StreamTable:
    with PostgresInspector(settings) as inspector:
        (table,) = inspector.catalog([TABLE]).tables
    columns = tuple(ColumnPlan(c.name, c.name, c.type, c.native, c.nullable, c.native) for c in table.columns)
    return StreamTable(TablePlan(TABLE, TABLE, columns, table.primary_key), table.columns, TableState.STREAMING)


class Bench:
    """A server with slots that stand before one large transaction."""

    def __init__(self, server: ConnectionSettings, binaries: Path, slots: int, rows: int) -> None:
        self.settings, self._binaries, self._rows = server, binaries, rows
        self.source = PostgresChanges(server, RunOptions(mode=Mode.CDC))
        with connect(server) as sql:
            sql.execute(
                "CREATE TABLE products (id bigint PRIMARY KEY, name varchar(255), price decimal(10,2),"
                " weight double precision, created timestamp)"
            )
            self.opened = [self.source.open(f"b{number}", [TABLE], "", "") for number in range(slots)]
            self.table = stream_table(server)
            sql.execute(FILL.format(rows=rows).encode())
            self.end = self.source.end_position()
            sql.execute("SELECT pg_switch_wal()")

    def ours(self) -> tuple[float, float]:
        origin, position = self.opened.pop()
        begin, cpu, rows = time.perf_counter(), time.process_time(), 0
        with self.source.stream(origin, position, [self.table], GroupLimits()) as stream:
            for group in stream.groups():
                rows += group.rows if isinstance(group, ChangeGroup) else 0
                if group.position and self.source.reaches(origin, group.position, self.end):
                    break
            seconds, cpu_s = time.perf_counter() - begin, time.process_time() - cpu
        if rows != self._rows:
            raise SystemExit(f"{rows} rows arrived, not {self._rows}")
        return seconds, cpu_s

    def thrown_away(self, protocol: int) -> tuple[float, float]:
        origin, _ = self.opened.pop()
        names = ",".join(f'"{name}"' for name in Origin.read(origin).publications)
        options = {"proto_version": str(protocol), "publication_names": names}
        if protocol > 1:
            options["streaming"] = "on"
        of = self.settings
        command = [str(self._binaries / "pg_recvlogical"), "-h", of.host, "-p", str(of.port), "-U", of.username,
                   "-d", of.database, "-S", json.loads(origin)["slot"], "--start", "--no-loop", "-f", "/dev/null",
                   f"--endpos={json.loads(self.end)['lsn']}"]  # fmt: skip
        for name, value in options.items():
            command += ["-o", f"{name}={value}"]
        begin, before = time.perf_counter(), os.times()
        subprocess.run(command, check=True, env={**os.environ, "PGPASSWORD": of.password})
        after = os.times()
        return time.perf_counter() - begin, sum(after[2:4]) - sum(before[2:4])


def measured(what: str, rows: int, runs: list[tuple[float, float]]) -> float:
    seconds = statistics.median(run[0] for run in runs)
    cpu_s = statistics.median(run[1] for run in runs)
    print(f"    {what:<34} {seconds:6.2f} s   {rows / seconds:9,.0f} rows/s   own CPU {cpu_s:5.2f} s", flush=True)
    return seconds


def compare(name: str, binaries: Path, rows: int, runs: int, work_mem: str) -> None:
    """Both, turn by turn, on one server."""
    options = {"max_wal_size": "16GB", "logical_decoding_work_mem": work_mem}
    with servers.postgres(binaries, options) as server:
        bench = Bench(server.settings, binaries, 2 * runs, rows)
        print(f"  {name}, {rows:,} rows in one transaction, logical_decoding_work_mem {work_mem}", flush=True)
        pairs = [(bench.thrown_away(2), bench.ours()) for _ in range(runs)]
        away = measured("pg_recvlogical to /dev/null", rows, [pair[0] for pair in pairs])
        ours = measured("decoded into Arrow columns", rows, [pair[1] for pair in pairs])
        print(f"    ratio {ours / away:.2f}", flush=True)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=3)
    given = parser.parse_args()
    binaries = servers.system_postgres_bin()
    if binaries is None or not (binaries / "pg_recvlogical").exists():
        raise SystemExit("the distribution's PostgreSQL, with pg_recvlogical, is not installed")
    for work_mem in ("64MB", "1GB"):
        compare("PostgreSQL 15", binaries, given.rows, given.runs, work_mem)


if __name__ == "__main__":
    main()
