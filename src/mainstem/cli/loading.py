"""Loading code, which makes many objects and none that could be freed."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def loading() -> Iterator[None]:
    """Inside, nobody looks for garbage: of the half second that a command takes to start, 0.1 s went into that."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
