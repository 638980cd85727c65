"""How a table of the target follows its source's columns: what is added, what becomes wider, what only people can say.

Pure. Nothing is ever dropped or made narrower: the target's column stays, and takes nulls.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from mainstem.contract.dialect import Dialect, TargetDialect, TargetType, Translate
from mainstem.ddl.layout import Layout, choose_types, lay_out
from mainstem.ddl.naming import Names
from mainstem.ddl.narrowing import keeps_labels, widens
from mainstem.ddl.selection import Selected
from mainstem.errors import PlanError
from mainstem.model.plan import ColumnPlan, TablePlan
from mainstem.model.run import TableSelection
from mainstem.model.schema import Column, Default, DefaultKind, Table
from mainstem.model.types import Kind

# What a column that is not null and has no default gets in rows that are there (MySQL manual, "Data Type Defaults").
_IMPLICIT = {
    Kind.BOOLEAN: "0", Kind.INTEGER: "0", Kind.DECIMAL: "0", Kind.FLOAT: "0", Kind.TEXT: "", Kind.BINARY: "",
    Kind.YEAR: "0000", Kind.TIME: "00:00:00", Kind.INTERVAL: "00:00:00", Kind.SET: "",
}  # fmt: skip


RUN = "run on the target: "
"""Behind this an obstacle has statements, divided by semicolons."""


_TEXTS = {
    "text", "tinytext", "mediumtext", "longtext", "varchar", "char", "character varying", "character", "bpchar",
    "citext", "name",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Shape:
    """A table before a change.

    Attributes:
        plan, layout: as in `StreamTable`.
        selection: what the user wants of it.
        there: the target's own columns, by name in lower case.
        own: the target's own table, with its keys and checks.
        named: rows of the log name an enum's labels.
        left: as in `StreamTable`.
    """

    plan: TablePlan
    layout: tuple[Column, ...]
    selection: TableSelection
    there: Mapping[str, Column]
    own: Table | None = None
    named: bool = False
    left: tuple[str, ...] = ()


@dataclass(slots=True)
class Change:
    """What a change of columns comes to.

    Attributes:
        plan: how rows travel from here on.
        statements: for the target.
        told: what happens, sentence by sentence.
        obstacles: why the table cannot go on by itself, each with what to run; empty if it can.
        copy: rows that are there hold values that the log does not tell: the table is to be copied anew.
        left: columns of the target that the source drops by it.
    """

    plan: TablePlan
    statements: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    obstacles: list[str] = field(default_factory=list)
    copy: bool = False
    left: tuple[str, ...] = ()


def follow(
    shape: Shape,
    columns: Sequence[Column],
    source: Dialect,
    target: TargetDialect,
    overrides: Mapping[str, str],
    *,
    anew: bool = False,
) -> Change:
    """What the target's table must become for rows of these columns.

    Args:
        anew: its rows are to be copied anew: a column under another name is a new one, and one that the target lacks
            is added, whenever it came.
    """
    shape = replace(shape, named=source.labels_by_name)
    if anew:
        shape = replace(shape, layout=tuple(column for column in shape.layout if not _is_lacking(shape, column)))
    old = {column.name: column for column in shape.layout}
    new = {column.name: column for column in columns}
    gone = [column for column in shape.layout if column.name not in new]
    added = [column for column in columns if column.name not in old]
    change = Change(shape.plan)
    renamed = None if anew else _renamed(shape, gone, added, columns)
    if renamed is not None:
        _obstacle_of_rename(shape, renamed, target, change)
        return change
    layout = _laid_out(shape, columns, source, target, overrides)
    translate = layout.translator(source, target, {})
    for column in gone:
        _leave(shape, column, layout, target, translate, change)
    for column in added:
        if column.name in layout.names:
            _add(shape, column, layout, target, translate, change)
    widened = {
        layout.names[name]
        for name in new
        if name in old and name in layout.names
        if _adapt(shape, old[name], new[name], layout, target, translate, change)
    }
    for name in new:
        if name in old and name in layout.names and _formula(old[name]) != _formula(new[name]):
            _recomputed(shape, new[name], layout, target, change)
    change.plan = _plan(shape, layout, widened)
    if anew:
        _obstacle_of_key(shape, change.plan, target, change)
    return change


def _obstacle_of_key(shape: Shape, plan: TablePlan, target: TargetDialect, change: Change) -> None:
    """The target's table has no key, though it should: what was to make it was refused at the first copy."""
    own = shape.own
    if own is None or not plan.keyed or own.primary_key or any(index.unique for index in own.indexes):
        return
    names = [plan.columns[number].target for number in plan.identity]
    sql = f"ALTER TABLE {target.qualified(plan.target)} ADD PRIMARY KEY ({', '.join(map(target.quote, names))})"
    change.obstacles.append(f"table {plan.target} has no key: {RUN}{sql}")


def _formula(column: Column) -> str:
    return column.generated.expression if column.generated is not None else ""


def _recomputed(shape: Shape, column: Column, layout: Layout, target: TargetDialect, change: Change) -> None:
    """A column is computed by another expression, or not as before at all."""
    own = shape.there.get(layout.names[column.name].lower())
    if own is not None and own.generated is not None:
        now = f"computed as {_formula(column)}" if column.generated is not None else "not computed any more"
        table = target.qualified(layout.target.id)
        change.obstacles.append(f"column {column.name} is {now}: make {own.name} of {table} the same")
    elif own is not None and column.generated is not None:
        change.copy = True
        change.told.append(f"what {column.name} became by its new expression is not in the log")


def _is_lacking(shape: Shape, column: Column) -> bool:
    known = next((item for item in shape.plan.columns if item.source == column.name), None)
    return known is not None and known.target.lower() not in shape.there


def _renamed(
    shape: Shape, gone: Sequence[Column], added: Sequence[Column], columns: Sequence[Column]
) -> tuple[Column, Column] | None:
    """A column that has gone and another of its type in its place: it has another name, as far as one can see."""
    places = {column.name: place for place, column in enumerate(shape.layout)}
    for column in gone:
        place = places[column.name]
        other = columns[place] if place < len(columns) else None
        if other in added and other is not None and other.type == column.type:
            return column, other
    return None


def _obstacle_of_rename(shape: Shape, pair: tuple[Column, Column], target: TargetDialect, change: Change) -> None:
    before, after = pair
    known = {column.source: column.target for column in shape.plan.columns}
    name = known.get(before.name)
    told = f"column {before.name} is gone, and {after.name} of the same type is in its place"
    sql = ""
    if name is not None:
        table = target.qualified(shape.plan.target)
        sql = (
            f"; if it was renamed, run: ALTER TABLE {table} RENAME COLUMN {target.quote(name)} TO {_to(after, target)}"
        )
    change.obstacles.append(told + sql)


def _to(column: Column, target: TargetDialect) -> str:
    return target.quote(Names(target.names, folds=target.names.folds_columns)(column.name))


def _laid_out(
    shape: Shape, columns: Sequence[Column], source: Dialect, target: TargetDialect, overrides: Mapping[str, str]
) -> Layout:
    """The table as it would be made now, known columns under the names that they have."""
    present = {column.name for column in columns}
    wanted, plan = shape.selection, shape.plan
    known = {column.source: column.target for column in plan.columns if column.source in present}
    left_out = {column.name for column in shape.layout if column.generated is None} - {
        column.source for column in plan.columns
    }
    excluded = ({*wanted.exclude_columns, *left_out} & present) if not wanted.columns else set()
    selection = replace(
        wanted,
        columns=tuple(name for name in wanted.columns if name in present),
        exclude_columns=tuple(sorted(excluded)),
        renames={**{name: to for name, to in wanted.renames.items() if name in present}, **known},
        where="",
    )
    key = plan.key if set(plan.key) <= present else ()
    table = Table(plan.source, tuple(_fillable(column, shape) for column in columns), key)
    layout = lay_out(Selected(table, selection), plan.target, target.names)
    own = source.sql_name == target.sql_name
    names = Names(target.names)
    choose_types([layout], target, overrides, lambda schema: names, own=own)
    return layout


def _fillable(column: Column, shape: Shape) -> Column:
    """A new column that is never null, and has no default, with the value that rows that are there get."""
    known = any(column.name == other.name for other in shape.layout)
    bare = column.default is None and column.generated is None and not column.identity
    if known or column.nullable or not bare:
        return column
    text = column.type.members[0] if column.type.kind is Kind.ENUM else _IMPLICIT.get(column.type.kind)
    if text is None:
        return replace(column, nullable=True)
    quoted = "'" + text.replace("'", "''") + "'"
    return replace(column, default=Default(DefaultKind.LITERAL, text, quoted))


def _add(
    shape: Shape, column: Column, layout: Layout, target: TargetDialect, translate: Translate, change: Change
) -> None:
    name = layout.names[column.name]
    if name.lower() in shape.there:
        change.told.append(f"column {name} is there already")
        if name in shape.left:
            change.copy = True
            change.told.append(f"rows that are there have in {name} what they had before the source dropped it")
        return
    if column.identity:
        change.obstacles.append(
            f"column {column.name} counts by itself, and what rows that are there got is not in the log; add {name} to"
            f" {target.qualified(shape.plan.target)} by hand"
        )
        return
    try:
        made = target.add_column(layout.target, name, layout.types, translate)
    except PlanError as exc:
        change.obstacles.append(f"column {column.name} cannot be added: {exc.message}")
        return
    change.statements += [statement.sql for statement in made.statements]
    change.told += [f"column {name} is added", *(item.message for item in made.report)]
    default = column.default
    if default is not None and not _plain(default):
        change.copy = True
        change.told.append(f"what {column.name} got in rows that are there is not in the log")


def _plain(default: Default) -> bool:
    """A literal, also where it is written as an expression: a number, a string, perhaps with its type."""
    if default.kind is not DefaultKind.EXPRESSION:
        return default.kind is DefaultKind.LITERAL
    text = (default.text or default.sql).strip()
    body = text.split("::")[0].strip()
    return body.upper() in ("NULL", "TRUE", "FALSE") or _is_literal(body)


def _is_literal(body: str) -> bool:
    if len(body) > 1 and body[0] == body[-1] == "'":
        return "'" not in body[1:-1].replace("''", "")
    return body.lstrip("+-").replace(".", "", 1).isdigit()


def _leave(
    shape: Shape, column: Column, layout: Layout, target: TargetDialect, translate: Translate, change: Change
) -> None:
    """The source has dropped a column."""
    known = {item.source: item for item in shape.plan.columns}.get(column.name)
    if known is None:
        return
    if column.name in shape.plan.key:
        change.obstacles.append(f"column {column.name} of the key was dropped; give the target's table its new key")
        return
    own = shape.there.get(known.target.lower())
    change.left = (*change.left, known.target)
    change.told.append(f"column {known.target} stays on the target, and is null in new rows")
    if own is None or own.nullable or own.default is not None:
        return
    # as the target itself spells it, so that nothing but NULL changes
    table = replace(layout.target, columns=(*layout.target.columns, replace(own, nullable=True)))
    types = {**layout.types, own.name: target.target_type(table.id, own, _same_name, own=True)}
    made = target.widen_column(table, own.name, types[own.name].sql, types, translate)
    change.statements += [statement.sql for statement in made.statements]


def _same_name(wanted: str, space: str = "") -> str:
    return wanted


def _adapt(
    shape: Shape,
    before: Column,
    after: Column,
    layout: Layout,
    target: TargetDialect,
    translate: Translate,
    change: Change,
) -> bool:
    """A column that was there before and is there still; whether its type becomes wider."""
    known = {item.source: item for item in shape.plan.columns}.get(after.name)
    if known is None:
        return False
    loosened = after.nullable and not before.nullable and _takes_no_null(shape, known)
    types = dict(layout.types)
    widened = False
    if before.type != after.type or before.native != after.native:
        widened = _retype(shape, known, before, after, layout, target, translate, change)
    if not widened:
        types[known.target] = TargetType(known.target_type)
    if loosened:
        change.told.append(f"column {known.target} takes nulls")
    recoded = translate.own and _is_recoded(shape, known, before, after)
    if recoded:
        change.told.append(f"column {known.target} is in {after.charset}")
    if widened or loosened or recoded:
        made = target.widen_column(layout.target, known.target, known.target_type, types, translate)
        change.statements += [statement.sql for statement in made.statements]
    return widened


def _is_recoded(shape: Shape, known: ColumnPlan, before: Column, after: Column) -> bool:
    """Whether the target's column was in the source's character set, which is another one now."""
    own = shape.there.get(known.target.lower())
    return "" != before.charset != after.charset != "" and own is not None and own.charset == before.charset


def _retype(
    shape: Shape,
    known: ColumnPlan,
    before: Column,
    after: Column,
    layout: Layout,
    target: TargetDialect,
    translate: Translate,
    change: Change,
) -> bool:
    """Whether the target's column is to be widened; what stands in the way is told."""
    wanted = layout.types[known.target].sql
    wider = widens(before.type, after.type) or (shape.named and keeps_labels(before.type, after.type))
    if not wider or _needs_cast(known, before, after, own=translate.own):
        told = (
            f"column {after.name} was {before.native} and is {after.native}; what its values became is not in the log"
        )
        change.obstacles.append(f"{told}{_to_run(shape, known.target, layout, target, translate)}")
        return False
    usual = target.target_type(layout.target.id, replace(before, name=known.target), _same_name, own=translate.own).sql
    if usual != known.target_type or (wanted == usual and after.type.kind is not Kind.ENUM):
        return False  # a type of the user's own choice, or one that holds it anyway
    change.told.append(f"column {known.target} becomes {wanted}")
    return True


def _needs_cast(known: ColumnPlan, before: Column, after: Column, *, own: bool) -> bool:
    """Whether the target's server would have to be told how, though every value has its like."""
    if own and _is_text(before) and not _is_text(after):
        return True
    return known.target_type == "boolean" and after.type.kind is not Kind.BOOLEAN


def _is_text(column: Column) -> bool:
    """Whether it is text to its system as well: some types only travel as text, and take not every one."""
    return column.type.kind is not Kind.TEXT or column.native.partition("(")[0].strip().lower() in _TEXTS


def _to_run(shape: Shape, name: str, layout: Layout, target: TargetDialect, translate: Translate) -> str:
    """What gives the target's column its new type, for the end of a sentence."""
    there = shape.own or Table(shape.plan.target, tuple(shape.there.values()), shape.plan.key)
    made = target.retype_column(layout.target, name, there, layout.types, translate)
    sql = "; ".join(statement.sql for statement in made.statements)
    return f": {RUN}{sql}" if sql else f" ({name} has the type that it needs)"


def _takes_no_null(shape: Shape, known: ColumnPlan) -> bool:
    own = shape.there.get(known.target.lower())
    return own is not None and not own.nullable


def _plan(shape: Shape, layout: Layout, widened: set[str]) -> TablePlan:
    """How rows travel now; what the target's columns are called and typed stays, where it is not widened."""
    plan = layout.plan()
    known = {column.source: column.target_type for column in shape.plan.columns}
    columns = []
    for column in plan.columns:
        own = shape.there.get(column.target.lower())
        if column.source in known and column.target not in widened:
            column = replace(column, target_type=known[column.source])
        elif column.source not in known and own is not None:
            column = replace(column, target_type=own.native)
        columns.append(column)
    return replace(shape.plan, columns=tuple(columns), key=plan.key)
