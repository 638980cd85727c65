"""What the writer was told about a transaction of the source, for when it is applied once more.

Both sides are asked by connections of their own, and those wait for what the writer's transaction has locked (a
TRUNCATE locks all of a table). So the writer asks with no transaction open, and applies once more what it had done of
the source's: then the answer is here.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from mainstem.engine.evolution import Outcome
from mainstem.model.change import SchemaChange
from mainstem.model.names import TableId
from mainstem.model.stream import StreamTable

FRESH_S = 60.0
"""How long a cause is taken to be the one of further rows, too."""


@dataclass(slots=True)
class Answers:
    """Kept for one stream, over its connections."""

    _outcomes: list[tuple[SchemaChange, StreamTable | None, Outcome]] = field(default_factory=list)
    _causes: dict[TableId, tuple[str, str, float]] = field(default_factory=dict)
    _here: str = ""

    def outcome(self, here: str, change: SchemaChange, table: StreamTable | None) -> Outcome | None:
        """What was decided of a schema change; its statements were run.

        Args:
            here: the position of the checkpoint that the transaction comes behind.
        """
        if here != self._here:
            return None
        return next((known for *of, known in self._outcomes if of == [change, table]), None)

    def keep_outcome(self, here: str, change: SchemaChange, table: StreamTable | None, outcome: Outcome) -> None:
        """Remember it until another checkpoint."""
        if here != self._here:
            self._outcomes, self._here = [], here
        self._outcomes.append((change, table, outcome))

    def cause(self, here: str, table: TableId) -> str | None:
        """Why a table's rows are refused, as far as that is to be known; None: nobody has looked lately."""
        if table not in self._causes:
            return None
        cause, seen_at, seen_s = self._causes[table]
        return cause if seen_at == here or time.monotonic() - seen_s < FRESH_S else None

    def keep_cause(self, here: str, table: TableId, cause: str) -> None:
        """Remember it: for the transactions behind this checkpoint, and for some time."""
        self._causes[table] = cause, here, time.monotonic()
