"""What the user says of tables and columns by name (renames, columns left out, conditions), joined to the selection."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from mainstem.contract.dialect import NameRules
from mainstem.ddl.naming import Names, near_names
from mainstem.ddl.selection import Selected
from mainstem.errors import InvalidError
from mainstem.model.names import TableId
from mainstem.model.run import RunOptions, TableSelection

_Place = tuple[int, str]
"""A table's place in the selection, and a column of it or nothing."""


def with_overrides(chosen: Sequence[Selected], options: RunOptions) -> list[Selected]:
    """The selection with what `RunOptions.renames`, ``exclude_columns`` and ``filters`` say of it.

    Raises:
        InvalidError: a key that means no selected table or column, or more than one; a condition on a query. Its
            ``fields`` name the member and the key.
    """
    selections = [selected.selection for selected in chosen]
    known = _Known(chosen)
    for key, name in options.renames.items():
        at, column = known.find("renames", key)
        selections[at] = _renamed(selections[at], column, name)
    for key in options.exclude_columns:
        at, column = known.find("excludeColumns", key, tables=False)
        selections[at] = replace(selections[at], exclude_columns=(*selections[at].exclude_columns, column))
    for key, condition in options.filters.items():
        at, _ = known.find("where", key, columns=False)
        selections[at] = _filtered(selections[at], key, condition)
    return [Selected(selected.table, selection) for selected, selection in zip(chosen, selections, strict=True)]


def _renamed(selection: TableSelection, column: str, name: str) -> TableSelection:
    if not column:
        return replace(selection, target=name)
    return replace(selection, renames={**selection.renames, column: name})


def _filtered(selection: TableSelection, key: str, condition: str) -> TableSelection:
    if selection.query:
        raise InvalidError(
            f"{key} is a query; its condition belongs into it",
            fields={f"where.{key}": "is for tables"},
            remedy="write the WHERE into the query",
        )
    both = f"({selection.where}) AND ({condition})" if selection.where else condition
    return replace(selection, where=both)


class _Known:
    """The names by which tables and columns of the selection may be called."""

    def __init__(self, chosen: Sequence[Selected]) -> None:
        self._chosen = chosen
        self._tables: dict[str, list[int]] = {}
        for at, selected in enumerate(chosen):
            for name in _spellings(selected.table.id):
                self._tables.setdefault(name, []).append(at)

    def find(self, member: str, key: str, *, tables: bool = True, columns: bool = True) -> _Place:
        """What a key means; `InvalidError` unless it is exactly one thing."""
        places: list[_Place] = [(at, "") for at in self._tables.get(key, ())] if tables else []
        if columns:
            places += [place for table, column in splits(key) for place in self._columns(table, column)]
        if len(places) == 1:
            return places[0]
        what = " or ".join(["table"] * tables + ["column (table.column)"] * columns)
        if not places:
            problem = f"no selected {what} has this name{near_names(key, self._all(tables, columns, key))}"
            remedy = "names are case-sensitive; a plan without it (--dry-run) lists all of them"
        else:
            problem = f"more than one {what} has this name: {', '.join(map(self._told, places))}"
            remedy = "write the schema in front"
        raise InvalidError(f"{member} {key}: {problem}", fields={f"{member}.{key}": problem}, remedy=remedy)

    def _columns(self, table: str, column: str) -> Iterable[_Place]:
        for at in self._tables.get(table, ()):
            if any(known.name == column for known in self._chosen[at].table.columns):
                yield at, column

    def _all(self, tables: bool, columns: bool, key: str) -> Iterable[str]:
        """Names that a key of this form may have meant."""
        if tables:
            yield from self._tables
        if columns:
            for table, _ in splits(key):
                near = self._tables.get(table) or []
                yield from (f"{table}.{column.name}" for at in near for column in self._chosen[at].table.columns)

    def _told(self, place: _Place) -> str:
        at, column = place
        return f"{self._chosen[at].table.id}{f' column {column}' if column else ''}"


def _spellings(table: TableId) -> tuple[str, ...]:
    return (table.name, f"{table.schema}.{table.name}") if table.schema else (table.name,)


def splits(key: str) -> Iterable[tuple[str, str]]:
    """Every way to read a key as table and column: both may hold points."""
    parts = key.split(".")
    return [(".".join(parts[:at]), ".".join(parts[at:])) for at in range(1, len(parts))]


def explicit_name(name: str, rules: NameRules, what: str) -> str:
    """A name that the user chose, which is not ours to change; `InvalidError` if it cannot be one."""
    if name and "\0" not in name and Names(rules)(name) == name:
        return name
    unit = "characters" if rules.characters else "bytes"
    limits = f"1 to {rules.longest} {unit}{', none past U+FFFF, no space at the end' * rules.basic_plane}"
    raise InvalidError(
        f"{what}: the target takes names of {limits}; {name[:20]!r}{' …' * (len(name) > 20)} is not one",
        fields={"renames": f"names must have {limits}"},
        remedy="choose another name",
    )


def refuse_taken(names: Mapping[str, str], what: str, *, folds: bool = False) -> None:
    """`InvalidError` when two of the source's names would become one on the target, by the user's wish.

    Args:
        folds: names that differ only in case are one.
    """
    seen: dict[str, str] = {}
    for source, target in names.items():
        key = target.lower() if folds else target
        if key in seen:
            problem = f"{seen[key]} and {source} would both become {target}"
            raise InvalidError(
                f"{what}: {problem}",
                fields={"renames": problem},
                remedy="rename the other one too, or choose another name",
            )
        seen[key] = source
