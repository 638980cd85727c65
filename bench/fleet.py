"""What it costs to be several processes: the same copies and changes by one, and by fleets of 1, 2 and 4 writers.

    python -m bench.fleet [--rows 2000000] [--changes 1000000] [--only TEXT] [--writers 1,2,4]

MariaDB → PostgreSQL. Each process is in a network namespace of its own, the servers and NATS are outside of them; all
of it shares this machine's cores, so that what matters are the CPU seconds of each part, and the bytes that it sends.
"""

from __future__ import annotations

import argparse
import base64
import os
import secrets
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import psutil
from tools.workload import Session

from bench.changes import fill, last_row, table, within
from bench.netns import Machine, Network, network
from mainstem.model.connection import ConnectionSettings
from mainstem.testing import servers
from mainstem.testing.nats import NatsServer, nats
from mainstem.testing.servers import Server, free_port

KEY = f"bench-{secrets.token_hex(8)}"
SECRET = base64.b64encode(secrets.token_bytes(32)).decode()
DEADLINE_S = 300.0
ENDED = {"FINISHED", "FAILED", "STOPPED"}
SOURCE, TARGET = "benchs", "bencht"


@dataclass(slots=True)
class Process:
    """One ``mainstem serve``."""

    name: str
    role: str
    machine: Machine
    port: int
    log: Path
    process: subprocess.Popen[bytes] = field(init=False)

    def start(self, environment: dict[str, str]) -> None:
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                [*self.machine.prefix, sys.executable, "-m", "mainstem", "serve", "--host", self.machine.address,
                 "--port", str(self.port), "--home", str(self.log.with_suffix(""))],
                env={**os.environ, **environment, "MAINSTEM_ROLE": self.role},
                stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            )  # fmt: skip

    @property
    def url(self) -> str:
        return f"http://{self.machine.address}:{self.port}"

    def ask(self, path: str) -> str:
        return httpx.get(self.url + path, headers={"X-API-Key": KEY}, timeout=20).text

    def wait(self) -> None:
        deadline = time.monotonic() + 180
        while True:
            try:
                if httpx.get(f"{self.url}/ready", timeout=2).status_code == 200:
                    return
            except httpx.HTTPError:
                pass
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"{self.name} did not start:\n{self.log.read_text()[-3000:]}")
            time.sleep(0.05)


@dataclass(frozen=True, slots=True)
class Servers:
    """What is not ours. ``home`` is the address at which all of it is reached."""

    home: str
    source: Server
    target: Server
    store: Server
    hub: NatsServer

    def end(self, server: Server, database: str = "") -> ConnectionSettings:
        return replace(server.settings, host=self.home, database=database or server.settings.database)


def cpu_s(pid: int) -> float:
    """Of a process and its children, those that have ended included."""
    process = psutil.Process(pid)
    spent = 0.0
    for one in (process, *process.children(recursive=True)):
        try:
            times = one.cpu_times()
        except psutil.Error:
            continue
        spent += times.user + times.system + (times.children_user + times.children_system) * (one is process)
    return spent


class Meter:
    """CPU seconds and bytes by part since it was made."""

    def __init__(self, of: Servers, processes: list[Process]) -> None:
        self._of, self._processes = of, processes
        self._before = self._now()

    def _now(self) -> dict[str, float]:
        assert self._of.hub.process is not None
        found = {
            "source": cpu_s(self._of.source.pid), "target": cpu_s(self._of.target.pid),
            "store": cpu_s(self._of.store.pid), "NATS": cpu_s(self._of.hub.process.pid), "hub bytes": 0.0,
        }  # fmt: skip
        times = psutil.cpu_times()
        found["idle"] = times.idle + times.iowait
        found["busy"] = times.user + times.nice + times.system + times.irq + times.softirq
        for one in self._processes:
            sent, received = one.machine.traffic()
            values = {"cpu": cpu_s(one.process.pid), "sent": sent, "received": received}
            found[f"of {one.name}"] = values["cpu"]
            for name, value in values.items():
                found[f"{one.role} {name}"] = found.get(f"{one.role} {name}", 0.0) + value
            found["hub bytes"] += sum(
                float(line.split()[1])
                for line in one.ask("/metrics").splitlines()
                if line.startswith("mainstem_hub_bytes_total ")
            )
        return found

    def spent(self) -> dict[str, float]:
        return {name: value - self._before[name] for name, value in self._now().items()}

    def told(self, rows: int, seconds: float) -> str:
        """CPU seconds per million rows, bytes per row."""
        spent = self.spent()
        roles = [name.removesuffix(" cpu") for name in spent if name.endswith(" cpu")]
        per = 1e6 / rows
        parts = [f"{role} {spent[f'{role} cpu'] * per:.2f}" for role in roles]
        parts += [f"{name} {spent[name] * per:.2f}" for name in ("NATS", "source", "target", "store")]
        network = [
            f"{role} {spent[f'{role} sent'] / rows:.0f}/{spent[f'{role} received'] / rows:.0f}"
            for role in roles
            if spent[f"{role} sent"]
        ]
        whole = (spent["idle"] + spent["busy"]) / 100
        ours = sum(spent[f"{role} cpu"] for role in roles) + sum(
            spent[name] for name in ("NATS", "source", "target", "store")
        )
        writers = [value for name, value in spent.items() if name.startswith("of writer")]
        if len(writers) > 1:
            parts.append("by writer " + "/".join(f"{value * per:.2f}" for value in sorted(writers)))
        machine = f"machine: {ours / whole:.0f} % this, {spent['idle'] / whole:.0f} % idle"
        return (
            f"{seconds:6.2f} s = {rows / seconds / 1000:5.0f} k rows/s; CPU s per million rows: {', '.join(parts)};"
            f" bytes per row: hub {spent['hub bytes'] / rows:.0f}, sent/received {', '.join(network) or 'not counted'};"
            f" {machine}"
        )


@contextmanager
def fleet(of: Servers, net: Network, roles: list[str], hub: bool) -> Iterator[list[Process]]:
    """Processes in these roles, over an empty store."""
    with Session(of.store.settings) as session:
        session.run("DROP DATABASE IF EXISTS mainstem WITH (FORCE)", "CREATE DATABASE mainstem")
    store = of.end(of.store, "mainstem")
    environment = {
        "MAINSTEM_STORE_URL": f"postgresql+psycopg://postgres:postgres@{store.host}:{store.port}/mainstem",
        "MAINSTEM_HUB": f"nats://{of.home}:{of.hub.port}" if hub else "",
        "MAINSTEM_API_KEY": KEY, "MAINSTEM_SECRET_KEY": SECRET, "MAINSTEM_LOG_FORMAT": "json",
    }  # fmt: skip
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        processes = []
        for number, role in enumerate(roles):
            one = Process(f"{role}-{number}", role, net.machine(), free_port(), Path(folder) / f"{role}-{number}.log")
            one.start(environment)
            stack.callback(servers.stop_process, one.process, 15)
            processes.append(one)
            if number == 0:
                one.wait()  # it makes the store's tables
        for one in processes:
            one.wait()
        yield processes


class Api:
    """What a user does by the API of the first process."""

    def __init__(self, processes: list[Process]) -> None:
        self.processes = processes
        self._http = httpx.Client(base_url=f"{processes[0].url}/api/v1", headers={"X-API-Key": KEY}, timeout=60)

    def post(self, path: str, body: Any = None) -> Any:
        answer = self._http.post(path, json=body)
        if answer.status_code >= 300:
            raise SystemExit(f"{path}: {answer.text}\n{self.story()}")
        return answer.json()

    def start(self, name: str, source: ConnectionSettings, target: ConnectionSettings, **more: Any) -> str:
        ends = [
            self.post("/connections", {
                "name": f"{name}-{side}", "type": end.type, "host": end.host, "port": end.port,
                "username": end.username, "password": end.password, "database": end.database,
            })["id"]
            for side, end in (("s", source), ("t", target))
        ]  # fmt: skip
        config = self.post("/stream-configs", {"name": name, "source": ends[0], "target": ends[1], **more})
        return str(self.post(f"/stream-configs/{config['id']}/start")["id"])

    def state(self, stream: str) -> str:
        return str(self._http.get(f"/streams/{stream}").json()["status"])

    def stop(self, stream: str) -> None:
        self.post(f"/streams/{stream}/stop")

    def wait(self, stream: str) -> None:
        """Until it has ended well."""
        deadline = time.monotonic() + DEADLINE_S
        while (state := self.state(stream)) not in ENDED and time.monotonic() < deadline:
            time.sleep(0.1)
        if state != "FINISHED":
            raise SystemExit(
                f"the stream is {state}:\n{self._http.get(f'/streams/{stream}/stats').text}\n{self.story()}"
            )

    def story(self) -> str:
        return "\n".join(f"--- {one.name}\n{one.log.read_text()[-2000:]}" for one in self.processes)


def make(of: Servers, number: int = 0, rows: int = 0) -> tuple[ConnectionSettings, ConnectionSettings]:
    """A pair of databases, the source's with a table of so many rows; as our processes reach them."""
    names = f"{SOURCE}{number}", f"{TARGET}{number}"
    with Session(of.source.settings) as session:
        session.run(f"DROP DATABASE IF EXISTS {names[0]}", f"CREATE DATABASE {names[0]}")
    with Session(of.target.settings) as session:
        session.run(f"DROP DATABASE IF EXISTS {names[1]} WITH (FORCE)", f"CREATE DATABASE {names[1]}")
    source, target = of.end(of.source, names[0]), of.end(of.target, names[1])
    with Session(source) as session:
        session.run(table(source.type), "CREATE TABLE mark (id INT PRIMARY KEY)")
        if rows:
            session.run(fill(source.type, rows), "ANALYZE TABLE products")
    return source, target


def copy(of: Servers, processes: list[Process], rows: int, jobs: int) -> None:
    api = Api(processes)
    api.wait(api.start("warm", *make(of, 1, 30_000), mode="convert", jobs=jobs))  # each loads its connectors once
    source, target = make(of, 0, rows)
    meter = Meter(of, processes)
    begun = time.perf_counter()
    api.wait(api.start("copy", source, target, mode="convert", jobs=jobs, reportingInterval=0))
    print("      copy:", meter.told(rows, time.perf_counter() - begun), flush=True)


def changes(of: Servers, processes: list[Process], rows: int, streams: int) -> None:
    """One large transaction in each of some streams at once, then single rows one by one in the first."""
    ends = [make(of, number) for number in range(streams)]
    api = Api(processes)
    ids = [api.start(f"cdc{n}", *pair, mode="cdc", reportingInterval=0) for n, pair in enumerate(ends)]
    for source, target in ends:
        with Session(source) as session:
            session.run("INSERT INTO mark VALUES (1)")
        until_there(api, target, "SELECT COUNT(*) FROM mark", 1)
    meter, own = Meter(of, processes), rows // streams
    begun = time.perf_counter()
    for source, _ in ends:
        with Session(source) as session:
            session.run(fill(source.type, own))
    wrote = time.perf_counter()
    for _, target in ends:
        within(target, last_row(own), 1, pause_s=0.05)
    done = time.perf_counter()
    told = meter.told(rows, done - begun)
    print(f"      {streams} transactions of {own:,}, written in {wrote - begun:.2f} s: {told}", flush=True)
    source, target = ends[0]
    found = []
    with Session(source) as session:
        for number in range(own + 1, own + 101):
            session.run(f"INSERT INTO products VALUES ({number}, 'n', 1.5, 2.5, '2024-01-01')")
            committed = time.perf_counter()
            found.append(within(target, last_row(number), 1, pause_s=0.001) - committed)
            time.sleep(0.02)
    found.sort()
    print(f"      latency: median {statistics.median(found) * 1000:.1f} ms, 95 % {found[94] * 1000:.1f} ms", flush=True)
    for stream in ids:
        api.stop(stream)


def at_rest(of: Servers, processes: list[Process], streams: int, seconds: float = 10.0) -> None:
    """What processes cost in which nothing happens, and what each replication in which nothing happens adds to them."""
    api, before = Api(processes), memory_mib(processes)
    idle = a_second(of, processes, seconds)
    ends = [make(of, number) for number in range(streams)]
    ids = [api.start(f"rest{number}", *pair, mode="cdc") for number, pair in enumerate(ends)]
    for source, target in ends:
        with Session(source) as session:
            session.run("INSERT INTO mark VALUES (1)")
        until_there(api, target, "SELECT COUNT(*) FROM mark", 1)
    time.sleep(3)
    busy = a_second(of, processes, seconds)
    each = {name: (value - idle[name]) / streams for name, value in busy.items()}
    grown = ", ".join(f"{role} {(mib - before[role]) / streams:.1f}" for role, mib in memory_mib(processes).items())
    print(f"      at rest, ms of CPU a second: {listed(idle)}", flush=True)
    print(f"      each of {streams} streams at rest adds: {listed(each)}; MiB: {grown}", flush=True)
    for stream in ids:
        api.stop(stream)


def a_second(of: Servers, processes: list[Process], seconds: float) -> dict[str, float]:
    """Milliseconds of CPU a second, by part."""
    meter = Meter(of, processes)
    time.sleep(seconds)
    return {
        name.removesuffix(" cpu"): value / seconds * 1000
        for name, value in meter.spent().items()
        if name.endswith(" cpu") or name in ("NATS", "source", "target", "store")
    }


def listed(values: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.1f}" for name, value in values.items())


def sparse(of: Servers, processes: list[Process], rates: tuple[int, ...], seconds: int = 10) -> None:
    """Single rows at a pace: what one transaction costs, by part, when few come, and when more than one waits."""
    source, target = make(of)
    api = Api(processes)
    stream = api.start("sparse", source, target, mode="cdc")
    with Session(source) as session:
        session.run("INSERT INTO mark VALUES (1)")
        until_there(api, target, "SELECT COUNT(*) FROM mark", 1)
        first = 0
        for rate in rates:
            meter, begun = Meter(of, processes), time.perf_counter()
            count = 0
            while (passed := time.perf_counter() - begun) < seconds:
                if count >= passed * rate:
                    time.sleep(0.001)
                    continue
                session.run(f"INSERT INTO products VALUES ({first + count}, 'n', 1.5, 2.5, '2024-01-01')")
                count += 1
            first += count
            within(target, last_row(first - 1), 1, pause_s=0.1)
            spent = {name: value * 1000 / count for name, value in meter.spent().items() if value}
            told = ", ".join(
                f"{name.removesuffix(' cpu')} {value:.2f}"
                for name, value in spent.items()
                if name.endswith(" cpu") or name in ("NATS", "source", "target", "store")
            )
            sent = spent.get("hub bytes", 0.0) / 1000
            print(
                f"      {count / seconds:4.0f} transactions a second, ms of CPU for each: {told}; bytes on the hub"
                f" {sent:.0f}", flush=True,
            )  # fmt: skip
    api.stop(stream)


def memory_mib(processes: list[Process]) -> dict[str, float]:
    found: dict[str, float] = {}
    for one in processes:
        found[one.role] = found.get(one.role, 0.0) + psutil.Process(one.process.pid).memory_info().rss / 2**20
    return found


def until_there(api: Api, target: ConnectionSettings, sql: str, wanted: object) -> None:
    """Until a table that may not be there yet has what is wanted."""
    deadline = time.monotonic() + 60
    while True:
        try:
            with Session(target) as session:
                if session.run(sql)[0][0] == wanted:
                    return
        except Exception as exc:  # the table is not there yet
            if time.monotonic() > deadline:
                raise SystemExit(f"{exc}\n{api.story()}") from exc
        if time.monotonic() > deadline:
            raise SystemExit(f"{sql} never was {wanted}\n{api.story()}")
        time.sleep(0.05)


@contextmanager
def all_servers(home: str) -> Iterator[Servers]:
    """Servers that machines of their own may log in to."""
    listen = {"listen_addresses": "*"}
    with (
        servers.mariadb({"bind-address": "0.0.0.0"}) as source,
        servers.postgres(servers.system_postgres_bin(), listen) as target,
        servers.postgres(servers.system_postgres_bin(), {**listen, "shared_buffers": "64MB"}) as store,
        nats({"listen": f"0.0.0.0:{(port := free_port())}"}) as hub,
    ):
        hub.port = port
        with Session(source.settings) as session:
            session.run("GRANT ALL ON *.* TO root@'%' IDENTIFIED BY 'root' WITH GRANT OPTION")
        for server in (target, store):
            with (server.folder / "data" / "pg_hba.conf").open("a") as file:
                file.write("host all all 0.0.0.0/0 scram-sha-256\nhost replication all 0.0.0.0/0 scram-sha-256\n")
            with Session(server.settings) as session:
                session.run("SELECT pg_reload_conf()")
        yield Servers(home, source, target, store, hub)


def _ended(_number: int, _frame: object) -> None:
    raise SystemExit("ended by a signal")


def main() -> None:
    signal.signal(signal.SIGTERM, _ended)  # so that servers and namespaces go, too
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=2_000_000, help="that are copied")
    parser.add_argument("--changes", type=int, default=1_000_000)
    parser.add_argument("--jobs", type=int, default=4, help="lanes of a copy")
    parser.add_argument("--streams", type=int, default=4, help="replications at once")
    parser.add_argument("--rest", type=int, default=20, help="replications in which nothing happens")
    parser.add_argument("--parts", default="", metavar="NAMES", help="of copy, changes, sparse, at_rest; else all")
    parser.add_argument("--writers", default="1,2,4")
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--only", default="", metavar="TEXT", help="only fleets with this in their title")
    given = parser.parse_args()
    fleets: dict[str, tuple[list[str], bool]] = {
        "one process, memory": (["all"], False),
        "one process, NATS": (["all"], True),
    }
    for count in map(int, given.writers.split(",")):
        fleets[f"API, reader, {count} writer{'s' * (count > 1)}"] = (["api", "reader", *["writer"] * count], True)
    with network() as net, all_servers(net.home) as of:
        parts: list[partial[None]] = [
            partial(copy, of, rows=given.rows, jobs=given.jobs),
            partial(changes, of, rows=given.changes, streams=1),
            partial(changes, of, rows=given.changes, streams=given.streams),
            partial(sparse, of, rates=(10, 100, 1000)),
            partial(at_rest, of, streams=given.rest),
        ]
        for title, (roles, hub) in fleets.items():
            if given.only not in title:
                continue
            print(f"  {title}", flush=True)
            for _ in range(given.runs):
                with fleet(of, net, roles, hub) as processes:
                    for part in parts:
                        if not given.parts or part.func.__name__ in given.parts:
                            part(processes)


if __name__ == "__main__":
    main()
