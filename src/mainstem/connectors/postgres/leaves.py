"""What has become of a table's partitions since that was last written down (`StreamTable.memo`).

Each change that is told has with it what is known behind it, and both are written down together: so nothing is told
twice, and nothing is lost, whenever a stream ends.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from mainstem.connectors.postgres import partitions
from mainstem.connectors.postgres.partitions import Held, Known, Leaf, Memo, Moved
from mainstem.connectors.postgres.side import Side
from mainstem.model.change import SchemaChange, SchemaChangeKind
from mainstem.model.names import TableId
from mainstem.model.stream import StreamTable


@dataclass(frozen=True, slots=True)
class Become:
    """What is to be told, if the table's memo is still that."""

    memo: str
    change: SchemaChange


class Leaves:
    """The partitions of one table.

    Args:
        now: by their oids, those that there are.
    """

    def __init__(self, side: Side, table: StreamTable, now: Mapping[int, Leaf]) -> None:
        self._side, self._root, self._memo, self._now = side, table.source, table.memo, now
        self._written = Memo.read(table.memo)
        before = self._written.parts
        self._learns = before is None  # an earlier version has written nothing down
        self._before = {oid: Known.of(leaf) for oid, leaf in now.items()} if before is None else before
        self._known = dict(self._before)

    def become(self) -> Iterator[Become]:
        """All that is to be told, in order. Raises as `Side`."""
        for changes in (self._gone(), self._emptied(), self._come()):
            for change in changes:
                yield Become(self._memo, change)
                self._memo = self._memo if change.memo is None else change.memo
        now = {oid: Known.of(leaf) for oid, leaf in self._now.items()}
        if self._learns or now != self._known or self._written.emptied:
            memo = str(replace(self._written, parts=now, emptied=0))
            yield Become(self._memo, SchemaChange(SchemaChangeKind.KEPT, self._root, memo=memo))

    def _with(self, known: Mapping[int, Known]) -> str:
        return str(replace(self._written, parts=known))

    def _gone(self) -> Iterator[SchemaChange]:
        gone = [oid for oid in self._before if oid not in self._now]
        there = self._side.existing(gone)
        for oid in gone:
            leaf = self._known.pop(oid)
            yield partitions.went(self._root, leaf, self._with(self._known), there=oid in there)

    def _come(self) -> Iterator[SchemaChange]:
        for oid, leaf in self._now.items():
            known = self._before.get(oid)
            if known is not None and known.attached != leaf.attached:
                yield partitions.again(self._root, leaf)
            if known is None:
                self._known[oid] = Known.of(leaf)
                change = partitions.came(self._root, leaf, self._side.held(leaf), self._with(self._known))
                if change is not None:
                    yield change

    def _emptied(self) -> Iterator[SchemaChange]:
        told: dict[Held, list[TableId]] = {}
        found = [(one, self._side.first_rows(self._now[one.oid], one), together) for one, together in self._moved()]
        rewriters = {one.maker for one, rows, together in found if together and one.altered and rows and rows.made}
        for moved, rows, together in found:
            leaf = self._now[moved.oid]
            held = partitions.emptied(moved, rows, rewritten=moved.maker in rewriters)
            self._known[leaf.oid] = Known.of(leaf)
            if held is not Held.NO and not (together and self._written.emptied):  # the log has told of it
                told.setdefault(held, []).append(leaf.id)
        for held, leaves in told.items():
            yield partitions.lost_rows(self._root, sorted(leaves), self._with(self._known), told=held is Held.YES)

    def _moved(self) -> list[tuple[Moved, bool]]:
        """Those whose rows lie in another file, and whether one transaction has done it to all."""
        both = [
            (known, self._now[oid])
            for oid, known in self._before.items()
            if oid in self._now and known.attached == self._now[oid].attached and known.file
        ]
        files = [leaf.oid for known, leaf in both if leaf.file != known.file]
        found = self._side.moved(files)
        oldest = max((moved.age for moved in found), default=0)
        return [(moved, len(files) == len(both) and moved.age == oldest) for moved in found]
