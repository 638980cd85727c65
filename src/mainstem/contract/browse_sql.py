"""The statements of a `Browser`, in whichever dialect a `Spelling` speaks. Pure; values travel as arguments.

Placeholders are ``%s``, as both drivers have them, and a percent sign of one's own is doubled.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from mainstem.contract.browse import (
    BrowseColumn,
    ChangeKind,
    Condition,
    Group,
    Page,
    Relation,
    RowChange,
    RowQuery,
    Sorting,
    Special,
    TimeLimitError,
    Value,
)
from mainstem.contract.selects import check_condition
from mainstem.errors import ConflictError, InvalidError, NotFoundError
from mainstem.model.names import TableId, listed
from mainstem.model.shown import CutText, ShownBytes, ShownCell

PIECE = 2 * 1024 * 1024
"""Characters or bytes of a long value that are read at once."""
MAX_DEPTH = 8
_FAR = 1000  # rows to skip, from which on reading the keys alone first is worth it
_ESCAPE = "!"  # not the backslash: the systems disagree on whether that needs doubling


@dataclass(frozen=True, slots=True)
class Sql:
    """A statement, or a part of one, with its arguments."""

    text: str
    arguments: tuple[Any, ...] = ()


class Spelling(Protocol):
    """What differs between the systems."""

    @property
    def sql_name(self) -> str:
        """The dialect's name in sqlglot."""
        ...

    @property
    def like(self) -> str:
        """LIKE without regard to case."""
        ...

    def quote(self, name: str) -> str:
        """A name as an identifier, percent signs doubled."""
        ...

    def qualified(self, table: TableId) -> str:
        """A table with its schema, percent signs doubled."""
        ...

    def shown(self, column: BrowseColumn, sql: str) -> str:
        """An expression for the value as it is shown: text, or bytes of a binary column."""
        ...

    def bound(self, column: BrowseColumn, value: Value) -> Sql:
        """A value as an expression that is compared with, or written to, the column; `InvalidError` if it can't be."""
        ...

    def same(self, column: BrowseColumn, sql: str, value: Value) -> Sql:
        """A condition: what is shown of the column is exactly this."""
        ...

    def cut(self, column: BrowseColumn, sql: str, most: int) -> tuple[str, str]:
        """Two expressions: the beginning of a value, and its size in bytes if that is not all, else NULL."""
        ...

    def resumable(self, column: BrowseColumn) -> bool:
        """Whether a value that was read can be compared with exactly, in the order that the system sorts by."""
        ...

    def empty_insert(self) -> str:
        """What stands behind INSERT INTO a table for a row of defaults."""
        ...


@dataclass(frozen=True, slots=True)
class Selection:
    """A SELECT of a page: two result columns for each of ``columns``, then one for each of ``order``."""

    sql: Sql
    columns: tuple[BrowseColumn, ...]
    order: tuple[Sorting, ...] = field(default=())
    resumable: bool = False


def select(spell: Spelling, relation: Relation, query: RowQuery) -> Selection:
    """The SELECT for some rows; `InvalidError` for what does not fit the relation."""
    columns = _chosen(relation, query.columns)
    order = _full_order(relation, query.order)
    resumable = bool(relation.key) and all(
        not column.nullable and spell.resumable(column) for column in (_column(relation, by.column) for by in order)
    )
    if query.after is not None and not (resumable and len(query.after) == len(order)):
        raise InvalidError(
            "these rows cannot be continued from a position",
            fields={"after": "does not fit the order"},
            remedy="use offset, or a position that was given for the same order_by",
        )
    read = [_read(spell, column, query.max_cell) for column in columns]
    read += [spell.shown(_column(relation, by.column), _name(spell, by.column)) for by in order if resumable]
    direction = _reversed(order) if query.backwards else order
    where = _where(spell, relation, query, direction)
    tail = _order_by(spell, direction) + (f" LIMIT {query.limit}" if query.limit else "")
    source = f"{spell.qualified(relation.id)} AS t"
    listed = f"SELECT {', '.join(read)} FROM "
    if query.skip > _FAR and relation.key and query.limit:
        keys = ", ".join(_name(spell, name) for name in relation.key)
        inner = f"SELECT {keys} FROM {source}{where.text}{tail} OFFSET {query.skip}"
        on = " AND ".join(f"t.{spell.quote(name)} = k.{spell.quote(name)}" for name in relation.key)
        text = f"{listed}({inner}) AS k JOIN {source} ON {on}{_order_by(spell, direction)}"
    else:
        text = f"{listed}{source}{where.text}{tail}{f' OFFSET {query.skip}' if query.skip else ''}"
    return Selection(Sql(text, where.arguments), columns, order, resumable)


def paged(selection: Selection, rows: Sequence[Sequence[Any]], query: RowQuery, *, full: bool) -> Page:
    """The page that these result rows of a `select` make."""
    ordered = list(reversed(rows)) if query.backwards else rows
    positions = [tuple(row[2 * len(selection.columns) :]) for row in ordered] if selection.resumable else []
    return Page(
        selection.columns,
        tuple(shown_cells(row, len(selection.columns)) for row in ordered),
        selection.order,
        positions[0] if positions else None,
        positions[-1] if positions else None,
        full,
    )


def shown_cells(row: Sequence[Any], columns: int) -> tuple[ShownCell, ...]:
    """The cells of a result row of a `select`: pairs of a value and its size, which is None for a whole one."""
    pairs = ((row[2 * number], row[2 * number + 1]) for number in range(columns))
    return tuple(_shown_cell(value, size) for value, size in pairs)


def _shown_cell(value: str | bytes | None, size: int | str | None) -> ShownCell:
    if isinstance(value, bytes):
        return ShownBytes(value, len(value) if size is None else int(size))
    return value if value is None or size is None else CutText(value, int(size))


def count(spell: Spelling, relation: Relation, query: RowQuery) -> Sql:
    """SELECT count(*) of the rows that the conditions let through."""
    where = _where(spell, relation, replace(query, after=None), ())
    return Sql(f"SELECT COUNT(*) FROM {spell.qualified(relation.id)} AS t{where.text}", where.arguments)


def conditions(spell: Spelling, relation: Relation, query: RowQuery) -> Sql:
    """`` WHERE …`` or nothing."""
    return _where(spell, relation, replace(query, after=None), ())


def is_filtered(query: RowQuery) -> bool:
    """Whether there are conditions."""
    return bool(query.filter or query.where or query.key)


def _chosen(relation: Relation, names: Sequence[str]) -> tuple[BrowseColumn, ...]:
    return tuple(_column(relation, name) for name in names) if names else relation.columns


def _column(relation: Relation, name: str, field_name: str = "column") -> BrowseColumn:
    found = relation.column(name)
    if found is None:
        raise InvalidError(
            f"{relation.id} has no column {name!r}",
            fields={field_name: f"{name!r} is no column of {relation.id}"},
            remedy="look at the table's structure for its columns",
        )
    return found


def _full_order(relation: Relation, wanted: Sequence[Sorting]) -> tuple[Sorting, ...]:
    """What is asked for, then the key, so that no two rows are equal."""
    for by in wanted:
        _column(relation, by.column, "order_by")
    named = {by.column for by in wanted}
    return (*wanted, *(Sorting(name) for name in relation.key if name not in named))


def _reversed(order: Iterable[Sorting]) -> tuple[Sorting, ...]:
    return tuple(Sorting(by.column, not by.descending) for by in order)


def _name(spell: Spelling, column: str) -> str:
    return f"t.{spell.quote(column)}"


def _order_by(spell: Spelling, order: Sequence[Sorting]) -> str:
    parts = (f"{_name(spell, by.column)}{' DESC' if by.descending else ''}" for by in order)
    return f" ORDER BY {', '.join(parts)}" if order else ""


def _read(spell: Spelling, column: BrowseColumn, most: int) -> str:
    return ", ".join(spell.cut(column, _name(spell, column.name), most))


def _where(spell: Spelling, relation: Relation, query: RowQuery, order: Sequence[Sorting]) -> Sql:
    parts = [_key(spell, relation, query.key)] if query.key else []
    if query.filter is not None:
        parts.append(_group(spell, relation, query.filter, 0))
    if query.where.strip():
        check_condition(query.where, spell.sql_name)
        parts.append(Sql(f"({query.where.replace('%', '%%')}\n)"))
    if query.after is not None:
        parts.append(_following(spell, relation, order, query.after))
    parts = [part for part in parts if part.text]
    return _joined(parts, " AND ", " WHERE ") if parts else Sql("")


def _joined(parts: Sequence[Sql], glue: str, before: str = "") -> Sql:
    arguments = tuple(argument for part in parts for argument in part.arguments)
    return Sql(before + glue.join(part.text for part in parts), arguments)


def _following(spell: Spelling, relation: Relation, order: Sequence[Sorting], after: Sequence[Value]) -> Sql:
    """Rows behind a position: ``a >= x AND (a > x OR (a = x AND (b > y)))``, which an index on (a, b) serves."""
    found = Sql("")
    for by, value in reversed(list(zip(order, after, strict=True))):
        column = _column(relation, by.column)
        name, sign, bound = _name(spell, by.column), "<" if by.descending else ">", spell.bound(column, value)
        if not found.text:
            found = Sql(f"{name} {sign} {bound.text}", bound.arguments)
            continue
        text = (
            f"{name} {sign}= {bound.text} AND ({name} {sign} {bound.text} OR ({name} = {bound.text} AND {found.text}))"
        )
        found = Sql(text, bound.arguments * 3 + found.arguments)
    return Sql(f"({found.text})", found.arguments)


def _key(spell: Spelling, relation: Relation, key: Mapping[str, Value], alias: str = "t.") -> Sql:
    missing = [name for name in relation.key if name not in key]
    if missing or not relation.key or any(value is None for value in key.values()):
        raise InvalidError(
            f"{relation.id}: the key of a row is needed, which is {', '.join(relation.key) or 'missing here'}",
            fields={"keys": f"must have {', '.join(relation.key)}" if relation.key else "the table has no key"},
        )
    parts = []
    for name in relation.key:
        bound = spell.bound(_column(relation, name), key[name])
        parts.append(Sql(f"{alias}{spell.quote(name)} = {bound.text}", bound.arguments))
    return _joined(parts, " AND ")


def _group(spell: Spelling, relation: Relation, group: Group, depth: int) -> Sql:
    if depth >= MAX_DEPTH:
        raise _bad("filter", f"must not be deeper than {MAX_DEPTH} groups")
    made = [
        _group(spell, relation, part, depth + 1) if isinstance(part, Group) else _condition(spell, relation, part)
        for part in group.parts
    ]
    made = [part for part in made if part.text]
    inner = _joined(made, " AND " if group.every else " OR ")
    return Sql(f"({inner.text})", inner.arguments) if made else Sql("")


def _condition(spell: Spelling, relation: Relation, condition: Condition) -> Sql:
    column = _column(relation, condition.column, "filter")
    found = _OPERATORS.get(" ".join(condition.operator.upper().replace("_", " ").split()))
    if found is None:
        raise _bad("filter", f"the operator must be one of {', '.join(_OPERATORS)}")
    number, build = found
    if (number >= 0 and len(condition.values) != number) or (number < 0 and not condition.values):
        wanted = {-1: "at least one value", 0: "no value", 1: "one value", 2: "two values"}[number]
        raise _bad("filter", f"{column.name}: {condition.operator} needs {wanted}")
    return build(spell, column, _name(spell, column.name), condition.values)


def _bad(field_name: str, told: str) -> InvalidError:
    return InvalidError(f"the filter is refused: {told}", fields={field_name: told}, remedy="correct the filter")


_Build = Callable[[Spelling, BrowseColumn, str, tuple[str, ...]], Sql]


def _compare(sign: str) -> _Build:
    def build(spell: Spelling, column: BrowseColumn, name: str, values: tuple[str, ...]) -> Sql:
        bound = spell.bound(column, values[0])
        return Sql(f"{name} {sign} {bound.text}", bound.arguments)

    return build


def _like(before: str, after: str, *, negated: bool = False, own: bool = False) -> _Build:
    """LIKE without regard to case; with ``own`` the value's wildcards are wildcards."""

    def build(spell: Spelling, column: BrowseColumn, name: str, values: tuple[str, ...]) -> Sql:
        text = values[0]
        for special in () if own else (_ESCAPE, "%", "_"):
            text = text.replace(special, _ESCAPE + special)
        shown = spell.shown(column, name)
        sign = f"NOT {spell.like}" if negated else spell.like
        return Sql(f"{shown} {sign} %s ESCAPE '{_ESCAPE}'", (before + text + after,))

    return build


def _in(word: str) -> _Build:
    def build(spell: Spelling, column: BrowseColumn, name: str, values: tuple[str, ...]) -> Sql:
        bound = [spell.bound(column, value) for value in values]
        inner = _joined(bound, ", ")
        return Sql(f"{name} {word} ({inner.text})", inner.arguments)

    return build


def _between(spell: Spelling, column: BrowseColumn, name: str, values: tuple[str, ...]) -> Sql:
    low, high = spell.bound(column, values[0]), spell.bound(column, values[1])
    return Sql(f"{name} BETWEEN {low.text} AND {high.text}", low.arguments + high.arguments)


def _null(word: str) -> _Build:
    return lambda spell, column, name, values: Sql(f"{name} {word}")


_OPERATORS: dict[str, tuple[int, _Build]] = {  # how many values (-1 is one or more), and the SQL
    "=": (1, _compare("=")),
    "!=": (1, _compare("<>")),
    "<": (1, _compare("<")),
    "<=": (1, _compare("<=")),
    ">": (1, _compare(">")),
    ">=": (1, _compare(">=")),
    "CONTAINS": (1, _like("%", "%")),
    "NOT CONTAINS": (1, _like("%", "%", negated=True)),
    "STARTS WITH": (1, _like("", "%")),
    "ENDS WITH": (1, _like("%", "")),
    "LIKE": (1, _like("", "", own=True)),
    "NOT LIKE": (1, _like("", "", negated=True, own=True)),
    "IN": (-1, _in("IN")),
    "NOT IN": (-1, _in("NOT IN")),
    "BETWEEN": (2, _between),
    "IS NULL": (0, _null("IS NULL")),
    "IS NOT NULL": (0, _null("IS NOT NULL")),
}
OPERATORS = tuple(_OPERATORS)


def change(spell: Spelling, relation: Relation, item: RowChange) -> Sql:
    """The statement for a change of one row; `InvalidError` for what cannot be written."""
    for name in (*item.values, *item.old):
        _column(relation, name, item.place)
    table = spell.qualified(relation.id)
    if item.kind is ChangeKind.INSERT:
        return _insert(spell, relation, table, item.values)
    where = _unchanged(spell, relation, item)
    if item.kind is ChangeKind.DELETE:
        return Sql(f"DELETE FROM {table}{where.text}", where.arguments)
    if not item.values:
        raise InvalidError(f"{item.place} changes nothing", fields={f"{item.place}.changes": "is empty"})
    sets = _joined([_assigned(spell, relation, name, value) for name, value in item.values.items()], ", ")
    return Sql(f"UPDATE {table} SET {sets.text}{where.text}", sets.arguments + where.arguments)


def compare(spell: Spelling, relation: Relation, item: RowChange) -> Sql:
    """A SELECT that tells, for each of ``item.old``, whether the row still has it."""
    same = _joined(
        [spell.same(_column(relation, n), _name(spell, n), v) for n, v in item.old.items()] or [Sql("1")], ", "
    )
    key = _key(spell, relation, item.key)
    source = f"{spell.qualified(relation.id)} AS t"
    return Sql(f"SELECT {same.text} FROM {source} WHERE {key.text}", same.arguments + key.arguments)


def _insert(spell: Spelling, relation: Relation, table: str, values: Mapping[str, Value | Special]) -> Sql:
    given = {name: value for name, value in values.items() if value is not Special.DEFAULT}
    if not given:
        return Sql(f"INSERT INTO {table}{spell.empty_insert()}")
    names = ", ".join(spell.quote(name) for name in given)
    bound = _joined([_written(spell, _column(relation, name), value) for name, value in given.items()], ", ")
    return Sql(f"INSERT INTO {table} ({names}) VALUES ({bound.text})", bound.arguments)


def _assigned(spell: Spelling, relation: Relation, name: str, value: Value | Special) -> Sql:
    written = _written(spell, _column(relation, name), value)
    return Sql(f"{spell.quote(name)} = {written.text}", written.arguments)


def _written(spell: Spelling, column: BrowseColumn, value: Value | Special) -> Sql:
    if value is Special.DEFAULT:
        return Sql("DEFAULT")
    return Sql("NULL") if value is None else spell.bound(column, value)


def _unchanged(spell: Spelling, relation: Relation, item: RowChange) -> Sql:
    """WHERE the row has this key and still holds what it held."""
    parts = [_key(spell, relation, item.key, alias="")]
    for name, value in item.old.items():
        if name not in relation.key:
            parts.append(spell.same(_column(relation, name), spell.quote(name), value))
    return _joined(parts, " AND ", " WHERE ")


def value_in_pieces(
    spell: Spelling, relation: Relation, query: RowQuery, ask: Callable[[Sql], Sequence[Sequence[Any]]]
) -> Iterator[bytes]:
    """The query's one column in its first row, read part by part; text as UTF-8, NULL and an empty value as no part.

    Args:
        ask: runs a statement within one snapshot.

    Raises:
        NotFoundError: the query has no row.
    """
    start = 1
    while True:
        rows = ask(piece(spell, relation, query, start, PIECE))
        if not rows:
            raise NotFoundError("there is no such row", remedy="reload the page")
        value = rows[0][0]
        if not value:
            return
        yield value.encode() if isinstance(value, str) else bytes(value)
        start += PIECE


def piece(spell: Spelling, relation: Relation, query: RowQuery, start: int, length: int) -> Sql:
    """A SELECT of a part of the query's one column in its first row.

    Args:
        start: of the part, counted from 1 in characters, or bytes of a binary column.
    """
    selection = select(spell, relation, replace(query, limit=1, columns=query.columns[:1]))
    column = selection.columns[0]
    shown = spell.shown(column, _name(spell, column.name))
    inner = replace(query, limit=1)
    where = _where(spell, relation, inner, selection.order)
    tail = _order_by(spell, _reversed(selection.order) if query.backwards else selection.order)
    skip = f" OFFSET {query.skip}" if query.skip else ""
    text = f"SELECT SUBSTRING({shown}, {start}, {length}) FROM {spell.qualified(relation.id)} AS t{where.text}{tail}"
    return Sql(f"{text} LIMIT 1{skip}", where.arguments)


def conflict(item: RowChange, same: Sequence[Any] | None) -> ConflictError:
    """Why a change found no row, or more than one.

    Args:
        same: for each of ``item.old``, whether the row still has it; None if there is no such row.
    """
    remedy = "load the row again, look at what it holds now, and repeat the change if it is still wanted"
    if same is None:
        told = "the row is no longer there: it was deleted, or its key was changed, after it was read"
        return ConflictError(f"{item.place}: {told}", remedy=remedy, field=item.place, found="gone")
    changed = [name for name, kept in zip(item.old, same, strict=False) if not kept]
    told = f"the row was changed after it was read{f', in {listed(changed)}' if changed else ''}"
    return ConflictError(f"{item.place}: {told}", remedy=remedy, field=item.place, found="changed")


def too_slow(seconds: float) -> TimeLimitError:
    """A statement was ended at its limit."""
    return TimeLimitError(
        f"the database had no answer within {seconds:g} s, and the question was taken back",
        remedy="narrow it by a filter, sort by a column that an index serves, or take the estimate",
    )
