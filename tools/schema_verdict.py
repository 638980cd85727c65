"""What became of a table of a schema soak: equal, waiting for a reason that is told, on its way, or wrong."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from tools.compare import Side, connection, side, texts
from tools.schema_work import Had, columns_of
from tools.streamprocess import CDC
from tools.twins import Twins
from tools.workload import Session

from mainstem.contract.apply import StreamBook
from mainstem.contract.registry import Registry
from mainstem.ddl.evolution import RUN
from mainstem.engine.asked import Asked, asked_id
from mainstem.engine.evolution import IGNORED, PAUSED, RESYNC
from mainstem.model.names import TableId
from mainstem.model.run import TableState
from mainstem.model.stream import SchemaRecord, StreamTable

_COPIED = (TableState.PENDING, TableState.COPYING, TableState.CATCHING_UP)
_WAITS = (TableState.PAUSED, TableState.FAILED)
_RUN = re.compile(r"run: (ALTER TABLE .*?)(?:; |$)")
_RUN_ALL = re.compile(rf"{RUN}(.*?)(?:; (?=column |then )|$)", re.DOTALL)


class State(Enum):
    """How a table stands."""

    EQUAL = "equal"
    WAITS = "waits, and says why"
    NOT_ADDED = "not added, and the book says why"
    COPIED = "being copied"
    COMES = "not as it should be, yet"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a table stands, and why.

    Attributes:
        asks: statements that the stream would have run on the target.
        differs: it streams, and its rows are not the same.
    """

    state: State
    why: str = ""
    asks: tuple[str, ...] = ()
    differs: bool = False


class Judge:
    """Looks at both ends and at the stream's book in the target."""

    def __init__(self, ends: Twins, stream_id: str) -> None:
        self._ends, self._stream_id = ends, stream_id

    def tables(self) -> tuple[StreamTable, ...]:
        """Those that the stream has."""
        with self._book() as book:
            stored = book.load()
        return stored.tables if stored is not None else ()

    def lines(self) -> list[SchemaRecord]:
        """The book of schema changes."""
        with self._book() as book:
            return list(book.changes(10_000))

    def asked(self) -> list[TableId]:
        """Tables whose new copy was asked for and has not begun."""
        make = Registry.installed().find(self._ends.target.type).target
        if make is None:
            raise ValueError("the target takes nothing")
        return Asked(lambda: make(self._ends.target, CDC).ledger(asked_id(self._stream_id))).tables()

    def at_rest(self) -> bool:
        """Whether nothing is copied."""
        return not any(table.state in _COPIED for table in self.tables())

    def verdict(self, name: str, columns: list[Had]) -> Verdict:
        """Of a table of the source, which has these columns now; none where what it has cannot have been seen."""
        table = next((table for table in self.tables() if table.source.name == name), None)
        if table is None:
            return self._unknown(name)
        if table.state in _WAITS:
            if not table.error or not table.remedy:
                return Verdict(State.WRONG, f"{table.state}, and nobody says why")
            return Verdict(State.WAITS, f"{table.error} ({table.remedy})", _asked(table.error))
        if table.state in _COPIED:
            return Verdict(State.COPIED)
        if table.state is not TableState.STREAMING:
            return Verdict(State.COMES, f"{table.state}: {table.error}")
        lacking = {column.name for column in columns if not column.generated} - {
            column.source for column in table.plan.columns
        }
        if lacking:
            return Verdict(State.COMES, f"streams without {lacking}")
        differing = list(self._differing(table)) or list(self._keyless(table))
        if not differing:
            return Verdict(State.EQUAL)
        return Verdict(State.COMES, f"differs: {differing}", differs=True)

    def noted(self, name: str) -> Verdict | None:
        """Why a table that streams is to be copied anew, if the book says so: partitions went with their rows, say."""
        told = [line.detail for line in self.lines() if line.table.name == name and line.outcome == IGNORED]
        return next((Verdict(State.WAITS, why, _asked(why)) for why in reversed(told) if RESYNC in why), None)

    def _book(self) -> StreamBook:
        applies = Registry.installed().find(self._ends.target.type).applies
        if applies is None:
            raise ValueError("the target applies nothing")
        return applies(self._ends.target, CDC).book(self._stream_id)

    def _unknown(self, name: str) -> Verdict:
        told = [line.detail for line in self.lines() if line.table.name == name and line.outcome == PAUSED]
        return Verdict(State.NOT_ADDED, told[-1]) if told else Verdict(State.COMES, "the stream does not have it")

    def _keyless(self, table: StreamTable) -> Iterator[object]:
        with Session(self._ends.target) as session:
            columns = columns_of(session, table.plan.target.name)
        if table.plan.keyed and not any(column.key for column in columns):
            yield "the target's has no key"

    def _differing(self, table: StreamTable) -> Iterator[object]:
        with connection(self._ends.source) as here, connection(self._ends.target) as there:
            source, target = side(self._ends.source, here), side(self._ends.target, there)
            source.relations()
            target.relations()
            yield from _sums(source, target, table)


def _asked(error: str) -> tuple[str, ...]:
    """Statements that people are to run on the target."""
    every = [sql for found in _RUN_ALL.findall(error) for sql in found.split("; ")]
    return (*_RUN.findall(error), *every)


def _sums(source: Side, target: Side, table: StreamTable) -> Iterator[object]:
    name, into = table.source.name, table.plan.target.name
    here, there = source.columns(name), target.columns(into)
    pairs = []
    for column in table.plan.columns:
        if column.source not in here or column.target not in there:
            yield f"column {column.source} of {sorted(here)} is {column.target} of {sorted(there)}"
            return
        kept, other = here[column.source], there[column.target]
        pair = texts(source, target, (column.source, column.target), kept, other)
        pairs.append((f"{column.source}: {kept.native} as {other.native}", *pair))
    whole = source.sum(name, [own for _, own, _ in pairs]), target.sum(into, [other for _, _, other in pairs])
    if whole[0] != whole[1]:
        yield whole
        for told, own, other in pairs:
            sums = source.sum(name, [own]), target.sum(into, [other])
            if sums[0] != sums[1]:
                yield told, *sums
