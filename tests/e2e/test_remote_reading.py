"""Runs whose source is read by another process: the same as any other, and when that process is lost."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest
from tools.compare import compare

from mainstem import bootstrap, failpoints
from mainstem.model.ids import STREAM, new_id
from mainstem.model.run import RunOptions, RunState
from mainstem.testing.nats import NatsServer, nats
from tests.apart import apart
from tests.e2e.routes import CROSSING, MYSQL, POSTGRES, End, Route, fill
from tests.e2e.streams import cdc, ended_by_request, following, wait_until

MIB = 1024 * 1024


@pytest.fixture(scope="module")
def server() -> Iterator[NatsServer]:
    with nats() as started:
        yield started


def fill_three(source: End, rows: int) -> None:
    fill(source, rows, large=(3, 600_000))
    source.run("CREATE TABLE nothing (id BIGINT PRIMARY KEY)")


@pytest.mark.parametrize("route", [(POSTGRES, POSTGRES), (MYSQL, POSTGRES)], indirect=True, ids="-".join)
def test_a_copy_that_another_process_reads_is_the_same(route: Route, server: NatsServer) -> None:
    fill_three(route.source, 10_000)
    options = RunOptions(jobs=2, memory_bytes=4 * MIB)
    with apart(server.url, route.source.endpoint, route.target.endpoint, options) as made:
        run_id = new_id(STREAM)
        progress = bootstrap.conversion(run_id, *made.leading(run_id), options, lambda event: None).run()
    assert progress.state is RunState.FINISHED, progress.error
    assert progress.rows_written == 10_003
    assert [result for result in compare(route.source.settings, route.target.settings) if not result.same] == []


class Faults:
    """In the place of failpoints: at the n-th batch that is read, something happens, once."""

    def __init__(self) -> None:
        self.at: dict[int, Callable[[], object]] = {}
        self._lock = threading.Lock()
        self._batches = 0

    def hit(self, name: str) -> None:
        """See `failpoints.hit`."""
        if name != "remote.batch":
            return
        with self._lock:
            self._batches += 1
            fault = self.at.pop(self._batches, None)
        if fault is not None:
            fault()


@pytest.mark.parametrize("route", CROSSING, indirect=True, ids="-".join)
def test_a_copy_goes_on_when_its_reader_is_lost_and_when_nats_forgets_all(
    route: Route, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill_three(route.source, 30_000)
    faults, options = Faults(), RunOptions(jobs=2, batch_rows=2000)
    monkeypatch.setattr(failpoints, "hit", faults.hit)
    with nats() as own, apart(own.url, route.source.endpoint, route.target.endpoint, options, "one", "two") as made:
        run_id = new_id(STREAM)

        def lose() -> None:
            made.lose(next(name for name, one in made.readers.items() if one.server.sessions()["snapshot"]))
            made.start_reader("three")

        def forget() -> None:
            own.kill()
            own.start()

        faults.at = {3: lose, 9: forget}
        said: list[str] = []
        run = bootstrap.conversion(run_id, *made.leading(run_id), options, lambda event: said.append(event.message))
        progress = run.run()
    assert progress.state is RunState.FINISHED, (progress.error, said[-10:])
    assert faults.at == {}
    assert sum("trying again" in line for line in said) >= 2
    assert [result for result in compare(route.source.settings, route.target.settings) if not result.same] == []


@pytest.mark.parametrize("route", CROSSING, indirect=True, ids="-".join)
def test_a_stream_that_another_process_reads_goes_on_when_that_is_lost(route: Route, server: NatsServer) -> None:
    source = route.source
    source.run(
        "CREATE TABLE a (id BIGINT PRIMARY KEY, v VARCHAR(20))",
        "CREATE TABLE b (id BIGINT PRIMARY KEY, v VARCHAR(20))",
        f"INSERT INTO a SELECT seq, 'old' FROM {source.rows(2000)}",
    )
    options = cdc()
    ends = route.source.endpoint, route.target.endpoint
    with apart(server.url, *ends, options, "reader-1", "reader-2") as made:
        stream_id = new_id(STREAM)
        led = Route(End(source.settings), End(route.target.settings))
        led.source.endpoint, led.target.endpoint = made.leading(stream_id)
        with following(led, options) as stream:
            stream.stream_id = stream_id
            with stream.running() as replication:
                source.run("INSERT INTO b VALUES (1, 'x')", "UPDATE a SET v = 'new' WHERE id < 10")
                stream.wait_equal()
                source.run("ALTER TABLE a ADD COLUMN w INT", "INSERT INTO a VALUES (5000, 'y', 7)")  # is settled
                stream.wait_equal()
                reading = next(name for name, one in made.readers.items() if one.server.sessions()["stream"])
                made.lose(reading)
                source.run("INSERT INTO b VALUES (2, 'x')", "DELETE FROM a WHERE id = 1")
                stream.wait_equal()
                replication.resync(["b"])
                wait_until(lambda: any("deleted, and copied anew" in said for said in stream.said()))
                source.run("INSERT INTO b VALUES (3, 'x')")
                stream.wait_equal()
                assert replication.cutover(30.0, quiet_s=0.2).problems == ()
            assert ended_by_request(stream)
    slots = "SELECT count(*) FROM pg_replication_slots WHERE database = current_database()"
    assert source.settings.type == MYSQL or source.run(slots) == [(0,)]
