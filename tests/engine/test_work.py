from __future__ import annotations

import threading
from dataclasses import replace

from mainstem.contract.target import ChunkRecord
from mainstem.engine.work import HELD_LOOK_S, Attempt, PlanWork, WorkQueue
from mainstem.model.frame import Chunk
from mainstem.model.names import TableId
from mainstem.model.plan import TablePlan


def plan(name: str) -> TablePlan:
    return TablePlan(TableId("shop", name), TableId("public", name), ())


def take_attempt(queue: WorkQueue) -> Attempt:
    work = queue.take()
    assert isinstance(work, Attempt)
    return work


def planned(queue: WorkQueue, table: TablePlan, chunks: int) -> None:
    work = queue.take()
    assert isinstance(work, PlanWork)
    queue.planned(table, [Chunk(table.source, number) for number in range(chunks)])


def test_a_table_is_ready_when_all_its_chunks_are_durable() -> None:
    ready: list[TablePlan] = []
    queue, table = WorkQueue(ready.append), plan("a")
    queue.add(table, [])
    planned(queue, table, 2)
    first, second = take_attempt(queue), take_attempt(queue)
    queue.done(second)
    assert ready == []
    queue.done(first)
    assert ready == [table]
    assert queue.take() is None


def test_chunks_of_a_table_come_before_the_next_table_is_cut() -> None:
    queue, first, second = WorkQueue(lambda _: None), plan("a"), plan("b")
    queue.add(first, [])
    queue.add(second, [])
    planned(queue, first, 2)
    assert [take_attempt(queue).chunk.number for _ in range(2)] == [0, 1]
    assert isinstance(queue.take(), PlanWork)


def test_a_table_waits_for_its_parents_until_they_are_in_or_given_up() -> None:
    first, second = plan("parent"), plan("other_parent")
    child = replace(plan("child"), after=(first.source, second.source, TableId("shop", "not_copied")))
    queue = WorkQueue(lambda _: None)
    for table in (child, first, second):
        queue.add(table, [ChunkRecord(Chunk(table.source, 0), done=False)])
    attempts = [take_attempt(queue), take_attempt(queue)]
    assert [attempt.table for attempt in attempts] == [first, second]
    taken: list[object] = []
    reader = threading.Thread(target=lambda: taken.append(queue.take()))
    reader.start()
    queue.done(attempts[0])
    assert taken == []
    queue.give_up(second)
    queue.drop(attempts[1])
    reader.join(60)
    assert [work.table for work in taken if isinstance(work, Attempt)] == [child]


def test_a_table_that_is_held_waits_while_others_go_on() -> None:
    first, second = plan("a"), plan("b")
    held = {first.source}
    queue = WorkQueue(lambda _: None, lambda: frozenset(held))
    queue.add(first, [ChunkRecord(Chunk(first.source, 0), done=False)])
    queue.add(second, [ChunkRecord(Chunk(second.source, 0), done=False)])
    attempt = take_attempt(queue)
    assert attempt.table == second
    queue.done(attempt)
    taken: list[object] = []
    reader = threading.Thread(target=lambda: taken.append(queue.take()))
    reader.start()
    reader.join(2 * HELD_LOOK_S)
    assert taken == []  # it waits: the table is not given up
    held.clear()
    reader.join(60)
    assert [work.table for work in taken if isinstance(work, Attempt)] == [first]


def test_a_table_that_one_lane_alone_can_write_into_is_left_to_it() -> None:
    queue, first, second = WorkQueue(lambda _: None), plan("a"), plan("b")
    queue.add(first, [])
    queue.add(second, [])
    planned(queue, first, 3)
    attempt = queue.take("one")
    assert isinstance(attempt, Attempt)
    queue.keep(attempt, "one")
    other = queue.take("two")
    assert isinstance(other, PlanWork)
    following = queue.take("one")
    assert isinstance(following, Attempt)
    assert following.chunk.number == 1
    queue.done(attempt)
    queue.done(following)
    last = queue.take("two")
    assert isinstance(last, Attempt)
    assert (last.table, last.chunk.number) == (first, 2)


def test_only_chunks_that_the_ledger_does_not_have_are_handed_out() -> None:
    queue, table = WorkQueue(lambda _: None), plan("a")
    queue.add(table, [ChunkRecord(Chunk(table.source, number), done=number != 1) for number in range(3)])
    attempt = take_attempt(queue)
    assert attempt.chunk.number == 1
    queue.done(attempt)
    assert queue.take() is None


def test_a_table_whose_chunks_are_all_durable_is_ready_at_once() -> None:
    ready: list[TablePlan] = []
    queue, table = WorkQueue(ready.append), plan("a")
    queue.add(table, [ChunkRecord(Chunk(table.source, 0), done=True)])
    assert ready == [table]
    assert queue.take() is None


def test_take_waits_for_work_that_may_come_back() -> None:
    queue, table = WorkQueue(lambda _: None), plan("a")
    queue.add(table, [ChunkRecord(Chunk(table.source, 0), done=False)])
    attempt = take_attempt(queue)
    taken: list[object] = []
    thread = threading.Thread(target=lambda: taken.append(queue.take()), daemon=True)
    thread.start()
    queue.retry(attempt, careful=True)
    thread.join(60)
    again = taken[0]
    assert isinstance(again, Attempt)
    assert (again.careful, again.number) == (True, 2)


def test_an_attempt_is_settled_once() -> None:
    ready: list[TablePlan] = []
    queue, table = WorkQueue(ready.append), plan("a")
    queue.add(table, [ChunkRecord(Chunk(table.source, 0), done=False)])
    attempt = take_attempt(queue)
    queue.done(attempt)
    queue.retry(attempt)
    queue.drop(attempt)
    assert queue.take() is None
    assert ready == [table]


def test_a_table_that_was_given_up_hands_out_nothing_and_is_never_ready() -> None:
    ready: list[TablePlan] = []
    queue, bad, good = WorkQueue(ready.append), plan("bad"), plan("good")
    queue.add(bad, [ChunkRecord(Chunk(bad.source, number), done=False) for number in range(3)])
    queue.add(good, [ChunkRecord(Chunk(good.source, 0), done=False)])
    under_way = take_attempt(queue)
    queue.give_up(bad)
    assert under_way.failed
    queue.drop(under_way)
    attempt = take_attempt(queue)
    assert attempt.table is good
    queue.done(attempt)
    assert queue.take() is None
    assert ready == [good]
    assert queue.unfinished() == []


def test_a_closed_queue_wakes_whoever_waits() -> None:
    queue, table = WorkQueue(lambda _: None), plan("a")
    queue.add(table, [ChunkRecord(Chunk(table.source, 0), done=False)])
    take_attempt(queue)
    taken: list[object] = [object()]
    thread = threading.Thread(target=lambda: taken.append(queue.take()), daemon=True)
    thread.start()
    queue.close()
    thread.join(60)
    assert taken[-1] is None
