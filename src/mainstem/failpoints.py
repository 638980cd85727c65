"""Named places where a test may kill the process: ``MAINSTEM_FAILPOINTS=writer.before_commit=kill@3``.

The value is a comma-separated list of ``name=action`` or ``name=action@n`` (act at the n-th pass, default 1). Actions:
``kill`` (SIGKILL to ourselves), ``error`` (raise `LostConnectionError`). Unset, a failpoint costs one look-up.
"""

from __future__ import annotations

import os
import signal
import threading

from mainstem.errors import LostConnectionError

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
