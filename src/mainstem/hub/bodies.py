"""What is in a frame's message, kind by kind: a head that is JSON, and blobs. Two tables, one for each way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import pyarrow as pa

from mainstem.model.batch import ChangeBatch, Place, PlacedBatch, RawBatch
from mainstem.model.cells import batch_of
from mainstem.model.change import ChangeGroup, Idle, RowChanges, SchemaChange, Truncate
from mainstem.model.frame import Abort, Begin, Chunk, Commit, Frame
from mainstem.model.names import TableId

Blob = bytes | memoryview
Head = dict[str, Any]


class _Writing:
    """Gathers the blobs of one frame."""

    def __init__(self, schemas: dict[bytes, int]) -> None:
        self.blobs: list[Blob] = []
        self._schemas = schemas

    def blob(self, data: Blob) -> None:
        self.blobs.append(data)

    def batch(self, rows: pa.RecordBatch) -> Head:
        """One blob; and the schema before it when the lane has not had it yet."""
        text = rows.schema.serialize().to_pybytes()
        number = self._schemas.get(text)
        new = number is None
        if number is None:
            number = self._schemas[text] = len(self._schemas)
            self.blob(text)
        self.blob(memoryview(rows.serialize()))
        return {"schema": number, "new": new}


class _Reading:
    """Hands out the blobs of one frame in their order."""

    def __init__(self, blobs: list[Blob], schemas: dict[int, pa.Schema]) -> None:
        self._blobs = iter(blobs)
        self._schemas = schemas

    def blob(self) -> Blob:
        found = next(self._blobs, None)
        if found is None:
            raise ValueError("a blob is missing")
        return found

    def batch(self, head: Head) -> pa.RecordBatch:
        number = int(head["schema"])
        if head["new"]:
            self._schemas[number] = pa.ipc.read_schema(pa.py_buffer(self.blob()))
        return pa.ipc.read_record_batch(pa.py_buffer(self.blob()), self._schemas[number])


def body_of(frame: Frame | None, schemas: dict[bytes, int]) -> tuple[Head, list[Blob]]:
    """Head and blobs of a frame; ``schemas`` are those that the lane has had. None is the end of a lane."""
    writing = _Writing(schemas)
    kind = type(frame).__name__
    return {"is": kind, **_WRITE[kind](frame, writing)}, writing.blobs


def frame_of(head: Head, blobs: list[Blob], schemas: dict[int, pa.Schema]) -> Frame | None:
    """The frame of a head and blobs. Raises ``ValueError``, ``KeyError``, ``TypeError`` or ``ArrowException``."""
    frame: Frame | None = _READ[head["is"]](head, _Reading(blobs, schemas))
    return frame


def _table(table: TableId) -> list[str]:
    return [table.schema, table.name]


def _write_chunk(chunk: Chunk) -> Head:
    return {
        "table": _table(chunk.table), "number": chunk.number, "lower": chunk.lower, "upper": chunk.upper,
        "part": chunk.part,
    }  # fmt: skip


def _read_chunk(head: Head) -> Chunk:
    return Chunk(TableId(*head["table"]), head["number"], head["lower"], head["upper"], head["part"])


def _write_rows(batch: ChangeBatch, writing: _Writing) -> Head:
    return {"table": _table(batch.table), "size": batch.size_bytes, "rows": writing.batch(batch.rows)}


def _read_rows(head: Head, reading: _Reading) -> ChangeBatch:
    return ChangeBatch(TableId(*head["table"]), reading.batch(head["rows"]), head["size"])


def _write_raw(batch: RawBatch, writing: _Writing) -> Head:
    writing.blob(batch.data)
    return {"table": _table(batch.table), "count": batch.count}


def _read_raw(head: Head, reading: _Reading) -> RawBatch:
    return RawBatch(TableId(*head["table"]), memoryview(reading.blob()), head["count"])


def _write_placed(batch: PlacedBatch, _: _Writing) -> Head:
    return {
        "table": _table(batch.table), "count": batch.count, "size": batch.size_bytes, "tag": batch.tag,
        "place": [batch.place.stream, batch.place.subject], "number": batch.number, "raw": batch.raw,
    }  # fmt: skip


def _read_placed(head: Head, _: _Reading) -> PlacedBatch:
    return PlacedBatch(
        TableId(*head["table"]), head["count"], head["size"], Place(*head["place"]), head["tag"], head["number"],
        head["raw"],
    )  # fmt: skip


def _write_group(group: ChangeGroup, writing: _Writing) -> Head:
    head = {
        "whole": group.whole, "transactions": group.transactions, "position": group.position,
        "first": group.first_committed_us, "last": group.committed_us, "lag": group.lag_bytes, "ahead": group.ahead,
    }  # fmt: skip
    parts = [{"is": type(part).__name__, **_WRITE[type(part).__name__](part, writing)} for part in group.parts]
    return {**head, "parts": parts}


def _read_group(head: Head, reading: _Reading) -> ChangeGroup:
    return ChangeGroup(
        tuple(_READ[part["is"]](part, reading) for part in head["parts"]), head["whole"], head["transactions"],
        head["position"], head["first"], head["last"], head["lag"], head["ahead"],
    )  # fmt: skip


def _write_changes(changes: RowChanges, writing: _Writing) -> Head:
    """Operations and order are columns of one batch with the cells, as all are of one length."""
    absent = sorted(changes.absent)
    events = batch_of([changes.ops, changes.seqs, *(changes.absent[column] for column in absent)])
    return {
        "table": _table(changes.table),
        "size": changes.size_bytes,
        "events": writing.batch(events),
        "after": writing.batch(changes.after),
        "before": None if changes.before is None else writing.batch(changes.before),
        "absent": absent,
    }


def _read_changes(head: Head, reading: _Reading) -> RowChanges:
    ops, seqs, *absent = reading.batch(head["events"]).columns
    after = reading.batch(head["after"])
    before = None if head["before"] is None else reading.batch(head["before"])
    return RowChanges(
        TableId(*head["table"]), ops, seqs, after, before,  # type: ignore[arg-type]
        dict(zip(head["absent"], absent, strict=True)), head["size"],  # type: ignore[arg-type]
    )  # fmt: skip


def _read_schema_change(head: Head, _: _Reading) -> SchemaChange:
    """Its parser is loaded only here: such changes are rare."""
    from pydantic import TypeAdapter

    return TypeAdapter(SchemaChange).validate_python(head["change"])


_WRITE: dict[str, Callable[[Any, _Writing], Head]] = {
    "NoneType": lambda _, __: {},
    "Begin": lambda frame, _: {
        "chunk": _write_chunk(frame.chunk),
        "attempt": frame.attempt,
        "careful": frame.careful,
    },
    "Commit": lambda frame, _: {
        "chunk": _write_chunk(frame.chunk),
        "rows": frame.rows,
        "partial": frame.partial,
    },
    "Abort": lambda frame, _: {"chunk": _write_chunk(frame.chunk)},
    "ChangeBatch": _write_rows,
    "RawBatch": _write_raw,
    "PlacedBatch": _write_placed,
    "ChangeGroup": _write_group,
    "Idle": lambda frame, _: {"position": frame.position, "lag": frame.lag_bytes},
    "RowChanges": _write_changes,
    "Truncate": lambda part, _: {
        "tables": [_table(table) for table in part.tables],
        "restart": part.restart_identity,
    },
    "SchemaChange": lambda part, _: {"change": asdict(part)},
}
_READ: dict[str, Callable[[Head, _Reading], Any]] = {
    "NoneType": lambda _, __: None,
    "Begin": lambda head, _: Begin(_read_chunk(head["chunk"]), head["attempt"], head["careful"]),
    "Commit": lambda head, _: Commit(_read_chunk(head["chunk"]), head["rows"], head["partial"]),
    "Abort": lambda head, _: Abort(_read_chunk(head["chunk"])),
    "ChangeBatch": _read_rows,
    "RawBatch": _read_raw,
    "PlacedBatch": _read_placed,
    "ChangeGroup": _read_group,
    "Idle": lambda head, _: Idle(head["position"], head["lag"]),
    "RowChanges": _read_changes,
    "Truncate": lambda head, _: Truncate(tuple(TableId(*table) for table in head["tables"]), head["restart"]),
    "SchemaChange": _read_schema_change,
}
