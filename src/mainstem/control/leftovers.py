"""What a replication leaves at its source when it is over, and how it is taken away."""

from __future__ import annotations

from mainstem.engine.endpoint import Endpoint
from mainstem.errors import PlanError
from mainstem.model.run import RunOptions

LEFT = "what the source kept for this stream could not be taken away: "
"""Begins what is said when `release` fails: the source may go on keeping its log."""


def is_known(target: Endpoint, options: RunOptions, stream_id: str) -> bool:
    """Whether the target knows a stream of this id from an earlier start. Raises `ConnectError`."""
    if target.spec.applies is None:
        return False
    with target.spec.applies(target.settings, options).book(stream_id) as book:
        return book.load() is not None


def release(source: Endpoint, target: Endpoint, options: RunOptions, stream_id: str) -> None:
    """Have the source keep nothing more for a stream that has ended; what the target knows of it stays to be read.

    Done again, or for a stream that never began, it does nothing.

    Raises:
        ConnectError, StatementError: a side cannot be asked; the source may still hold its log for the stream.
    """
    if source.spec.changes is None or target.spec.applies is None:
        raise PlanError(f"{source.spec.title} to {target.spec.title} cannot be replicated")
    with target.spec.applies(target.settings, options).book(stream_id) as book:
        stored = book.load()
    if stored is not None and stored.origin:
        source.spec.changes(source.settings, options).close(stored.origin)
