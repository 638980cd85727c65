"""The order of tables whose foreign keys the target has already: parents first, and what becomes of circles.

Keys that the run makes itself come behind all rows and need no order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from mainstem.contract.dialect import TargetDialect, Unchecked
from mainstem.errors import PlanError, StatementError
from mainstem.model.names import TableId, listed
from mainstem.model.plan import MigrationPlan, Phase, Statement
from mainstem.model.schema import ForeignKey, Table

_PHASES = tuple(Phase)
_NOT_ENFORCED = "NOT ENFORCED"  # PostgreSQL 18: nobody checks it
_PERIOD = "PERIOD "  # PostgreSQL 18: ranges that cover, not equal values
_REMEDY = (
    "GRANT SET ON PARAMETER session_replication_role TO the target's login (PostgreSQL 15 or newer), use a superuser's"
    " login, or drop these keys until the rows are in"
)


@dataclass(frozen=True, slots=True)
class _Reference:
    """A key between two tables that are written, both by their names on the target."""

    child: TableId
    key: ForeignKey

    @property
    def parent(self) -> TableId:
        return self.key.parent

    def __str__(self) -> str:
        return f"{self.child}.{self.key.name}"


def ordered(
    plan: MigrationPlan, there: Mapping[TableId, Table], target: TargetDialect, *, strict: bool
) -> MigrationPlan:
    """The plan with each table behind those that it refers to.

    Keys of a table to itself, and of tables in a circle, hold in no order. Where the login may, such tables are written
    unchecked, and their keys looked at afterwards. Else a table that refers to itself is written by one statement,
    behind which the server looks.

    Args:
        there: the tables that the target has and keeps, by their names on it.
        strict: refuse what cannot be written; else it is left to the server, which may have nothing to refuse.

    Raises:
        PlanError: tables refer to each other in a circle, and the login may not write them unchecked.
    """
    sources = {table.target: table.source for table in plan.tables}
    found = [item for id_ in sources if id_ in there for item in _references(there[id_]) if item.parent in sources]
    if not found:
        return plan
    circle = _circles(found)
    inner = [item for item in found if circle[item.child] == circle[item.parent]]
    special = {item.child for item in inner}
    looks = [item for id_ in special for item in _references(there[id_])]
    may = target.unchecked is not Unchecked.NEVER
    kept = [item for item in looks if _PERIOD in item.key.definition] if may else []
    if strict:
        _refuse(kept if may else [item for item in inner if item.child != item.parent])
    after: dict[TableId, list[TableId]] = {}
    for item in found:
        if item not in inner:
            after.setdefault(item.child, []).append(sources[item.parent])
    tables = tuple(
        replace(
            table,
            after=tuple(dict.fromkeys(after.get(table.target, ()))),
            unchecked=may and table.target in special,
            whole=not may and table.target in special,
        )
        for table in plan.tables
    )
    added = tuple(_look(item, target) for item in looks if may)
    statements = sorted((*plan.statements, *added), key=lambda statement: _PHASES.index(statement.phase))
    return replace(plan, tables=tables, statements=tuple(statements))


def orphans(qualified: Callable[[TableId], str], quote: Callable[[str], str], table: TableId, key: ForeignKey) -> str:
    """A query for rows whose parents are missing; a key that is null in part needs none."""
    pairs = [(quote(child), quote(parent)) for child, parent in zip(key.columns, key.parent_columns, strict=True)]
    met = " AND ".join(f"p.{parent} = c.{child}" for child, parent in pairs)
    there = " AND ".join(f"c.{child} IS NOT NULL" for child, _ in pairs)
    return (
        f"SELECT 1 FROM {qualified(table)} AS c LEFT JOIN {qualified(key.parent)} AS p ON {met}"
        f" WHERE {there} AND p.{pairs[0][1]} IS NULL"
    )


def orphaned(statement: Statement) -> StatementError:
    """What a statement comes to whose `Statement.against` has found rows."""
    made = "is not made" if statement.sql else "does not hold: it was not checked while they were written"
    remedy = "add the missing rows or remove these" + ", then make the foreign key by hand" * bool(statement.sql)
    return StatementError(
        f"there are rows without their parent: {statement.object} {made}", remedy=remedy, object=statement.object
    )


def _references(table: Table) -> Iterator[_Reference]:
    return (_Reference(table.id, key) for key in table.foreign_keys if _NOT_ENFORCED not in key.definition)


def _refuse(references: Sequence[_Reference]) -> None:
    if references:
        raise PlanError(
            "foreign keys of the target would be checked before the rows that they need can be there, since the tables"
            f" refer to themselves or to each other in a circle: {listed([str(item) for item in references])}",
            remedy=_REMEDY,
            table=str(references[0].child),
        )


def _look(item: _Reference, target: TargetDialect) -> Statement:
    query = orphans(target.qualified, target.quote, item.child, item.key)
    return Statement(Phase.FOREIGN_KEYS, "", str(item), item.child, against=query)


def _circles(references: Iterable[_Reference]) -> dict[TableId, TableId]:
    """For each table one of the circle that it is in, the same for all of them; a table in none has itself.

    Kosaraju's way: in the order in which a search leaves the tables, from the last, what can be reached against the
    references belongs together.
    """
    parents: dict[TableId, list[TableId]] = {}
    children: dict[TableId, list[TableId]] = {}
    for item in references:
        parents.setdefault(item.child, []).append(item.parent)
        children.setdefault(item.parent, []).append(item.child)
    found: dict[TableId, TableId] = {}
    left: dict[TableId, TableId] = {}
    for table in [*parents, *children]:
        _search(table, table, parents, left)
    for table in reversed(left):
        _search(table, table, children, found)
    return found


def _search(first: TableId, name: TableId, edges: Mapping[TableId, Sequence[TableId]],
            left: dict[TableId, TableId]) -> None:  # fmt: skip
    """Walk from a table along the edges, past those that were left before, and note each as it is left."""
    entered = {first}
    way = [(first, iter(edges.get(first, ())))] if first not in left else []
    while way:
        table, ahead = way[-1]
        following = next((item for item in ahead if item not in left and item not in entered), None)
        if following is None:
            left[table] = name
            way.pop()
        else:
            entered.add(following)
            way.append((following, iter(edges.get(following, ()))))
