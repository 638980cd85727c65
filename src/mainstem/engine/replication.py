"""One run in mode cdc: a copy of the tables that need one, then every change. Blocking; the caller chooses the thread.

The same ``run_id`` again goes on where the target says that the stream stood.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mainstem.contract.hub import Hub
from mainstem.engine.endpoint import Endpoint
from mainstem.model.alert import Alert
from mainstem.model.cutover import CutoverReport
from mainstem.model.event import Event
from mainstem.model.names import TableId
from mainstem.model.run import Progress, RunOptions
from mainstem.model.stream import DeadLetter, SchemaRecord


class Replication:
    """A stream: has the face of `Conversion`, and what only a stream can do.

    All methods but `run` may be called from any thread while `run` works.

    Args:
        listen: gets every event, from any thread; must not block. Alerts come as `Category.ALERT`.
        make_hub: makes the hub between reader and writer, bounded by so many bytes.
        begun: an earlier start of this stream has written to the target, so that its book must be there.
    """

    def __init__(
        self,
        run_id: str,
        source: Endpoint,
        target: Endpoint,
        options: RunOptions,
        listen: Callable[[Event], None],
        make_hub: Callable[[int], Hub],
        *,
        begun: bool = False,
    ) -> None:
        self.run_id = run_id

    def run(self) -> Progress:
        """Work until stopped, a limit or a failure; never raises `MainstemError`.

        A stream that is STOPPED, at a limit or FAILED goes on with a new `Replication` of its id: what the source keeps
        for it stays (see `close_stream`). With ``error_code`` ``position_lost`` it can't: tables need a new copy.
        """
        raise NotImplementedError

    def pause(self) -> None:
        """Apply no more changes; a transaction under way is brought to its end. The source keeps its log meanwhile."""

    def resume(self) -> None:
        """Go on after `pause`."""

    def stop(self) -> None:
        """End the run in state STOPPED; what is durable stays, the rest is rolled back and comes again."""

    def progress(self) -> Progress:
        """A copy of the present counters; cheap, from any thread."""
        raise NotImplementedError

    def alerts(self) -> tuple[Alert, ...]:
        """Those that are not over."""
        raise NotImplementedError

    def resync(self, tables: Sequence[TableId | str]) -> None:
        """Copy tables anew while the others stream; their rows in the target are deleted first. Returns at once.

        Args:
            tables: the source's names; text as a user writes it (``table`` or ``schema.table``).

        Raises:
            NotFoundError: the stream has no such table.
            ConflictError: the stream does not run yet, or any more, or the table is being copied already.
        """

    def cutover(self, deadline_s: float, *, quiet_s: float = 3.0) -> CutoverReport:
        """Wait until the source is quiet and all of it is applied; then set counters and compare the rows' numbers.

        Nothing is changed at the source, whose writers must have been stopped (or are about to be). The stream runs on.

        Args:
            deadline_s: how long to wait for the source to be quiet and for the lag to be gone.
            quiet_s: for how long no change must come.

        Raises:
            ConflictError: the stream does not run yet, or any more.
        """
        raise NotImplementedError

    def letters(self, limit: int = 1000) -> list[DeadLetter]:
        """Changes that were put aside, in their order."""
        raise NotImplementedError

    def replay_letters(self, numbers: Sequence[int] = ()) -> tuple[int, int]:
        """Apply changes that were put aside once more; those that go in are forgotten.

        Args:
            numbers: of the letters; empty is all.
        Returns:
            How many went in, and how many were refused again.

        Raises:
            ConflictError: the stream does not run yet, or any more.
        """
        raise NotImplementedError

    def schema_changes(self, limit: int = 1000) -> list[SchemaRecord]:
        """The source's schema changes that were seen, and what became of them, newest last."""
        raise NotImplementedError


def stored_letters(target: Endpoint, options: RunOptions, run_id: str, limit: int = 1000) -> list[DeadLetter]:
    """As `Replication.letters`, of a stream that does not run."""
    raise NotImplementedError


def stored_schema_changes(target: Endpoint, options: RunOptions, run_id: str, limit: int = 1000) -> list[SchemaRecord]:
    """As `Replication.schema_changes`, of a stream that does not run."""
    raise NotImplementedError


def discard_letters(target: Endpoint, options: RunOptions, run_id: str, numbers: Sequence[int]) -> None:
    """Forget changes that were put aside; also while the stream runs."""
    raise NotImplementedError


def close_stream(source: Endpoint, target: Endpoint, options: RunOptions, run_id: str) -> None:
    """End a stream that does not run for good: the source keeps nothing for it any more, the target forgets it.

    The rows stay. Done again, or for a stream that never began, it does nothing.
    """
    raise NotImplementedError
