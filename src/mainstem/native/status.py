"""What `rows.RowDecoder.feed` answers."""

from __future__ import annotations

from enum import IntEnum


class Status(IntEnum):
    """Why decoding stopped; everything before the stop has been consumed."""

    NEED_MORE = 0
    """All complete packets are consumed; what remains is the beginning of one."""
    FULL = 1
    """The batch has reached a limit: take it, then go on."""
    END = 2
    """The packet that ends the result set has been consumed."""
    ERROR = 3
    """An error packet stands, complete, where decoding stopped; it is not consumed."""
