"""PostgreSQL's own SQL with other names in it: what a definition says stays, letter by letter, but for the names.

The server writes definitions with every name of a schema qualified when the search path is empty. So a qualified name
is replaced only if the pair of schema and name is one of those that move; a column of an alias that is called like a
schema is left alone. Source: PostgreSQL manual, "Lexical Structure".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace

from mainstem.connectors.postgres.config import SCHEMA_COMMENT
from mainstem.connectors.postgres.literals import quoted as quote
from mainstem.errors import PlanError
from mainstem.model.names import TableId
from mainstem.model.schema import Catalog, Check, Column, ForeignKey, Index, NativeObject, Sequence, Table, View

_TOKEN = re.compile(
    r"""(?P<dollar>\$(?P<tag>[^\W\d]\w*|)\$(?P<body>.*?)\$(?P=tag)\$)
    |(?P<string>[eE]'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*')
    |(?P<quoted>"(?:[^"]|"")+")
    |(?P<word>[^\W\d][\w$]*)
    |(?P<number>\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)
    |(?P<rest>--[^\n]*|/\*.*?\*/|\s+|::|.)""",
    re.VERBOSE | re.DOTALL,
)
_REGISTERED = re.compile(r"\s*::\s*reg\w+", re.IGNORECASE)  # 'shop.orders'::regclass names a table
_SEARCH_PATH = re.compile(r"^( SET search_path TO )(.*)$", re.MULTILINE)
_TYPE_WORDS = frozenset({
    "bit", "character", "double", "interval", "national", "precision", "time", "timestamp", "varying", "with",
    "without", "zone",
})  # fmt: skip

Names = Mapping[TableId, TableId]


def rename_relations(sql: str, names: Names) -> str:
    """The text with each qualified name that moves replaced, also within function bodies."""
    parts = list(_TOKEN.finditer(sql))
    out: list[str] = []
    place = 0
    while place < len(parts):
        found = parts[place]
        if found["dollar"] is not None:
            tag = f"${found['tag']}$"
            out.append(f"{tag}{rename_relations(found['body'], names)}{tag}")
        elif found["string"] is not None and _REGISTERED.match(sql, found.end()):
            inner = found["string"][1:-1].replace("''", "'")
            out.append("'" + rename_relations(inner, names).replace("'", "''") + "'")
        elif (moved := _moved(parts, place, names)) is not None:
            out.append(moved)
            place += 2
        else:
            out.append(found[0])
        place += 1
    return "".join(out)


def _moved(parts: list[re.Match[str]], place: int, names: Names) -> str | None:
    """What stands for ``schema . name`` at this place, if it moves."""
    if place + 2 >= len(parts) or parts[place + 1][0] != "." or (place and parts[place - 1][0] == "."):
        return None
    schema, name = _identifier(parts[place]), _identifier(parts[place + 2])
    target = names.get(TableId(schema, name)) if schema and name else None
    return f"{quote(target.schema)}.{quote(target.name)}" if target else None


def _identifier(token: re.Match[str]) -> str:
    """The name that a token spells, or empty."""
    if token["quoted"] is not None:
        return token["quoted"][1:-1].replace('""', '"')
    return token["word"].lower() if token["word"] is not None else ""


def rename_columns(sql: str, names: Mapping[str, str | None]) -> str:
    """A table's own expression or definition, as the server writes it, with the columns' other names.

    Raises:
        PlanError: it uses a column whose name is None.
    """
    parts = list(_TOKEN.finditer(sql))
    out: list[str] = []
    before = ""  # the last token that is not blank
    in_type = False
    for place, found in enumerate(parts):
        text = found[0]
        after = parts[place + 1][0] if place + 1 < len(parts) else ""
        in_type = before == "::" or (in_type and (text.isspace() or text in _TYPE_WORDS))
        name = _identifier(found)
        if name in names and not in_type and before != "." and after not in ("(", ".") and text == _as_written(found):
            other = names[name]
            if other is None:
                raise PlanError(f"it uses column {name}, which is not copied")
            text = text if other == name else quote(other)
        out.append(text)
        before = before if text.isspace() else text
    return "".join(out)


def _as_written(token: re.Match[str]) -> str:
    """A name as the server writes it: its keywords are in capitals, plain names never are."""
    return token[0] if token["quoted"] is not None else token[0].lower()


def relocate(catalog: Catalog, names: Names) -> Catalog:
    """See `contract.dialect.TargetDialect.relocate`."""
    schemas = {source.schema: target.schema for source, target in names.items()}

    def text(sql: str) -> str:
        return rename_relations(sql, names) if sql else sql

    def part(id_: TableId | None) -> TableId | None:
        return id_ and TableId(schemas.get(id_.schema, id_.schema), id_.name)

    return replace(
        catalog,
        tables=tuple(_table(table, text, part) for table in catalog.tables),
        views=tuple(_view(view, text, part) for view in catalog.views),
        objects=tuple(_object(object_, text, schemas) for object_ in catalog.objects),
    )


_Text = Callable[[str], str]
_Part = Callable[[TableId | None], TableId | None]


def _object(object_: NativeObject, text: _Text, schemas: Mapping[str, str]) -> NativeObject:
    if object_.kind == SCHEMA_COMMENT:
        old, new = (f"SCHEMA {quote(name)} " for name in (object_.id.schema, schemas[object_.id.schema]))
        return replace(object_, statements=tuple(sql.replace(old, new, 1) for sql in object_.statements))
    statements = tuple(text(sql) for sql in object_.statements)
    if object_.kind in ("function", "procedure"):
        statements = tuple(_search_path(sql, schemas) for sql in statements)
    # a label is no SQL
    parts = object_.parts if object_.kind == "enum" else tuple((name, text(sql)) for name, sql in object_.parts)
    return replace(object_, statements=statements, parts=parts)


def _search_path(sql: str, schemas: Mapping[str, str]) -> str:
    """A function's definition with the schemas' names in its ``SET search_path``, which the server writes in quotes."""

    def moved(found: re.Match[str]) -> str:
        name = found[1].replace("''", "'")
        return "'" + schemas.get(name, name).replace("'", "''") + "'"

    return _SEARCH_PATH.sub(lambda found: found[1] + re.sub(r"'((?:[^']|'')*)'", moved, found[2]), sql)


def _table(table: Table, text: _Text, part: _Part) -> Table:
    return replace(
        table,
        columns=tuple(_column(column, text, part) for column in table.columns),
        indexes=tuple(_index(index, text, part) for index in table.indexes),
        foreign_keys=tuple(_foreign_key(key, text) for key in table.foreign_keys),
        checks=tuple(_check(check, text) for check in table.checks),
        constraints=tuple(_check(check, text) for check in table.constraints),
        primary_key_definition=text(table.primary_key_definition),
        primary_key_part_of=part(table.primary_key_part_of),
        partition_key=text(table.partition_key),
        partition_bound=text(table.partition_bound),
    )


def _column(column: Column, text: _Text, part: _Part) -> Column:
    default, generated = column.default, column.generated
    if default is not None:
        default = replace(default, sql=text(default.sql))
    return replace(
        column,
        native=text(column.native),
        default=default,
        generated=generated and replace(generated, expression=text(generated.expression)),
        collation=text(column.collation),
        counter=_counter(column.counter, part),
    )


def _counter(counter: Sequence | None, part: _Part) -> Sequence | None:
    id_ = part(counter.id) if counter else None
    return replace(counter, id=id_) if counter and id_ else None


def _index(index: Index, text: _Text, part: _Part) -> Index:
    parts = tuple(replace(item, expression=text(item.expression)) for item in index.parts)
    return replace(
        index, parts=parts, where=text(index.where), definition=text(index.definition), part_of=part(index.part_of)
    )


def _foreign_key(key: ForeignKey, text: _Text) -> ForeignKey:
    return replace(key, definition=text(key.definition))


def _check(check: Check, text: _Text) -> Check:
    return replace(check, expression=text(check.expression))


def _view(view: View, text: _Text, part: _Part) -> View:
    return replace(
        view, definition=text(view.definition), indexes=tuple(_index(index, text, part) for index in view.indexes)
    )
