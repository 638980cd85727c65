from __future__ import annotations

import threading
from queue import SimpleQueue

import pytest

from mainstem.engine.control import Interrupts, RunControl
from mainstem.engine.reader import CHUNK_BYTES, chunk_rows
from mainstem.engine.retry import Backoff
from mainstem.errors import CancelledError
from mainstem.model.names import TableId
from mainstem.model.plan import TablePlan
from mainstem.model.run import RunState


def test_a_row_limit_allows_exactly_so_many_rows() -> None:
    control = RunControl(max_rows=100, max_seconds=0)
    assert [control.reserve(60), control.reserve(60), control.reserve(60)] == [60, 40, 0]
    assert control.limit is RunState.EVENT_LIMIT_REACHED


def test_a_source_that_ends_exactly_at_the_limit_has_not_reached_it() -> None:
    control = RunControl(max_rows=100, max_seconds=0)
    assert control.reserve(100) == 100
    assert control.limit is None


def test_rows_that_came_to_nothing_may_be_captured_again() -> None:
    control = RunControl(max_rows=100, max_seconds=0)
    control.reserve(80)
    control.give_back(80)
    assert control.reserve(100) == 100


def test_the_clock_stands_still_while_paused() -> None:
    control = RunControl(0, 0)
    control.start_clock()
    control.pause()
    before = control.elapsed_s
    threading.Event().wait(0.05)
    assert control.elapsed_s == before
    control.resume()
    threading.Event().wait(0.01)
    assert control.elapsed_s > before


def test_stop_wakes_whoever_waits_for_the_end_of_a_pause() -> None:
    control = RunControl(0, 0)
    control.start_clock()
    control.pause()
    outcome: list[BaseException] = []

    def wait() -> None:
        try:
            control.wait_while_paused()
        except CancelledError as exc:
            outcome.append(exc)

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    control.stop()
    thread.join(60)
    assert len(outcome) == 1


def test_sleeping_ends_with_stop() -> None:
    control = RunControl(0, 0)
    control.stop()
    with pytest.raises(CancelledError):
        control.sleep(60)


def test_backoff_doubles_up_to_its_total() -> None:
    backoff = Backoff(10, first=1, longest=4)
    delays = []
    while (delay := backoff.delay()) is not None:
        delays.append(delay)
    assert delays == [1, 2, 4, 3]
    backoff.reset()
    assert backoff.delay() == 1


@pytest.mark.parametrize(
    ("rows", "size_bytes", "jobs", "expected"),
    [
        (0, 0, 2, 10_000),
        (2_000, 2_000 * 1_000_000, 2, 16),
        (2_000_000, 120_000_000, 2, 125_000),
        (1_000_000_000, 10**12, 2, 500_000),
    ],
)
def test_chunks_are_small_enough_to_repeat_and_enough_for_all_lanes(
    rows: int, size_bytes: int, jobs: int, expected: int
) -> None:
    table = TablePlan(TableId("s", "t"), TableId("p", "t"), (), rows_estimate=rows, bytes_estimate=size_bytes)
    assert chunk_rows(table, jobs) == expected
    assert CHUNK_BYTES == 16 * 1024 * 1024


def test_rows_may_be_put_aside_up_to_the_limit_and_those_given_back_again() -> None:
    control = RunControl(0, 0, max_rejected=2)
    assert [control.reject(), control.reject(), control.reject()] == [True, True, False]
    control.give_back(0, rejected=1)
    assert [control.reject(), control.reject()] == [True, False]
    control.set_rows(0, rejected=2)
    assert not control.reject()


def test_who_comes_after_the_interruption_is_woken_too_until_the_next_try() -> None:
    interrupts, heard = Interrupts(RunControl(0, 0)), SimpleQueue[str]()
    with interrupts.trying():
        interrupts.add(lambda: heard.put("first"))
        interrupts.run()
        interrupts.add(lambda: heard.put("second"))
        assert {heard.get(timeout=60), heard.get(timeout=60)} == {"first", "second"}
    with interrupts.trying():
        interrupts.add(lambda: heard.put("third"))
        assert heard.empty()
