"""MariaDB to PostgreSQL, one transaction: Mainstem beside pg_chameleon (PyPI) on the same servers, with the ratio.

    python -m bench.chameleon --peer PYTHON [--rows 200000]

PYTHON is an interpreter of a virtual environment that has pg_chameleon and that the user ``postgres`` may run:
pg_chameleon refuses root.
Time is taken from the source's commit until the target has all rows.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tools.workload import MYSQL, Session

from bench.changes import database, fill, one_transaction, table, within
from mainstem.model.connection import ConnectionSettings
from mainstem.testing import servers

CONFIG = """
pid_dir: '{home}/'
log_dir: '{home}/'
log_dest: file
log_level: info
log_days_keep: 1
rollbar_key: ''
rollbar_env: ''
type_override: {{}}
pg_conn: {{host: '{there.host}', port: '{there.port}', user: '{there.username}', password: '{there.password}',
  database: '{there.database}', charset: utf8}}
sources:
  mysql:
    db_conn: {{host: '{here.host}', port: '{here.port}', user: peer, password: peer, charset: utf8,
      connect_timeout: 10}}
    schema_mappings: {{{here.database}: copied}}
    limit_tables:
    skip_tables:
    grant_select_to:
    lock_timeout: 120s
    my_server_id: 100
    replica_batch_size: 10000
    replay_max_rows: 10000
    batch_retention: 1 day
    copy_max_memory: 300M
    copy_mode: file
    out_dir: '{home}'
    sleep_loop: 1
    on_error_replay: continue
    on_error_read: continue
    auto_maintenance: disabled
    gtid_enable: false
    type: mysql
    keep_existing_schema: false
    net_read_timeout: 600
"""  # as its own example has it


class Peer:
    """pg_chameleon with a home of its own."""

    def __init__(self, python: str, home: Path) -> None:
        self._user = servers.unprivileged_user()
        self._home = home
        self._python = python
        self._environment = {"HOME": str(home), "PATH": os.environ["PATH"]}
        self.own(home)

    def own(self, path: Path) -> None:
        """Give a file to the user that it runs as."""
        if self._user is not None:
            shutil.chown(path, self._user)

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        """Begin a command."""
        script = "import runpy, shutil, sys; runpy.run_path(shutil.which('chameleon'), run_name='__main__')"
        folder = Path(self._python).parent
        environment = {**self._environment, "PATH": f"{folder}:{self._environment['PATH']}"}
        return subprocess.Popen(
            [self._python, "-c", script, *words], env=environment, user=self._user, cwd=self._home,
            stdout=subprocess.DEVNULL,
        )  # fmt: skip

    def run(self, *words: str) -> None:
        """Run a command to its end."""
        if self.start(*words).wait(300):
            raise SystemExit(f"pg_chameleon's {words[0]} failed")

    @contextmanager
    def replicating(self, here: ConnectionSettings, there: ConnectionSettings) -> Iterator[None]:
        """Inside, it replicates."""
        self.run("set_configuration_files")
        config = self._home / ".pg_chameleon" / "configuration" / "default.yml"
        config.write_text(CONFIG.format(home=self._home, here=here, there=there))
        self.own(config)
        of: Sequence[str] = ("--config", "default", "--source", "mysql")
        self.run("create_replica_schema", *of[:2])
        self.run("add_source", *of)
        self.run("init_replica", *of, "--debug")
        process = self.start("start_replica", *of, "--debug")  # without --debug it leaves us
        try:
            yield
        finally:
            process.terminate()
            process.wait(30)


def theirs(peer: Peer, here: ConnectionSettings, there: ConnectionSettings, rows: int) -> float:
    """Seconds from the commit until all is there."""
    with database(here, "peer") as source, database(there, "peer") as target:
        with Session(source) as session:
            session.run(
                table(MYSQL), "INSERT INTO products VALUES (-2, 'n', 1.5, 2.5, '2024-01-01')",
                "CREATE USER peer@'%' IDENTIFIED BY 'peer'", "GRANT ALL ON *.* TO peer@'%'",
            )  # fmt: skip
        with peer.replicating(source, target), Session(source) as session:
            session.run("INSERT INTO products VALUES (-1, 'n', 1.5, 2.5, '2024-01-01')")
            within(target, "SELECT COUNT(*) FROM copied.products", 2, pause_s=0.1)
            session.run(fill(MYSQL, rows))
            committed = time.perf_counter()
            return within(target, "SELECT COUNT(*) FROM copied.products", rows + 2, pause_s=0.2) - committed


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", required=True, metavar="PYTHON")
    parser.add_argument("--rows", type=int, default=200_000)
    given = parser.parse_args()
    with (
        servers.postgres(servers.system_postgres_bin()) as there,
        servers.mariadb({"binlog_row_metadata": "FULL"}) as here,
        tempfile.TemporaryDirectory() as folder,
    ):
        begin = time.perf_counter()
        seconds = theirs(Peer(given.peer, Path(folder)), here.settings, there.settings, given.rows)
        print(f"    pg_chameleon: {seconds:6.2f} s = {given.rows / seconds:9,.0f} rows/s", flush=True)
        (own,) = one_transaction(here.settings, there.settings, given.rows, 1)
        print(f"    ratio {seconds / own:.0f}   in {time.perf_counter() - begin:.0f} s")


if __name__ == "__main__":
    main()
