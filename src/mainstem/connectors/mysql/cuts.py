"""Where a table is cut: by halving ranges of numbers, or by walking along the index where keys are no numbers."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from mainstem.connectors.mysql.dialect import MysqlDialect
from mainstem.connectors.mysql.keys import Key
from mainstem.connectors.mysql.ranges import Bound, between

if TYPE_CHECKING:
    from pymysql.cursors import Cursor

MAX_CHUNKS = 10_000
_DIALECT = MysqlDialect()


@dataclass(frozen=True, slots=True)
class Piece:
    """Rows behind the piece before it up to ``upper``; ``rows`` is an estimate."""

    upper: Bound
    rows: int


class Cutter:
    """Cuts one table, or some of its partitions.

    Args:
        name: what is read, as it stands behind FROM.
        rows: as many as a piece should have.
    """

    def __init__(self, cursor: Cursor, name: str, key: Key, rows: int) -> None:
        self._cursor, self._name, self._key, self._rows = cursor, name, key, rows
        self._made = 0

    def pieces(self) -> list[Piece]:
        """The pieces in the key's order; the last one has no bound."""
        merged: list[Piece] = []
        for piece in self._cut((), 0):
            if merged and merged[-1].rows + piece.rows <= self._rows:
                merged[-1] = Piece(piece.upper, merged[-1].rows + piece.rows)
            else:
                merged.append(piece)
        return merged

    def _cut(self, prefix: Bound, depth: int) -> list[Piece]:
        """Rows that begin with ``prefix``, cut by the key's next column."""
        column = self._key.columns[depth]
        if column.numbers is None:
            return self._walk(depth, prefix, prefix, prefix)
        quoted, ask = column.quoted, column.numbers.ask
        low, high = self._ask(
            f"{ask.format(f'MIN({quoted})')}, {ask.format(f'MAX({quoted})')}", between(prefix, prefix)
        )
        if low is None or high is None:
            return [Piece(prefix, 0)]
        first, last = column.numbers.read(_text(low)), column.numbers.read(_text(high))
        if first is None or last is None:
            return self._walk(depth, prefix, prefix, prefix)
        return self._halve(prefix, depth, first, last, self._dive(prefix, prefix))

    def _halve(self, prefix: Bound, depth: int, low: int, high: int, estimate: int) -> list[Piece]:
        """Even cuts between both ends, then halves of those that are too full by the server's own estimate."""
        numbers, width = self._key.columns[depth].numbers, high - low + 1
        if numbers is None or estimate <= self._rows:
            return [Piece(prefix, estimate)]
        count = max(min(-(-estimate // self._rows), width, MAX_CHUNKS), 1)
        pending = list(pairwise([low - 1 + width * number // count for number in range(count)] + [high]))[::-1]
        name, pieces = self._key.columns[depth].name, list[Piece]()

        def bound(number: int) -> Bound:
            return (*prefix, (name, numbers.write(number)))

        while pending:
            lower, upper = pending.pop()
            start, end = prefix if lower < low else bound(lower), bound(upper) if pending else prefix
            rows = self._dive(start, end)
            crowded = rows > 2 * self._rows and self._made + len(pending) < MAX_CHUNKS
            if crowded and upper - lower > 1:
                middle = (lower + upper) // 2
                pending += [(middle, upper), (lower, middle)]
            elif crowded and not numbers.exact:
                pieces += self._walk(depth, prefix, start, end)
            elif crowded and depth + 1 < len(self._key.columns):
                pieces += [*self._cut(bound(upper), depth + 1)[:-1], Piece(end, self._rows)]
            else:
                self._made += 1
                pieces.append(Piece(end, rows))
        return pieces

    def _walk(self, depth: int, prefix: Bound, lower: Bound, upper: Bound) -> list[Piece]:
        """Every n-th key: exact for any type and collation, at the cost of one pass over the index."""
        columns = self._key.columns[depth:]
        literals = ", ".join(column.literal.format(column.quoted) for column in columns)
        order = ", ".join(column.quoted for column in columns)
        pieces: list[Piece] = []
        while self._made < MAX_CHUNKS:
            line = self._ask(literals, between(lower, upper), f" ORDER BY {order} LIMIT 1 OFFSET {self._rows - 1}")
            if not line:
                break
            lower = (*prefix, *((column.name, _text(value)) for column, value in zip(columns, line, strict=True)))
            pieces.append(Piece(lower, self._rows))
            self._made += 1
        return [*pieces, Piece(upper, self._rows)]

    def _ask(self, wanted: str, where: str, rest: str = "") -> tuple[Any, ...]:
        """The one row of a query of the key's index; empty when there is none."""
        hint = f"FORCE INDEX ({_DIALECT.quote(self._key.index)})"
        self._cursor.execute(f"SELECT {wanted} FROM {self._name} {hint}{f' WHERE {where}' if where else ''}{rest}")
        return self._cursor.fetchone() or ()

    def _dive(self, lower: Bound, upper: Bound) -> int:
        """Rows in a range, estimated by the server from the index itself: costs two descents, reads no rows."""
        hint = f"FORCE INDEX ({_DIALECT.quote(self._key.index)})"
        where = between(lower, upper)
        self._cursor.execute(f"EXPLAIN SELECT 1 FROM {self._name} {hint}{f' WHERE {where}' if where else ''}")
        names = [column[0].lower() for column in self._cursor.description or ()]
        line = self._cursor.fetchone()
        return int(line[names.index("rows")] or 0) if line is not None else 0


def _text(value: object) -> str:
    return value.decode("ascii") if isinstance(value, bytes) else str(value)
