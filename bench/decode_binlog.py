"""Measures decoding of a binary log alone: the same rows of a MariaDB of its own, by Mainstem and by mysql-replication.

    python -m bench.decode_binlog --rows 200000 --peer /path/to/venv/bin/python

mysql-replication (PyPI) is what Python programs read a binary log with. It is no dependency: ``--peer`` is a Python
that has it; it reads the file over the network, as it can do nothing else. Mainstem decodes the bytes of the file, and
then reads it over the network too, by its whole connector: groups of transactions with positions. All in turn, the best
of the repeats; CPU time of the process. Prints rows per second, and the ratios.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

from mainstem.connectors.mysql.changes import MysqlChangeSource
from mainstem.connectors.mysql.client import connect, query
from mainstem.connectors.mysql.types import logical_type
from mainstem.connectors.mysql.wire.changes import take_changes
from mainstem.connectors.mysql.wire.events import Rows, TableMapped
from mainstem.connectors.mysql.wire.forms import row_forms
from mainstem.connectors.mysql.wire.reader import EventReader, events_of_file
from mainstem.contract.changes import GroupLimits
from mainstem.model.change import ChangeGroup
from mainstem.model.connection import ConnectionSettings
from mainstem.model.names import TableId
from mainstem.model.plan import ColumnPlan, TablePlan
from mainstem.model.run import RunOptions, TableState
from mainstem.model.schema import Column
from mainstem.model.stream import StreamTable
from mainstem.native.binlogrows import BinlogRows
from mainstem.testing import servers

BATCH_BYTES = 8 * 1024 * 1024
COLUMNS = {
    "id": "bigint", "name": "varchar(255)", "price": "decimal(10,2)", "weight": "double", "created": "timestamp",
}  # fmt: skip
_PEER = """
import sys, time
from pymysqlreplication import BinLogStreamReader
from pymysqlreplication.row_event import DeleteRowsEvent, UpdateRowsEvent, WriteRowsEvent
port, file, rows = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
stream = BinLogStreamReader(
    connection_settings={"host": "127.0.0.1", "port": port, "user": "root", "passwd": "root"}, server_id=77,
    log_file=file, log_pos=4, resume_stream=True, blocking=False, only_schemas=["bench"],
    only_events=[WriteRowsEvent, UpdateRowsEvent, DeleteRowsEvent],
)
seen, begin, used = 0, time.perf_counter(), time.process_time()
for event in stream:
    seen += len(event.rows)
print(seen, time.perf_counter() - begin, time.process_time() - used)
"""


def fill(settings: ConnectionSettings, rows: int, single: bool) -> tuple[str, Path]:
    """Write rows in one transaction, or one in each, into a file of the log of their own; the file's name and place."""
    with connect(settings) as connection:

        def run(sql: str) -> list[tuple[object, ...]]:
            return query(connection, sql)

        run("SET GLOBAL binlog_row_metadata = FULL")
        run("SET binlog_annotate_row_events = OFF")  # which a server sends to none of both
        run("CREATE DATABASE IF NOT EXISTS bench")
        run("USE bench")
        run("DROP TABLE IF EXISTS bench.products")
        run(f"CREATE TABLE bench.products ({', '.join(f'{name} {kind}' for name, kind in COLUMNS.items())}, KEY (id))")
        run("FLUSH BINARY LOGS")
        written = (
            "SELECT seq, concat('product number ', seq, ' of a long list'), seq % 10000 / 100, seq / 7,"
            f" '2024-01-01' + INTERVAL seq SECOND FROM seq_1_to_{rows}"
        )
        run("FLUSH BINARY LOGS")
        if single:
            run(
                f"BEGIN NOT ATOMIC FOR i IN 1..{rows} DO INSERT INTO bench.products VALUES"
                " (i, concat('product number ', i, ' of a long list'), i % 10000 / 100, i / 7,"
                " '2024-01-01' + INTERVAL i SECOND); END FOR; END"
            )
        else:
            run(f"INSERT INTO bench.products {written}")
        name = str(run("SHOW MASTER STATUS")[0][0])
        return name, Path(str(run("SELECT @@datadir")[0][0])) / name


def decode(data: bytes) -> int:
    """Rows of the table, decoded into batches as a stream does."""
    plans = [ColumnPlan(name, name, logical_type(kind), kind, native=kind) for name, kind in COLUMNS.items()]
    decoder: BinlogRows | None = None
    known = None
    seen = 0
    for event in events_of_file(data, EventReader()):
        if isinstance(event, TableMapped):
            if event.table is not known:
                known, decoder = event.table, None
                if event.table.name == "products":
                    decoder = BinlogRows(row_forms(event.table, plans), range(len(plans)), [0])
        elif isinstance(event, Rows) and decoder is not None:
            at = event.start
            while at < event.end:
                at = decoder.feed(
                    event.body, at, event.end, event.op, event.present, event.present_after, seen, BATCH_BYTES
                )
                if decoder.size_bytes >= BATCH_BYTES:
                    seen += take_changes(decoder, TableId("bench", "products")).count
    if decoder is not None:
        seen += take_changes(decoder, TableId("bench", "products")).count
    return seen


def follow(settings: ConnectionSettings, file: str, rows: int) -> None:
    """Read the table's changes as a replication does."""
    table = TableId("bench", "products")
    columns = tuple(ColumnPlan(name, name, logical_type(kind), kind, native=kind) for name, kind in COLUMNS.items())
    layout = tuple(Column(name, logical_type(kind), kind) for name, kind in COLUMNS.items())
    followed = StreamTable(TablePlan(table, table, columns, ("id",)), layout, TableState.STREAMING)
    source = MysqlChangeSource(settings, RunOptions())
    origin, position = source.open("bench", [table], "", f"{file}:4")
    with source.stream(origin, position, [followed], GroupLimits()) as stream:
        for group in stream.groups():
            rows -= group.rows if isinstance(group, ChangeGroup) else 0
            if rows <= 0:
                return


def measure(settings: ConnectionSettings, rows: int, single: bool, repeats: int, peer: str) -> None:
    """Both in turn, the best of each."""
    name, path = fill(settings, rows, single)
    data = path.read_bytes()
    own, whole, theirs = [], [], []
    for _ in range(repeats):
        begin = time.process_time()
        seen = decode(data)
        own.append(time.process_time() - begin)
        if seen != rows:
            raise SystemExit(f"{seen} rows were decoded, not {rows}")
        begin = time.process_time()
        follow(settings, name, rows)
        whole.append(time.process_time() - begin)
        if peer:
            done = subprocess.run(
                [peer, "-c", _PEER, str(settings.port), name, str(rows)], capture_output=True, text=True, check=True
            )
            count, _, used = done.stdout.split()
            if int(count) < rows:
                raise SystemExit(f"the peer saw {count} rows, not {rows}")
            theirs.append(float(used))
    what = "one row each" if single else "one transaction"
    for who, times in (("decoding", own), ("whole connector", whole), ("mysql-replication", theirs)):
        if times:
            ratio = f", {min(theirs) / min(times):.1f} times as fast" if theirs and times is not theirs else ""
            print(f"{what:16} {who:18} {rows / min(times):12,.0f} rows/s of CPU time{ratio}", flush=True)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--peer", default="", metavar="PYTHON", help="a Python with mysql-replication")
    given = parser.parse_args()
    with servers.mariadb() as server:
        for single in (False, True):
            measure(server.settings, given.rows if not single else given.rows // 5, single, given.repeats, given.peer)


if __name__ == "__main__":
    sys.exit(main())
