"""Primary keys, unique keys, indexes, checks and foreign keys as PostgreSQL's DDL."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from mainstem.connectors.postgres.literals import string
from mainstem.connectors.postgres.types import base_name
from mainstem.contract.dialect import NewName, Rendered, TargetType, Translate, Use
from mainstem.errors import PlanError
from mainstem.model.names import TableId
from mainstem.model.plan import Phase, ReportItem, Severity, Statement
from mainstem.model.schema import ForeignKey, Index, IndexMethod, IndexPart, Table
from mainstem.model.types import Kind

_BTREE_MAX_BYTES = 2704  # an entry must fit a third of a page
_BYTES_PER_CHARACTER = 4
_SPACE = " || ' ' || "


class Names(Protocol):
    """How names are written."""

    def quote(self, name: str) -> str:
        """One name."""
        ...

    def qualified(self, table: TableId) -> str:
        """Schema and name."""
        ...


def create_keys(
    names: Names, table: Table, types: dict[str, TargetType], translate: Translate, new_name: NewName
) -> Rendered:
    """Phase KEYS; what cannot be made is in the report."""
    statements: list[Statement] = []
    report: list[ReportItem] = []
    if table.primary_key:
        statements.append(_primary_key(names, table, new_name))
    for index in sorted(table.indexes, key=lambda index: not index.unique):
        try:
            rendered = _index(names, table, index, types, translate, new_name)
        except PlanError as exc:
            report.append(_left_out(table, index, exc))
            continue
        statements += rendered.statements
        report += rendered.report
    for check in table.checks:
        name = new_name(_prefixed(table.id.name, check.name))
        try:
            condition = translate(check.expression, Use.CONDITION)
        except PlanError as exc:
            report.append(
                ReportItem(
                    Severity.WARNING,
                    "check_left_out",
                    f"{table.id}.{check.name}",
                    f"the check constraint cannot be translated: {exc.message}",
                    f"add it by hand; it is: {check.expression}",
                )
            )
            continue
        sql = f"ALTER TABLE {names.qualified(table.id)} ADD CONSTRAINT {names.quote(name)} CHECK ({condition})"
        statements.append(Statement(Phase.KEYS, sql, f"{table.id}.{check.name}", table.id, optional=True))
    return Rendered(tuple(statements), tuple(report))


def _primary_key(names: Names, table: Table, new_name: NewName) -> Statement:
    columns = ", ".join(names.quote(column) for column in table.primary_key)
    name = names.quote(new_name(f"{table.id.name}_pkey"))
    sql = f"ALTER TABLE {names.qualified(table.id)} ADD CONSTRAINT {name} PRIMARY KEY ({columns})"
    return Statement(Phase.KEYS, sql, f"{table.id} primary key", table.id)


def _prefixed(table: str, name: str) -> str:
    """Index names are per schema here and per table there, so the table's name goes before."""
    return name if name == table or name.startswith(f"{table}_") else f"{table}_{name}"


def _index(
    names: Names,
    table: Table,
    index: Index,
    types: dict[str, TargetType],
    translate: Translate,
    new_name: NewName,
) -> Rendered:
    report: list[ReportItem] = []
    method, parts = _METHODS[index.method](names, table, index, types, translate, report)
    name = new_name(_prefixed(table.id.name, index.name))
    unique = "UNIQUE " if index.unique else ""
    sql = f"CREATE {unique}INDEX {names.quote(name)} ON {names.qualified(table.id)} USING {method} ({', '.join(parts)})"
    object_ = f"{table.id}.{index.name}"
    statements = [Statement(Phase.KEYS, sql, object_, table.id, optional=not index.unique, index=True)]
    if index.comment:
        target = names.qualified(TableId(table.id.schema, name))
        comment = f"COMMENT ON INDEX {target} IS {string(index.comment)}"
        statements.append(Statement(Phase.COMMENTS, comment, object_, table.id, optional=True, index=True))
    return Rendered(tuple(statements), tuple(report))


_Parts = tuple[str, Sequence[str]]


def _btree(
    names: Names,
    table: Table,
    index: Index,
    types: dict[str, TargetType],
    translate: Translate,
    report: list[ReportItem],
) -> _Parts:
    parts = []
    for part in index.parts:
        sql = _key(names, table, index, part, types, translate)
        parts.append(f"{sql} DESC" if part.descending else sql)
    return "btree", parts


def _key(
    names: Names, table: Table, index: Index, part: IndexPart, types: dict[str, TargetType], translate: Translate
) -> str:
    if not part.column:
        return f"({translate(part.expression, Use.STORED)})"
    quoted = names.quote(part.column)
    if part.prefix_length is None:
        return quoted
    column, target = table.column(part.column), types[part.column].sql
    if base_name(target) == "bytea":
        return f"substring({quoted}, 1, {part.prefix_length})"
    fits = column.type.length is not None and column.type.length * _BYTES_PER_CHARACTER <= _BTREE_MAX_BYTES
    if column.type.kind is not Kind.TEXT or (fits and not index.unique):
        return quoted
    return f'"left"({quoted}, {part.prefix_length})'


def _hash(
    names: Names,
    table: Table,
    index: Index,
    types: dict[str, TargetType],
    translate: Translate,
    report: list[ReportItem],
) -> _Parts:
    """Hash indexes have one column and are not unique; any other becomes a btree."""
    _, parts = _btree(names, table, index, types, translate, report)
    plain = len(parts) == 1 and not index.unique and not index.parts[0].descending
    return ("hash" if plain else "btree"), parts


def _fulltext(
    names: Names,
    table: Table,
    index: Index,
    types: dict[str, TargetType],
    translate: Translate,
    report: list[ReportItem],
) -> _Parts:
    texts = [f"coalesce({names.quote(part.column)}::text, '')" for part in index.parts]
    vector = f"to_tsvector('simple', {_SPACE.join(texts)})"
    report.append(
        ReportItem(
            Severity.INFO,
            "fulltext_index",
            f"{table.id}.{index.name}",
            "a FULLTEXT index becomes a GIN index; MATCH … AGAINST does not exist",
            f"search with {vector} @@ plainto_tsquery('simple', …)",
        )
    )
    return "gin", [f"({vector})"]


def _spatial(
    names: Names,
    table: Table,
    index: Index,
    types: dict[str, TargetType],
    translate: Translate,
    report: list[ReportItem],
) -> _Parts:
    if any(base_name(types[part.column].sql) not in ("geometry", "geography") for part in index.parts):
        raise PlanError(
            "a spatial index needs PostGIS's geometry type", remedy="run CREATE EXTENSION postgis in the target first"
        )
    return "gist", [names.quote(part.column) for part in index.parts]


_Renderer = Callable[
    [Names, Table, Index, dict[str, TargetType], Translate, list[ReportItem]],
    _Parts,
]
_METHODS: dict[IndexMethod, _Renderer] = {
    IndexMethod.BTREE: _btree,
    IndexMethod.HASH: _hash,
    IndexMethod.FULLTEXT: _fulltext,
    IndexMethod.SPATIAL: _spatial,
}


def _left_out(table: Table, index: Index, exc: PlanError) -> ReportItem:
    return ReportItem(
        Severity.WARNING,
        f"{index.method}_index_left_out",
        f"{table.id}.{index.name}",
        f"the {'unique ' if index.unique else ''}index is not made: {exc.message}",
        exc.remedy or "make it by hand afterwards",
    )


def create_foreign_key(names: Names, table: TableId, key: ForeignKey, new_name: NewName) -> Rendered:
    """Phase FOREIGN_KEYS."""
    name = names.quote(new_name(key.name))
    columns = ", ".join(names.quote(column) for column in key.columns)
    parents = ", ".join(names.quote(column) for column in key.parent_columns)
    actions = "".join(
        f" ON {event} {action}"
        for event, action in (("DELETE", key.on_delete), ("UPDATE", key.on_update))
        if action != "NO ACTION"
    )
    body = key.definition or (
        f"FOREIGN KEY ({columns}) REFERENCES {names.qualified(key.parent)} ({parents}){' MATCH FULL' * key.match_full}"
        f"{actions}{f' {key.deferrable}' if key.deferrable else ''}{'' if key.validated else ' NOT VALID'}"
    )
    sql = f"ALTER TABLE {names.qualified(table)} ADD CONSTRAINT {name} {body}"
    return Rendered((Statement(Phase.FOREIGN_KEYS, sql, f"{table}.{key.name}", table),))
