"""TRANSACTION_PAYLOAD: a compressed transaction → its events, without ever holding it whole.

Source: MySQL manual, "Binary Log Transaction Compression"; source documentation, "Transaction_payload_event".
"""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from mainstem.connectors.mysql.wire.compressed import MAX_BYTES
from mainstem.connectors.mysql.wire.events import Event, TransactionPayload
from mainstem.connectors.mysql.wire.reader import HEADER_BYTES, EventReader
from mainstem.errors import WireError

_ZSTD, _NONE = 0, 255
_PIECE_BYTES = 256 * 1024


def events(event: TransactionPayload, reader: EventReader) -> Iterator[Event]:
    """The events within: BEGIN, table maps, rows, XID. Their headers have no position in the file.

    Args:
        reader: the one that has read ``event``.

    Raises:
        WireError: what cannot be decompressed, is not as long as it says, or holds broken events.
    """
    inner = reader.inner()
    pending = bytearray()
    for piece in _pieces(event):
        pending += piece
        at = 0
        while len(pending) - at >= HEADER_BYTES:
            size = int.from_bytes(pending[at + 9 : at + 13], "little")
            if not HEADER_BYTES <= size <= MAX_BYTES:
                raise WireError("an event in a compressed transaction has an impossible size")
            if len(pending) - at < size:
                break
            yield inner.read(bytes(pending[at : at + size]))
            at += size
        del pending[:at]
    if pending:
        raise WireError("a compressed transaction ends within an event")


def _pieces(event: TransactionPayload) -> Iterator[bytes]:
    """The bytes, uncompressed, a piece at a time."""
    total = 0
    for piece in _decompressed(event):
        total += len(piece)
        if total > event.uncompressed_bytes:
            raise WireError("a compressed transaction is longer than it says")
        yield piece
    if total != event.uncompressed_bytes:
        raise WireError("a compressed transaction is shorter than it says")


def _decompressed(event: TransactionPayload) -> Iterator[bytes]:
    if event.compression == _NONE:
        yield bytes(event.payload)
        return
    if event.compression != _ZSTD:
        raise WireError("a transaction is compressed in a way that is not known")
    try:
        with pa.CompressedInputStream(pa.BufferReader(pa.py_buffer(event.payload)), "zstd") as stream:
            while piece := stream.read(_PIECE_BYTES):
                yield piece
    except (OSError, pa.ArrowException) as exc:
        raise WireError("a compressed transaction cannot be decompressed") from exc
