"""Spans that both a run's leader and the process that reads for it make; see `mainstem.tracing`."""

from __future__ import annotations

from contextlib import AbstractContextManager

from mainstem import tracing
from mainstem.model.change import ChangeGroup, Idle
from mainstem.tracing import Kind, Span


def sending(stream_id: str, frame: ChangeGroup | Idle) -> AbstractContextManager[Span]:
    """A group of changes on its way into the hub: a trace of its own, as that of the run would have no end."""
    if isinstance(frame, Idle) or not tracing.is_on():
        return tracing.untraced()
    return tracing.span(
        "send changes", Kind.PRODUCER, parent="", links=[tracing.carrier()], stream=stream_id, rows=frame.rows,
        bytes=frame.size_bytes, transactions=frame.transactions, whole=frame.whole, position=frame.position,
    )  # fmt: skip
