"""`Console`: one session in which a user's own statements run, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from mainstem.model.connection import ConnectionSettings
from mainstem.model.shown import ShownColumn, ShownKind

if TYPE_CHECKING:  # its parser takes longer to load than a small copy
    from mainstem.contract.effects import Grammar, Statement

RawRow = Sequence[bytes | None]
"""What the server printed, in UTF-8; bytes as they are where the column's kind is binary; None is NULL."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why the server did not do a statement, in its own words: the user wrote it, and may read what it says.

    Attributes:
        code: SQLSTATE or error number.
        position: where in the statement, in characters from 0; None where the server names no place.
        stopped: it was broken off by `Console.stop`, or by a time limit of the server's.
    """

    message: str
    code: str = ""
    detail: str = ""
    hint: str = ""
    position: int | None = None
    stopped: bool = False


class RefusedError(Exception):
    """The server refused a statement."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


class ResultSet(Protocol):
    """What a statement returned: rows, to be read once, and then the rest."""

    @property
    def names(self) -> Sequence[str]:
        """The columns' names; empty where the statement returns no rows."""
        ...

    @property
    def kinds(self) -> Sequence[ShownKind]:
        """What the columns hold; as many as names."""
        ...

    def __iter__(self) -> Iterator[RawRow]:
        """The rows, as they come in. Raises `RefusedError` or `LostConnectionError`."""
        ...

    @property
    def columns(self) -> Sequence[ShownColumn]:
        """The columns with their types; only once the rows are read or given up."""
        ...

    @property
    def tag(self) -> str:
        """What was done, as the server says it (``INSERT 0 5``); only once the rows are read."""
        ...

    @property
    def affected(self) -> int | None:
        """How many rows were changed; None for what changes none."""
        ...


class Console(AbstractContextManager["Console"], Protocol):
    """A session. Making one raises `ConnectError`; not shared between threads, but for `stop`.

    In a read-only session each statement has a read-only transaction of its own, which is rolled back behind it:
    whatever it says or calls, the server refuses to change data.
    """

    def execute(self, statement: Statement) -> Iterator[ResultSet]:
        """Run one statement and give its results: one, or with a procedure several.

        Each result must be read to its end, or given up by `enough`, before the next.

        Raises:
            RefusedError: the server refused it.
            LostConnectionError: the session is gone.
        """
        ...

    def enough(self, *, harmless: bool) -> None:
        """Read no more rows of the present result.

        Args:
            harmless: the statement only reads, so it may be broken off; else it is left to run to its end.
        """
        ...

    def stop(self) -> None:
        """From another thread: break off what runs. Whatever goes wrong, nothing is raised."""
        ...

    def notices(self) -> list[str]:
        """What the server has told besides, since this was last asked."""
        ...

    def in_transaction(self) -> bool:
        """Whether a transaction is open that the user began."""
        ...


@dataclass(frozen=True, slots=True)
class SessionOptions:
    """How a session is opened.

    Attributes:
        seconds: the server itself ends a statement that takes longer; 0 is never.
        schema: where names without one are looked for; empty is as the server has it.
    """

    read_only: bool
    seconds: int
    schema: str = ""


@dataclass(frozen=True, slots=True)
class PlanNode:
    """A step of an execution plan.

    Attributes:
        title: what is done (``Seq Scan on items``).
        facts: what else is known, for people, each with its name.
        rows, cost, loops: as estimated; None where the server tells none.
        actual_rows, actual_ms: as measured; None where nothing was.
    """

    title: str
    facts: tuple[tuple[str, str], ...] = ()
    rows: float | None = None
    cost: float | None = None
    loops: float | None = None
    actual_rows: float | None = None
    actual_ms: float | None = None
    children: tuple[PlanNode, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """An execution plan: as the server prints it, and as a tree where it could be read as one."""

    text: str
    tree: PlanNode | None


@dataclass(frozen=True, slots=True)
class TableNames:
    """A table or view and its columns, for completion."""

    schema: str
    name: str
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Names:
    """What can be named in a database.

    Attributes:
        whole: everything is in it; a very large catalog is cut.
    """

    default_schema: str
    schemas: tuple[str, ...]
    tables: tuple[TableNames, ...] = field(repr=False)
    whole: bool = True


@dataclass(frozen=True, slots=True)
class ConsoleKit:
    """What a connector offers for a user's own SQL.

    Attributes:
        grammar: how its scripts are cut, and what its statements do.
        open: a session; raises `ConnectError`.
        explain: the plan of a statement; with ``analyze`` it is run, and what it changes is undone. Raises
            `RefusedError`, and `InvalidError` where this server could not undo it.
        names: what can be named in the database of the settings; raises `ConnectError`, `LostConnectionError`.
    """

    grammar: Grammar
    open: Callable[[ConnectionSettings, SessionOptions], Console]
    explain: Explain
    names: Callable[[ConnectionSettings], Names]


class Explain(Protocol):
    """How a statement is explained."""

    def __call__(self, console: Console, statement: Statement, *, analyze: bool, as_text: bool) -> Plan:
        """See `ConsoleKit`; ``as_text`` asks for the form that the server's own tools show, without a tree."""
        ...
