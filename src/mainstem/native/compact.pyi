"""What a run of change events comes to, key by key."""

from collections.abc import Sequence

from _typeshed import ReadableBuffer

from mainstem.native.memory import Block

_Column = tuple[ReadableBuffer | None, ReadableBuffer, ReadableBuffer | None, int]
_Outcome = tuple[Block, list[Block]]

def compact(
    ops: ReadableBuffer,
    first: int,
    count: int,
    old: Sequence[_Column],
    new: Sequence[_Column],
    absent: Sequence[tuple[ReadableBuffer, int]],
) -> tuple[_Outcome, _Outcome, list[tuple[list[bool], Block, list[Block]]], Block, Block, int] | None:
    """Reckon up events by their keys. For any number of threads.

    Args:
        ops: bytes, of `model.change.Op`; event 0's is at ``first``.
        old, new: the key's columns before and after: validity, int32 offsets, data, and the array's own offset. What
            is before an INSERT and after a DELETE is not looked at.
        absent: bits of the columns that are absent somewhere, and the array's own offset.
    Returns:
        None when only the events one by one will do: an INSERT that lacks a cell, a row that moves to another key with
        cells that no event has, or more than 32 sets of absent columns.
        Else numbers (int32) of events: of rows that were not there and are now, and of rows that were and are, the
        event whose cells they are, and for each column of ``absent`` the event that its cell is of; the same of rows
        of which not all is known, by the set of columns whose cells no event has (-1 in theirs); the events whose old
        keys are those of rows that are gone; the events whose new keys are those of rows that came and went; and how
        many UPDATEs changed a key.
    Raises:
        WireError: a buffer is too short, its offsets are out of order, or an operation is unknown.
    """

def tally(
    ops: ReadableBuffer, first: int, count: int, old: Sequence[_Column], new: Sequence[_Column]
) -> tuple[tuple[Block, Block], tuple[Block, Block]]:
    """Reckon up events of a table without a key, whose rows are told apart by all of their cells alone.

    Args: as of `compact`.
    Returns:
        Of rows of which there are more than before: events (int32; from ``count`` on those whose new side it is, below
        it those whose old side), and how many more; the same of rows of which there are fewer.
    """
