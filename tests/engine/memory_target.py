"""A target in memory that changes are applied to, whole or in parts."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from tests.engine.memory import Event, Rows, apply_event, events_of, table_id

from mainstem.contract.apply import Applied
from mainstem.errors import ConflictError, MainstemError
from mainstem.model.change import Op, RowChanges, Truncate
from mainstem.model.names import TableId
from mainstem.model.run import ACTIVE
from mainstem.model.stream import Checkpoint, DeadLetter, SchemaRecord, StoredStream, StreamPart, StreamTable


@dataclass
class Contents:
    """What a target holds durably."""

    tables: dict[str, Rows]
    stored: StoredStream | None = None
    parts: tuple[StreamPart, ...] = ()
    letters: list[DeadLetter] = field(default_factory=list)
    records: list[SchemaRecord] = field(default_factory=list)


class MemoryTarget:
    """A target.

    Attributes:
        refuse: the error that a row meets, if any.
        errors: method → what it raises, one each time.
        commits: how many transactions there were.
    """

    def __init__(self, tables: Sequence[StreamTable], position: str = "0") -> None:
        self.now = Contents({table.source.name: {} for table in tables})
        self.now.stored = StoredStream("here", Checkpoint(position), tuple(tables))
        self.refuse: Callable[[Event], MainstemError | None] = lambda event: None
        self.errors: dict[str, list[MainstemError]] = {}
        self.commits = 0
        self.altered: list[str] = []
        self.applied = 0
        self.lock = threading.Lock()
        self.durable: list[Event] = []

    def raise_for(self, method: str) -> None:
        waiting = self.errors.get(method)
        if waiting:
            raise waiting.pop(0)

    def table(self, name: str) -> StreamTable:
        assert self.now.stored is not None
        return next(table for table in self.now.stored.tables if table.source.name == name)

    # the face of a `ChangeTarget`

    def applier(self, stream_id: str, part: int | None = None) -> MemoryApplier:
        return MemoryApplier(self, part)

    def book(self, stream_id: str) -> MemoryBook:
        return MemoryBook(self)


class MemoryApplier:
    fires_triggers = False

    def __init__(self, target: MemoryTarget, part: int | None = None) -> None:
        self._target, self._part = target, part
        self._work: Contents | None = None
        self._events: list[Event] = []
        self._discarded: set[int] = set()

    def __enter__(self) -> MemoryApplier:
        return self

    def __exit__(self, *_: object) -> None:
        return

    @property
    def _open(self) -> Contents:
        assert self._work is not None, "no transaction"
        return self._work

    goes_ahead = True

    def ahead(self) -> MemoryApplier:
        self._target.raise_for("ahead")
        return MemoryAhead(self._target)

    def begin(self) -> None:
        assert self._work is None, "a transaction is under way"
        self._target.raise_for("begin")
        with self._target.lock:
            self._work = copy.deepcopy(self._target.now)
        self._events = []
        self._discarded = set()

    def apply(self, changes: Sequence[RowChanges], tables: Mapping[TableId, StreamTable]) -> Applied:
        self._target.raise_for("apply")
        self._target.applied += 1
        work = copy.deepcopy(self._open.tables)
        self._before = self._open.tables, list(self._events)
        assert len({part.table for part in changes}) == len(changes)
        done = Applied()
        for event in events_of(changes):
            assert tables[table_id(event[0])].state in ACTIVE
            error = self._target.refuse(event)
            if error is not None:
                raise error
            if event[1] is not Op.INSERT and event[2] not in work[event[0]]:
                done.missing[table_id(event[0])] = done.missing.get(table_id(event[0]), 0) + 1
            apply_event(work, event)
        self._open.tables = work
        self._events += events_of(changes)
        return done

    def undo(self) -> None:
        self._open.tables, self._events = self._before

    def truncate(self, part: Truncate, tables: Mapping[TableId, StreamTable]) -> None:
        self._target.raise_for("truncate")
        self._before = self._open.tables, list(self._events)
        self._open.tables = self._open.tables | {table.name: {} for table in part.tables}

    def alter(self, statements: Sequence[str]) -> None:
        self._target.raise_for("alter")
        assert self._open.tables == self._target.now.tables, "half a transaction would be made durable"
        self._target.altered += statements

    def save(self, table: StreamTable) -> None:
        stored = self._open.stored
        assert stored is not None
        tables = {known.source: known for known in stored.tables} | {table.source: table}
        self._open.stored = replace(stored, tables=tuple(tables.values()))

    def forget(self, table: TableId) -> None:
        raise NotImplementedError

    def reject(self, letter: DeadLetter) -> None:
        number = len(self._open.letters) + 1 if self._part is None else 0
        self._open.letters.append(replace(letter, number=number))

    def discard(self, table: TableId, number: int | None = None) -> int:
        there = [item for item in self._open.letters if item.table == table and number in (None, item.number)]
        self._open.letters = [item for item in self._open.letters if item not in there]
        self._discarded |= {item.number for item in there}
        return len(there)

    def record(self, line: SchemaRecord) -> None:
        self._open.records.append(line)

    def _commit_part(self, number: int, checkpoint: Checkpoint) -> None:
        """Its own tables, and its checkpoint, into what the others have made durable meanwhile."""
        work, now = self._open, self._target.now
        assert work.stored is not None
        assert now.stored is not None
        own = {table.name for table in now.parts[number].tables}
        now.tables = {name: (work.tables if name in own else now.tables)[name] for name in now.tables}
        saved = {table.source: table for table in work.stored.tables}
        tables = tuple(saved[table.source] if table.source.name in own else table for table in now.stored.tables)
        now.stored = replace(now.stored, tables=tables)
        now.parts = tuple(
            replace(part, checkpoint=checkpoint) if place == number else part for place, part in enumerate(now.parts)
        )
        now.letters = [letter for letter in now.letters if letter.number not in self._discarded]
        last = max((letter.number for letter in now.letters), default=0)
        made = [letter for letter in work.letters if not letter.number]
        now.letters += [replace(letter, number=number) for number, letter in enumerate(made, last + 1)]
        self._target.durable += self._events
        self._target.commits += 1
        self._work = None

    def commit(self, checkpoint: Checkpoint) -> None:
        self._target.raise_for("commit")
        if self._part is not None:
            with self._target.lock:
                self._commit_part(self._part, checkpoint)
            self._target.raise_for("committed")
            return
        work = self._open
        assert work.stored is not None
        assert self._target.now.stored is not None
        if work.stored.checkpoint != self._target.now.stored.checkpoint:
            raise ConflictError("somebody else moved the checkpoint")
        work.stored = replace(work.stored, checkpoint=checkpoint)
        self._target.now, self._work = work, None
        self._target.durable += self._events
        self._target.commits += 1
        self._target.raise_for("committed")

    def rollback(self) -> None:
        self._work = None

    def interrupt(self) -> None:
        return


class MemoryAhead(MemoryApplier):
    """Its transaction sees what others commit meanwhile, as it touches other rows."""

    def commit(self, checkpoint: Checkpoint) -> None:
        self._target.raise_for("commit ahead")
        with self._target.lock:
            self._work = copy.deepcopy(self._target.now)
        for event in self._events:
            apply_event(self._open.tables, event)
        super().commit(checkpoint)


class MemoryBook:
    def __init__(self, target: MemoryTarget) -> None:
        self._target = target

    def __enter__(self) -> MemoryBook:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def load(self) -> StoredStream | None:
        self._target.raise_for("load")
        return self._target.now.stored

    def create(self, stored: StoredStream) -> None:
        self._target.now.stored = stored

    def save(self, table: StreamTable) -> None:
        raise NotImplementedError

    def parts(self) -> tuple[StreamPart, ...]:
        return self._target.now.parts

    def divide(self, stored: StoredStream, parts: Sequence[Sequence[TableId]]) -> None:
        self._target.now.stored = stored
        self._target.now.parts = tuple(StreamPart(stored.checkpoint, tuple(tables)) for tables in parts)

    def letters(self, limit: int = 1000) -> list[DeadLetter]:
        return self._target.now.letters[:limit]

    def count_letters(self) -> dict[TableId, int]:
        found: dict[TableId, int] = {}
        for letter in self._target.now.letters:
            found[letter.table] = found.get(letter.table, 0) + 1
        return found

    def discard(self, numbers: Sequence[int]) -> None:
        self._target.now.letters = [item for item in self._target.now.letters if item.number not in numbers]

    def changes(self, limit: int = 1000) -> list[SchemaRecord]:
        return self._target.now.records[-limit:]

    def advance_counters(self, tables: Sequence[StreamTable]) -> list[str]:
        return [f"{table.plan.target}.id: 1" for table in tables]

    def drop(self) -> None:
        self._target.now.stored = None
