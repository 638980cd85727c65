"""CREATE TABLE: columns, defaults, AUTO_INCREMENT and the primary key, which InnoDB keeps its rows by."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from mainstem.connectors.mysql import own, remarks
from mainstem.connectors.mysql.dialect import quote
from mainstem.connectors.mysql.fitting import is_plain
from mainstem.connectors.mysql.literals import comment, fraction_of, literal, now
from mainstem.connectors.mysql.native import LARGE, base_name, native_type
from mainstem.connectors.mysql.traits import Traits
from mainstem.contract.dialect import NewName, Rendered, TargetType, Translate, Use
from mainstem.errors import PlanError
from mainstem.model.plan import Phase, ReportItem, Severity, Statement
from mainstem.model.schema import Column, Default, DefaultKind, Index, Table
from mainstem.model.types import Kind, LogicalType

_COUNTING = frozenset({"tinyint", "smallint", "mediumint", "int", "bigint"})
_MAX_COLUMN_COMMENT, _MAX_TABLE_COMMENT = 1024, 2048
_MAX_COLUMNS = 1017  # MySQL 8.0 manual, "InnoDB Limits"
_NOW = re.compile(r"(CURRENT_TIMESTAMP)(?:\((\d)\))?")
_DATE = re.compile(r"(?!0000-00-00)\d{4}-\d\d-\d\d(?: \d\d:\d\d:\d\d(?:\.\d{1,6})?)?")
_DATES = (Kind.DATE, Kind.TIMESTAMP, Kind.INSTANT)


@dataclass(slots=True)
class Making:
    """A table while its CREATE TABLE is written: what every part of it needs."""

    table: Table
    types: Mapping[str, TargetType]
    translate: Translate
    traits: Traits
    own: bool
    report: list[ReportItem] = field(default_factory=list)

    def note(self, severity: Severity, code: str, name: str, message: str, remedy: str = "") -> None:
        """Add to the report; ``name`` is a column's, or empty."""
        object_ = f"{self.table.id}.{name}" if name else str(self.table.id)
        self.report.append(ReportItem(severity, code, object_, message, remedy))


def create_table(making: Making, qualified: str) -> Rendered:
    """Phase TABLES: one statement.

    Raises:
        PlanError: there are more columns than InnoDB takes. The server's refusal does not say so.
    """
    table = making.table
    if len(table.columns) > _MAX_COLUMNS:
        raise PlanError(
            f"table {table.id} has {len(table.columns)} columns, and InnoDB takes {_MAX_COLUMNS}",
            remedy="leave some of them out, or the table",
            table=str(table.id),
        )
    making.report += [item for type_ in making.types.values() for item in type_.report]
    making.report += _type_remarks(making)
    lines = [column_line(making, column) for column in table.columns]
    lines += _primary_key(making)
    lines += [_counter_index(index) for index in counter_indexes(table)]
    body = ",\n".join(f"  {line}" for line in lines)
    sql = f"CREATE TABLE {qualified} (\n{body}\n) {_options(making)}"
    if making.own and table.partition_key:
        sql += f"\n{table.partition_key}"
    return Rendered((Statement(Phase.TABLES, sql, str(table.id), table.id),), tuple(making.report))


def counter(table: Table) -> Column | None:
    """The column that gets AUTO_INCREMENT: there can be one; that of the primary key goes first."""
    counters = [column for column in table.columns if column.identity and column.generated is None]
    return min(counters, key=lambda column: column.name not in table.primary_key[:1], default=None)


def counter_indexes(table: Table) -> list[Index]:
    """Indexes that must be there from the start, as AUTO_INCREMENT needs a key that begins with its column."""
    column = counter(table)
    if column is None or column.name in table.primary_key[:1]:
        return []
    found = [index for index in table.indexes if index.parts[0].column == column.name and is_plain(index)]
    return found or [Index(column.name, ())]


def _counter_index(index: Index) -> str:
    parts = (
        quote(part.column) + (f"({part.prefix_length})" if part.prefix_length else "") + " DESC" * part.descending
        for part in index.parts
    )
    kind = "UNIQUE KEY" if index.unique else "KEY"
    told = f" COMMENT {comment(index.comment)}" if index.comment else ""
    return f"{kind} {quote(index.name)} ({', '.join(parts) or quote(index.name)}){told}"


def _type_remarks(making: Making) -> Iterable[ReportItem]:
    codes = {}
    for column in making.table.columns:
        found = own.own_type(column, making.traits) if making.own else native_type(column, making.traits)
        if found.code and making.types[column.name].sql.startswith(found.sql):
            codes[column.name] = found.code
    yield from remarks.type_remarks(making.table, codes)
    if making.own:
        yield from remarks.collations(making.table, own.replaced_collations(making.table, making.traits))
    elif making.traits.pads and any(column.type.kind is Kind.TEXT for column in making.table.columns):
        yield remarks.padded(making.table, making.traits)


def column_line(making: Making, column: Column) -> str:
    """The column as CREATE TABLE has it."""
    sql = making.types[column.name].sql
    type_ = own.collated(sql, column, making.table, making.traits) if making.own else sql
    parts = [quote(column.name), type_]
    if column.generated is not None:
        expression = making.translate(column.generated.expression, Use.STORED, column.name)
        parts.append(f"GENERATED ALWAYS AS ({expression}) {'STORED' if column.generated.stored else 'VIRTUAL'}")
        if not column.nullable and not making.traits.mariadb:
            parts.append("NOT NULL")
    else:
        parts += _nullable(column, sql)
        parts += _filling(making, column, sql)
    if column.invisible and making.own:
        parts.append("INVISIBLE")
    if column.comment:
        parts.append(f"COMMENT {comment(_cut(making, column.comment, _MAX_COLUMN_COMMENT, column.name))}")
    parts += _column_checks(making, column)
    return " ".join(parts)


def _nullable(column: Column, sql: str) -> list[str]:
    """NULL is said where an old server would make a TIMESTAMP without it NOT NULL."""
    if not column.nullable:
        return ["NOT NULL"]
    return ["NULL"] if base_name(sql) == "timestamp" else []


def _filling(making: Making, column: Column, sql: str) -> list[str]:
    """AUTO_INCREMENT, or the default and ON UPDATE."""
    if column.identity:
        chosen = counter(making.table)
        if chosen is not None and chosen.name == column.name and base_name(sql) in _COUNTING:
            return ["AUTO_INCREMENT"]
        making.note(
            Severity.WARNING, "identity_left_out", column.name,
            f"a table has one AUTO_INCREMENT column, of an integer type; this one, {sql}, is made without",
            "fill it in the application or by a trigger",
        )  # fmt: skip
        return []
    parts = []
    if column.default is not None:
        try:
            parts.append(f"DEFAULT {_default(making, column, column.default, sql)}")
        except PlanError as exc:
            making.note(
                Severity.WARNING, "default_left_out", column.name, f"the default is left out: {exc.message}",
                exc.remedy or "set one with ALTER TABLE … ALTER COLUMN … SET DEFAULT",
            )  # fmt: skip
    if column.on_update and making.own:
        parts.append(f"ON UPDATE {column.on_update}")
    return parts


def _default(making: Making, column: Column, default: Default, sql: str) -> str:
    if default.kind is DefaultKind.HIDDEN:
        raise PlanError("the source does not show its bytes", remedy="SHOW CREATE TABLE has them; set it by hand")
    if default.kind is DefaultKind.LITERAL:
        return _literal(making, column.type, default.text, sql)
    if default.kind is DefaultKind.NOW and making.own:
        return now(int(default.text))
    expression = "now()" if default.kind is DefaultKind.NOW else default.text
    made = making.translate(expression, Use.VALUE, column.name)
    if _NOW.fullmatch(made) and base_name(sql) in ("datetime", "timestamp"):
        return now(fraction_of(sql))
    if not making.traits.expression_defaults:
        raise PlanError("this server takes no expressions as defaults")
    return f"({made})"


def _literal(making: Making, type_: LogicalType, text: str, sql: str) -> str:
    if not making.own and type_.kind in _DATES and not _DATE.fullmatch(text.removesuffix("+00")):
        raise PlanError("there is no such date here")
    if type_.kind is Kind.TEXT and type_.length is not None and len(text) > type_.length:  # PostgreSQL looks at use
        raise PlanError(f"the column takes {type_.length} characters, and the default has more")
    made = literal(text, type_, sql)
    if base_name(sql) in LARGE and not making.traits.text_defaults:
        if not making.traits.expression_defaults:
            raise PlanError("text and blobs take no default on this server")
        return f"({made})"
    return made


def _column_checks(making: Making, column: Column) -> list[str]:
    """What MariaDB keeps with the column: its JSON is text with such a check."""
    if not making.own or not making.traits.mariadb:
        return []
    parts = [
        f"CHECK ({making.translate(check.expression, Use.CONDITION)})"
        for check in making.table.checks
        if check.column == column.name
    ]
    if column.type.kind is Kind.JSON and base_name(making.types[column.name].sql) == "longtext":
        parts.append(f"CHECK (json_valid({quote(column.name)}))")
    return parts


def _primary_key(making: Making) -> list[str]:
    table = making.table
    if making.own and table.primary_key_definition:
        return [f"PRIMARY KEY {table.primary_key_definition}"]
    if not table.primary_key:
        return []
    large = [name for name in table.primary_key if base_name(making.types[name].sql) in LARGE]
    if large:
        making.note(
            Severity.WARNING, "primary_key_left_out", "",
            f"the primary key is not made: {', '.join(large)} would need a length",
            "override their types with a varchar or varbinary of the length that they need",
        )  # fmt: skip
        return []
    return [f"PRIMARY KEY ({', '.join(quote(name) for name in table.primary_key)})"]


def _options(making: Making) -> str:
    table, traits = making.table, making.traits
    parts = ["ENGINE=InnoDB"]
    collation = own.known_collation(table.collation, traits) if making.own and table.collation else ""
    collation = collation or traits.exact_collation
    parts.append(f"DEFAULT CHARSET={own.charset_of(collation)} COLLATE={collation}")
    if making.own:
        options = own.table_options(table, traits)
        parts += [options] if options else []
        _tell_engine(making)
    if table.comment:
        parts.append(f"COMMENT={comment(_cut(making, table.comment, _MAX_TABLE_COMMENT, ''))}")
    return " ".join(parts)


def _tell_engine(making: Making) -> None:
    engine = own.engine_of(making.table)
    if engine and engine.lower() != "innodb":
        making.note(
            Severity.INFO, "engine_innodb", "",
            f"the table is kept by InnoDB here, not by {engine}, as its rows and our book are written together",
            "ALTER TABLE … ENGINE afterwards, where it matters",
        )  # fmt: skip


def _cut(making: Making, text: str, longest: int, name: str) -> str:
    if len(text) > longest:
        making.note(Severity.INFO, "comment_cut", name, f"the comment is cut to {longest:,} characters")
    return text[:longest]


def create_checks(making: Making, qualified: str, new_name: NewName) -> Rendered:
    """Checks right behind the table: with rows in it, the server would copy the whole table for each."""
    statements, report = [], making.report
    for check in making.table.checks:
        object_ = f"{making.table.id}.{check.name}"
        if check.column and making.own and making.traits.mariadb:
            continue
        try:
            if not making.traits.checks:
                raise PlanError(f"{making.traits.title} of this age does not enforce checks")
            if not check.validated:
                raise PlanError("there may be rows that do not meet it (NOT VALID)")
            condition = making.translate(check.expression, Use.CONDITION)
        except PlanError as exc:
            making.note(
                Severity.WARNING, "check_left_out", check.name, f"the check constraint is not made: {exc.message}",
                f"add it by hand; it is: {check.expression}",
            )  # fmt: skip
            continue
        wanted = f"{making.table.id.name}_{check.name}" if check.column else check.name
        name = check.name if making.own and not check.column else new_name(wanted, "check")
        sql = f"ALTER TABLE {qualified} ADD CONSTRAINT {quote(name)} CHECK ({condition})"
        statements.append(Statement(Phase.TABLES, sql, object_, making.table.id, optional=True))
    return Rendered(tuple(statements), tuple(report))
