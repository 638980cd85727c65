"""Changes that the target refused: written down so that they can be tried again."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from enum import StrEnum
from typing import TYPE_CHECKING

from mainstem.engine.standing import Orders
from mainstem.errors import InvalidError, LostConnectionError, MainstemError
from mainstem.model.cells import row_key
from mainstem.model.change import Op, RowChanges
from mainstem.model.letters import pack, unpack
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


class Again(StrEnum):
    """What became of a change that was to be applied again. GONE: it had been dealt with meanwhile."""

    APPLIED = "applied"
    REFUSED = "refused"
    GONE = "gone"


class _GoneError(InvalidError):
    """The letter is not there any more."""


def apply_again(writer: Applying, letter: DeadLetter) -> Again:
    """Apply a change that was put aside, and forget it, in a transaction of its own."""
    standing = writer.site.standing
    table = standing.tables.get(letter.table)
    try:
        changes = unpack(letter.event)
    except InvalidError:  # put aside without what it was
        return Again.REFUSED
    if table is None or changes.after.num_columns != len(table.plan.columns) or not standing.is_active(table.source):
        return Again.REFUSED

    def work() -> None:
        if not writer.transaction.discard(letter.table, letter.number):
            raise _GoneError("somebody else has dealt with it")
        writer.apply_segment((changes,))

    error = writer.transaction.alone(work)
    if error is None:
        return Again.APPLIED
    return Again.GONE if isinstance(error, _GoneError) else Again.REFUSED


def replay(letters: Sequence[DeadLetter], orders: Orders, runs: Callable[[], bool]) -> Counter[Again]:
    """Have the writer apply changes that were put aside; how many went in, and how many did not.

    One that the table's columns do not fit any more is refused again.

    Raises:
        MainstemError: the connection was lost on the way, or the stream has ended; what went in stays in.
    """
    done: Counter[Again] = Counter()
    errors: list[MainstemError] = []
    over = threading.Event()

    def work(writer: Applying) -> None:
        try:
            for item in letters:
                done[apply_again(writer, item)] += 1
        except MainstemError as exc:
            errors.append(exc)
            raise
        finally:
            over.set()

    orders.add(work)
    while not over.wait(0.1) and runs():
        pass
    if errors or not over.is_set():
        why = errors[0].message if errors else "the stream has ended"
        raise LostConnectionError(
            f"{done[Again.APPLIED]} of {len(letters)} changes went in before this was broken off: {why}",
            remedy="ask for it once more, when the stream runs: those that went in are not applied twice",
        )
    return done
