"""The time of day, as the control plane writes it down."""

from __future__ import annotations

import time


def now_us() -> int:
    """UTC microseconds since 1970."""
    return time.time_ns() // 1000


def seconds(at_us: int) -> int:
    """Whole seconds since 1970, as the API gives ``created``."""
    return at_us // 1_000_000
