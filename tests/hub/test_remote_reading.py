"""A snapshot and a log that another process reads, by sources that do what a test says."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any, cast

import pyarrow as pa
import pytest
from tests.apart import Apart, apart
from tests.engine.memory import MemoryLog, events_of, stream_table
from tests.hub.loaders import PLAN, TABLE, KeepingLoader, Kept

from mainstem.bootstrap.hubs import OnNats
from mainstem.bootstrap.roles import Runs
from mainstem.contract.changes import ChangeSource, ChangeStream, GroupLimits
from mainstem.contract.dialect import Dialect
from mainstem.contract.inspector import Inspector
from mainstem.contract.source import BatchLimits, Snapshot, SnapshotReader
from mainstem.contract.spec import ConnectorSpec
from mainstem.control.fleet import Fleet
from mainstem.control.members import Role, this_process
from mainstem.engine.endpoint import Endpoint
from mainstem.errors import (
    CancelledError,
    LostConnectionError,
    MainstemError,
    PositionLostError,
    StatementError,
    TakenOverError,
)
from mainstem.hub.remote.fetching import Fetching
from mainstem.model.batch import ChangeBatch, PlacedBatch, RawBatch
from mainstem.model.change import ChangeGroup, Idle, Op, RowChanges, SchemaChange, SchemaChangeKind
from mainstem.model.connection import ConnectionSettings
from mainstem.model.frame import Chunk
from mainstem.model.names import TableId
from mainstem.model.plan import TablePlan
from mainstem.model.run import RunOptions
from mainstem.model.schema import Catalog, Column, Index, IndexPart, Table
from mainstem.model.types import Kind, LogicalType
from mainstem.testing.nats import NatsServer

DEADLINE_S = 60.0
MIB = 1024 * 1024
LIMITS = BatchLimits()
HERE = "st_1"


def wait_until(condition: Any) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def rests(shelf: Shelf) -> Callable[[], bool]:
    """Whether nothing was read since the last look but for a few."""
    seen: list[int] = []

    def looked() -> bool:
        seen.append(len(shelf.read))
        return len(seen) > 20 and seen[-1] == seen[-20] > 0

    return looked


def rows(*cells: bytes) -> ChangeBatch:
    return ChangeBatch(TABLE, pa.record_batch([pa.array(cells, pa.binary())], names=["c0"]), sum(map(len, cells)))


@dataclass
class Shelf:
    """A source: the batches of each chunk, by its number; an error is raised in their place."""

    batches: dict[int, list[ChangeBatch | RawBatch | MainstemError]] = field(default_factory=dict)
    open: int = 0
    read: list[int] = field(default_factory=list)
    busy: bool = False
    log: MemoryLog = field(default_factory=MemoryLog)
    catalog: Catalog | None = None
    hold: threading.Event = field(default_factory=threading.Event)
    interrupted: bool = False

    def endpoint(self) -> Endpoint:
        spec = ConnectorSpec(
            "shelf", (), "Shelf", 0, "", True, cast(Dialect, None), lambda _: cast(Inspector, ShelfInspector(self)),
            source=lambda _: cast(Any, self), changes=lambda _, __: cast(ChangeSource, self.log),
        )  # fmt: skip
        return Endpoint(spec, ConnectionSettings("shelf", "h", 1, "u", "p"))

    @contextmanager
    def snapshot(self, readers: int) -> Iterator[Snapshot]:
        self.open += 1
        yield cast(Snapshot, ShelfSnapshot(self, [ShelfReader(self) for _ in range(min(readers, 2))]))
        self.open -= 1


class ShelfInspector:
    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf

    def __enter__(self) -> ShelfInspector:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def catalog(self, tables: Sequence[TableId] | None = None, **_: object) -> Catalog:
        assert self._shelf.catalog is not None
        return self._shelf.catalog

    def count(self, table: TableId, null_column: str = "") -> int:
        assert not self._shelf.hold.wait(0)
        raise StatementError("no such table", table=str(table))


@dataclass
class ShelfSnapshot:
    shelf: Shelf
    readers: Sequence[SnapshotReader]
    position: str = '{"at":1}'
    note: str = "two at most"

    def moved(self, table: TablePlan, chunks: Sequence[Chunk], since: str) -> bool:
        return (table, list(chunks), since) == (PLAN, [Chunk(TABLE, 1)], "before")

    def interrupt(self) -> None:
        self.shelf.interrupted = True
        self.shelf.hold.set()


@dataclass
class ShelfReader:
    shelf: Shelf

    def plan_chunks(self, table: TablePlan, rows: int) -> Sequence[Chunk]:
        return tuple(Chunk(table.source, number, str(number), None, "part") for number in self.shelf.batches)

    def read(self, table: TablePlan, chunk: Chunk, limits: BatchLimits) -> Generator[ChangeBatch | RawBatch]:
        assert not self.shelf.busy, "one read at a time"
        self.shelf.busy = True
        try:
            for number, batch in enumerate(self.shelf.batches[chunk.number]):
                if isinstance(batch, MainstemError):
                    if isinstance(batch, LostConnectionError):
                        self.shelf.hold.wait(DEADLINE_S)
                    raise batch
                self.shelf.read.append(number)
                yield batch
        finally:
            self.shelf.busy = False


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
def parts(nats_server: NatsServer, shelf: Shelf) -> Iterator[Apart]:
    with apart(nats_server.url, shelf.endpoint(), shelf.endpoint()) as made:
        yield made


@contextmanager
def snapshot_of(parts: Apart, readers: int = 1, token: int = 1) -> Iterator[Snapshot]:
    source, _ = parts.leading(HERE, token)
    assert source.spec.source is not None
    with source.spec.source(source.settings).snapshot(readers) as snapshot:
        yield snapshot


def loader_of(parts: Apart, kept: Kept | None = None) -> Fetching:
    return Fetching(parts.link("leader-1"), KeepingLoader(kept or Kept()))


def write_all(loader: Fetching, reader: SnapshotReader, number: int) -> list[PlacedBatch]:
    """Read a chunk and write it."""
    chunk = Chunk(TABLE, number)
    loader.begin(PLAN, chunk, quarantine=None)
    tickets = []
    for ticket in reader.read(PLAN, chunk, LIMITS):
        assert isinstance(ticket, PlacedBatch)
        loader.write(ticket)
        tickets.append(ticket)
    loader.commit(sum(ticket.count for ticket in tickets))
    return tickets


def test_a_snapshot_says_of_itself_what_the_source_says(parts: Apart, shelf: Shelf) -> None:
    shelf.batches = {0: [], 7: []}
    with snapshot_of(parts, 5) as snapshot:
        assert (len(snapshot.readers), snapshot.position, snapshot.note) == (2, '{"at":1}', "two at most")
        assert list(snapshot.readers[1].plan_chunks(PLAN, 3)) == list(ShelfReader(shelf).plan_chunks(PLAN, 3))
        assert snapshot.moved(PLAN, (Chunk(TABLE, 1),), "before")
        assert not snapshot.moved(PLAN, (Chunk(TABLE, 2),), "before")
        assert shelf.open == 1
    assert shelf.open == 0


def test_batches_come_to_who_writes_them_whatever_their_number_and_kind(parts: Apart, shelf: Shelf) -> None:
    many = [rows(b"%d" % number, b"\\0") for number in range(300)]
    shelf.batches = {0: [*many], 1: [], 2: [rows(b"last")]}
    kept = Kept()
    with snapshot_of(parts) as snapshot, loader_of(parts, kept) as loader:
        counts = [len(write_all(loader, snapshot.readers[0], number)) for number in range(3)]
    assert counts == [300, 0, 1]
    assert kept.rows == [cell for batch in (*many, rows(b"last")) for cell in batch.rows.column(0).to_pylist()]


def test_an_error_of_a_read_comes_behind_the_batches_before_it_and_the_reader_goes_on(
    parts: Apart, shelf: Shelf
) -> None:
    shelf.batches = {0: [rows(b"a"), rows(b"b"), StatementError("gone", table="t")], 1: [rows(b"c")]}
    with snapshot_of(parts) as snapshot, loader_of(parts) as loader:
        found: list[object] = []
        with pytest.raises(StatementError, match="gone"):
            found.extend(snapshot.readers[0].read(PLAN, Chunk(TABLE, 0), LIMITS))
        assert len(found) == 2
        assert len(write_all(loader, snapshot.readers[0], 1)) == 1


def test_no_more_is_read_ahead_than_the_bounds_say(parts: Apart, shelf: Shelf) -> None:
    size = MIB // 2
    shelf.batches = {0: [rows(secrets.token_bytes(size)) for _ in range(60)]}
    with (
        snapshot_of(parts) as snapshot,
        loader_of(parts) as loader,
        closing(snapshot.readers[0].read(PLAN, Chunk(TABLE, 0), LIMITS)) as tickets,
    ):
        loader.begin(PLAN, Chunk(TABLE, 0), quarantine=None)
        ticket = next(tickets)
        wait_until(rests(shelf))  # as far as it will go
        assert len(shelf.read) < 40
        loader.write(ticket)
        for ticket in tickets:
            loader.write(ticket)
        assert len(shelf.read) == 60


@pytest.mark.parametrize("size", [10, 9 * MIB], ids=["small", "larger than the lane"])
def test_a_read_that_is_given_up_leaves_its_reader_and_lane_usable(parts: Apart, shelf: Shelf, size: int) -> None:
    large = [RawBatch(TABLE, secrets.token_bytes(size), 1) for _ in range(5)]
    shelf.batches = {0: [*large], 1: [rows(b"next")], 2: [rows(b"other")]}
    kept = Kept()
    with snapshot_of(parts, 2) as snapshot, loader_of(parts, kept) as loader:
        for _ in range(3):  # nobody fetches what they have put into the lane
            with closing(snapshot.readers[0].read(PLAN, Chunk(TABLE, 0), LIMITS)) as tickets:
                next(tickets)
            assert not shelf.busy
        assert len(write_all(loader, snapshot.readers[0], 1)) == 1
        with loader_of(parts, kept) as other:  # nor does it bar another lane
            with closing(snapshot.readers[0].read(PLAN, Chunk(TABLE, 0), LIMITS)) as tickets:
                next(tickets)
            assert len(write_all(other, snapshot.readers[1], 2)) == 1
    assert kept.rows == [b"next", b"other"]


def test_what_was_told_of_before_a_read_was_given_up_still_comes(parts: Apart, shelf: Shelf) -> None:
    large = [RawBatch(TABLE, bytes([number]) * (2 * MIB), 1) for number in range(5)]
    shelf.batches = {0: [*large], 1: [rows(b"next")]}
    kept = Kept()
    with snapshot_of(parts) as snapshot, loader_of(parts, kept) as loader:
        with closing(snapshot.readers[0].read(PLAN, Chunk(TABLE, 0), LIMITS)) as tickets:
            told = [next(tickets) for _ in range(2)]
        loader.begin(PLAN, Chunk(TABLE, 0), quarantine=None)
        thread = threading.Thread(target=lambda: [loader.write(ticket) for ticket in told], daemon=True)
        thread.start()
        thread.join(DEADLINE_S)
        assert not thread.is_alive()
        loader.commit(2)
        assert len(write_all(loader, snapshot.readers[0], 1)) == 1
    assert kept.rows == [bytes(large[0].data), bytes(large[1].data), b"next"]


def test_only_the_rows_up_to_a_limit_are_taken(parts: Apart, shelf: Shelf) -> None:
    shelf.batches = {0: [rows(b"a", b"b", b"c")]}
    kept = Kept()
    with snapshot_of(parts) as snapshot, loader_of(parts, kept) as loader:
        (ticket,) = snapshot.readers[0].read(PLAN, Chunk(TABLE, 0), LIMITS)
        assert isinstance(ticket, PlacedBatch)
        loader.begin(PLAN, Chunk(TABLE, 0), quarantine=None)
        first = ticket.first(2)
        assert first is not None
        loader.write(first)
        loader.commit(2)
    assert kept.rows == [b"a", b"b"]


def test_who_reads_and_who_fetches_is_woken_when_the_reading_process_is_lost(parts: Apart, shelf: Shelf) -> None:
    shelf.batches = {0: [rows(b"a"), LostConnectionError("held")]}
    met: list[Exception] = []

    def fetch() -> None:
        try:
            loader.write(replace(ticket, number=1))
        except MainstemError as exc:
            met.append(exc)

    with snapshot_of(parts) as snapshot, loader_of(parts) as loader:
        tickets = snapshot.readers[0].read(PLAN, Chunk(TABLE, 0), LIMITS)
        ticket = cast(PlacedBatch, next(tickets))
        thread = threading.Thread(target=fetch, daemon=True)
        thread.start()
        parts.lose("reader-1")
        with pytest.raises(LostConnectionError):
            next(tickets)
        thread.join(DEADLINE_S)
    assert [type(exc) for exc in met] == [LostConnectionError]
    shelf.hold.set()


def test_an_interrupt_breaks_off_a_read_on_both_sides(parts: Apart, shelf: Shelf) -> None:
    shelf.batches = {0: [LostConnectionError("held")]}
    with snapshot_of(parts) as snapshot:
        threading.Timer(0.1, snapshot.interrupt).start()
        with pytest.raises(LostConnectionError, match="broken off"):
            next(snapshot.readers[0].read(PLAN, Chunk(TABLE, 0), LIMITS))
    assert shelf.interrupted
    assert (shelf.open, shelf.busy) == (0, False)


def test_another_reader_is_asked_when_one_is_not_there_and_all_are_told_of_when_none_is(
    parts: Apart, shelf: Shelf
) -> None:
    shelf.batches = {0: [rows(b"a")]}
    dead = parts.start_reader("reader-2")
    parts.lose("reader-2")
    parts.readers["reader-2"] = dead  # as the store says for some seconds more
    for _ in range(4):
        with snapshot_of(parts) as snapshot:
            assert snapshot.readers
    del parts.readers["reader-1"]
    with pytest.raises(LostConnectionError, match="reader-2 is not there"), snapshot_of(parts):
        pass
    parts.readers.clear()
    with pytest.raises(LostConnectionError, match="no process that reads"), snapshot_of(parts):
        pass


def test_a_leader_that_was_taken_over_is_told_and_its_snapshots_are_closed(parts: Apart, shelf: Shelf) -> None:
    shelf.batches = {0: [rows(b"a")]}
    with snapshot_of(parts) as old, snapshot_of(parts, token=2):
        assert shelf.open == 1
        with pytest.raises(TakenOverError):
            old.readers[0].plan_chunks(PLAN, 1)
    with pytest.raises(TakenOverError), snapshot_of(parts):
        pass


def test_a_catalog_of_ten_thousand_tables_comes_through(parts: Apart, shelf: Shelf) -> None:
    text = LogicalType(Kind.TEXT)
    columns = tuple(Column(f"column_{number}", text, "text") for number in range(3))
    indexes = (Index("i", (IndexPart("column_1", descending=True),)),)
    names = (TableId("s", f"t{number}") for number in range(10_000))
    shelf.catalog = Catalog(tuple(Table(name, columns, ("column_0",), indexes) for name in names))
    source, _ = parts.leading(HERE)
    with source.spec.inspector(source.settings) as inspector:
        assert inspector.catalog(None, evidence=True) == shelf.catalog
        with pytest.raises(StatementError) as caught:
            inspector.count(TableId("s", "t"))
    assert caught.value.where == {"table": "s.t"}


# a log


@contextmanager
def stream_of(parts: Apart, position: str = "0", token: int = 1) -> Iterator[ChangeStream]:
    source, _ = parts.leading(HERE, token)
    assert source.spec.changes is not None
    changes = source.spec.changes(source.settings, RunOptions())
    tables = [stream_table("a"), stream_table("b")]
    with changes.stream("here", position, tables, GroupLimits()) as stream:
        yield stream


def insert(key: int) -> list[tuple[str, Op, str, str | None]]:
    return [("a", Op.INSERT, str(key), "v" * 1000)]


def test_groups_come_as_they_are_and_what_is_durable_is_told(parts: Apart, shelf: Shelf) -> None:
    shelf.log.add(*(insert(number) for number in range(500)))
    keys: list[str] = []
    with stream_of(parts) as stream:
        for frame in stream.groups():
            if isinstance(frame, Idle):
                break
            keys += [key for _, _, key, _ in events_of([part for part in frame.parts if isinstance(part, RowChanges)])]
            stream.confirm(frame.position)
        stream.confirm("500")
    assert keys == [str(number) for number in range(500)]
    assert shelf.log.confirmed[-1] == 500


def test_a_stream_waits_behind_a_schema_change_until_it_is_settled(parts: Apart, shelf: Shelf) -> None:
    change = SchemaChange(
        SchemaChangeKind.COLUMNS, TableId("s", "a"), (Column("id", LogicalType(Kind.TEXT), "text"),), statement="ALTER"
    )
    shelf.log.add(insert(1), change, insert(2))
    with stream_of(parts) as stream:
        groups = stream.groups()
        first = next(groups)
        assert isinstance(first, ChangeGroup)
        assert first.parts[-1] == change
        stream.settle(stream_table("a", since="3"))  # of which nothing more is wanted
        second = next(groups)
        assert isinstance(second, ChangeGroup)
        assert second.parts == ()
        assert second.position == "3"


def test_what_ends_a_log_comes_as_its_own_error_behind_what_came_before(parts: Apart, shelf: Shelf) -> None:
    shelf.log.add(insert(1))
    shelf.log.errors.append(PositionLostError("purged", remedy="resync", position="x"))
    with stream_of(parts) as stream:
        groups = stream.groups()
        assert isinstance(next(groups), ChangeGroup)
        with pytest.raises(PositionLostError, match="purged") as caught:
            next(groups)
    assert (caught.value.remedy, caught.value.where) == ("resync", {"position": "x"})


def test_a_stream_is_interrupted_lost_and_taken_over(parts: Apart, shelf: Shelf) -> None:
    def ends(stream: ChangeStream, error: type[MainstemError], by: Any) -> None:
        by()
        with pytest.raises(error):
            list(stream.groups())

    with stream_of(parts) as stream:
        ends(stream, CancelledError, stream.interrupt)
    with stream_of(parts) as stream, stream_of(parts, token=2) as newer:
        ends(stream, TakenOverError, lambda: None)
        parts.start_reader("reader-2")
        ends(newer, LostConnectionError, lambda: parts.lose("reader-1"))
    with stream_of(parts, token=2) as stream, suppress(StopIteration):
        assert isinstance(next(iter(stream.groups())), Idle)


@pytest.mark.parametrize("roles", [("api",), ("writer",)], ids="".join)
def test_an_api_server_has_what_is_kept_for_a_stream_taken_away_by_a_process_that_reads(
    parts: Apart, shelf: Shelf, roles: tuple[str, ...]
) -> None:
    reader = replace(this_process([Role.READER]), id="reader-1")
    members = SimpleNamespace(has=lambda role: role in roles, others=lambda _: [reader])
    runs = Runs(OnNats(parts.link("api")), cast(Fleet, SimpleNamespace(members=members)))
    own: list[str] = []
    far = replace(shelf.endpoint().spec, changes=lambda *_: SimpleNamespace(close=own.append))
    ends = Endpoint(far, parts.source.settings), parts.target, RunOptions()
    source, _, options = runs.through(HERE, 1, ends)
    assert source.spec.changes is not None
    source.spec.changes(source.settings, options).close("origin")
    assert (shelf.log.closed, own) == ((1, []) if roles == ("api",) else (0, ["origin"]))
