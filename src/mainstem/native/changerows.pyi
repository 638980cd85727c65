"""Tuples of PostgreSQL's logical replication protocol → Arrow column buffers of change events."""

from collections.abc import Sequence

from mainstem.native.memory import Block
from mainstem.native.ops import LogOp

_Column = tuple[Block | None, Block, Block]

class ChangeRows:
    """Gathers the changes of one table: its columns, then those of its identity. For one thread at a time.

    Attributes:
        rows: events gathered.
        size_bytes: data bytes of their cells.
    """

    def __init__(self, columns: int, after: int, ops: Sequence[LogOp], parameters: Sequence[int]) -> None:
        """
        Args:
            columns: how many in all; at least 1.
            after: how many of them are the row as it is now; those of the identity follow.
            ops: what becomes of each column's text.
            parameters: for each column the parameter of its op; 0 where it has none.
        """
    @property
    def rows(self) -> int: ...
    @property
    def size_bytes(self) -> int: ...
    def take_changes(
        self,
    ) -> tuple[int, Block, Block, list[_Column], list[_Column] | None, dict[int, Block]]:
        """Hand out what was gathered, at least one event, and begin anew.

        Returns:
            The number of events; ``uint8`` of `model.change.Op`; ``int64`` sequence numbers; the columns and those of
            the identity (None: nothing but INSERTs) as `rows.RowDecoder.take` gives them; and, for each column that was
            not always sent, a bit for each event: it was not.
        """

class Relation:
    """How the tuples of a relation lie in the columns of a `ChangeRows`."""

    def __init__(self, oid: int, width: int, rows: ChangeRows | None, sources: Sequence[int], since: int) -> None:
        """
        Args:
            width: columns that are sent.
            rows: where its changes go; None: they are left out.
            sources: for each column of ``rows`` the number of the one that is sent, or -1: it is not.
            since: changes of transactions that committed before this LSN are left out.
        """
    @property
    def oid(self) -> int: ...
    @property
    def rows(self) -> ChangeRows | None: ...
