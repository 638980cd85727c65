"""Named places where a test may kill the process: ``MAINSTEM_FAILPOINTS=writer.before_commit=kill@3``.

The value is a comma-separated list of ``name=action`` or ``name=action@n`` (act at the n-th pass, default 1). Actions:
``kill`` (SIGKILL to ourselves), ``error`` (raise `LostConnectionError`). Unset, a failpoint costs one look-up.
"""

from __future__ import annotations

import os
import signal
import threading

from mainstem.errors import LostConnectionError

OF_A_COPY = (
    "builder.begun", "builder.ran", "builder.done", "reader.batch", "loader.before_commit", "loader.after_commit",
    "keys.before", "keys.after",
)  # fmt: skip
"""The places that a copy passes; only some targets have those of a builder."""

OF_A_STREAM = (
    "handover.planned", "handover.opened", "book.before_create", "book.created", "handover.created", "handover.copied",
    "handover.saved", "handover.finished", "stream.read", "stream.published", "stream.received", "applier.before_apply",
    "applier.after_apply", "stream.applied", "stream.before_commit", "applier.before_checkpoint",
    "applier.before_commit", "applier.after_commit", "stream.committed", "stream.confirmed", "stream.idle",
    "stream.schema_change", "applier.alter_begun", "applier.alter_ran", "applier.alter_done", "stream.altered",
    "stream.before_settle", "resync.marked", "resync.copied", "resync.rewound",
)  # fmt: skip
"""The places that a replication passes beside those of its copy, in about their order; only some targets have all."""

_lock = threading.Lock()


def _parse(text: str) -> dict[str, tuple[str, int]]:
    points: dict[str, tuple[str, int]] = {}
    for item in filter(None, text.split(",")):
        name, _, action = item.partition("=")
        verb, _, nth = action.partition("@")
        points[name.strip()] = (verb, int(nth or 1))
    return points


_points = _parse(os.environ.get("MAINSTEM_FAILPOINTS", ""))
_passes: dict[str, int] = {}


def hit(name: str) -> None:
    """Mark a place. Does nothing unless the environment asks for an action here."""
    point = _points.get(name)
    if point is None:
        return
    action, nth = point
    with _lock:
        _passes[name] = _passes.get(name, 0) + 1
        if _passes[name] != nth:
            return
    if action == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    raise LostConnectionError(f"failpoint {name}")
