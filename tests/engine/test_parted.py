"""A stream in parts: each applies its tables by itself, and together they apply every change once."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.engine.memory import Event, MemoryLog, ends, stream_table, table_id
from tests.engine.memory_target import MemoryTarget
from tests.engine.test_replication import Stream, put, remove, wait

from mainstem import failpoints
from mainstem.engine.division import bonds, divided, gathered
from mainstem.engine.replication import Replication
from mainstem.errors import LostConnectionError, RowError, TransientError
from mainstem.hub.memory import MemoryHub
from mainstem.model.change import Truncate
from mainstem.model.names import TableId
from mainstem.model.run import ChangeErrorPolicy, ChangeOptions, RunOptions
from mainstem.model.schema import Catalog, Column, ForeignKey, Table
from mainstem.model.stream import Checkpoint, StoredStream, StreamPart

NAMES = ("a", "b", "c", "d")


class Catalogs:
    """An inspector of both sides: table ``d`` refers to ``c``."""

    def __enter__(self) -> Catalogs:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def tables(self, schemas: Sequence[str] = (), *, every: bool = False) -> list[TableId]:
        return [TableId(schema, name) for schema in schemas for name in NAMES]

    def catalog(self, tables: Sequence[TableId] = (), **_: object) -> Catalog:
        return Catalog(tuple(table_of(table, "c" if table.name == "d" else "") for table in tables))

    def target_dialect(self) -> None:
        return None


def table_of(id_: TableId, parent: str = "") -> Table:
    key = ForeignKey("fk", ("x",), TableId(id_.schema, parent), ("x",))
    return Table(id_, (Column("id", None, ""),), foreign_keys=(key,) if parent else ())  # type: ignore[arg-type]


class Parted(Stream):
    """A stream of four tables in three parts."""

    def __init__(self, partitions: int = 3, **members: object) -> None:
        super().__init__(changes=ChangeOptions(partitions=partitions, **members))  # type: ignore[arg-type]
        self.log = MemoryLog(NAMES)
        self.target = MemoryTarget([stream_table(name) for name in NAMES])

    def replication(self, opts: RunOptions | None = None) -> Replication:
        source, target = ends(self.log, self.target, Catalogs())
        return Replication("r", source, target, opts or self.options, self.lines.append, MemoryHub)

    def caught_up(self) -> bool:
        end = len(self.log.entries)
        parts = [part.checkpoint for part in self.target.now.parts]
        stored = self.target.now.stored
        assert stored is not None
        return {int(at.position) for at in parts or [stored.checkpoint]} == {end}

    def check(self) -> None:
        """All is there, and every event was made durable once, in the order of its table."""
        assert self.target.now.tables == self.log.truth()
        events = [event for entry in self.log.entries if isinstance(entry, list) for event in entry]
        assert Counter(self.target.durable) == Counter(events)
        for name in NAMES:
            assert [item for item in self.target.durable if item[0] == name] == [e for e in events if e[0] == name]
        assert self.log.confirmed == sorted(self.log.confirmed)


def history(rng: random.Random, transactions: int) -> list[list[Event]]:
    made, number = [], 0
    for _ in range(transactions):
        events = []
        for _ in range(rng.randrange(1, 12)):
            number += 1
            events.append(put(rng.choice(NAMES), rng.randrange(20), str(number)))
        made.append(events)
    return made


def test_what_is_put_aside_lies_there_once_although_its_parts_were_torn_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Parted(row_errors=ChangeErrorPolicy.QUARANTINE)
    stream.log.grouped = 1
    stream.target.refuse = lambda event: RowError("too long") if event[2] == "7" else None
    stream.log.add(*([put(name, key) for name in NAMES] for key in range(10)))
    monkeypatch.setattr(failpoints, "_points", {"parted.committed": ("error", 2)})
    monkeypatch.setattr(failpoints, "_passes", {})
    monkeypatch.setattr("mainstem.engine.retry.Backoff.delay", lambda self: 0.01)
    with stream.running() as replication:
        wait(stream.caught_up)
        wait(lambda: sum(table.letters for table in replication.progress().tables) == 4)
        assert sorted(letter.table.name for letter in stream.target.now.letters) == list(NAMES)
        stream.target.refuse = lambda event: None
        monkeypatch.setattr(failpoints, "_passes", {})
        with pytest.raises(LostConnectionError):
            replication.replay_letters()
        assert replication.replay_letters()[1] == 0
        assert not any(table.letters for table in replication.progress().tables)
    assert stream.target.now.letters == []
    assert Counter(stream.target.durable) == Counter(put(name, key) for name in NAMES for key in range(10))


POINTS = (
    "stream.read", "stream.received", "stream.applied", "stream.before_commit", "parted.committed", "stream.committed",
    "stream.divided",
)  # fmt: skip


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("piece_rows", [5, 1000])
def test_a_lost_connection_anywhere_loses_and_repeats_nothing(
    point: str, piece_rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = Parted()
    stream.log.piece_rows, stream.log.grouped = piece_rows, 2
    stream.log.add(*history(random.Random(point), 30))
    monkeypatch.setattr(failpoints, "_points", {point: ("error", 1 if point == "stream.divided" else 7)})
    monkeypatch.setattr(failpoints, "_passes", {})
    monkeypatch.setattr("mainstem.engine.retry.Backoff.delay", lambda self: 0.01)
    with stream.running():
        wait(stream.caught_up)
    stream.check()


@pytest.mark.parametrize("method", ["begin", "apply", "commit", "committed"])
@pytest.mark.parametrize("error", [TransientError("deadlock"), LostConnectionError("gone")])
def test_what_one_part_fails_at_is_done_once_by_all(
    method: str, error: TransientError, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mainstem.engine.retry.Backoff.delay", lambda self: 0.01)
    monkeypatch.setattr("mainstem.engine.applying.RETRY_DELAY_S", 0.001)
    stream = Parted()
    stream.log.grouped = 2
    stream.log.add(*history(random.Random(method), 20))
    stream.target.errors = {method: [error, error]}
    with stream.running():
        wait(stream.caught_up)
    stream.check()


def test_a_stream_goes_on_with_other_parts_than_before() -> None:
    stream = Parted()
    rng = random.Random(3)
    for partitions, expected in ((3, 3), (2, 2), (1, 0), (9, 3)):
        stream.options = replace(stream.options, changes=replace(stream.options.changes, partitions=partitions))
        stream.log.add(*history(rng, 10))
        with stream.running():
            wait(stream.caught_up)
        assert len(stream.target.now.parts) == expected
    stream.check()
    together = next(part.tables for part in stream.target.now.parts if table_id("c") in part.tables)
    assert table_id("d") in together


def test_refused_changes_and_truncates_of_several_parts_are_as_in_one() -> None:
    stream = Parted(row_errors=ChangeErrorPolicy.QUARANTINE)
    stream.target.refuse = lambda event: RowError("no") if event[2] == "13" else None
    stream.log.add([put("a", 1), put("b", 13), put("c", 1)], [put("b", 1), put("d", 13)])
    with stream.running():
        wait(stream.caught_up)
        assert stream.target.now.tables == {"a": {"1": "x"}, "b": {"1": "x"}, "c": {"1": "x"}, "d": {}}
        stream.log.add(Truncate((table_id("a"), table_id("c"))), [put("c", 2), remove("b", 1)])
        wait(stream.caught_up)
    assert stream.target.now.tables == {"a": {}, "b": {}, "c": {"2": "x"}, "d": {}}
    assert sorted(letter.table.name for letter in stream.target.now.letters) == ["b", "d"]


KEYS = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 11)), max_size=12)


@given(keys=KEYS, parts=st.integers(1, 6))
def test_no_foreign_key_goes_from_one_part_to_another(keys: list[tuple[int, int]], parts: int) -> None:
    tables = [stream_table(f"t{number}") for number in range(10)]
    sources = [table_of(table_id(f"t{child}"), f"t{parent}") for child, parent in keys[::2]]
    targets = [table_of(TableId("t", f"t{child}"), f"t{parent}") for child, parent in keys[1::2]]
    made = divided(tables, bonds(tables, sources, targets), parts)
    assert sorted(table for part in made for table in part) == sorted(table.source for table in tables)
    assert all(made)
    assert len(made) <= parts
    part = {table.name: number for number, own in enumerate(made) for table in own}
    for child, parent in keys:
        if parent < 10:
            assert part[f"t{child}"] == part[f"t{parent}"]


def test_a_divided_stream_goes_on_from_the_part_that_is_furthest_behind() -> None:
    behind, ahead = stream_table("a"), stream_table("b")
    newer, older = stream_table("c", since="9"), stream_table("d", since="2")
    stored = StoredStream("here", Checkpoint("0"), (behind, ahead, newer, older))
    parts = (
        StreamPart(Checkpoint("7"), (ahead.source, newer.source, older.source)),
        StreamPart(Checkpoint("5"), (behind.source,)),
    )
    one = gathered(stored, parts, lambda at, position: int(at) >= int(position))
    assert one.checkpoint.position == "5"
    assert [table.since for table in one.tables] == ["", "7", "9", "7"]
