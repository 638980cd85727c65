"""Random transactions applied in random segments leave the tables as the same statements one by one do."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import psycopg
import pytest

from mainstem.connectors.postgres import segment as module
from mainstem.model.change import Op
from mainstem.model.connection import ConnectionSettings
from tests.connectors.postgres.applying import Stream, rows, streaming
from tests.connectors.postgres.conftest import MakePlan
from tests.native.net_oracle import Cell, Event, Row

_TABLES = {
    "keyed": "(a text, k int, u text UNIQUE, big text, n numeric(8,2) NOT NULL, PRIMARY KEY (k, a))",
    "bag": "(x int, y text, z numeric)",
    "part": "(k int PRIMARY KEY, v text) PARTITION BY RANGE (k)",
}
_KEYS: dict[str, tuple[int, ...]] = {"keyed": (1, 0), "bag": (), "part": (0,)}
_SEED, _ROUNDS, _EVENTS = 20261125, 20, 60


@dataclass
class Source:
    """The tables as the source has them, and what happens to them."""

    chance: random.Random
    sql: psycopg.Connection[Any]
    held: dict[str, list[Row]] = field(default_factory=lambda: {name: [] for name in _TABLES})

    def events(self, count: int) -> Iterator[tuple[str, Event]]:
        """So many, each done at the source by a statement."""
        while count:
            name = self.chance.choice(list(_TABLES))
            made = self._one(name)
            if made is not None:
                count -= 1
                yield name, made

    def _one(self, name: str) -> Event | None:
        held, chance = self.held[name], self.chance
        op = chance.choice([Op.INSERT, Op.UPDATE, Op.UPDATE, Op.DELETE])
        old = chance.choice(held) if held and op is not Op.INSERT else None
        if op is not Op.INSERT and old is None:
            return None
        new = None if op is Op.DELETE else self._row(name)
        key = _KEYS[name] or tuple(range(len(held[0]) if held else 0))
        if old is not None and new is not None and key != tuple(range(len(old))) and chance.random() < 0.7:
            new = tuple(old[place] if place in key else cell for place, cell in enumerate(new))
        absent = frozenset[int]()
        if old is not None and new is not None and name == "keyed" and chance.random() < 0.4:
            absent = frozenset({3})
            new = (*new[:3], old[3], *new[4:])
        if not self._write(name, old, new):
            return None
        if old is not None:
            held.remove(old)
        if new is not None:
            held.append(new)
        before = None if old is None else tuple(old[place] for place in key)
        return Event(op, before, new, absent)

    def _row(self, name: str) -> Row:
        chance = self.chance
        small = b"%d" % chance.randrange(12)
        words: list[Cell] = [b"a", b"B", b"", b"tab\there", b"back\\slash", None]
        number = b"%d.%02d" % (chance.randrange(3), chance.randrange(2))
        if name == "keyed":
            return (chance.choice([b"x", b"y"]), small, chance.choice([*words, small]), b"big " * 9 + small, number)
        if name == "bag":
            return (chance.choice([b"1", b"2", None]), chance.choice(words), chance.choice([b"1.0", b"1.00", None]))
        return (small, chance.choice(words))

    def _write(self, name: str, old: Row | None, new: Row | None) -> bool:
        """At the source's table; False when it refuses."""
        table = f"source_{name}"
        texts = [None if cell is None else cell.decode() for cell in new or ()]
        where = ""
        if old is not None:
            same = " AND ".join(f"{column}::text IS NOT DISTINCT FROM %s" for column in self._columns(name))
            where = f" WHERE (tableoid, ctid) = (SELECT tableoid, ctid FROM {table} WHERE {same} LIMIT 1)"
        places = ", ".join(["%s"] * len(texts))
        given = [*texts, *(None if cell is None else cell.decode() for cell in old or ())]
        if old is None:
            statement = f"INSERT INTO {table} VALUES ({places})"
        elif new is None:
            statement = f"DELETE FROM {table}{where}"
        else:
            statement = f"UPDATE {table} SET ({', '.join(self._columns(name))}) = ROW({places}){where}"
        try:
            with self.sql.transaction():
                return self.sql.execute(statement.encode(), given).rowcount == 1
        except psycopg.errors.UniqueViolation:
            return False

    @staticmethod
    def _columns(name: str) -> list[str]:
        return {"keyed": ["a", "k", "u", "big", "n"], "bag": ["x", "y", "z"], "part": ["k", "v"]}[name]


def _apply(stream: Stream, chance: random.Random, events: list[tuple[str, Event]]) -> None:
    """In transactions of segments of any size; now and then one is undone and done again."""
    while events:
        stream.applier.begin()
        ahead = list(events)
        for _ in range(chance.randint(1, 3)):
            size = chance.randint(1, 40)
            segment, ahead = ahead[:size], ahead[size:]
            if segment:
                stream.applier.apply(stream.parts(*segment), stream.tables)
        if chance.random() < 0.2:
            stream.applier.rollback()
        else:
            stream.commit()
            events = ahead


@pytest.mark.parametrize(("few", "many"), [(0, 2000), (0, 12), (8, 2000), (1000, 2000)])
def test_random_histories_leave_the_same_rows(
    few: int,
    many: int,
    database: ConnectionSettings,
    sql: psycopg.Connection[Any],
    make_plan: MakePlan,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "FEW", few)
    monkeypatch.setattr(module, "MANY", many)
    for name, columns in _TABLES.items():
        for prefix in ("", "source_"):
            sql.execute(f"CREATE TABLE {prefix}{name} {columns}".encode())
            if name == "part":
                for begin in (0, 6):
                    sql.execute(
                        f"CREATE TABLE {prefix}{name}{begin} PARTITION OF {prefix}{name}"
                        f" FOR VALUES FROM ({begin}) TO ({begin + 6})".encode()
                    )
    chance = random.Random(_SEED + few)
    source = Source(chance, sql)
    with streaming(database, [make_plan(name) for name in _TABLES]) as stream:
        for _ in range(_ROUNDS):
            _apply(stream, chance, list(source.events(chance.randint(1, _EVENTS))))
            for name in _TABLES:
                query = "SELECT t::text FROM {} t ORDER BY 1"
                assert rows(sql, query.format(name)) == rows(sql, query.format(f"source_{name}")), name
