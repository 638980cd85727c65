"""MariaDB's compressed events.

Source: MariaDB documentation, "QUERY_COMPRESSED_EVENT", "ROWS_COMPRESSED_EVENT": a byte with the algorithm and the
number of length bytes, the length in big-endian order, and what zlib made.
"""

from __future__ import annotations

import zlib

from mainstem.errors import WireError

_MARK, _MARK_BITS = 0x80, 0xF0  # zlib is the only algorithm
_LENGTH_BITS = 0x07
MAX_BYTES = 1 << 30
"""No packet of a server, and so no event, is longer."""


def inflate(data: bytes) -> bytes:
    """The bytes of a compressed event; `WireError` for a length that they do not have."""
    if not data or data[0] & _MARK_BITS != _MARK or not 1 <= data[0] & _LENGTH_BITS <= 4:
        raise WireError("a compressed event is compressed in a way that is not known")
    start = 1 + (data[0] & _LENGTH_BITS)
    size = int.from_bytes(data[1:start], "big")
    if len(data) < start or size > MAX_BYTES:
        raise WireError("a compressed event says that it is longer than any can be")
    try:
        machine = zlib.decompressobj()
        inflated = machine.decompress(data[start:], size + 1)
    except zlib.error as exc:
        raise WireError("a compressed event cannot be decompressed") from exc
    if len(inflated) != size or not machine.eof:
        raise WireError("a compressed event is not as long as it says")
    return inflated
