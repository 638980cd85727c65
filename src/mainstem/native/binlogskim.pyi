"""Passes over events of a binary log, as packets of a server, by their headers alone."""

from _typeshed import ReadableBuffer

def skim(data: ReadableBuffer, start: int, end: int, offset: int, wanted: bytes, checksum: int) -> tuple[int, int]:
    """Pass over whole packets with events that nobody wants, and over statements that only begin a transaction.

    Args:
        data, start, end: the bytes of packets at hand.
        offset: in the log's file, where the event before the first of them ended; without end at 4 GiB.
        wanted: for each of the 256 types of event whether it is wanted.
        checksum: how many bytes of it stand behind each event.
    Returns:
        Where the first packet begins that is not passed over, or is not whole, or holds no event; and where in the
        log's file the last event that was passed over ends.
    """
