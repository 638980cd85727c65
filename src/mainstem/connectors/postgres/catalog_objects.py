"""What only PostgreSQL has, as the SQL that makes it: extensions, types, functions, triggers, policies and the rest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from mainstem.connectors.postgres.ask import Ask, not_of_extension
from mainstem.connectors.postgres.catalog_extras import read_extras
from mainstem.connectors.postgres.catalog_types import KINDS, Types, type_id
from mainstem.connectors.postgres.dependencies import Dependencies, Node
from mainstem.connectors.postgres.literals import quoted, string
from mainstem.model.names import TableId
from mainstem.model.plan import Phase
from mainstem.model.schema import NativeObject, OtherObject

_EXTENSIONS = """
SELECT e.oid, e.extname AS name, n.nspname AS schema, obj_description(e.oid, 'pg_extension') AS comment
FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname <> 'plpgsql' ORDER BY e.oid
"""
_COLLATIONS = f"""
SELECT c.oid, n.nspname AS schema, c.collname AS name, c.collprovider AS provider, {{deterministic}} AS deterministic,
    coalesce(to_jsonb(c) ->> 'colllocale', to_jsonb(c) ->> 'colliculocale', c.collcollate) AS locale,
    c.collctype AS ctype, to_jsonb(c) ->> 'collicurules' AS rules, obj_description(c.oid, 'pg_collation') AS comment
FROM pg_collation c JOIN pg_namespace n ON n.oid = c.collnamespace
WHERE n.nspname = ANY(%(schemas)s) AND {not_of_extension("pg_collation", "c.oid")} ORDER BY c.oid
"""
_FUNCTIONS = f"""
SELECT p.oid, n.nspname AS schema, p.proname AS name, p.prokind AS kind,
    pg_get_function_identity_arguments(p.oid) AS arguments,
    CASE WHEN p.prokind <> 'a' THEN pg_get_functiondef(p.oid) ELSE '' END AS definition,
    obj_description(p.oid, 'pg_proc') AS comment
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE n.nspname = ANY(%(schemas)s) AND {not_of_extension("pg_proc", "p.oid")}
    AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid
        AND d.deptype = 'i')
ORDER BY p.oid
"""
_AGGREGATES = """
SELECT a.aggfnoid::oid AS oid, a.aggkind AS kind, a.aggtransfn::text AS sfunc,
    format_type(a.aggtranstype, NULL) AS stype,
    nullif(a.aggtransspace, 0) AS sspace, nullif(a.aggfinalfn::oid, 0)::regproc::text AS finalfunc,
    a.aggfinalextra AS final_extra, nullif(a.aggcombinefn::oid, 0)::regproc::text AS combinefunc,
    nullif(a.aggserialfn::oid, 0)::regproc::text AS serialfunc,
    nullif(a.aggdeserialfn::oid, 0)::regproc::text AS deserialfunc,
    nullif(a.aggmtransfn::oid, 0)::regproc::text AS msfunc, nullif(a.aggminvtransfn::oid, 0)::regproc::text AS minvfunc,
    CASE WHEN a.aggmtranstype <> 0 THEN format_type(a.aggmtranstype, NULL) END AS mstype,
    nullif(a.aggmfinalfn::oid, 0)::regproc::text AS mfinalfunc, a.aggmfinalextra AS mfinal_extra,
    a.agginitval AS initcond, a.aggminitval AS minitcond, nullif(a.aggsortop, 0)::regoper::text AS sortop,
    p.proparallel AS parallel, a.aggfinalmodify AS final_modify
FROM pg_aggregate a JOIN pg_proc p ON p.oid = a.aggfnoid JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE n.nspname = ANY(%(schemas)s)
"""
_PARALLEL = {"s": "SAFE", "r": "RESTRICTED"}
_MODIFY = {"r": None, "s": "SHAREABLE", "w": "READ_WRITE"}
_FUNCTION_WORDS = {"f": "FUNCTION", "w": "FUNCTION", "p": "PROCEDURE", "a": "AGGREGATE"}
_KIND_WORDS = {"f": "function", "w": "function", "p": "procedure", "a": "aggregate"}

# Things of which the catalog has no more than this to say on a target of another kind.
_OTHERS = """
SELECT kind, schema, name, on_table FROM (
    SELECT 'operator' AS kind, o.oid, 'pg_operator'::regclass AS class, n.nspname AS schema, o.oprname::text AS name,
        '' AS on_table FROM pg_operator o JOIN pg_namespace n ON n.oid = o.oprnamespace
    UNION ALL SELECT 'operator_class', o.oid, 'pg_opclass'::regclass, n.nspname, o.opcname::text, ''
        FROM pg_opclass o JOIN pg_namespace n ON n.oid = o.opcnamespace
    UNION ALL SELECT 'conversion', o.oid, 'pg_conversion'::regclass, n.nspname, o.conname::text, ''
        FROM pg_conversion o JOIN pg_namespace n ON n.oid = o.connamespace
    UNION ALL SELECT 'text_search', o.oid, 'pg_ts_config'::regclass, n.nspname, o.cfgname::text, ''
        FROM pg_ts_config o JOIN pg_namespace n ON n.oid = o.cfgnamespace
    UNION ALL SELECT 'text_search', o.oid, 'pg_ts_dict'::regclass, n.nspname, o.dictname::text, ''
        FROM pg_ts_dict o JOIN pg_namespace n ON n.oid = o.dictnamespace
    UNION ALL SELECT 'foreign_table', o.oid, 'pg_class'::regclass, n.nspname, o.relname::text, ''
        FROM pg_class o JOIN pg_namespace n ON n.oid = o.relnamespace WHERE o.relkind = 'f' AND NOT o.relispartition
    UNION ALL SELECT 'event_trigger', o.oid, 'pg_event_trigger'::regclass, '', o.evtname::text, ''
        FROM pg_event_trigger o
    UNION ALL SELECT 'publication', o.oid, 'pg_publication'::regclass, '', o.pubname::text, '' FROM pg_publication o
        WHERE o.pubname !~ '^mainstem_'
) AS found WHERE (schema = ANY(%(schemas)s) OR schema = '') AND NOT EXISTS (SELECT FROM pg_depend x
    WHERE x.classid = found.class AND x.objid = found.oid AND x.deptype = 'e')
ORDER BY kind, schema, name
"""


def read_objects(ask: Ask, types: Types, dependencies: Dependencies, tables: Sequence[int]) -> Iterator[NativeObject]:
    """Extensions, then types and functions in the order of their needs, then what hangs on tables."""
    needed_by = dependencies.needed_by(tables)
    yield from _extensions(ask, needed_by)
    yield from _collations(ask)
    made = _made(ask, types)
    for node in dependencies.order(made):
        yield _placed(made[node], node, dependencies, needed_by)
    yield from read_extras(ask)


def _extensions(ask: Ask, needed_by: Mapping[Node, frozenset[TableId]]) -> Iterator[NativeObject]:
    for row in ask.rows(_EXTENSIONS):
        schema = quoted(row.schema)
        statements = (
            *([f"CREATE SCHEMA IF NOT EXISTS {schema}"] if row.schema not in ("pg_catalog", "public") else []),
            f"CREATE EXTENSION IF NOT EXISTS {quoted(row.name)} WITH SCHEMA {schema}",
        )
        yield NativeObject(
            "extension",
            TableId(row.schema, row.name),
            statements,
            Phase.SCHEMA,
            needed_by=needed_by.get(("extension", row.oid), frozenset()),
        )


def _collations(ask: Ask) -> Iterator[NativeObject]:
    for row in ask.rows(_COLLATIONS):
        id_ = TableId(row.schema, row.name)
        provider = {"c": "libc", "i": "icu", "b": "builtin"}.get(row.provider, "libc")
        options = [f"provider = {provider}"]
        if row.provider == "c" and row.ctype != row.locale:
            options += [f"lc_collate = {string(row.locale)}", f"lc_ctype = {string(row.ctype)}"]
        else:
            options.append(f"locale = {string(row.locale)}")
        if not row.deterministic:
            options.append("deterministic = false")
        if row.rules:
            options.append(f"rules = {string(row.rules)}")
        name = _name(id_)
        yield _object("collation", id_, (f"CREATE COLLATION {name} ({', '.join(options)})",),
                      f"COLLATION {name}", row.comment)  # fmt: skip


def _made(ask: Ask, types: Types) -> dict[Node, NativeObject]:
    """Types and functions by their place in the graph of needs."""
    made: dict[Node, NativeObject] = {}
    for row in types.own:
        made["type", row.oid] = NativeObject(
            KINDS[row.kind], type_id(row), types.statements(row), Phase.SCHEMA, parts=types.parts(row)
        )
    functions = ask.rows(_FUNCTIONS)
    aggregates = {row.oid: row for row in ask.rows(_AGGREGATES)} if any(row.kind == "a" for row in functions) else {}
    for row in functions:
        id_ = TableId(row.schema, row.name)
        called = f"{_FUNCTION_WORDS[row.kind]} {_name(id_)}({row.arguments or '*' * (row.kind == 'a')})"
        sql = row.definition if row.kind != "a" else f"CREATE OR REPLACE {called} ({_aggregate(aggregates[row.oid])})"
        made["function", row.oid] = _object(_KIND_WORDS[row.kind], id_, (sql.strip(),), called, row.comment)
    return made


def _aggregate(row: Any) -> str:
    texts = {name: getattr(row, name) for name in _AGGREGATE_OPTIONS}
    options = [f"{name} = {value}" for name, value in texts.items() if value]
    options += [
        f"{name} = {string(value)}" for name in ("initcond", "minitcond") if (value := getattr(row, name)) is not None
    ]
    options += ["finalfunc_extra"] * bool(row.final_extra) + ["mfinalfunc_extra"] * bool(row.mfinal_extra)
    if row.kind == "h":
        options.append("hypothetical")
    if row.parallel in _PARALLEL:
        options.append(f"parallel = {_PARALLEL[row.parallel]}")
    if row.finalfunc and _MODIFY.get(row.final_modify) and row.kind == "n":
        options.append(f"finalfunc_modify = {_MODIFY[row.final_modify]}")
    if row.sortop:
        options.append(f"sortop = OPERATOR({row.sortop})")
    return ", ".join(options)


_AGGREGATE_OPTIONS = (
    "sfunc", "stype", "sspace", "finalfunc", "combinefunc", "serialfunc", "deserialfunc", "msfunc", "minvfunc",
    "mstype", "mfinalfunc",
)  # fmt: skip


def _placed(
    object_: NativeObject,
    node: Node,
    dependencies: Dependencies,
    needed_by: Mapping[Node, frozenset[TableId]],
) -> NativeObject:
    """The object in the phase in which all that it needs is there."""
    needs = dependencies.closure(node)
    relations = [dependencies.relations.get(oid) for kind, oid in needs if kind == "relation"]  # None: a sequence
    phase = Phase.SCHEMA
    if relations:
        phase = Phase.VIEWS if any(relation and relation[1] for relation in relations) else Phase.TABLES
    return replace(object_, phase=phase, needed_by=needed_by.get(node, frozenset()))


def read_others(ask: Ask) -> Iterator[OtherObject]:
    """What is there and is not made anywhere."""
    for row in ask.rows(_OTHERS):
        yield OtherObject(row.kind, TableId(row.schema, row.name), row.on_table)


def _object(kind: str, id_: TableId, statements: tuple[str, ...], called: str, comment: str | None) -> NativeObject:
    told = (f"COMMENT ON {called} IS {string(comment)}",) if comment else ()
    return NativeObject(kind, id_, statements + told, Phase.SCHEMA)


def _name(id_: TableId) -> str:
    return f"{quoted(id_.schema)}.{quoted(id_.name)}"
