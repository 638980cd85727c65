"""Loading code, which makes many objects and none that could be freed."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def loading() -> Iterator[None]:
    """Inside, nobody looks for garbage, nor later among what was made here.

    Of the half second that a command took to start, 0.1 s went into that.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
