"""Expressions and views of the source as SQL of the target: parse, resolve names, hand over to the dialects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mainstem.contract.dialect import ColumnType, Dialect, TargetDialect, Use
from mainstem.errors import PlanError
from mainstem.model.names import TableId

if TYPE_CHECKING:
    from sqlglot import exp


@dataclass(frozen=True, slots=True)
class TargetColumn:
    """A column of the target as expressions see it; the type is None where a query computes it."""

    name: str
    type: ColumnType | None


@dataclass(frozen=True, slots=True)
class TableExpressions:
    """`Translate` for the expressions of one table; those of use VALUE are its defaults.

    Attributes:
        columns: by the source's column name, and by it in lower case; a column that is not copied is missing.
        sequences: source name → target name.
        schema: the source's, for sequences that are named without it.
    """

    source: Dialect
    target: TargetDialect
    columns: Mapping[str, TargetColumn]
    sequences: Mapping[TableId, TableId]
    schema: str

    @property
    def own(self) -> bool:
        """They are of two kinds."""
        return False

    def __call__(self, expression: str, use: Use = Use.VALUE, column: str = "") -> str:
        """The expression with the target's names; `PlanError` if it cannot be said there."""
        from sqlglot import exp

        tree = parse_expression(expression, self.source)
        for node in _columns(tree):
            found = self.columns.get(node.name) or self.columns.get(node.name.lower())
            if found is None:
                raise PlanError(f"the expression uses column {node.name}, which is not copied")
            if use is Use.VALUE:
                raise PlanError("a default cannot refer to other columns")
            node.set("this", exp.to_identifier(found.name, quoted=True))
            node.meta[ColumnType.META] = found.type
        wanted = next((found.type for found in self.columns.values() if found.name == column), None)
        neutral = self.source.neutral_expression(tree)
        for following in list(neutral.find_all(exp.NextValueFor)):
            self._rename_sequence(following.this)
        return self.target.render_expression(neutral, use, wanted)

    def _rename_sequence(self, node: exp.Expr) -> None:
        from sqlglot import exp

        target = self.sequences.get(TableId(node.text("db") or self.schema, node.name))
        if target is None:
            raise PlanError(f"it uses sequence {node.name}, which is not copied")
        node.set("this", exp.to_identifier(target.name, quoted=True))
        node.set("db", exp.to_identifier(target.schema, quoted=True) if target.schema else None)

    def used(self, expression: str) -> set[str]:
        """The source's columns that the expression names, in lower case."""
        return {node.name.lower() for node in _columns(parse_expression(expression, self.source))}


def _columns(tree: exp.Expr) -> list[exp.Column]:
    """The columns of an expression; the name in MariaDB's ``nextval(name)`` is a sequence's."""
    from sqlglot import exp

    return [
        node
        for node in tree.find_all(exp.Column)
        if not (isinstance(node.parent, exp.Anonymous) and node.parent.name.lower() == "nextval")
    ]


@dataclass(frozen=True, slots=True)
class OwnExpressions:
    """`Translate` between two systems of one kind: as it is, unless columns have other names.

    Attributes:
        names: every column of the source → its name on the target, or None if it is not copied.
    """

    target: TargetDialect
    names: Mapping[str, str | None]

    @property
    def own(self) -> bool:
        """They are of one kind."""
        return True

    def __call__(self, expression: str, use: Use = Use.VALUE, column: str = "") -> str:
        """The expression with the target's names; `PlanError` if it uses a column that is not copied."""
        if all(name == other for name, other in self.names.items()):
            return expression
        return self.target.rename_columns(expression, self.names)


def rename_columns(sql: str, names: Mapping[str, str | None], dialect: Dialect) -> str:
    """An expression of one kind of system with other column names, parsed and written anew.

    Raises:
        PlanError: it is not understood, or uses a column that has no name there.
    """
    from sqlglot import exp

    tree = parse_expression(sql, dialect)
    lowered = {name.lower(): other for name, other in names.items()}
    for node in list(tree.find_all(exp.Column)):
        found = lowered.get(node.name.lower())
        if found is None:
            raise PlanError(f"the expression uses column {node.name}, which is not copied")
        node.set("this", exp.to_identifier(found, quoted=True))
    return tree.sql(dialect=dialect.sql_name)


def parse_expression(sql: str, dialect: Dialect) -> exp.Expr:
    """One expression; `PlanError` when it isn't understood.

    Read as a query's only column: by itself ``replace(a, b, c)`` would pass for a statement.
    """
    columns = parse(f"SELECT {sql}", dialect).args.get("expressions", [])
    if len(columns) != 1:
        raise PlanError("the expression is not understood")
    tree: exp.Expr = columns[0].pop()
    return tree


def same_expression(one: str, other: str, dialect: Dialect) -> bool:
    """Whether two texts are one expression but for spaces, quotes and parentheses that change nothing."""
    if one == other:
        return True
    try:
        trees = [parse_expression(text, dialect) for text in (one, other)]
    except PlanError:
        return False
    from mainstem.ddl.trees import rebuild

    return bool(rebuild(trees[0], _plainly) == rebuild(trees[1], _plainly))


def _plainly(node: exp.Expr) -> exp.Expr:
    """Without what only the text needs: the tree itself says what belongs together."""
    from sqlglot import exp

    while isinstance(node, exp.Paren):
        node = node.this
    return exp.to_identifier(node.name, quoted=True) if isinstance(node, exp.Identifier) else node


def parse(sql: str, dialect: Dialect) -> exp.Expr:
    """One statement; `PlanError` when it isn't understood."""
    import sqlglot  # large, and a schema of plain tables needs none of it
    from sqlglot.errors import SqlglotError

    try:
        return sqlglot.parse_one(sql, read=dialect.sql_name)
    except SqlglotError as exc:
        raise PlanError("the expression is not understood") from exc
