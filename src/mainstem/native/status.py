"""What decoders answer."""

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
    MESSAGE = 4
    """A message stands where decoding stopped that the caller has to deal with; it is not consumed."""
    SPOOL = 5
    """Messages of a transaction that is under way have been put aside: take them, then go on."""
    LARGE = 6
    """All of a large message has been put aside by itself: take it and have it decoded, then go on."""
