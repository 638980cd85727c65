"""Driving the decoder and the encoder as connectors do."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pyarrow as pa
from hypothesis import HealthCheck, settings

from mainstem.native.memory import Block
from mainstem.native.rows import RowDecoder
from mainstem.native.status import Status

Cell = bytes | None

patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""For properties: a busy machine is no failure."""

Taken = tuple[int, list[tuple[Block | None, Block, Block]]]


def arrow_columns(taken: Taken) -> list[pa.Array[Any]]:
    """What `take` handed out, as Arrow arrays that pass Arrow's own full check."""
    rows, columns = taken
    arrays = []
    for blocks in columns:
        buffers = [None if block is None else pa.py_buffer(block) for block in blocks]
        array = pa.Array.from_buffers(pa.binary(), rows, buffers)
        array.validate(full=True)
        arrays.append(array)
    return arrays


def as_rows(taken: Taken) -> list[list[Cell]]:
    """What `take` handed out, row by row."""
    columns = [array.to_pylist() for array in arrow_columns(taken)]
    return [list(row) for row in zip(*columns, strict=True)]


def read_batches(
    data: bytes, columns: int, max_rows: int, max_bytes: int, arrivals: Iterable[int]
) -> tuple[list[list[list[Cell]]], Status, int]:
    """Feed data that arrives in pieces: ``arrivals`` are the ends of all but the last.

    Returns the batches (the last one may be empty), how reading ended, and how many bytes were consumed.
    """
    decoder = RowDecoder(columns)
    batches = []
    at = 0
    for arrived in [*sorted(arrivals), len(data)]:
        while True:
            status, consumed = decoder.feed(data, at, arrived, max_rows, max_bytes)
            at += consumed
            if status is not Status.FULL:
                break
            batches.append(as_rows(decoder.take()))
        if status is not Status.NEED_MORE:
            break
    batches.append(as_rows(decoder.take()))
    return batches, status, at


def buffers_of(column: Sequence[Cell]) -> list[pa.Buffer | None]:
    """A column's validity, offsets and data, as Arrow lays them out."""
    return pa.array(column, pa.binary()).buffers()
