"""Real systems, asked and read by another process: the answers are those that are given here."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace

import pytest
from tests.apart import apart
from tests.e2e.routes import MYSQL, End
from tests.hub.loaders import KeepingLoader, Kept

from mainstem.contract.inspector import Inspector
from mainstem.contract.source import BatchLimits
from mainstem.engine.endpoint import Endpoint
from mainstem.engine.planner import make_plan
from mainstem.errors import ConnectError, InvalidError, NotFoundError
from mainstem.hub.link import NatsLink
from mainstem.hub.parcels import Joiner
from mainstem.hub.remote.fetching import Fetching
from mainstem.model.names import TableId
from mainstem.model.run import RunOptions, TableSelection
from mainstem.testing.nats import NatsServer

PASSWORD = "nobody-may-see-this"
HERE = "st_1"
TABLES = (
    "CREATE TABLE parents (id BIGINT PRIMARY KEY, name VARCHAR(40) DEFAULT 'x' NOT NULL, price DECIMAL(12,3))",
    "CREATE TABLE children (id BIGINT PRIMARY KEY, parent BIGINT REFERENCES parents (id), at TIMESTAMP NULL)",
    "CREATE INDEX by_parent ON children (parent)",
    "CREATE VIEW both_of_them AS SELECT p.name, c.at FROM parents p JOIN children c ON c.parent = p.id",
)


@pytest.fixture(params=["mysql_db", "postgres_db"])
def end(request: pytest.FixtureRequest) -> Iterator[End]:
    """A database with tables, and a user who reads it by a password."""
    owner = End(request.getfixturevalue(request.param))
    owner.run(*TABLES, f"INSERT INTO parents SELECT seq, 'n', seq FROM {owner.rows(5000)}")
    database = owner.settings.database
    if owner.settings.type == MYSQL:
        owner.run(f"CREATE USER {database}@'%' IDENTIFIED BY '{PASSWORD}'", f"GRANT ALL ON *.* TO {database}@'%'")
    else:
        owner.run(f"CREATE ROLE {database} LOGIN SUPERUSER PASSWORD '{PASSWORD}'")
    yield End(replace(owner.settings, username=database, password=PASSWORD))
    owner.run(f"DROP USER {database}{'@' + repr('%') if owner.settings.type == MYSQL else ''}")


@contextmanager
def overheard(link: NatsLink) -> Iterator[list[bytes]]:
    """All that goes through NATS, and what calls are made of."""
    messages: list[bytes] = []
    joiner = Joiner()

    async def keep(message: object) -> None:
        data: bytes = message.data  # type: ignore[attr-defined]
        messages.append(data)
        if data.startswith(b"MSC1"):
            messages.append(joiner.add(data) or b"")

    async def begin() -> None:
        await link.client.subscribe("mainstem.>", cb=keep)
        await link.client.flush()

    link.call(begin())
    yield messages
    link.call(asyncio.sleep(0))


def questions(schema: str) -> list[Callable[[Inspector], object]]:
    parents = TableId(schema, "parents")
    return [
        lambda inspector: replace(inspector.ping(), round_trip_ms=0),
        lambda inspector: inspector.databases(include_system=True),
        lambda inspector: inspector.schemas(),
        lambda inspector: inspector.tables(),
        lambda inspector: inspector.tables(every=True),
        lambda inspector: inspector.sizes(),
        lambda inspector: inspector.catalog(None, evidence=True),
        lambda inspector: inspector.catalog([parents]),
        lambda inspector: inspector.query_columns("SELECT name, price AS p FROM parents"),
        lambda inspector: inspector.table_status([parents, TableId(schema, "children"), TableId(schema, "none")]),
        lambda inspector: inspector.count(parents),
        lambda inspector: inspector.denials([TableSelection(str(parents))]),
    ]


def test_an_inspector_there_answers_as_one_here_and_no_password_is_told(end: End, nats_server: NatsServer) -> None:
    with apart(nats_server.url, end.endpoint, end.endpoint) as made, overheard(made.link("ear")) as messages:
        source, _ = made.leading(HERE)
        with (
            source.spec.inspector(source.settings) as there,
            end.endpoint.spec.inspector(end.settings) as here,
        ):
            for question in questions(end.endpoint.schema):
                assert question(there) == question(here)
            with pytest.raises(NotFoundError):
                there.catalog([TableId(end.endpoint.schema, "none")])
            with pytest.raises(InvalidError):
                there.query_columns("DROP TABLE parents")
        made.source = Endpoint(end.endpoint.spec, replace(end.settings, password=PASSWORD + "!"))
        with pytest.raises(ConnectError) as caught:
            source.spec.inspector(source.settings)
        assert (caught.value.code, PASSWORD in str(caught.value)) == ("login", False)
        assert any(b"both_of_them" in message for message in messages)
    assert [message for message in messages if PASSWORD.encode() in message] == []


def test_a_snapshot_there_is_cut_and_read_as_one_here(end: End, nats_server: NatsServer) -> None:
    spec, limits = end.endpoint.spec, BatchLimits(max_rows=700)
    with apart(nats_server.url, end.endpoint, end.endpoint) as made:
        source, target = made.leading(HERE)
        plan = make_plan(source, target, RunOptions(target_schema="elsewhere")).tables
        table = next(item for item in plan if item.source.name == "parents")
        assert source.spec.source is not None
        assert spec.source is not None
        kept = Kept()
        with (
            source.spec.source(source.settings).snapshot(2) as there,
            spec.source(end.settings).snapshot(2) as here,
            Fetching(made.link("leader-1"), KeepingLoader(kept)) as loader,
        ):
            chunks = there.readers[0].plan_chunks(table, 2000)
            assert list(chunks) == list(here.readers[0].plan_chunks(table, 2000))
            assert not there.moved(table, chunks, here.position)
            with closing(there.readers[0].read(table, chunks[0], limits)) as begun:
                next(begun)
            found = []
            for chunk in chunks:
                loader.begin(table, chunk, quarantine=None)
                for ticket in there.readers[0].read(table, chunk, limits):
                    loader.write(ticket)
                    found.append(ticket.count)
            expected = [batch.count for chunk in chunks for batch in here.readers[0].read(table, chunk, limits)]
    assert found == expected
    assert sum(found) == 5000
