"""A source, a target and runs between them, for every direction there is."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tools.compare import compare

from mainstem import bootstrap
from mainstem.connectors.mysql.client import connect as mysql_connect
from mainstem.connectors.postgres.client import connect as postgres_connect
from mainstem.contract.registry import Registry
from mainstem.engine.conversion import Conversion, Endpoint
from mainstem.model.connection import ConnectionSettings
from mainstem.model.ids import STREAM, new_id
from mainstem.model.run import Progress, RunOptions, RunState
from mainstem.testing.databases import drops

MYSQL, POSTGRES = "mysql", "postgresql"
ROUTES = ((MYSQL, POSTGRES), (POSTGRES, MYSQL), (POSTGRES, POSTGRES), (MYSQL, MYSQL))
CROSSING = ROUTES[:2]
"""Routes that have each system once as the source and once as the target."""
# How either spells what these tests make.
WORDS = {
    MYSQL: {"bytes": "LONGBLOB", "text": "LONGTEXT", "time": "DATETIME(6)", "q": "`", "rows": "seq_1_to_{} AS s",
            "analyze": "ANALYZE TABLE", "any_bytes": "REPEAT(UNHEX('00ff5c0a27'), {})"},
    POSTGRES: {"bytes": "BYTEA", "text": "TEXT", "time": "TIMESTAMP(6)", "q": '"',
               "rows": "generate_series(1, {}) AS s(seq)", "analyze": "ANALYZE",
               "any_bytes": "decode(repeat('00ff5c0a27', {}), 'hex')"},
}  # fmt: skip


class End:
    """One database."""

    def __init__(self, settings: ConnectionSettings) -> None:
        self.settings = settings
        self.endpoint = Endpoint(Registry.installed().find(settings.type), settings)
        self.words = WORDS[settings.type]

    @property
    def url(self) -> str:
        """As the command line takes it."""
        own = self.settings
        return f"{own.type}://{own.username}:{own.password}@{own.host}:{own.port}/{own.database}"

    def run(self, *statements: str) -> list[tuple[Any, ...]]:
        """Run statements; the rows of the last one."""
        if self.settings.type == MYSQL:
            with mysql_connect(self.settings) as connection, connection.cursor() as cursor:
                for statement in statements:
                    cursor.execute(statement)
                return list(cursor.fetchall())
        with postgres_connect(self.settings) as session:
            for statement in statements:
                answer = session.execute(statement.encode())
            return answer.fetchall() if answer.description else []

    def quote(self, name: str) -> str:
        """A name as an identifier."""
        q = self.words["q"]
        return q + name.replace(q, q + q) + q

    def rows(self, count: int) -> str:
        """Numbers from 1, as a table with the column ``seq``."""
        return self.words["rows"].format(count)

    def analyze(self, table: str) -> None:
        """Make the server's statistics fresh."""
        self.run(f"{self.words['analyze']} {table}")

    def recreate(self, server: ConnectionSettings) -> None:
        """Make the database anew, empty."""
        name = self.settings.database
        drop = drops(name) if server.type == POSTGRES else (f"DROP DATABASE IF EXISTS {name}",)
        End(server).run(*drop, f"CREATE DATABASE {name}")


def fill(source: End, rows: int, repeats: int = 20, large: tuple[int, int] = (3, 1_000_000)) -> None:
    """A table ``many`` of small rows, and one ``large`` of a few rows of megabytes.

    Args:
        rows, repeats: of ``many``; the repeats are of five bytes.
        large: rows of ``large``, and the repeats in each.
    """
    words = source.words
    source.run(
        f"CREATE TABLE many (id BIGINT PRIMARY KEY, name VARCHAR(40), body {words['bytes']}, at {words['time']})",
        f"INSERT INTO many SELECT seq, CONCAT('Ünï-', seq), {words['any_bytes'].format(repeats)},"
        f" '2024-02-29 12:13:14.5' FROM {source.rows(rows)}",
        f"CREATE TABLE large (id BIGINT PRIMARY KEY, body {words['bytes']})",
        f"INSERT INTO large SELECT seq, {words['any_bytes'].format(large[1])} FROM {source.rows(large[0])}",
    )


class Route:
    """From one database to another."""

    def __init__(self, source: End, target: End) -> None:
        self.source, self.target = source, target

    def conversion(self, options: RunOptions | None = None) -> Conversion:
        """A run that has not begun."""
        return bootstrap.conversion(
            new_id(STREAM), self.source.endpoint, self.target.endpoint, options or RunOptions(), lambda event: None
        )

    def copy(self, options: RunOptions | None = None) -> Progress:
        """A run to its end; fails unless every table and view of the source has the same rows on the target."""
        progress = self.conversion(options).run()
        assert progress.state is RunState.FINISHED, progress.error
        differing = [result for result in compare(self.source.settings, self.target.settings) if not result.same]
        assert differing == []
        return progress

    def command(self, *arguments: str, failpoint: str = "", folder: Path) -> subprocess.CompletedProcess[bytes]:
        """``mainstem copy`` as a process of its own."""
        command = [sys.executable, "-m", "mainstem", "copy", "--json", *arguments, self.source.url, self.target.url]
        environment = {**os.environ, "MAINSTEM_FAILPOINTS": failpoint}
        return subprocess.run(command, env=environment, capture_output=True, check=False, cwd=folder)
