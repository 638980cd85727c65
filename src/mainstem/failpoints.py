"""Named places where a test may kill the process: ``MAINSTEM_FAILPOINTS=writer.before_commit=kill@3``.

The value is a comma-separated list of ``name=action`` or ``name=action@n`` (act at the n-th pass, default 1). Actions:
``kill`` (SIGKILL to ourselves), ``freeze`` (SIGSTOP: it goes on from there at SIGCONT), ``error`` (raise
`LostConnectionError`). Unset, a failpoint costs one look-up.

``MAINSTEM_FAILPOINTS=@FILE`` reads such a list from a file at each pass, so that several processes that run can be
armed at once: the first one that comes to a place of the list removes the file and acts, and no other one does.
"""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

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
    "stream.before_settle", "stream.divided", "ahead.applied", "ahead.rolled_back", "ahead.before_commit",
    "ahead.committed", "parted.committed", "resync.marked", "resync.copied", "resync.rewound",
)  # fmt: skip
"""The places that a replication passes beside those of its copy, in about their order; only some targets have all."""

OF_A_READER = ("remote.batch", "remote.sent", "remote.read", "remote.published")
"""The places that a process passes which reads for another one: two in a snapshot's chunk, two in a log."""

_lock = threading.Lock()


def _parse(text: str) -> dict[str, tuple[str, int]]:
    points: dict[str, tuple[str, int]] = {}
    for item in filter(None, text.split(",")):
        name, _, action = item.partition("=")
        verb, _, nth = action.partition("@")
        points[name.strip()] = (verb, int(nth or 1))
    return points


_GIVEN = os.environ.get("MAINSTEM_FAILPOINTS", "")
_file = Path(_GIVEN[1:]) if _GIVEN.startswith("@") else None
_points = {} if _file else _parse(_GIVEN)
_passes: dict[str, int] = {}
_SIGNALS = {"kill": signal.SIGKILL, "freeze": signal.SIGSTOP}


def hit(name: str) -> None:
    """Mark a place. Does nothing unless the environment asks for an action here."""
    action = _due(name, _points, _passes) if _file is None else _due_by_file(name, _file)
    if action in _SIGNALS:
        os.kill(os.getpid(), _SIGNALS[action])
    elif action:
        raise LostConnectionError(f"failpoint {name}")


def _due(name: str, points: dict[str, tuple[str, int]], passes: dict[str, int]) -> str:
    """What is to be done at this pass; empty: nothing."""
    point = points.get(name)
    if point is None:
        return ""
    action, nth = point
    with _lock:
        passes[name] = passes.get(name, 0) + 1
        return action if passes[name] == nth else ""


_of_file: dict[int, dict[str, int]] = {}  # passes since the file was written, by when that was


def _due_by_file(name: str, file: Path) -> str:
    try:
        written, text = file.stat().st_mtime_ns, file.read_text()
    except FileNotFoundError:
        return ""
    action = _due(name, _parse(text), _of_file.setdefault(written, {}))
    if action:
        try:
            file.unlink()
        except FileNotFoundError:  # another process was here first
            return ""
    return action
