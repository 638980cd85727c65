"""information_schema of one database → `Catalog`, in a fixed handful of queries however many tables there are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING, Any

from mainstem.connectors.mysql.client import as_text
from mainstem.connectors.mysql.config import NOT_OF_THE_LEDGER
from mainstem.connectors.mysql.dialect import MysqlDialect
from mainstem.connectors.mysql.evidence import with_evidence
from mainstem.connectors.mysql.flavour import Flavour, flavour_of
from mainstem.connectors.mysql.objects import read_objects
from mainstem.connectors.mysql.relocate import in_order, used
from mainstem.connectors.mysql.showcreate import read_hidden
from mainstem.connectors.mysql.types import logical_type
from mainstem.errors import NotFoundError, PlanError
from mainstem.model.names import TableId
from mainstem.model.schema import (
    Catalog,
    Check,
    Column,
    Default,
    ForeignKey,
    Generated,
    Index,
    IndexMethod,
    IndexPart,
    NativeObject,
    OtherObject,
    Table,
    TableKind,
    View,
)
from mainstem.model.schema import Sequence as SchemaSequence
from mainstem.model.types import Kind, LogicalType

if TYPE_CHECKING:
    from pymysql.connections import Connection
    from pymysql.cursors import Cursor

Row = dict[str, Any]

_DIALECT = MysqlDialect()
_BASE_TABLES, VIEW = ("BASE TABLE", "SYSTEM VERSIONED"), "VIEW"
_METHODS = {"FULLTEXT": IndexMethod.FULLTEXT, "SPATIAL": IndexMethod.SPATIAL, "HASH": IndexMethod.HASH}

_TABLES = (
    "SELECT table_name, table_type, create_options, table_comment, table_rows, data_length, auto_increment,"
    " engine, table_collation"
    f" FROM information_schema.tables WHERE table_schema = %s{NOT_OF_THE_LEDGER} ORDER BY table_name"
)
_COLUMNS = (
    "SELECT table_name, column_name, column_default, is_nullable, data_type, column_type, extra, column_comment,"
    " generation_expression, character_set_name, collation_name"
    " FROM information_schema.columns WHERE table_schema = %s{only} ORDER BY table_name, ordinal_position"
)
_INDEXES = (
    "SELECT table_name, index_name, non_unique, column_name, collation, sub_part, index_type, index_comment,"
    " {expression} AS expression, {hidden} AS hidden"
    " FROM information_schema.statistics WHERE table_schema = %s{only} ORDER BY table_name, index_name, seq_in_index"
)
_FOREIGN_KEYS = (
    "SELECT k.table_name, k.constraint_name, k.column_name, k.referenced_table_schema, k.referenced_table_name,"
    " k.referenced_column_name, r.update_rule, r.delete_rule"
    " FROM information_schema.key_column_usage k"
    " JOIN information_schema.referential_constraints r ON r.constraint_schema = k.constraint_schema"
    " AND r.table_name = k.table_name AND r.constraint_name = k.constraint_name"
    " WHERE k.table_schema = %s{only} AND k.referenced_table_name IS NOT NULL"
    " ORDER BY k.table_name, k.constraint_name, k.ordinal_position"
)
_VIEWS = (
    "SELECT table_name, view_definition, check_option, security_type, {algorithm} AS algorithm"
    " FROM information_schema.views"
    " WHERE table_schema = %s ORDER BY table_name"
)


@dataclass(slots=True)
class CatalogRows:
    """What the queries gave, each row a dictionary with lower-case names; `assemble` needs nothing else."""

    tables: list[Row]
    columns: list[Row]
    indexes: list[Row] = field(default_factory=list)
    foreign_keys: list[Row] = field(default_factory=list)
    checks: list[Row] = field(default_factory=list)
    views: list[Row] = field(default_factory=list)
    sequences: list[Row] = field(default_factory=list)
    objects: list[NativeObject] = field(default_factory=list)


def read_catalog(
    connection: Connection[Cursor], database: str, tables: Sequence[TableId] | None, *, evidence: bool
) -> Catalog:
    """Everything a database holds; with ``tables`` only these tables, beside the views, sequences and the rest.

    Args:
        tables: None is every base table; a view may be named, and is read as if it were one.
        evidence: look at the rows of tables with ``tinyint(1)`` or ``time`` columns, or text in character sets with
            characters that have no Unicode, one query each, to find out what
            these columns hold; without it they are read as INTEGER and INTERVAL.

    Raises:
        NotFoundError: naming the tables that do not exist.
        PlanError: a column of a type that is not known.
    """
    flavour = flavour_of(str(_rows(connection, "SELECT VERSION() AS version")[0]["version"]))
    for statement in flavour.session:
        with connection.cursor() as cursor:
            cursor.execute(statement)
    catalog = assemble(database, _fetch(connection, database, tables, flavour), flavour)
    catalog = read_hidden(connection, catalog)
    return with_evidence(partial(_rows, connection), catalog) if evidence else catalog


def _rows(connection: Connection[Cursor], query: str, parameters: Sequence[object] = ()) -> list[Row]:
    with connection.cursor() as cursor:
        cursor.execute(query, tuple(parameters) or None)
        names = [part[0].lower() for part in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _fetch(
    connection: Connection[Cursor], database: str, selected: Sequence[TableId] | None, flavour: Flavour
) -> CatalogRows:
    tables = _rows(connection, _TABLES, [database])
    names = None if selected is None else [table.name for table in selected]
    if names is not None:
        _refuse_unknown(database, names, tables)
        tables = [row for row in tables if row["table_name"] in names or row["table_type"] == "SEQUENCE"]
    else:
        tables = [row for row in tables if row["table_type"] != VIEW]  # a table's stand-in only when it is named
    only = "" if names is None else f" AND {{}}table_name IN ({', '.join(['%s'] * len(names)) or 'NULL'})"
    parameters = [database, *(names or [])]

    def ask(query: str, prefix: str = "") -> list[Row]:
        filled = query.format(
            only=only.format(prefix), expression=flavour.index_expression, hidden=flavour.index_hidden
        )
        return _rows(connection, filled, parameters)

    wanted = None if names is None else set(names)
    checks = _rows(connection, flavour.checks, [database]) if flavour.checks else []
    return CatalogRows(
        tables=tables,
        columns=ask(_COLUMNS),
        indexes=ask(_INDEXES),
        foreign_keys=ask(_FOREIGN_KEYS, "k."),
        checks=[row for row in checks if wanted is None or row["table_name"] in wanted],
        views=_rows(connection, _VIEWS.format(algorithm=flavour.view_algorithm), [database]),
        sequences=_sequence_rows(connection, database, tables) if flavour.sequences else [],
        objects=read_objects(partial(_rows, connection), database),
    )


def _refuse_unknown(database: str, names: Iterable[str], tables: Iterable[Row]) -> None:
    known = {row["table_name"] for row in tables if row["table_type"] in (*_BASE_TABLES, VIEW)}
    unknown = sorted(set(names) - known)
    if unknown:
        raise NotFoundError(
            f"no such table in database {database}: {', '.join(unknown)}",
            remedy="correct the names",
            database=database,
        )


def _sequence_rows(connection: Connection[Cursor], database: str, tables: Iterable[Row]) -> list[Row]:
    names = [row["table_name"] for row in tables if row["table_type"] == "SEQUENCE"]
    selects = (
        "SELECT %s AS name, start_value, increment, minimum_value, maximum_value, next_not_cached_value,"
        " cycle_option, cache_size"
        f" FROM {_DIALECT.qualified(TableId(database, name)).replace('%', '%%')}"
        for name in names
    )
    return _rows(connection, " UNION ALL ".join(selects), names) if names else []


# What follows turns rows into a Catalog and asks nobody.


def assemble(database: str, rows: CatalogRows, flavour: Flavour) -> Catalog:
    """The catalog that these rows describe. Pure. `PlanError` for a column type that is not known."""
    columns, indexes = _by_table(rows.columns), _by_table(rows.indexes)
    keys, checks = _by_table(rows.foreign_keys), _by_table(rows.checks)
    tables = []
    others: list[OtherObject] = []
    for row in rows.tables:
        if row["table_type"] not in (*_BASE_TABLES, VIEW):
            continue
        id_ = TableId(database, row["table_name"])
        table_checks = [check for check in checks.get(id_.name, []) if check["enforced"] == "YES"]
        others += [
            OtherObject("unenforced_check", TableId(database, check["constraint_name"]), id_.name)
            for check in checks.get(id_.name, [])
            if check["enforced"] != "YES"
        ]
        others += _storage_traits(id_, row)
        table = _table(id_, row, columns.get(id_.name, []), indexes.get(id_.name, []), keys.get(id_.name, []),
                       table_checks, flavour)  # fmt: skip
        tables.append(_as_view(table) if row["table_type"] == VIEW else table)
    views = _views(database, rows.views, [table.id for table in tables])
    sequences = tuple(_sequence(database, row) for row in rows.sequences)
    return Catalog(tuple(tables), views, sequences, tuple(others), tuple(rows.objects))


def _as_view(table: Table) -> Table:
    """A view that is read as a table: of its columns no more than what they hold."""
    columns = tuple(replace(column, default=None, on_update="") for column in table.columns)
    return replace(table, kind=TableKind.VIEW, columns=columns, comment="", options="")


def _by_table(rows: Iterable[Row]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row["table_name"], []).append(row)
    return found


def _storage_traits(table: TableId, row: Row) -> list[OtherObject]:
    traits = []
    if row["table_type"] == "SYSTEM VERSIONED":
        traits.append(OtherObject("system_versioning", table, table.name))
    return traits


def _table(
    id_: TableId,
    row: Row,
    columns: list[Row],
    indexes: list[Row],
    keys: list[Row],
    checks: list[Row],
    flavour: Flavour,
) -> Table:
    json_names = {check["constraint_name"] for check in checks if _is_json_check(check)}
    made = tuple(_column(id_, column, flavour, json_names) for column in columns)
    json_columns = {column.name for column in made if column.type.kind is Kind.JSON}
    primary, secondary = _indexes(indexes, flavour)
    collation = as_text(row["table_collation"])
    return Table(
        id=id_,
        columns=made,
        primary_key=primary,
        indexes=secondary,
        foreign_keys=_foreign_keys(keys),
        checks=tuple(
            Check(
                as_text(check["constraint_name"]),
                flavour.read_expression(as_text(check["check_clause"])),
                column=as_text(check["constraint_name"]) if check["level"] == "Column" else "",
            )
            for check in checks
            if not (_is_json_check(check) and check["constraint_name"] in json_columns)
        ),
        comment=as_text(row["table_comment"]),
        rows_estimate=int(row["table_rows"] or 0),
        bytes_estimate=int(row["data_length"] or 0),
        identity_next=None if row["auto_increment"] is None else int(row["auto_increment"]),
        primary_key_definition=_primary_definition(indexes),
        options=f"ENGINE={as_text(row['engine'])} {as_text(row['create_options'])}".strip(),
        charset=collation.split("_")[0],
        collation=collation,
    )


def _is_json_check(check: Row) -> bool:
    """MariaDB's JSON is longtext with a check of its column's name that says only ``json_valid(`column`)``."""
    name = _DIALECT.quote(as_text(check["constraint_name"]))
    return check["level"] == "Column" and as_text(check["check_clause"]) == f"json_valid({name})"


def _column(table: TableId, row: Row, flavour: Flavour, json_names: set[str]) -> Column:
    native, extra, name = as_text(row["column_type"]), as_text(row["extra"]), row["column_name"]
    try:
        type_ = logical_type(native)
    except PlanError as exc:
        raise PlanError(f"{table}.{name}: {exc.message}", remedy=exc.remedy, table=str(table), column=name) from exc
    if native.startswith("longtext") and name in json_names:
        type_ = LogicalType(Kind.JSON)
    return Column(
        name=name,
        type=type_,
        native=native,
        nullable=row["is_nullable"] == "YES",
        default=_default(row, flavour),
        generated=_generated(row, flavour),
        identity="auto_increment" in extra.lower(),
        on_update=_on_update(extra),
        comment=as_text(row["column_comment"]),
        charset=as_text(row["character_set_name"]),
        collation=as_text(row["collation_name"]),
        invisible="INVISIBLE" in extra.upper().split(),
    )


def _default(row: Row, flavour: Flavour) -> Default | None:
    if row["column_default"] is None or row["generation_expression"]:
        return None
    return flavour.read_default(as_text(row["column_default"]), row["data_type"].lower(), as_text(row["extra"]))


def _generated(row: Row, flavour: Flavour) -> Generated | None:
    """None also for a system-versioned table's ROW START and ROW END, which are read as plain columns."""
    expression = as_text(row["generation_expression"])
    if not expression or expression.upper() in ("ROW START", "ROW END"):
        return None
    stored = any(word in row["extra"].upper() for word in ("STORED", "PERSISTENT"))
    return Generated(flavour.read_expression(expression), stored)


def _on_update(extra: str) -> str:
    at = extra.lower().find("on update ")
    return extra[at + len("on update ") :].strip() if at >= 0 else ""


def _indexes(rows: list[Row], flavour: Flavour) -> tuple[tuple[str, ...], tuple[Index, ...]]:
    """The primary key's columns, and every other index."""
    primary: tuple[str, ...] = ()
    secondary = []
    for name, grouped in groupby(rows, key=lambda row: row["index_name"]):
        parts = list(grouped)
        if name == "PRIMARY":
            primary = tuple(row["column_name"] for row in parts)
            continue
        method = _METHODS.get(parts[0]["index_type"], IndexMethod.BTREE)
        secondary.append(
            Index(
                name=name,
                parts=tuple(_index_part(row, method, flavour) for row in parts),
                unique=not int(parts[0]["non_unique"]),
                method=method,
                comment=as_text(parts[0]["index_comment"]),
                invisible=bool(int(parts[0]["hidden"])),
            )
        )
    return primary, tuple(secondary)


def _primary_definition(rows: list[Row]) -> str:
    """The primary key as SQL where it says more than its columns' names."""
    parts = [row for row in rows if row["index_name"] == "PRIMARY"]
    if not any(row["sub_part"] is not None or row["collation"] == "D" for row in parts):
        return ""
    written = (
        _DIALECT.quote(row["column_name"])
        + (f"({row['sub_part']})" if row["sub_part"] is not None else "")
        + (" DESC" if row["collation"] == "D" else "")
        for row in parts
    )
    return f"({', '.join(written)})"


def _index_part(row: Row, method: IndexMethod, flavour: Flavour) -> IndexPart:
    if row["column_name"] is None:
        expression = flavour.read_expression(as_text(row["expression"]))
        return IndexPart(expression=expression, descending=row["collation"] == "D")
    prefix = None if row["sub_part"] is None or method is IndexMethod.SPATIAL else int(row["sub_part"])
    return IndexPart(column=row["column_name"], descending=row["collation"] == "D", prefix_length=prefix)


def _foreign_keys(rows: list[Row]) -> tuple[ForeignKey, ...]:
    keys = []
    for name, grouped in groupby(rows, key=lambda row: row["constraint_name"]):
        parts = list(grouped)
        first = parts[0]
        keys.append(
            ForeignKey(
                name=name,
                columns=tuple(row["column_name"] for row in parts),
                parent=TableId(first["referenced_table_schema"], first["referenced_table_name"]),
                parent_columns=tuple(row["referenced_column_name"] for row in parts),
                on_update=first["update_rule"].upper(),
                on_delete=first["delete_rule"].upper(),
            )
        )
    return tuple(keys)


def _views(database: str, rows: list[Row], tables: list[TableId]) -> tuple[View, ...]:
    """The views, each after those that it uses."""
    found = {TableId(database, row["table_name"]): row for row in rows}
    known = [*tables, *found]
    uses = {id_: used(as_text(row["view_definition"]), known) for id_, row in found.items()}
    return tuple(_view(id_, found[id_], uses[id_]) for id_ in in_order(uses))


def _view(id_: TableId, row: Row, uses: tuple[TableId, ...]) -> View:
    check = row["check_option"]
    return View(
        id_,
        as_text(row["view_definition"]),
        "" if check == "NONE" else check,
        row["security_type"] == "INVOKER",
        options="" if row["algorithm"] in (None, "UNDEFINED") else f"ALGORITHM={row['algorithm']}",
        uses=uses,
    )


def _sequence(database: str, row: Row) -> SchemaSequence:
    return SchemaSequence(
        id=TableId(database, as_text(row["name"])),
        start=int(row["start_value"]),
        increment=int(row["increment"]),
        minimum=int(row["minimum_value"]),
        maximum=int(row["maximum_value"]),
        next_value=int(row["next_not_cached_value"]),
        cycle=bool(row["cycle_option"]),
        cache=int(row["cache_size"]),
    )
