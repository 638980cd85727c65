"""What one reading of the log leaves for the next: transactions that cannot be read as far as they were at first."""

from __future__ import annotations

from dataclasses import dataclass, field

from mainstem.connectors.mysql.wire.tablemap import TableMap

Order = tuple[int, int]


@dataclass(slots=True)
class Again:
    """By where the transactions begin, as `LogPosition.order`.

    Attributes:
        doomed: large ones, rolled back after parts of them were handed on; each is put aside until it is whole.
        unfit: descriptions of tables that came when it was too late to settle anything before the transaction.
    """

    doomed: set[Order] = field(default_factory=set)
    unfit: dict[Order, list[TableMap]] = field(default_factory=dict)

    def is_new(self, order: Order, table: TableMap) -> bool:
        """Note that a table does not fit; False if that was noted, and has not helped."""
        known = self.unfit.setdefault(order, [])
        if any((one.schema, one.name) == (table.schema, table.name) for one in known):
            return False
        known.append(table)
        return True
