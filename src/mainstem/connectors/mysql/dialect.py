"""How MySQL and MariaDB spell names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mainstem.contract.dialect import Folding
from mainstem.errors import InvalidError
from mainstem.model.names import TableId

if TYPE_CHECKING:
    from sqlglot import exp


def quote(name: str) -> str:
    """A name in backticks; `InvalidError` for an empty one or one with NUL."""
    if not name or "\0" in name:
        raise InvalidError("a name must not be empty and must not hold a NUL character", name=repr(name))
    return f"`{name.replace('`', '``')}`"


class MysqlDialect:
    """Names in backticks, which hold in every SQL mode (double quotes do not)."""

    @property
    def sql_name(self) -> str:
        """The dialect's name in sqlglot."""
        return "mysql"

    @property
    def labels_by_name(self) -> bool:
        """By their numbers."""
        return False

    def quote(self, name: str) -> str:
        """A name as an identifier; `InvalidError` for an empty one or one with NUL."""
        return quote(name)

    def qualified(self, table: TableId) -> str:
        """Database and table; the table alone when no database is known."""
        name = self.quote(table.name)
        return f"{self.quote(table.schema)}.{name}" if table.schema else name

    def folding(self, sql: str, collation: str) -> Folding:
        """What a column of this type takes for equal, by its collation's name."""
        from mainstem.connectors.mysql.folding import folding

        return folding(sql, collation)

    def neutral_expression(self, tree: exp.Expr) -> exp.Expr:
        """An expression without what only MySQL knows (charset introducers, collations, its own casts)."""
        from mainstem.connectors.mysql.neutral import neutral

        return neutral(tree)
