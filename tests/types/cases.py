"""What a line of the matrix is: a native type, values at its edges, and what becomes of them elsewhere."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Kind(StrEnum):
    """The kinds of system; the words are the connectors' names."""

    MYSQL = "mysql"
    POSTGRES = "postgresql"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A value that one kind of target cannot hold.

    Attributes:
        reason: a part of what is said of the row that is put aside.
        policy: the setting that lets the row pass all the same, as the page shows it; empty when there is none.
        counter: what `TableProgress.coerced` counts such a value under.
        becomes: the value's text on the target under the policy; None is NULL.
    """

    reason: str
    policy: str = ""
    counter: str = ""
    becomes: str | None = None


@dataclass(frozen=True, slots=True)
class Value:
    """One value.

    Attributes:
        label: how the page calls it.
        sql: an expression of the source's SQL.
        session: a statement before it, for that value alone.
        refused: kinds of target that cannot hold it.
        equal: kinds of target that hold an equal value in its place: its text there.
    """

    label: str
    sql: str
    session: str = ""
    refused: dict[Kind, Refusal] = field(default_factory=dict)
    equal: dict[Kind, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Arrival:
    """What a type becomes on the other kind of system.

    Attributes:
        type: as the target's catalog spells it; ``{table}`` stands for the table's name.
        widened: the type takes more than the source's did, or is another way of writing the same.
        family: how both servers write a value as the same text; empty is the case's own.
        note: for the page.
    """

    type: str
    widened: bool = False
    family: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Case:
    """One type.

    Attributes:
        name: of its tables, see `matrix`.
        native: in the source's SQL.
        family: how a server writes a value as text, see `render`.
        other: what it becomes on the other kind of system; on its own kind it stays what it is.
        key: the type as which it can be a primary key; empty if it can't.
        shown: the type as the page shows it, if not ``native``.
        lacking: servers of the matrix, by name, whose build does not have the type.
    """

    name: str
    native: str
    family: str
    values: tuple[Value, ...]
    other: Arrival
    key: str = ""
    setup: str = ""
    shown: str = ""
    lacking: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """The type as the page shows it."""
        return self.shown or self.native

    def arrives_as(self, source: Kind, target: Kind, table: str, own: str) -> str:
        """The type that a table's column has on a target, as its catalog spells it; ``own`` is the source's."""
        return own if source is target else self.other.type.format(table=table)


def exact(type_: str, *, family: str = "", note: str = "") -> Arrival:
    """The same values as at the source."""
    return Arrival(type_, widened=False, family=family, note=note)


def widened(type_: str, *, family: str = "", note: str = "") -> Arrival:
    """All values of the source, and more."""
    return Arrival(type_, widened=True, family=family, note=note)


def values(*items: Value | str | tuple[str, str]) -> tuple[Value, ...]:
    """Values; a bare text is SQL and, without its quotes, its own label; a pair is label and SQL."""
    made = []
    for item in items:
        if isinstance(item, Value):
            made.append(item)
        else:
            label, sql = (item.strip("'"), item) if isinstance(item, str) else item
            made.append(Value(label, sql))
    return tuple(made)
