"""Values of MariaDB's compressed columns.

Source: MariaDB source, "Storage-Engine Independent Column Compression", `compress_zlib`: a byte with the method, the
length in big-endian order, and what zlib made of the rest.
"""

from __future__ import annotations

import zlib

_METHOD_BITS, _ZLIB = 0xF0, 0x80
_RAW, _LENGTH_BITS = 0x08, 0x07


def inflate(cell: bytes) -> bytes:
    """The value itself; `ValueError` or `zlib.error` for bytes that are none."""
    if not cell or cell[0] == 0:
        return cell[1:]
    if cell[0] & _METHOD_BITS != _ZLIB:
        raise ValueError("a method that is not known")
    start = 1 + (cell[0] & _LENGTH_BITS)
    size = int.from_bytes(cell[1:start], "big")
    machine = zlib.decompressobj(-zlib.MAX_WBITS if cell[0] & _RAW else zlib.MAX_WBITS)
    data = machine.decompress(cell[start:], size + 1)
    if len(data) != size or not machine.eof:
        raise ValueError("not as long as it says")
    return data
