"""A large transaction, applied while it is still under way at the source: in a transaction of the target's own.

Others commit beside it, in the source's order. Two that were under way at once at the source have touched no row in
common, nor a key of the source's; where the target has more (keys, triggers, a table's state), they may get in each
other's way, and then this one is given up: it comes again behind its commit, as any other. See docs/adr/0015.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from mainstem import failpoints
from mainstem.contract.apply import Applier
from mainstem.engine.counting import Counting
from mainstem.engine.segments import Operations
from mainstem.engine.standing import Standing
from mainstem.errors import CancelledError, ConflictError, LostConnectionError, MainstemError
from mainstem.log import logger
from mainstem.model.change import ChangeGroup, Idle, RowChanges
from mainstem.model.run import TableState
from mainstem.model.stream import Checkpoint

REST_S = 30.0
"""For how long nothing may come of it: it keeps rows locked, and the target from tidying up."""

_log = logger(__name__)


class Ahead:
    """At most one such transaction. For the writer's thread, but for `interrupt`.

    Args:
        beside: applies all others.
        answer: see `contract.changes.ChangeStream.answer`.
        check_over: raises when the connection is being given up.

    Attributes:
        checkpoint: what the last one was committed with.
    """

    def __init__(
        self,
        beside: Applier,
        operations: Operations,
        standing: Standing,
        answer: Callable[[int, bool], None],
        check_over: Callable[[], None],
    ) -> None:
        self._beside, self._operations, self._standing = beside, operations, standing
        self._answer, self._check_over = answer, check_over
        self._number = 0  # of the transaction, 0 if there is none
        self._given_up = 0
        self._applier: Applier | None = None
        self._counts = Counting()
        self._came_s = 0.0
        self.checkpoint = Checkpoint("")

    def take(self, group: ChangeGroup) -> None:
        """Apply a piece; or forget all of them, if the source says so."""
        if not group.parts:
            self._roll_back()
            return
        if group.ahead <= self._given_up:
            return
        try:
            self._apply(group)
        except CancelledError:
            raise
        except MainstemError as exc:
            self._number = group.ahead
            self.give_up(str(exc))
        else:
            failpoints.hit("ahead.applied")

    def commit(self, point: Callable[[int], Checkpoint]) -> Counting | None:
        """The source has committed it: make it durable; None if it was given up.

        Args:
            point: the checkpoint, from how many events there were.

        Raises:
            LostConnectionError: whether it is durable is not known.
            ConflictError: another process has the stream.
        """
        applier, counts = self._applier, self._counts
        if applier is None:
            return None
        failpoints.hit("ahead.before_commit")
        self.checkpoint = point(counts.events)
        try:
            applier.commit(self.checkpoint)
        except (CancelledError, ConflictError, LostConnectionError):
            raise
        except MainstemError as exc:
            self.give_up(str(exc))
            return None
        self._number = 0  # there is nothing left to be rolled back
        self.close()
        return counts

    def look(self, frames: Sequence[ChangeGroup | Idle]) -> None:
        """Give it up ahead of what it would be in the way of, and if it has rested for too long."""
        if not self._number:
            return
        if time.monotonic() - self._came_s > REST_S:
            self.give_up("nothing has come of it for long")
        for frame in frames:
            if isinstance(frame, ChangeGroup) and not _is_plain(frame):
                self.give_up("the one that ended before it cannot be tried twice")

    def give_up(self, why: str) -> None:
        """Roll it back, if there is one."""
        number = self._number
        if not number:
            return
        _log.info("a transaction under way is applied behind its commit", why=why)
        self._given_up = number
        self._roll_back()
        self._answer(number, False)

    def close(self) -> None:
        """Roll it back, and close its connection; nobody is told."""
        applier, self._applier = self._applier, None
        if applier is not None:
            if self._number:
                applier.rollback()
            applier.__exit__(None, None, None)
        self._number, self._counts = 0, Counting()

    def _roll_back(self) -> None:
        self.close()
        failpoints.hit("ahead.rolled_back")

    def interrupt(self) -> None:
        """From another thread: break off what runs now."""
        applier = self._applier
        if applier is not None:
            applier.interrupt()

    def _apply(self, group: ChangeGroup) -> None:
        self._check_over()
        if self._applier is None:
            self._applier = self._beside.ahead().__enter__()
            self._applier.begin()
        self._number, self._came_s = group.ahead, time.monotonic()
        known = self._standing.tables
        changes = [part for part in group.parts if isinstance(part, RowChanges) and part.table in known]
        if any(known[part.table].state is not TableState.STREAMING for part in changes):
            raise MainstemError("a table of it is not followed yet, or no more")
        wanted = [part for part in map(self._operations.wanted, changes) if part is not None]
        if wanted:
            self._check_over()
            self._counts.note(self._applier.apply(wanted, known))
        for part in wanted:
            self._counts.add(part)


def _is_plain(group: ChangeGroup) -> bool:
    """Whether it is whole transactions of nothing but rows, so that what the target breaks off is tried again."""
    return group.whole and all(isinstance(part, RowChanges) for part in group.parts)
