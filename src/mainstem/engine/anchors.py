"""At which position of the log each table was copied: noted in the ledger, so that a crash cannot part the two."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from mainstem.contract.source import Snapshot
from mainstem.contract.target import Ledger
from mainstem.engine.cuts import RENEWED, Cuts, forget_moved
from mainstem.engine.progress import Tracker
from mainstem.errors import NotFoundError, StatementError
from mainstem.model.frame import Chunk
from mainstem.model.names import TableId
from mainstem.model.plan import ReportItem, Severity, TablePlan

_NOTE = "at:"  # a note of this beginning: which copy of the table, which snapshot of it, schema, name, position
_ALTERED = "altered:"  # … the schema and name of a table that has other columns than it was planned with


@dataclass(frozen=True, slots=True)
class Anchor:
    """The snapshots that a table's rows are of.

    Attributes:
        copy: counts how often the copy was begun.
        positions: of the snapshots, in their order; more than one when the copy was interrupted.
    """

    copy: int
    positions: tuple[str, ...]


def anchors(ledger: Ledger) -> dict[TableId, Anchor]:
    """For each table whose copy was begun: the snapshots of its latest copy."""
    found: dict[TableId, dict[int, dict[int, str]]] = {}
    for note in ledger.notes():
        if note.startswith(_NOTE):
            copy, order, schema, name, position = json.loads(note.removeprefix(_NOTE))
            found.setdefault(TableId(schema, name), {}).setdefault(copy, {})[order] = position
    return {
        table: Anchor(max(copies), tuple(position for _, position in sorted(copies[max(copies)].items())))
        for table, copies in found.items()
    }


def altered(ledger: Ledger) -> frozenset[TableId]:
    """Tables whose columns may have been changed after they were planned and before their snapshot.

    What the changed columns held by then is neither in the copy nor in what the log tells behind it.
    """
    notes = (note.removeprefix(_ALTERED) for note in ledger.notes() if note.startswith(_ALTERED))
    return frozenset(TableId(*json.loads(note)) for note in notes)


def _note(ledger: Ledger, table: TableId, copy: int, order: int, position: str) -> None:
    ledger.note(_NOTE + json.dumps([copy, order, table.schema, table.name, position]))


class AnchoredCuts(Cuts):
    """Also writes down the position of each table's snapshot, before the table is cut."""

    def __init__(self, ledger: Ledger, position: str) -> None:
        super().__init__(ledger, position)
        self._known = anchors(ledger)

    def plan(self, table: TableId, chunks: Sequence[Chunk]) -> None:
        """Write a table's chunks down."""
        known = self._known.get(table)
        with self._lock:
            _note(self._ledger, table, known.copy + 1 if known else 1, 0, self._position)
        super().plan(table, chunks)


class AnchoredRounds:
    """For a copy that changes are applied to afterwards: each table is of one snapshot, if it can be.

    A half-copied table goes on from a new snapshot only where applying the changes between the two once more mends it:
    it has a key, and nothing else must be unique (`goes_on`). Any other is copied anew.

    Args:
        reshaped: of these tables, those that have other columns now than they were planned with; asked once there is a
            snapshot, so that whatever was changed before it is seen (see `altered`).
    """

    renewed = ReportItem(
        Severity.INFO, RENEWED, "snapshot",
        "the copy was interrupted and went on from a new snapshot; the changes between the two are applied from the"
        " source's log",
    )  # fmt: skip

    def __init__(
        self,
        tracker: Tracker,
        goes_on: Callable[[TablePlan], bool],
        reshaped: Callable[[Sequence[TableId]], Collection[TableId]],
    ) -> None:
        self._tracker, self._goes_on, self._reshaped = tracker, goes_on, reshaped

    def begin(self, tables: Sequence[TablePlan], snapshot: Snapshot, ledger: Ledger) -> bool:
        """See `engine.cuts.Rounds`."""
        changed = forget_moved(tables, snapshot, ledger, self._tracker, lambda table: True)
        known, begun = anchors(ledger), []
        for table in tables:
            chunks = ledger.chunks(table.source)
            if not chunks:
                begun.append(table.source)
                continue
            anchor = known.get(table.source)
            if anchor and any(chunk.done for chunk in chunks) and self._goes_on(table):
                if snapshot.position != anchor.positions[-1]:
                    _note(ledger, table.source, anchor.copy, len(anchor.positions), snapshot.position)
                continue
            changed = True
            begun.append(table.source)
            self._forget(table, ledger)
        for source in self._reshaped(begun):
            ledger.note(_ALTERED + json.dumps([source.schema, source.name]))
        return changed

    def _forget(self, table: TablePlan, ledger: Ledger) -> None:
        try:
            ledger.forget(table.source, table.target)
        except (NotFoundError, StatementError) as exc:
            self._tracker.table_failed(table.source, exc)
        else:
            self._tracker.say(f"{table.source} is copied once more from the start", part="source")

    def cuts(self, ledger: Ledger, position: str) -> Cuts:
        """See `engine.cuts.Rounds`."""
        return AnchoredCuts(ledger, position)
