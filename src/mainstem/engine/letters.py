"""Changes that the target refused: written down so that they can be tried again."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from mainstem.engine.standing import Orders
from mainstem.errors import MainstemError
from mainstem.model.cells import row_key
from mainstem.model.change import Op, RowChanges
from mainstem.model.letters import pack
from mainstem.model.plan import TablePlan
from mainstem.model.stream import DeadLetter

if TYPE_CHECKING:
    from mainstem.engine.applying import Applying


def key_of(plan: TablePlan, event: RowChanges) -> str:
    """The key of the row that a single event is about, for people: the one that it had before, if it had one."""
    if event.before is None or event.ops[0].as_py() == Op.INSERT:
        return row_key(plan, event.after, 0)
    if not plan.key:
        return "(no key)"
    columns = {column.source: column for column in plan.columns}
    identity = replace(plan, columns=tuple(columns[name] for name in plan.key))
    return row_key(identity, event.before, 0)


def letter(plan: TablePlan, event: RowChanges, error: MainstemError, position: str) -> DeadLetter:
    """A single event that was refused."""
    return DeadLetter(
        event.table,
        Op(event.ops[0].as_py() or 0),
        key_of(plan, event),
        position,
        str(error.where.get("column", "")),
        error.message,
        pack(event),
    )


def replay(letters: Sequence[DeadLetter], orders: Orders, runs: Callable[[], bool]) -> tuple[list[int], int]:
    """Have the writer apply changes that were put aside; the numbers of those that went in, and how many did not.

    Each is a transaction of its own; one that the table's columns do not fit any more is refused again.
    """
    done: list[int] = []
    over = threading.Event()

    def work(writer: Applying) -> None:
        for item in letters:
            if writer.apply_again(item):
                done.append(item.number)
        over.set()

    orders.add(work)
    while not over.wait(0.1):
        if not runs():
            break
    return done, len(letters) - len(done)
