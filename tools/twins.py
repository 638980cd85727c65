"""A source and a target, each a database of its own, and whether they are equal."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from tools.compare import Result, compare
from tools.workload import MYSQL, POSTGRES, Session

from mainstem.model.connection import ConnectionSettings
from mainstem.testing.databases import drops, ends_senders

ROUTES = ((MYSQL, POSTGRES), (POSTGRES, MYSQL), (POSTGRES, POSTGRES), (MYSQL, MYSQL))


@dataclass(frozen=True, slots=True)
class Twins:
    """Both ends; the target is to become equal to the source."""

    source: ConnectionSettings
    target: ConnectionSettings

    def differing(self, without: Sequence[str] = ()) -> list[Result]:
        """Tables that are not the same, by the servers' own sums."""
        return [item for item in compare(self.source, self.target) if not item.same and item.name not in without]

    def wait_until_equal(self, without: Sequence[str] = (), deadline_s: float = 60.0) -> list[Result]:
        """Until all are the same; what is not after so long."""
        deadline = time.monotonic() + deadline_s
        while (differing := self.differing(without)) and time.monotonic() < deadline:
            time.sleep(0.05)
        return differing


def _server(settings: ConnectionSettings) -> ConnectionSettings:
    return replace(settings, database="" if settings.type == MYSQL else "postgres")


def _drop(session: Session, name: str) -> None:
    """A database, with the slots that are left of it."""
    if session.kind == MYSQL:
        session.run(f"DROP DATABASE IF EXISTS {name}")
        return
    session.run(f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS false")
    deadline = time.monotonic() + 60
    while session.run(f"SELECT slot_name FROM pg_replication_slots WHERE database = '{name}'"):
        session.run(ends_senders(name))
        session.run(
            "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots"
            f" WHERE database = '{name}' AND NOT active"
        )
        if time.monotonic() > deadline:
            break
    session.run(*drops(name))


def send_early(source: ConnectionSettings) -> None:
    """Have a PostgreSQL's database send even small transactions while they are under way."""
    if source.type == POSTGRES:
        with Session(source) as session:
            session.run(f"ALTER DATABASE {source.database} SET logical_decoding_work_mem = '64kB'")


@contextmanager
def twins(source: ConnectionSettings, target: ConnectionSettings) -> Iterator[Twins]:
    """Two empty databases on these servers, dropped afterwards."""
    name = f"c_{secrets.token_hex(6)}"
    ends = replace(source, database=f"{name}_s"), replace(target, database=f"{name}_t")
    for end in ends:
        with Session(_server(end)) as session:
            session.run(f"CREATE DATABASE {end.database}")
    try:
        yield Twins(*ends)
    finally:
        for end in ends:
            with Session(_server(end)) as session:
                _drop(session, end.database)
