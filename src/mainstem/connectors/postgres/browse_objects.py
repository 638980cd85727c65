"""What a PostgreSQL database holds, as the explorer shows it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from mainstem.connectors.postgres.dialect import PostgresDialect
from mainstem.connectors.postgres.fence import SCHEMA as LEDGER_SCHEMA
from mainstem.connectors.postgres.native import logical_type
from mainstem.contract.browse import RELATIONS, BrowseColumn, ObjectInfo, ObjectKind, Relation
from mainstem.contract.browse_sql import Sql
from mainstem.errors import NotFoundError
from mainstem.model.names import TableId
from mainstem.model.types import Kind

Ask = Callable[[Sql], list[Any]]
_DIALECT = PostgresDialect()
_KINDS = {
    "r": ObjectKind.TABLE,
    "p": ObjectKind.PARTITIONED,
    "f": ObjectKind.FOREIGN,
    "v": ObjectKind.VIEW,
    "m": ObjectKind.MATERIALIZED,
    "S": ObjectKind.SEQUENCE,
}
_WHERE = (
    "(n.nspname = ANY(%s::text[]) OR %s::text[] = '{}')"
    " AND (%s OR (n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', %s)))"
)
_CLASSES = (
    "SELECT n.nspname AS schema, c.relname AS name, c.relkind AS kind, '' AS of, c.reltuples::bigint AS rows,"
    " CASE WHEN c.relpages > 0 THEN c.relpages * pg_catalog.current_setting('block_size')::bigint ELSE -1 END AS bytes,"
    " coalesce(pg_catalog.obj_description(c.oid, 'pg_class'), '') AS comment, '' AS signature, '' AS returns,"
    " '' AS language FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
    f" WHERE c.relkind IN ('r', 'p', 'f', 'v', 'm', 'S') AND NOT c.relispartition AND c.relpersistence <> 't'"
    f" AND {_WHERE}"
)
_ROUTINES = (
    "SELECT n.nspname AS schema, p.proname AS name, p.prokind AS kind, '' AS of, -1 AS rows, -1 AS bytes,"
    " coalesce(pg_catalog.obj_description(p.oid, 'pg_proc'), '') AS comment,"
    " pg_catalog.pg_get_function_identity_arguments(p.oid) AS signature,"
    " coalesce(pg_catalog.pg_get_function_result(p.oid), '') AS returns, l.lanname AS language"
    " FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace"
    " JOIN pg_catalog.pg_language l ON l.oid = p.prolang"
    " WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_depend x WHERE x.objid = p.oid AND x.deptype = 'e'"
    f" AND x.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass) AND {_WHERE}"
)
_TRIGGERS = (
    "SELECT n.nspname AS schema, t.tgname AS name, 't' AS kind, c.relname AS of, -1 AS rows, -1 AS bytes,"
    " '' AS comment, '' AS signature, '' AS returns, '' AS language FROM pg_catalog.pg_trigger t"
    " JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
    f" WHERE NOT t.tgisinternal AND NOT c.relispartition AND {_WHERE}"
)
_OTHER_KINDS = {"t": ObjectKind.TRIGGER, "p": ObjectKind.PROCEDURE}
_RELATION = (
    "SELECT c.oid, c.relkind AS kind, c.reltuples::bigint AS rows,"
    " CASE WHEN c.relkind IN ('r', 'm') THEN pg_catalog.pg_total_relation_size(c.oid) ELSE -1 END AS bytes,"
    " coalesce(pg_catalog.obj_description(c.oid, 'pg_class'), '') AS comment,"
    " pg_catalog.has_table_privilege(c.oid, 'INSERT') OR pg_catalog.has_any_column_privilege(c.oid, 'UPDATE')"
    " OR pg_catalog.has_table_privilege(c.oid, 'DELETE') AS allowed, pg_catalog.pg_is_in_recovery() AS standby"
    " FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
    " WHERE n.nspname = %s AND c.relname = %s AND c.relkind IN ('r', 'p', 'f', 'v', 'm', 'S')"
)
_COLUMNS = (
    "SELECT a.attname AS name, pg_catalog.format_type(a.atttypid, a.atttypmod) AS type,"
    " pg_catalog.format_type(CASE t.typtype WHEN 'd' THEN t.typbasetype ELSE t.oid END,"
    " CASE t.typtype WHEN 'd' THEN t.typtypmod ELSE a.atttypmod END) AS base,"
    " pg_catalog.format_type(CASE t.typtype WHEN 'd' THEN t.typbasetype ELSE t.oid END, NULL) AS plain,"
    " NOT a.attnotnull AS nullable, pg_catalog.pg_get_expr(d.adbin, d.adrelid) AS expression,"
    " a.attidentity AS identity,"
    " a.attgenerated AS generated, coalesce(pg_catalog.col_description(a.attrelid, a.attnum), '') AS comment,"
    " (SELECT array_agg(e.enumlabel::text ORDER BY e.enumsortorder) FROM pg_catalog.pg_enum e WHERE e.enumtypid ="
    " CASE t.typtype WHEN 'd' THEN t.typbasetype ELSE t.oid END) AS labels"
    " FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid"
    " LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum"
    " WHERE a.attrelid = %s AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum"
)
# A key that is checked at once, of whole columns that hold no nulls, over all rows.
_KEYS = (
    "SELECT i.indisprimary AS primary, array_agg(a.attname::text ORDER BY k.place) AS columns"
    " FROM pg_catalog.pg_index i"
    " CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS k(number, place)"
    " LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number AND a.attnotnull"
    " WHERE i.indrelid = %s AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND k.place <= i.indnkeyatts"
    " GROUP BY i.indexrelid, i.indisprimary HAVING bool_and(a.attname IS NOT NULL)"
    " ORDER BY i.indisprimary DESC, count(*), i.indexrelid LIMIT 1"
)
_NOT_EDITABLE = {
    ObjectKind.VIEW: "it is a view; change the rows of the tables behind it",
    ObjectKind.MATERIALIZED: "it is a materialized view; refresh it instead",
    ObjectKind.FOREIGN: "it is a foreign table, whose rows belong to another server",
    ObjectKind.SEQUENCE: "it is a sequence",
}
_NO_KEY = "it has no primary key, and no unique key without nulls, by which one row could be told from another"


def objects(ask: Ask, schemas: Sequence[str], *, include_system: bool) -> list[ObjectInfo]:
    """Relations, routines and triggers, sorted."""
    arguments = (list(schemas), list(schemas), include_system, LEDGER_SCHEMA)
    found = [
        _object(row, _KINDS if number == 0 else _OTHER_KINDS)
        for number, sql in enumerate((_CLASSES, _ROUTINES, _TRIGGERS))
        for row in ask(Sql(sql, arguments))
    ]
    return sorted(found, key=lambda info: (info.id, info.kind, info.signature))


def _object(row: Any, kinds: dict[str, ObjectKind]) -> ObjectInfo:
    kind = kinds.get(row.kind, ObjectKind.FUNCTION)
    id_ = TableId(row.schema, row.name)
    return ObjectInfo(kind, id_, row.of, row.rows, row.bytes, row.comment, row.signature, row.returns, row.language)


def relation(ask: Ask, id_: TableId) -> Relation:
    """One table or view; `NotFoundError` if there is none."""
    rows = ask(Sql(_RELATION, (id_.schema, id_.name)))
    if not rows:
        raise NotFoundError(f"there is no table or view {id_}", remedy="refresh the tree", table=str(id_))
    (row,) = rows
    kind = _KINDS[row.kind]
    keys = ask(Sql(_KEYS, (row.oid,)))
    key = tuple(keys[0].columns) if keys else ()
    return Relation(
        id_,
        kind,
        tuple(_column(column) for column in ask(Sql(_COLUMNS, (row.oid,)))),
        key,
        (key and ("primary" if keys[0].primary else "unique")) or "",
        _reason(row, kind, key),
        row.rows,
        row.bytes,
        row.comment,
    )


def _reason(row: Any, kind: ObjectKind, key: Sequence[str]) -> str:
    if kind in _NOT_EDITABLE:
        return _NOT_EDITABLE[kind]
    if not key:
        return _NO_KEY
    if row.standby:
        return "the server is a standby, which takes no changes"
    return "" if row.allowed else "this login may not change its rows"


def _column(row: Any) -> BrowseColumn:
    type_ = logical_type(row.base, tuple(row.labels or ()))
    kind = Kind.TEXT if type_.kind is Kind.GEOMETRY else type_.kind  # its text is the hex of it
    return BrowseColumn(
        row.name,
        row.type,
        kind,
        row.nullable,
        row.expression,
        writable=not row.generated and row.identity != "a",
        automatic=bool(row.generated or row.identity or (row.expression or "").startswith("nextval(")),
        comment=row.comment,
        members=type_.members,
        base=row.plain,
        length=type_.length,
    )


_HEADS = {ObjectKind.VIEW: "CREATE OR REPLACE VIEW", ObjectKind.MATERIALIZED: "CREATE MATERIALIZED VIEW"}
_VIEW = (
    "SELECT pg_catalog.pg_get_viewdef(c.oid, true) AS sql FROM pg_catalog.pg_class c"
    " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = %s AND c.relname = %s"
)
_SEQUENCE = (
    "SELECT pg_catalog.format(E'CREATE SEQUENCE %%I.%%I AS %%s\\n    START WITH %%s INCREMENT BY %%s"
    " MINVALUE %%s MAXVALUE %%s CACHE %%s%%s;', schemaname, sequencename, data_type, start_value, increment_by,"
    " min_value, max_value, cache_size, CASE WHEN cycle THEN ' CYCLE' ELSE '' END)"
    " || CASE WHEN last_value IS NULL THEN '' ELSE pg_catalog.format(E'\\n-- last value: %%s', last_value) END AS sql"
    " FROM pg_catalog.pg_sequences WHERE schemaname = %s AND sequencename = %s"
)
_ROUTINE = (
    "SELECT CASE WHEN p.prokind = 'a' THEN 'the server shows no definition of aggregates'"
    " ELSE pg_catalog.pg_get_functiondef(p.oid) END AS sql"
    " FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace"
    " WHERE n.nspname = %s AND p.proname = %s AND pg_catalog.pg_get_function_identity_arguments(p.oid) = %s"
)
_TRIGGER = (
    "SELECT pg_catalog.pg_get_triggerdef(t.oid, true) || ';' AS sql FROM pg_catalog.pg_trigger t"
    " JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
    " WHERE n.nspname = %s AND t.tgname = %s AND c.relname = %s"
)


def definition(ask: Ask, kind: ObjectKind, id_: TableId, signature: str) -> str:
    """The SQL of a view, sequence, routine or trigger (whose table stands in ``signature``)."""
    if kind in RELATIONS:
        return ""
    arguments = (id_.schema, id_.name)
    if kind in _HEADS or kind is ObjectKind.SEQUENCE:
        rows = ask(Sql(_VIEW if kind in _HEADS else _SEQUENCE, arguments))
    else:
        rows = ask(Sql(_TRIGGER if kind is ObjectKind.TRIGGER else _ROUTINE, (*arguments, signature)))
    if not rows or rows[0].sql is None:
        raise NotFoundError(f"there is no {kind.value.replace('_', ' ')} {id_}", remedy="refresh the tree")
    head = f"{_HEADS[kind]} {_DIALECT.qualified(id_)} AS\n" if kind in _HEADS else ""
    return f"{head}{rows[0].sql}"
