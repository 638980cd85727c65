"""What hangs on tables and views beside keys: triggers, rules, policies, statistics, settings of columns, comments."""

from __future__ import annotations

from collections.abc import Iterator

from mainstem.connectors.postgres.ask import Ask, not_of_extension
from mainstem.connectors.postgres.config import SCHEMA_COMMENT
from mainstem.connectors.postgres.literals import quoted, string
from mainstem.model.names import TableId
from mainstem.model.plan import Phase
from mainstem.model.schema import NativeObject

_TRIGGERS = """
SELECT n.nspname AS schema, c.relname AS relation, t.tgname AS name, pg_get_triggerdef(t.oid) AS definition,
    t.tgenabled AS enabled, c.relkind IN ('v', 'm') AS is_view, obj_description(t.oid, 'pg_trigger') AS comment
FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = ANY(%(schemas)s) AND NOT t.tgisinternal AND {top_trigger}
ORDER BY n.nspname, c.relname, t.tgname
"""
_RULES = """
SELECT n.nspname AS schema, c.relname AS relation, r.rulename AS name, pg_get_ruledef(r.oid) AS definition,
    r.ev_enabled AS enabled, c.relkind IN ('v', 'm') AS is_view, obj_description(r.oid, 'pg_rewrite') AS comment
FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = ANY(%(schemas)s) AND r.rulename <> '_RETURN' ORDER BY n.nspname, c.relname, r.rulename
"""
_POLICIES = """
SELECT n.nspname AS schema, c.relname AS relation, p.polname AS name, p.polpermissive AS permissive,
    p.polcmd AS command,
    CASE WHEN p.polroles = '{0}' THEN '{}' ELSE ARRAY(SELECT r.rolname::text FROM pg_roles r
        WHERE r.oid = ANY(p.polroles) ORDER BY r.rolname) END AS roles,
    pg_get_expr(p.polqual, p.polrelid) AS condition, pg_get_expr(p.polwithcheck, p.polrelid) AS with_check,
    obj_description(p.oid, 'pg_policy') AS comment
FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = ANY(%(schemas)s) ORDER BY n.nspname, c.relname, p.polname
"""
_SECURITY = """
SELECT n.nspname AS schema, c.relname AS relation, c.relrowsecurity AS enabled, c.relforcerowsecurity AS forced
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = ANY(%(schemas)s) AND c.relkind IN ('r', 'p') AND (c.relrowsecurity OR c.relforcerowsecurity)
ORDER BY n.nspname, c.relname
"""
_STATISTICS = f"""
SELECT n.nspname AS schema, s.stxname AS name, cn.nspname AS relation_schema, c.relname AS relation,
    pg_get_statisticsobjdef(s.oid) AS definition, nullif(to_jsonb(s) ->> 'stxstattarget', '-1') AS target,
    obj_description(s.oid, 'pg_statistic_ext') AS comment
FROM pg_statistic_ext s JOIN pg_namespace n ON n.oid = s.stxnamespace
JOIN pg_class c ON c.oid = s.stxrelid JOIN pg_namespace cn ON cn.oid = c.relnamespace
WHERE n.nspname = ANY(%(schemas)s) AND {not_of_extension("pg_statistic_ext", "s.oid")} ORDER BY n.nspname, s.stxname
"""
# Where they differ from what the column's type, or the server, has anyway.
_COLUMNS = """
SELECT n.nspname AS schema, c.relname AS relation, a.attname AS name,
    c.relkind = 'm' AS is_view, CASE WHEN a.attstorage <> t.typstorage THEN a.attstorage END AS storage,
    nullif({compression}, '') AS compression,
    nullif(a.attstattarget, -1) AS target, a.attoptions AS options
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_type t ON t.oid = a.atttypid
WHERE n.nspname = ANY(%(schemas)s) AND c.relkind IN ('r', 'p', 'm') AND a.attnum > 0 AND NOT a.attisdropped
    AND (a.attstorage <> t.typstorage OR {compression} <> '' OR a.attstattarget >= 0 OR a.attoptions IS NOT NULL)
ORDER BY n.nspname, c.relname, a.attnum
"""
_IDENTITY = """
SELECT n.nspname AS schema, c.relname AS relation, c.relreplident AS kind, ic.relname AS index_name
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_index i ON i.indrelid = c.oid AND i.indisreplident LEFT JOIN pg_class ic ON ic.oid = i.indexrelid
WHERE n.nspname = ANY(%(schemas)s) AND c.relkind IN ('r', 'p') AND c.relreplident <> 'd' ORDER BY n.nspname, c.relname
"""
_CLUSTERED = """
SELECT n.nspname AS schema, c.relname AS relation, ic.relname AS index_name
FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_class ic ON ic.oid = i.indexrelid
WHERE n.nspname = ANY(%(schemas)s) AND c.relkind = 'r' AND i.indisclustered ORDER BY n.nspname, c.relname
"""
_COMMENTS = """
SELECT n.nspname AS schema, c.relname AS relation, k.conname AS name, d.description AS comment,
    format('CONSTRAINT %%I ON %%I.%%I', k.conname, n.nspname, c.relname) AS called
FROM pg_description d JOIN pg_constraint k ON k.oid = d.objoid JOIN pg_class c ON c.oid = k.conrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE d.classoid = 'pg_constraint'::regclass AND n.nspname = ANY(%(schemas)s)
UNION ALL
SELECT n.nspname, c.relname, a.attname, d.description, format('COLUMN %%I.%%I.%%I', n.nspname, c.relname, a.attname)
FROM pg_description d JOIN pg_class c ON c.oid = d.objoid JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.objsubid
WHERE d.classoid = 'pg_class'::regclass AND d.objsubid > 0 AND c.relkind IN ('v', 'm') AND n.nspname = ANY(%(schemas)s)
UNION ALL
SELECT n.nspname, '', c.relname, d.description, format('SEQUENCE %%I.%%I', n.nspname, c.relname)
FROM pg_description d JOIN pg_class c ON c.oid = d.objoid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE d.classoid = 'pg_class'::regclass AND d.objsubid = 0 AND c.relkind = 'S' AND n.nspname = ANY(%(schemas)s)
UNION ALL
SELECT n.nspname, c.relname, ic.relname, d.description, format('INDEX %%I.%%I', n.nspname, ic.relname)
FROM pg_description d JOIN pg_index i ON i.indexrelid = d.objoid JOIN pg_class ic ON ic.oid = i.indexrelid
JOIN pg_class c ON c.oid = i.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_constraint k ON k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x') AND k.conrelid = i.indrelid
WHERE d.classoid = 'pg_class'::regclass AND d.objsubid = 0 AND n.nspname = ANY(%(schemas)s)
ORDER BY 1, 2, 3
"""
_SCHEMA_COMMENTS = """
SELECT n.nspname AS schema, obj_description(n.oid, 'pg_namespace') AS comment FROM pg_namespace n
WHERE n.nspname = ANY(%(schemas)s) AND n.nspname <> 'public' AND obj_description(n.oid, 'pg_namespace') IS NOT NULL
ORDER BY n.nspname
"""
_COMMANDS = {"r": "SELECT", "a": "INSERT", "w": "UPDATE", "d": "DELETE", "*": "ALL"}
_STORAGES = {"p": "PLAIN", "e": "EXTERNAL", "m": "MAIN", "x": "EXTENDED"}
_COMPRESSIONS = {"p": "pglz", "l": "lz4"}
_ENABLED = {"D": "DISABLE", "R": "ENABLE REPLICA", "A": "ENABLE ALWAYS"}


def read_extras(ask: Ask) -> Iterator[NativeObject]:
    """All of it, in the order in which it is made."""
    yield from _columns(ask)
    yield from _identities(ask)
    yield from _statistics(ask)
    yield from _triggers(ask, "rule", _RULES)
    yield from _triggers(ask, "trigger", _TRIGGERS)
    yield from _policies(ask)
    yield from _comments(ask)


def _triggers(ask: Ask, kind: str, query: str) -> Iterator[NativeObject]:
    for row in ask.rows(query):
        table = TableId(row.schema, row.relation)
        statements = [row.definition.strip().removesuffix(";")]
        if row.enabled in _ENABLED:
            word = "TABLE" if not row.is_view else "VIEW"
            statements.append(f"ALTER {word} {_name(table)} {_ENABLED[row.enabled]} {kind.upper()} {quoted(row.name)}")
        if row.comment:
            called = f"{kind.upper()} {quoted(row.name)} ON {_name(table)}"
            statements.append(f"COMMENT ON {called} IS {string(row.comment)}")
        yield NativeObject(kind, TableId(row.schema, row.name), tuple(statements), Phase.VIEWS, table)


def _policies(ask: Ask) -> Iterator[NativeObject]:
    for row in ask.rows(_POLICIES):
        table = TableId(row.schema, row.relation)
        parts = [f"CREATE POLICY {quoted(row.name)} ON {_name(table)}"]
        if not row.permissive:
            parts.append("AS RESTRICTIVE")
        parts.append(f"FOR {_COMMANDS[row.command]}")
        if row.roles:
            parts.append(f"TO {', '.join(quoted(role) for role in row.roles)}")
        if row.condition is not None:
            parts.append(f"USING ({row.condition})")
        if row.with_check is not None:
            parts.append(f"WITH CHECK ({row.with_check})")
        statements = [" ".join(parts)]
        if row.comment:
            statements.append(f"COMMENT ON POLICY {quoted(row.name)} ON {_name(table)} IS {string(row.comment)}")
        yield NativeObject("policy", TableId(row.schema, row.name), tuple(statements), Phase.COMMENTS, table)
    for row in ask.rows(_SECURITY):
        table = TableId(row.schema, row.relation)
        words = ["ENABLE"] * row.enabled + ["FORCE"] * row.forced
        statements = [f"ALTER TABLE {_name(table)} {word} ROW LEVEL SECURITY" for word in words]
        yield NativeObject("row_security", table, tuple(statements), Phase.COMMENTS, table)


def _statistics(ask: Ask) -> Iterator[NativeObject]:
    for row in ask.rows(_STATISTICS):
        id_ = TableId(row.schema, row.name)
        statements = [row.definition]
        if row.target is not None:
            statements.append(f"ALTER STATISTICS {_name(id_)} SET STATISTICS {row.target}")
        if row.comment:
            statements.append(f"COMMENT ON STATISTICS {_name(id_)} IS {string(row.comment)}")
        table = TableId(row.relation_schema, row.relation)
        yield NativeObject("statistics", id_, tuple(statements), Phase.COMMENTS, table)


def _columns(ask: Ask) -> Iterator[NativeObject]:
    for row in ask.rows(_COLUMNS):
        table = TableId(row.schema, row.relation)
        actions = []
        if row.storage:
            actions.append(f"SET STORAGE {_STORAGES[row.storage]}")
        if row.compression:
            actions.append(f"SET COMPRESSION {_COMPRESSIONS[row.compression]}")
        if row.target is not None:
            actions.append(f"SET STATISTICS {row.target}")
        if row.options:
            actions.append(f"SET ({', '.join(row.options)})")
        column = quoted(row.name)
        sql = f"ALTER TABLE ONLY {_name(table)} " + ", ".join(f"ALTER COLUMN {column} {action}" for action in actions)
        yield NativeObject("column_setting", TableId(row.schema, f"{row.relation}.{row.name}"), (sql,),
                           Phase.VIEWS if row.is_view else Phase.TABLES, table)  # fmt: skip


def _identities(ask: Ask) -> Iterator[NativeObject]:
    for row in ask.rows(_IDENTITY):
        table = TableId(row.schema, row.relation)
        what = f"USING INDEX {quoted(row.index_name)}" if row.kind == "i" and row.index_name else None
        what = what or {"f": "FULL", "n": "NOTHING"}.get(row.kind, "DEFAULT")
        sql = f"ALTER TABLE ONLY {_name(table)} REPLICA IDENTITY {what}"
        yield NativeObject("replica_identity", table, (sql,), Phase.SEQUENCES, table)
    for row in ask.rows(_CLUSTERED):
        table = TableId(row.schema, row.relation)
        sql = f"ALTER TABLE {_name(table)} CLUSTER ON {quoted(row.index_name)}"
        yield NativeObject("cluster", table, (sql,), Phase.SEQUENCES, table)


def _comments(ask: Ask) -> Iterator[NativeObject]:
    for row in ask.rows(_SCHEMA_COMMENTS):
        sql = f"COMMENT ON SCHEMA {quoted(row.schema)} IS {string(row.comment)}"
        yield NativeObject(SCHEMA_COMMENT, TableId(row.schema, ""), (sql,), Phase.COMMENTS)
    for row in ask.rows(_COMMENTS):
        table = TableId(row.schema, row.relation) if row.relation else None
        sql = f"COMMENT ON {row.called} IS {string(row.comment)}"
        yield NativeObject("comment", TableId(row.schema, row.name), (sql,), Phase.COMMENTS, table)


def _name(id_: TableId) -> str:
    return f"{quoted(id_.schema)}.{quoted(id_.name)}"
