"""A stream's tables as text, for the book that a target keeps of it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict

from mainstem.errors import InvalidError
from mainstem.model.names import TableId
from mainstem.model.stream import StreamTable


def table_to_json(table: StreamTable) -> str:
    """A table of a stream as the book keeps it."""
    return json.dumps(asdict(table))


def table_from_json(text: str) -> StreamTable:
    """What `table_to_json` wrote, by this version or an earlier one; `InvalidError` for anything else."""
    from pydantic import TypeAdapter, ValidationError  # its parser is loaded only where a stream goes on

    try:
        return TypeAdapter(StreamTable).validate_json(text)
    except ValidationError as exc:
        raise InvalidError("the target's book of the stream cannot be read: it is of another version") from exc


def tables_to_json(tables: Iterable[TableId]) -> str:
    """The names of tables as the book keeps them."""
    return json.dumps([[table.schema, table.name] for table in tables])


def tables_from_json(text: str) -> tuple[TableId, ...]:
    """What `tables_to_json` wrote."""
    return tuple(TableId(schema, name) for schema, name in json.loads(text))
