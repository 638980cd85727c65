"""Schema objects as read from a system: tables with all that hangs on them, views, sequences.

Names are as the owner spells them; expressions are SQL in the owner's dialect.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from mainstem.model.names import TableId
from mainstem.model.types import LogicalType


class DefaultKind(StrEnum):
    """How a column default is to be read.

    NOW is the statement's time; its text is the number of fractional digits. HIDDEN is one that the owner does not
    show as it is.
    """

    LITERAL = "literal"
    NOW = "now"
    EXPRESSION = "expression"
    HIDDEN = "hidden"


@dataclass(frozen=True, slots=True)
class Default:
    """A column default: a literal's text cell (unquoted; see `model.types`), the time, or SQL in the owner's dialect.

    The literals of two kinds are not the text cell: BITS is written in the digits 0 and 1, BINARY in hex.
    """

    kind: DefaultKind
    text: str


@dataclass(frozen=True, slots=True)
class Generated:
    """A generated column: its expression, and whether it is stored (else computed when read)."""

    expression: str
    stored: bool


@dataclass(frozen=True, slots=True)
class Column:
    """A column.

    Attributes:
        native: the owner's own type text, e.g. ``int(10) unsigned``.
        identity: filled by the server from a counter (auto_increment, identity, serial).
        on_update: SQL that the owner runs on each UPDATE (``current_timestamp(3)``), or empty.
        collation: the owner's collation name, or empty for non-text.
    """

    name: str
    type: LogicalType
    native: str
    nullable: bool = True
    default: Default | None = None
    generated: Generated | None = None
    identity: bool = False
    on_update: str = ""
    comment: str = ""
    charset: str = ""
    collation: str = ""
    invisible: bool = False


@dataclass(frozen=True, slots=True)
class IndexPart:
    """One part of an index: a column, or an expression in the owner's dialect."""

    column: str = ""
    expression: str = ""
    descending: bool = False
    prefix_length: int | None = None


class IndexMethod(StrEnum):
    """What an index is for."""

    BTREE = "btree"
    HASH = "hash"
    FULLTEXT = "fulltext"
    SPATIAL = "spatial"


@dataclass(frozen=True, slots=True)
class Index:
    """A secondary index or unique key (the primary key stands in `Table.primary_key`)."""

    name: str
    parts: tuple[IndexPart, ...]
    unique: bool = False
    method: IndexMethod = IndexMethod.BTREE
    comment: str = ""


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """A foreign key; actions are upper-case SQL (``CASCADE``, ``SET NULL``, ``NO ACTION`` …)."""

    name: str
    columns: tuple[str, ...]
    parent: TableId
    parent_columns: tuple[str, ...]
    on_update: str = "NO ACTION"
    on_delete: str = "NO ACTION"


@dataclass(frozen=True, slots=True)
class Check:
    """A check constraint; the expression is in the owner's dialect."""

    name: str
    expression: str


@dataclass(frozen=True, slots=True)
class Table:
    """A base table.

    Attributes:
        rows_estimate: from the owner's statistics; may be far off.
        bytes_estimate: data without indexes, from the owner's statistics.
        identity_next: the next value of the identity column's counter, or None.
    """

    id: TableId
    columns: tuple[Column, ...]
    primary_key: tuple[str, ...] = ()
    indexes: tuple[Index, ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = ()
    checks: tuple[Check, ...] = ()
    comment: str = ""
    rows_estimate: int = 0
    bytes_estimate: int = 0
    identity_next: int | None = None

    def column(self, name: str) -> Column:
        """The column of that name; KeyError if there is none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)


@dataclass(frozen=True, slots=True)
class View:
    """A view.

    Attributes:
        definition: its SELECT in the owner's dialect; empty if it may not be seen.
        check_option: LOCAL, CASCADED or empty: which rows may be written through it.
        invoker: it runs with the rights of its user, not of its owner.
    """

    id: TableId
    definition: str
    check_option: str = ""
    invoker: bool = False


@dataclass(frozen=True, slots=True)
class Sequence:
    """A stand-alone sequence."""

    id: TableId
    start: int
    increment: int
    minimum: int
    maximum: int
    next_value: int
    cycle: bool = False


@dataclass(frozen=True, slots=True)
class OtherObject:
    """Something that is known to exist and is not translated: a trigger, a routine, an event.

    Attributes:
        kind: machine-readable, ``trigger``.
        table: the name of the table that it belongs to, or empty.
    """

    kind: str
    id: TableId
    table: str = ""


@dataclass(frozen=True, slots=True)
class Catalog:
    """All that a selection of one database or schema holds."""

    tables: tuple[Table, ...]
    views: tuple[View, ...] = ()
    sequences: tuple[Sequence, ...] = ()
    others: tuple[OtherObject, ...] = ()
