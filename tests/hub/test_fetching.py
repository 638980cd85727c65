"""Batches that wait in a lane reach a loader as if they had been handed to it."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace

import pyarrow as pa
import pytest
from tests.hub.loaders import CHUNK, PLAN, TABLE, Kept

from mainstem.errors import LostConnectionError, WireError
from mainstem.hub.link import NatsLink
from mainstem.hub.nats import NatsHub
from mainstem.hub.remote.fetching import Fetching
from mainstem.hub.sending import SendingLane
from mainstem.model.batch import ChangeBatch, PlacedBatch, RawBatch
from mainstem.model.frame import Abort, Begin

MIB = 1024 * 1024


def rows(*cells: bytes) -> ChangeBatch:
    return ChangeBatch(TABLE, pa.record_batch([pa.array(cells, pa.binary())], names=["c0"]), sum(map(len, cells)))


class Placing:
    """The reader's side: puts reads into a lane and gives out tickets."""

    def __init__(self, link: NatsLink, hub: NatsHub) -> None:
        self.lane = SendingLane(link, hub.place(0))
        self.tag = 0

    def read(self, *batches: ChangeBatch | RawBatch) -> list[PlacedBatch]:
        self.tag += 1
        self.lane.publish(Begin(CHUNK, self.tag))
        for batch in batches:
            self.lane.publish(batch)
        return [self.ticket(batch, number) for number, batch in enumerate(batches)]

    def ticket(self, batch: ChangeBatch | RawBatch, number: int) -> PlacedBatch:
        raw = isinstance(batch, RawBatch)
        return PlacedBatch(TABLE, batch.count, batch.size_bytes, self.lane.place, self.tag, number, raw)


@pytest.fixture
def hub(link: NatsLink) -> Iterator[NatsHub]:
    with NatsHub(link, secrets.token_hex(6), 2 * MIB) as made:
        yield made


@pytest.fixture
def placing(link: NatsLink, hub: NatsHub) -> Placing:
    return Placing(link, hub)


@pytest.fixture
def kept() -> Kept:
    return Kept()


@pytest.fixture
def loader(link: NatsLink, kept: Kept) -> Iterator[Fetching]:
    with Fetching(link, kept.loader("r")) as opened:
        opened.begin(PLAN, CHUNK, quarantine=None)
        yield opened


def write(loader: Fetching, tickets: Sequence[PlacedBatch]) -> None:
    for ticket in tickets:
        loader.write(ticket)


def test_decoded_and_raw_batches_are_fetched_and_what_is_here_passes_as_it_is(
    placing: Placing, loader: Fetching, kept: Kept
) -> None:
    write(loader, placing.read(rows(b"a", b"b"), RawBatch(TABLE, b"c", 1)))
    loader.write(rows(b"d"))
    assert loader.commit(4).rows_written == 4
    assert kept.rows == [b"a", b"b", b"c", b"d"]


def test_a_ticket_for_the_first_rows_brings_only_those(placing: Placing, loader: Fetching, kept: Kept) -> None:
    (ticket,) = placing.read(rows(b"a", b"b", b"c"))
    first = ticket.first(2)
    assert first is not None
    loader.write(first)
    loader.commit(2)
    assert kept.rows == [b"a", b"b"]


def test_reads_and_batches_that_were_given_up_are_passed_over(placing: Placing, loader: Fetching, kept: Kept) -> None:
    placing.read(rows(b"never"), rows(b"never"))
    placing.lane.publish(Abort(CHUNK))
    partly = placing.read(rows(b"first"), rows(b"skipped"), rows(b"third"))
    write(loader, (partly[0], partly[2]))
    placing.read()
    write(loader, placing.read(rows(b"last")))
    loader.commit(3)
    assert kept.rows == [b"first", b"third", b"last"]


def test_a_lane_full_of_what_was_given_up_makes_room_for_what_was_announced(
    placing: Placing, loader: Fetching, kept: Kept
) -> None:
    for _ in range(2):
        placing.read(RawBatch(TABLE, b"x" * (MIB - 4096), 1))
    wanted = RawBatch(TABLE, b"y" * MIB, 1)
    thread = threading.Thread(target=placing.read, args=(wanted,), daemon=True)
    thread.start()
    loader.write(replace(placing.ticket(wanted, 0), tag=3))
    thread.join(60)
    loader.commit(1)
    assert kept.rows == [b"y" * MIB]


def test_a_batch_that_is_gone_is_a_lost_connection_and_one_that_is_another_is_told(
    placing: Placing, loader: Fetching
) -> None:
    before = placing.read(rows(b"a"), rows(b"b"))
    write(loader, before)
    with pytest.raises(LostConnectionError, match="no longer in its lane"):
        loader.write(before[0])
    (raw,) = placing.read(RawBatch(TABLE, b"abc", 2))
    with pytest.raises(WireError, match="not the one that was announced"):
        loader.write(PlacedBatch(TABLE, 1, 1, raw.place, raw.tag, 0, raw=True))


def test_a_chunk_that_a_lost_loader_has_committed_after_all_makes_the_round_end(loader: Fetching, kept: Kept) -> None:
    kept.done.add(CHUNK)
    with pytest.raises(LostConnectionError, match="got ahead"):
        loader.commit(0)


def test_interrupting_wakes_one_who_waits_for_a_batch_and_lets_nobody_wait_again(
    placing: Placing, loader: Fetching
) -> None:
    (ticket,) = placing.read(rows(b"a"))
    loader.write(ticket)
    errors: list[LostConnectionError] = []

    def wait() -> None:
        try:
            loader.write(placing.ticket(rows(b"b"), 1))
        except LostConnectionError as exc:
            errors.append(exc)

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    loader.interrupt()
    thread.join(60)
    assert len(errors) == 1
    with pytest.raises(LostConnectionError):
        loader.write(placing.ticket(rows(b"b"), 1))
