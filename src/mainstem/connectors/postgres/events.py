"""Changes of a segment one by one, in the order of the source, sent in one go."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto

from mainstem.connectors.postgres.fields import Fields
from mainstem.connectors.postgres.pipeline import Call
from mainstem.connectors.postgres.work import Work
from mainstem.model.change import Op


class Meaning(Enum):
    """What the number of rows that a call has changed tells.

    MISSING: the row is missing, if there are none; PUT_IN: and has to be put in; ADDED: it was missing, if there is
    one.
    """

    NOTHING = auto()
    MISSING = auto()
    PUT_IN = auto()
    ADDED = auto()


@dataclass(frozen=True, slots=True)
class Step:
    """A call, the event that it is for, and what it means when it changes no row."""

    call: Call
    work: Work
    event: int
    meaning: Meaning = Meaning.NOTHING


class Events:
    """The events of one table as calls.

    Args:
        careful: rows that are there against the evidence are written over, and those that are missing put in, where
            the event has all cells.
    """

    def __init__(self, work: Work, *, careful: bool) -> None:
        self._work = work
        self._careful = careful
        self._said = work.target.statements
        changes = work.changes
        self._after, self._after_format = work.target.fields(work.target.every, changes.after)
        self._before: list[Fields] = []
        self._before_format = 0
        if changes.before is not None:
            self._before, self._before_format = work.target.fields(work.plan.identity, changes.before)
        self._ops = changes.ops.to_pylist()
        self._absent = {column: array.to_pylist() for column, array in changes.absent.items()}
        self.seqs = changes.seqs.to_pylist()

    def steps(self, event: int) -> Iterator[Step]:
        """What one event comes to."""
        make: dict[int | None, Callable[[int], Iterator[Step]]] = {
            Op.INSERT: self._insert, Op.UPDATE: self._update, Op.DELETE: self._delete,
        }  # fmt: skip
        return make[self._ops[event]](event)

    def op(self, event: int) -> Op:
        """What happened."""
        return Op(self._ops[event] or 0)

    def _known(self, event: int) -> list[int]:
        every = self._work.target.every
        return [column for column in every if not (column in self._absent and self._absent[column][event])]

    def _key(self, event: int) -> Fields:
        return [self._after[event][column] for column in self._work.plan.identity]

    def _insert(self, event: int) -> Iterator[Step]:
        known = self._known(event)
        if self._careful and self._work.plan.keyed:
            key = self._key(event)
            yield from self._set(event, known, key, [self._after_format] * len(key), Meaning.NOTHING)
            yield self._put_in(event, known)
        else:
            yield self._step(event, self._said.insert(known), self._cells(event, known))

    def _update(self, event: int) -> Iterator[Step]:
        known, key = self._known(event), self._before[event]
        whole = len(known) == len(self._work.plan.columns)
        formats = [self._before_format] * len(key)
        if not (whole and self._careful):
            yield from self._set(event, known, key, formats, Meaning.PUT_IN if whole else Meaning.MISSING)
        elif not self._work.plan.keyed:
            sql = self._said.update_or_insert(known, [cell is None for cell in key])
            call = Call(sql, [*self._cells(event, known), *key], [self._after_format] * len(known) + formats)
            yield Step(call, self._work, event, Meaning.ADDED)
        else:
            if self.moved(event):
                new = self._key(event)
                yield Step(Call(self._said.delete([]), new, [self._after_format] * len(new)), self._work, event)
            yield from self._set(event, known, key, formats, Meaning.MISSING)
            yield self._put_in(event, known)

    def moved(self, event: int) -> bool:
        """Whether an UPDATE changes the key."""
        return self._after_format != self._before_format or self._key(event) != self._before[event]

    def _set(
        self, event: int, known: Sequence[int], key: Fields, formats: list[int], meaning: Meaning
    ) -> Iterator[Step]:
        """An UPDATE of the row with this identity."""
        said = self._said
        nulls = [cell is None for cell in key]
        moved = not self._work.plan.keyed or key != self._key(event)
        columns = said.settable(known, keys=moved)
        left = [column for column in known if column not in columns and (moved or column not in said.key)]
        if left:
            sql, columns = said.move(known, nulls), list(known)
        elif columns:
            sql = said.update(columns, nulls)
        elif meaning is Meaning.NOTHING:
            return
        else:  # there is nothing but the key: all that is asked is whether the row is there
            sql = said.find(nulls)
        cells = [self._after[event][column] for column in columns]
        call = Call(sql, [*cells, *key], [self._after_format] * len(cells) + formats)
        yield Step(call, self._work, event, meaning)

    def _put_in(self, event: int, known: Sequence[int]) -> Step:
        return self._step(event, self._said.insert_missing(known), self._cells(event, known))

    def _delete(self, event: int) -> Iterator[Step]:
        key = self._before[event]
        call = Call(self._said.delete([cell is None for cell in key]), key, [self._before_format] * len(key))
        yield Step(call, self._work, event, Meaning.MISSING)

    def _cells(self, event: int, columns: Sequence[int]) -> Fields:
        return [self._after[event][column] for column in columns]

    def _step(self, event: int, sql: str, cells: Fields) -> Step:
        return Step(Call(sql, cells, [self._after_format] * len(cells)), self._work, event)


def in_order(tables: Sequence[Events]) -> list[tuple[int, int]]:
    """The events of all tables in the source's order: the table's place in the list, and its event."""
    numbered = [
        (seq or 0, place, event) for place, events in enumerate(tables) for event, seq in enumerate(events.seqs)
    ]
    return [(place, event) for _, place, event in sorted(numbered)]
