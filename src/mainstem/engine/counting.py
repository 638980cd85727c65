"""What one transaction of the target has done, table by table. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from mainstem.contract.apply import Applied
from mainstem.engine.progress import TableCounts
from mainstem.engine.segments import tally
from mainstem.model.change import RowChanges
from mainstem.model.names import TableId


@dataclass(slots=True)
class Counting:
    """Counts of a transaction under way.

    Attributes:
        events: of all tables.
        put_aside: what is to be told of changes that were.
    """

    tables: dict[TableId, TableCounts] = field(default_factory=dict)
    events: int = 0
    put_aside: list[tuple[TableId, str]] = field(default_factory=list)

    def of(self, table: TableId) -> TableCounts:
        """Those of one table."""
        return self.tables.setdefault(table, TableCounts(table))

    def note(self, done: Applied) -> None:
        """What the applier told."""
        for table, missing in done.missing.items():
            self.of(table).missing += missing
        for table, coerced in done.coerced.items():
            own = self.of(table).coerced
            for what, number in coerced.items():
                own[what] = own.get(what, 0) + number

    def add(self, part: RowChanges) -> None:
        """Changes that were applied."""
        counts = self.of(part.table)
        for op, number in tally(part).items():
            counts.ops[op] = counts.ops.get(op, 0) + number
        counts.bytes += part.size_bytes
        self.events += part.count
