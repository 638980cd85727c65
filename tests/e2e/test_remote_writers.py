"""Copies whose rows are written by several processes: they are the same as with one, also when some are lost."""

from __future__ import annotations

import itertools
import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace

import pytest
from tools.twins import Twins

from mainstem import bootstrap
from mainstem.contract.target import Receipt, Target
from mainstem.engine.endpoint import Endpoint
from mainstem.errors import LostConnectionError
from mainstem.hub.address import read_address
from mainstem.hub.callserver import CallServer, Opening
from mainstem.hub.link import NatsLink
from mainstem.hub.remote.loaderdesk import LOADER, loader_offer
from mainstem.hub.remote.loading import remote_target
from mainstem.hub.remote.serving import Serving
from mainstem.hub.remote.source import remote_source
from mainstem.model.batch import Batch
from mainstem.model.event import Event
from mainstem.model.ids import STREAM, new_id
from mainstem.model.run import RowErrorPolicy, RunOptions, RunState
from mainstem.testing.nats import nats
from tests.e2e.conftest import Pair
from tests.e2e.routes import CROSSING, End, Route, fill

TOKEN = 7
MIB = 1024 * 1024
OPTIONS = RunOptions(jobs=4, memory_bytes=4 * 1024 * 1024, batch_rows=2_000, token=TOKEN)


@pytest.fixture(scope="module")
def links() -> Iterator[tuple[NatsLink, NatsLink]]:
    """Of the process that leads, and of the others."""
    with nats() as server:
        address = read_address(server.url)
        assert address is not None
        with NatsLink(address, "writers") as one, NatsLink(address, "writers") as other:
            yield one, other


class Writer:
    """A process that offers loaders of one target.

    Attributes:
        batches: that were written here.
        at_batch: called with each before it is written.
        after_commit: whether the answer to a commit that put rows aside is lost; called with how many there were.
    """

    def __init__(self, link: NatsLink, end: Endpoint, options: RunOptions) -> None:
        self.batches = 0
        self.interrupted = threading.Event()
        self.at_batch: Callable[[int], object] = lambda number: None
        self.after_commit: Callable[[int], bool] = lambda number: False
        self._receipts = itertools.count(1)
        self._end, self._options = end, options
        self.server = CallServer(link, secrets.token_hex(6))
        self.server.offer(LOADER, loader_offer(link, self._target))

    def _target(self, opening: Opening) -> Target:
        assert self._end.spec.target is not None
        target = self._end.spec.target(self._end.settings, replace(self._options, token=opening.token))
        make = target.loader

        def made(run_id: str) -> object:
            loader = make(run_id)
            write, commit, interrupt = loader.write, loader.commit, loader.interrupt

            def interrupted() -> None:
                self.interrupted.set()
                interrupt()

            def counted(batch: Batch) -> None:
                self.batches += 1
                self.at_batch(self.batches)
                write(batch)

            def committed(rows: int, limit: RunState | None = None) -> Receipt:
                receipt = commit(rows, limit)
                if receipt.rejected and self.after_commit(next(self._receipts)):
                    raise LostConnectionError("the answer is lost")
                return receipt

            loader.write, loader.commit, loader.interrupt = counted, committed, interrupted  # type: ignore[method-assign]
            return loader

        target.loader = made  # type: ignore[method-assign, assignment]
        return target


def spread(link: NatsLink, end: Endpoint, *members: str) -> Endpoint:
    """The target, for a run that these other processes help with."""
    return replace(end, spec=remote_target(end.spec, link, "s", TOKEN, lambda: members))


def through(route: Route, link: NatsLink, *members: str, said: list[Event] | None = None) -> Route:
    """The route, whose copies these other processes help with."""
    listen = (said if said is not None else []).append

    def conversion(options: RunOptions | None = None) -> bootstrap.Conversion:
        ends = route.source.endpoint, spread(link, route.target.endpoint, *members)
        return bootstrap.conversion(new_id(STREAM), *ends, options or OPTIONS, listen)

    made = Route(route.source, route.target)
    made.conversion = conversion  # type: ignore[method-assign]
    return made


def fill_and_analyze(source: End) -> None:
    fill(source, 80_000, repeats=5, large=(2, 1_000_000))
    source.analyze("many")


def test_a_copy_that_two_processes_write_is_the_same_in_every_direction(
    route: Route, links: tuple[NatsLink, NatsLink]
) -> None:
    fill_and_analyze(route.source)
    writer = Writer(links[1], route.target.endpoint, OPTIONS)
    with writer.server:
        progress = through(route, links[0], writer.server.member_id).copy()
    assert progress.rows_written == 80_002
    assert 0 < writer.batches < 80_002 // 2_000
    assert not links[0].hubs


def test_a_writer_that_is_lost_in_the_middle_of_a_chunk_costs_a_round_and_no_row(
    ends: Twins, links: tuple[NatsLink, NatsLink]
) -> None:
    route = Route(End(ends.source), End(ends.target))
    fill_and_analyze(route.source)
    said: list[Event] = []
    with ExitStack() as stack:
        lost, stays = (Writer(links[1], route.target.endpoint, OPTIONS) for _ in range(2))
        for writer in (lost, stays):
            stack.enter_context(writer.server)

        def lose(number: int) -> None:
            if number == 1:
                threading.Thread(target=lost.server.close, daemon=True).start()
                assert lost.interrupted.wait(30)

        lost.at_batch = lose
        members = lost.server.member_id, stays.server.member_id
        progress = through(route, links[0], *members, said=said).copy()
    assert progress.rows_written == 80_002
    assert len([event for event in said if "trying again" in event.message]) == 1
    assert stays.batches


@pytest.mark.parametrize("route", CROSSING, indirect=True, ids="-".join)
def test_rows_that_pass_between_two_other_processes_end_at_a_limit(
    route: Route, links: tuple[NatsLink, NatsLink]
) -> None:
    fill_and_analyze(route.source)
    source, target = route.source.endpoint, route.target.endpoint
    options = replace(OPTIONS, max_rows=45_001, jobs=2)
    writer = Writer(links[1], target, options)
    reader = Serving(links[1], "reader", lambda _: (source, target, options))
    with writer.server, reader:
        there = remote_source(source.spec, links[0], "s", TOKEN, lambda: ["reader"], 2 * MIB)
        ends = replace(source, spec=there), spread(links[0], target, writer.server.member_id)
        progress = bootstrap.conversion(new_id(STREAM), *ends, options, lambda event: None).run()
    assert progress.state is RunState.EVENT_LIMIT_REACHED
    found = [route.target.run(f"SELECT count(*) FROM {table}")[0][0] for table in ("many", "large")]
    assert sum(found) == progress.rows_written == 45_001
    assert writer.batches
    assert not links[0].hubs


def test_what_a_writer_that_was_cut_off_keeps_locked_does_not_bar_the_others(
    ends: Twins, links: tuple[NatsLink, NatsLink]
) -> None:
    route = Route(End(ends.source), End(ends.target))
    fill_and_analyze(route.source)
    went_on, waited = threading.Event(), list[bool]()
    with NatsLink(links[0].address, links[0].installation) as cable:
        writer = Writer(cable, route.target.endpoint, OPTIONS)

        def freeze(number: int) -> None:
            if number == 2:
                cable.call(cable.client.close())
                waited.append(went_on.wait(60))

        writer.at_batch = freeze
        with writer.server:
            try:
                progress = through(route, links[0], writer.server.member_id).copy()
            finally:
                went_on.set()
    assert progress.rows_written == 80_002
    assert waited == [True]


def with_eight_that_are_refused(pair: Pair) -> RunOptions:
    """40,000 rows, and how they are copied: eight are too large for their column, and put aside."""
    pair.mysql(
        "CREATE TABLE t (id INT PRIMARY KEY, v INT)",
        "INSERT INTO t SELECT seq, IF(seq MOD 5000 = 0, 70000, seq MOD 100) FROM seq_1_to_40000",
        "ANALYZE TABLE t",
    )
    return replace(OPTIONS, row_errors=RowErrorPolicy.QUARANTINE, type_overrides={"t.v": "smallint"})


def test_rows_that_are_refused_elsewhere_are_put_aside_and_counted_here(
    pair: Pair, links: tuple[NatsLink, NatsLink]
) -> None:
    careful = with_eight_that_are_refused(pair)
    writer = Writer(links[1], pair.target, careful)
    with writer.server:
        target = spread(links[0], pair.target, writer.server.member_id)
        for allowed, state in ((8, RunState.FINISHED), (7, RunState.FAILED)):
            options = replace(careful, row_error_limit=allowed)
            pair.postgres("DROP TABLE IF EXISTS t")
            run = bootstrap.conversion(new_id(STREAM), pair.source, target, options, lambda event: None)
            progress = run.run()
            assert progress.state is state
            aside = pair.postgres(f"SELECT count(*) FROM mainstem.rejected_row WHERE run_id = '{run.run_id}'")
            assert aside == [(len(progress.rejected),)] == [(progress.rows_rejected,)]
            assert progress.rows_rejected <= allowed
            if state is RunState.FINISHED:
                assert (progress.rows_written, progress.rows_rejected) == (39_992, 8)
    assert writer.batches


def test_rows_that_are_put_aside_by_a_commit_whose_answer_is_lost_are_counted_once(
    pair: Pair, links: tuple[NatsLink, NatsLink]
) -> None:
    careful = with_eight_that_are_refused(pair)
    said: list[Event] = []
    writer = Writer(links[1], pair.target, careful)
    writer.after_commit = lambda receipts: receipts == 1
    with writer.server:
        target = spread(links[0], pair.target, writer.server.member_id)
        progress = bootstrap.conversion(
            new_id(STREAM), pair.source, target, replace(careful, row_error_limit=8), said.append
        ).run()
    assert progress.state is RunState.FINISHED
    assert [event.data["code"] for event in said if "trying again" in event.message] == ["connection_lost"]
    assert (progress.rows_written, progress.rows_rejected) == (39_992, 8)
    assert len(set(progress.rejected)) == len(progress.rejected) == 8
