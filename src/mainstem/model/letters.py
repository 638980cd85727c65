"""A single change as bytes, for the dead-letter table, and back."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa

from mainstem.errors import InvalidError
from mainstem.model.cells import batch_of
from mainstem.model.change import RowChanges
from mainstem.model.names import TableId

_META = b"mainstem"


def pack(changes: RowChanges) -> bytes:
    """Write changes as an Arrow IPC stream that `unpack` reads."""
    before = changes.before
    arrays: list[Any] = [
        changes.ops,
        changes.seqs,
        *changes.after.columns,
        *(before.columns if before is not None else []),
    ]
    absent = sorted(changes.absent)
    arrays += [changes.absent[column] for column in absent]
    head = {
        "schema": changes.table.schema,
        "name": changes.table.name,
        "after": changes.after.num_columns,
        "before": None if before is None else before.num_columns,
        "absent": absent,
        "size_bytes": changes.size_bytes,
    }
    fields = [pa.field(f"a{number}", array.type) for number, array in enumerate(arrays)]
    schema = pa.schema(fields, metadata={_META: json.dumps(head).encode()})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema) as writer:
        writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=schema))
    return sink.getvalue().to_pybytes()


def unpack(data: bytes) -> RowChanges:
    """Read what `pack` wrote; `InvalidError` for anything else."""
    try:
        with pa.ipc.open_stream(data) as reader:
            head = json.loads(reader.schema.metadata[_META])
            columns: list[Any] = reader.read_next_batch().columns
    except (pa.ArrowInvalid, OSError, KeyError, TypeError, ValueError, StopIteration) as exc:
        raise InvalidError("this is not a change that was put aside") from exc
    ops, seqs, *cells = columns
    after, rest = cells[: head["after"]], cells[head["after"] :]
    before, absent = rest[: head["before"] or 0], rest[head["before"] or 0 :]
    return RowChanges(
        TableId(head["schema"], head["name"]),
        ops,
        seqs,
        batch_of(after),
        None if head["before"] is None else batch_of(before),
        dict(zip(head["absent"], absent, strict=True)),
        head["size_bytes"],
    )
