"""From PostgreSQL to PostgreSQL: tables, types and all that only PostgreSQL has, as the source itself says them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence

from mainstem.connectors.postgres import enums
from mainstem.connectors.postgres.keys import Names
from mainstem.connectors.postgres.literals import dollar_quoted, string
from mainstem.contract.dialect import Rendered, TargetType, Translate, Use
from mainstem.errors import PlanError
from mainstem.model.plan import Phase, ReportItem, Severity, Statement
from mainstem.model.schema import Column, NativeObject, Table
from mainstem.model.schema import Sequence as SchemaSequence

VIRTUAL_SINCE = 180_000  # before, generated columns are stored
NAMED_NOT_NULL_SINCE = 180_000
_INTEGERS = ("smallint", "integer", "bigint")
_NAMED = re.compile(r"CREATE (?:TYPE|DOMAIN|COLLATION) (.+?) (?:AS |\()", re.S)
_TYPES = {"enum": "TYPE", "domain": "DOMAIN", "composite": "TYPE", "range": "TYPE", "collation": "COLLATION"}


def create_table(
    names: Names, table: Table, types: dict[str, TargetType], translate: Translate, version: int
) -> Rendered:
    """The table; a partition is made by itself and then attached, which keeps the order of its columns."""
    report: list[ReportItem] = []
    own = [column for column in table.columns if not (column.inherited and table.parents)]
    lines = [column_line(names, table, column, types[column.name].sql, translate, version, report) for column in own]
    body = "(\n" + ",\n".join(f"  {line}" for line in lines) + "\n)"
    qualified = names.qualified(table.id)
    parts = [f"CREATE {'UNLOGGED ' if table.unlogged and not table.partition_key else ''}TABLE {qualified} {body}"]
    if table.parents:
        parts.append(f"INHERITS ({', '.join(names.qualified(parent) for parent in table.parents)})")
    if table.partition_key:
        parts.append(f"PARTITION BY {translate(table.partition_key)}")
    if table.options:
        parts.append(table.options)
    statements = [_statement(table, "\n".join(parts))]
    for column in table.columns:
        if column.inherited and table.parents and column.default is not None:
            default = translate(column.default.sql, Use.VALUE, column.name)
            sql = f"ALTER TABLE ONLY {qualified} ALTER COLUMN {names.quote(column.name)} SET DEFAULT {default}"
            statements.append(_statement(table, sql))
    if table.partition_of is not None:
        parent = names.qualified(table.partition_of)
        statements.append(
            _statement(table, f"ALTER TABLE ONLY {parent} ATTACH PARTITION {qualified} {table.partition_bound}")
        )
    return Rendered(tuple(statements), tuple(report))


def _statement(table: Table, sql: str) -> Statement:
    return Statement(Phase.TABLES, sql, str(table.id), table.id)


def column_line(
    names: Names,
    table: Table,
    column: Column,
    sql_type: str,
    translate: Translate,
    version: int,
    report: list[ReportItem],
) -> str:
    """The column as CREATE TABLE has it."""
    parts = [names.quote(column.name), sql_type]
    if column.collation:
        parts.append(f"COLLATE {column.collation}")
    if column.generated is not None:
        expression = translate(column.generated.expression, Use.STORED, column.name)
        virtual = not column.generated.stored and version >= VIRTUAL_SINCE
        parts.append(f"GENERATED ALWAYS AS ({expression}) {'VIRTUAL' if virtual else 'STORED'}")
        if not column.generated.stored and not virtual:
            report.append(_stored(table, column))
    elif column.default is not None:
        try:
            parts.append(f"DEFAULT {translate(column.default.sql, Use.VALUE, column.name)}")
        except PlanError as exc:
            report.append(_no_default(table, column, exc))
    elif column.identity and table.partition_of is None:
        parts += _identity(names, table, column, sql_type, report)
    if not column.nullable and not (column.not_null is None and table.parents):
        parts.append(column.not_null if column.not_null and version >= NAMED_NOT_NULL_SINCE else "NOT NULL")
    return " ".join(parts)


def _identity(names: Names, table: Table, column: Column, sql_type: str, report: list[ReportItem]) -> Iterator[str]:
    if sql_type not in _INTEGERS:
        report.append(
            ReportItem(
                Severity.WARNING,
                "identity_left_out",
                f"{table.id}.{column.name}",
                f"a column of type {sql_type} cannot count by itself; it is made without identity",
                "override its type with bigint, or add a default from a sequence afterwards",
            )
        )
        return
    options = ""
    if column.counter is not None:
        options = f" (SEQUENCE NAME {names.qualified(column.counter.id)} {sequence_options(column.counter)})"
    yield f"GENERATED {'ALWAYS' if column.always else 'BY DEFAULT'} AS IDENTITY{options}"


def sequence_options(sequence: SchemaSequence) -> str:
    """A sequence's own options in CREATE SEQUENCE."""
    return (
        f"START WITH {sequence.start} INCREMENT BY {sequence.increment} MINVALUE {sequence.minimum}"
        f" MAXVALUE {sequence.maximum} CACHE {sequence.cache} {'CYCLE' if sequence.cycle else 'NO CYCLE'}"
    )


def set_next(names: Names, sequence: SchemaSequence) -> str:
    """SQL that makes a sequence give next what the source's would; one that has given all stays so."""
    low, high, following = sequence.minimum, sequence.maximum, sequence.next_value
    called = not low <= following <= high
    value = (high if sequence.increment > 0 else low) if called else following
    return f"SELECT setval({string(names.qualified(sequence.id))}, {value}, {'true' if called else 'false'})"


def create_sequence(names: Names, sequence: SchemaSequence, *, only_missing: bool) -> Rendered:
    """A sequence with its own start, at the source's next value, and owned by the column that it counts for."""
    name, object_ = names.qualified(sequence.id), str(sequence.id)
    missing = "IF NOT EXISTS " if only_missing else ""
    sql = f"CREATE SEQUENCE {missing}{name} AS {sequence.native} {sequence_options(sequence)}"
    statements = [Statement(Phase.TABLES, sql, object_)]
    if not only_missing:
        statements.append(Statement(Phase.TABLES, set_next(names, sequence), object_))
    if sequence.owner is not None:
        column = f"{names.qualified(sequence.owner)}.{names.quote(sequence.owner_column)}"
        statements.append(Statement(Phase.SEQUENCES, f"ALTER SEQUENCE {name} OWNED BY {column}", object_))
    return Rendered(tuple(statements))


def create_extension(
    object_: NativeObject,
    extensions: Mapping[str, str] | None,
    create_schema: Callable[[str], Rendered],
    *,
    needed: bool,
) -> Rendered:
    """An extension in the schema that it has in the source.

    Raises:
        PlanError: it cannot be had, or is in another schema, and a table needs it.
    """
    name, schema = object_.id.name, object_.id.schema
    problem = remedy = ""
    if extensions is not None and name not in extensions:
        problem = f"the target lacks the extension {name}"
        remedy = f"install {name} on the target's server, or leave out what needs it"
    elif extensions and extensions[name] not in ("", schema):
        problem = f"the target has the extension {name} in schema {extensions[name]}, the source in {schema}"
        remedy = f"ALTER EXTENSION {name} SET SCHEMA {schema} on either side"
    if problem and needed:
        users = ", ".join(sorted(str(table) for table in object_.needed_by)[:10])
        raise PlanError(f"{problem}, which {users} needs", remedy=remedy, extension=name)
    if problem:
        return Rendered((), (ReportItem(Severity.WARNING, "extension_left_out", name, problem, remedy),))
    if extensions and extensions[name]:
        return Rendered()
    home = create_schema(schema).statements if schema != "pg_catalog" else ()
    made = tuple(Statement(Phase.SCHEMA, sql, name, optional=not needed) for sql in object_.statements)
    return Rendered((*home, *made))


def create_object(names: Names, object_: NativeObject, *, needed: bool, only_missing: bool) -> Rendered:
    """The statements as they are, in one transaction; a type that is there already may be kept."""
    sql = ";\n".join(object_.statements)
    if not sql:
        item = ReportItem(
            Severity.WARNING, f"{object_.kind}_left_out", str(object_.id),
            "a type whose values C code reads and writes is made by that code alone", "install what provides it",
        )  # fmt: skip
        return Rendered((), (item,))
    if only_missing and object_.kind == "enum":
        labels = [label for label, _ in object_.parts]
        sql = enums.make(_name(names, object_), object_.id.name, labels, object_.statements[1:])
    elif only_missing and object_.kind in _TYPES:
        body = f"\nBEGIN\n{sql};\nEXCEPTION WHEN duplicate_object THEN\n  NULL;\nEND\n"
        sql = f"DO {dollar_quoted(body)}"
    if object_.kind in ("function", "procedure", "aggregate"):
        sql = f"SET LOCAL check_function_bodies = off;\n{sql}"  # what they use may come later
    statement = Statement(object_.phase, sql, f"{object_.kind} {object_.id}", optional=object_.optional and not needed)
    return Rendered((statement,))


def drop_objects(names: Names, objects: Sequence[NativeObject]) -> Rendered:
    """Types and collations, unless something that is not dropped needs them: then they stay as they are."""
    statements = []
    for object_ in reversed(objects):
        word = _TYPES.get(object_.kind)
        if word is not None:
            body = (
                f"\nBEGIN\n  DROP {word} IF EXISTS {_name(names, object_)};\n"
                "EXCEPTION WHEN dependent_objects_still_exist THEN\n  NULL;\nEND\n"
            )
            statements.append(Statement(Phase.SCHEMA, f"DO {dollar_quoted(body)}", f"{object_.kind} {object_.id}"))
    return Rendered(tuple(statements))


def _name(names: Names, object_: NativeObject) -> str:
    """What a type or collation is called on the target, where it may have another schema."""
    found = _NAMED.match(object_.statements[0]) if object_.statements else None
    return found[1] if found is not None else names.qualified(object_.id)


def _stored(table: Table, column: Column) -> ReportItem:
    return ReportItem(
        Severity.INFO,
        "generated_as_stored",
        f"{table.id}.{column.name}",
        "the generated column is computed when read in the source; here it is stored",
        "PostgreSQL 18 has virtual generated columns",
    )


def _no_default(table: Table, column: Column, exc: PlanError) -> ReportItem:
    return ReportItem(
        Severity.WARNING,
        "default_left_out",
        f"{table.id}.{column.name}",
        f"the default is left out: {exc.message}",
        exc.remedy or "set one with ALTER TABLE … ALTER COLUMN … SET DEFAULT",
    )
