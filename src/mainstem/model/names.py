"""Names of tables and columns, unquoted, as the system that owns them spells them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

_LISTED = 10


@dataclass(frozen=True, slots=True, order=True)
class TableId:
    """A table, view or sequence. ``schema`` is the database for MySQL, the schema for PostgreSQL."""

    schema: str
    name: str

    def __str__(self) -> str:
        """``schema.name``, for people; quoting for SQL is the dialect's work."""
        return f"{self.schema}.{self.name}" if self.schema else self.name


def listed(names: Sequence[object]) -> str:
    """For a sentence: the first few names, and how many more there are."""
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return ", ".join(map(str, names[:_LISTED])) + more
