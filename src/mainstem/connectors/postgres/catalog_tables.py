"""Tables and what can be read as one, with their columns."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from mainstem.connectors.postgres.ask import Ask, not_of_extension
from mainstem.connectors.postgres.catalog_types import Types
from mainstem.connectors.postgres.literals import quoted
from mainstem.connectors.postgres.marks import Mark, Stamp
from mainstem.connectors.postgres.partitions import LEAVES, Known, Leaf, Memo
from mainstem.connectors.postgres.sequences import FoundSequence
from mainstem.model.names import TableId
from mainstem.model.schema import Column, Default, DefaultKind, Generated, Table, TableKind
from mainstem.model.types import Kind, LogicalType

_RELATIONS = f"""
SELECT c.oid, n.nspname AS schema, c.relname AS name, c.relkind AS kind, c.relispartition AS partition,
    greatest(c.reltuples, 0)::bigint AS rows,
    coalesce(obj_description(c.oid, 'pg_class'), '') AS comment, c.relpersistence = 'u' AS unlogged,
    CASE WHEN c.relkind = 'p' THEN pg_get_partkeydef(c.oid) ELSE '' END AS partition_key,
    coalesce(pg_get_expr(c.relpartbound, 0), '') AS partition_bound, c.reloptions AS options,
    t.reloptions AS toast_options, m.amname AS method
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_class t ON t.oid = c.reltoastrelid LEFT JOIN pg_am m ON m.oid = c.relam
WHERE (n.nspname = ANY(%(schemas)s) OR c.relispartition) AND c.relkind IN ('r', 'p', 'f', 'v', 'm')
    AND c.relpersistence <> 't'
    AND {not_of_extension("pg_class", "c.oid")}
ORDER BY n.nspname, c.relname
"""
# Waits for whoever has locked all of a table, so that only those are asked for that are wanted.
_SIZES = """
SELECT c.oid, pg_table_size(c.oid) AS bytes FROM pg_class c
WHERE c.oid = ANY(%(oids)s::oid[]) AND c.relkind IN ('r', 'm')
"""
_PARENTS = """
SELECT i.inhrelid AS child, n.nspname AS schema, c.relname AS name, c.oid
FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhparent JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'f') ORDER BY i.inhrelid, i.inhseqno
"""
_COLUMNS = """
SELECT a.attrelid AS relation, a.attnum AS number, a.attname AS name, format_type(a.atttypid, a.atttypmod) AS native,
    a.attnotnull AS not_null, a.attidentity AS identity, a.attgenerated AS generated,
    pg_get_expr(d.adbin, d.adrelid) AS expression, coalesce(col_description(a.attrelid, a.attnum), '') AS comment,
    CASE WHEN a.attcollation <> t.typcollation THEN format('%%I.%%I', ln.nspname, l.collname) ELSE '' END AS collation,
    t.oid AS type, CASE WHEN tn.nspname NOT IN ('pg_catalog', 'information_schema') THEN tn.nspname END AS type_schema,
    coalesce(e.typname, t.typname) AS type_name, a.attislocal AS local,
    a.atthasmissing AS filled, k.relfilenode::bigint AS file, txid_snapshot_xmin(txid_current_snapshot()) AS seen,
    k.relispartition AS partition, CASE WHEN a.attinhcount > 0 AND a.attnotnull THEN EXISTS (
        SELECT FROM pg_inherits h JOIN pg_attribute p ON p.attrelid = h.inhparent AND p.attname = a.attname
        WHERE h.inhrelid = a.attrelid AND p.attnotnull) ELSE false END AS parent_not_null
FROM pg_attribute a JOIN pg_class k ON k.oid = a.attrelid JOIN pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_type e ON e.typarray = t.oid
JOIN pg_namespace tn ON tn.oid = coalesce(e.typnamespace, t.typnamespace)
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
LEFT JOIN pg_collation l ON l.oid = a.attcollation LEFT JOIN pg_namespace ln ON ln.oid = l.collnamespace
WHERE a.attrelid = ANY(%(oids)s::oid[]) AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attrelid, a.attnum
"""
_NOT_NULL = """
SELECT c.conrelid AS relation, c.conkey[1] AS number, c.conname AS name, c.conislocal AS local,
    c.connoinherit AS no_inherit,
    c.convalidated AS validated, k.relname || '_' || a.attname || '_not_null' AS usual
FROM pg_constraint c JOIN pg_class k ON k.oid = c.conrelid
JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]
WHERE c.conrelid = ANY(%(oids)s::oid[]) AND c.contype = {not_null}
"""
_KINDS = {"r": TableKind.TABLE, "p": TableKind.PARTITIONED, "f": TableKind.FOREIGN, "v": TableKind.VIEW,
          "m": TableKind.VIEW}  # fmt: skip
_NOW = re.compile(r"(?:CURRENT_TIMESTAMP|LOCALTIMESTAMP|now\(\))(?:\((\d)\))?")
_BOOLEANS = {"true": "1", "false": "0"}
_BITS = re.compile(r"B'([01]*)'(?:::[\w\s\"().,]+)?")
_LITERAL = re.compile(r"'((?:[^']|'')*)'(?:::[\w\s\"().,\[\]]+)?|(-?\d+(?:\.\d+)?)")


def relations(ask: Ask) -> dict[int, Table]:
    """By oid, everything that has rows to read; without columns, keys and sizes."""
    parents = defaultdict[int, list[TableId]](list)
    for row in ask.rows(_PARENTS):
        parents[row.child].append(TableId(row.schema, row.name))
    return {row.oid: _relation(row, parents[row.oid]) for row in ask.rows(_RELATIONS)}


def _relation(row: Any, parents: Sequence[TableId]) -> Table:
    partition = row.partition and bool(parents)
    options = [option.replace("=", "='", 1) + "'" for option in row.options or ()]
    options += ["toast." + option.replace("=", "='", 1) + "'" for option in row.toast_options or ()]
    return Table(
        TableId(row.schema, row.name),
        (),
        comment=row.comment,
        rows_estimate=row.rows,
        kind=TableKind.PARTITION if partition else _KINDS[row.kind],
        partition_key=row.partition_key,
        partition_of=parents[0] if partition else None,
        partition_bound=row.partition_bound,
        parents=() if partition else tuple(parents),
        options=" ".join(
            ([f"USING {row.method}"] if row.method not in (None, "heap") else [])
            + ([f"WITH ({', '.join(options)})"] if options else [])
        ),
        unlogged=row.unlogged,
    )


def sizes(ask: Ask, oids: Sequence[int]) -> dict[int, int]:
    """By oid, the bytes of each that has any, without indexes."""
    return {row.oid: row.bytes for row in ask.rows(_SIZES, oids=oids)}


def memos(ask: Ask, tables: Mapping[int, Table]) -> dict[int, str]:
    """By the oid of each that is partitioned, what a stream of it is to know of its partitions."""
    found: dict[int, dict[int, Known]] = {oid: {} for oid, table in tables.items() if table.partition_key}
    for row in ask.rows(LEAVES, roots=list(found)) if found else ():
        leaf = Leaf.read(row)
        found[leaf.root][leaf.oid] = Known.of(leaf)
    return {oid: str(Memo(leaves)) for oid, leaves in found.items()}


def columns(ask: Ask, oids: Sequence[int], types: Types, sequences: Sequence[FoundSequence]) -> dict[int, list[Column]]:
    """By the oid of its table, every column."""
    found = defaultdict[int, list[Column]](list)
    counters = {item.owner: item for item in sequences if item.owner[0]}
    not_null = {(row.relation, row.number): row for row in ask.rows(_NOT_NULL, oids=oids)}
    for row in ask.rows(_COLUMNS, oids=oids):
        place = (row.relation, row.number)
        found[row.relation].append(_column(row, types, counters.get(place), not_null.get(place)))
    return found


def _column(row: Any, types: Types, counter: FoundSequence | None, constraint: Any) -> Column:
    type_ = types.logical(row.type, row.native)
    serial = bool(counter and not counter.internal and row.expression and row.expression.startswith("nextval("))
    computed = Generated(row.expression, stored=row.generated == "s") if row.generated and row.expression else None
    default = None if computed or row.expression is None else _default(row.expression, type_)
    pending = constraint is not None and not constraint.validated
    return Column(
        row.name,
        type_,
        row.native,
        nullable=not row.not_null or pending,
        default=default,
        generated=computed,
        identity=bool(row.identity) or serial,
        comment=row.comment,
        collation=row.collation,
        always=row.identity == "a",
        user_type=TableId(row.type_schema, row.type_name) if row.type_schema else None,
        counter=counter.sequence if counter and (counter.internal or serial) else None,
        not_null="" if pending else _not_null(row, constraint),
        inherited=not row.local,
        domain=types.domain(row.type, partial(_default, type_=type_)),
        mark=str(Mark(row.relation, row.number, Stamp(row.file, row.seen), row.filled)),
    )


def _not_null(row: Any, constraint: Any) -> str | None:
    """See `Column.not_null`; before version 18 such a constraint has neither a name nor a place of its own."""
    here = constraint.local if constraint is not None else not row.parent_not_null
    if not here and not row.partition:
        return None
    if constraint is None or (constraint.name == constraint.usual and not constraint.no_inherit):
        return ""
    return f"CONSTRAINT {quoted(constraint.name)} NOT NULL{' NO INHERIT' if constraint.no_inherit else ''}"


def _default(expression: str, type_: LogicalType) -> Default:
    """A default as the neutral literal that it is, where it is one; what the server wrote goes with it."""
    time = _NOW.fullmatch(expression)
    if time and type_.kind in (Kind.INSTANT, Kind.TIMESTAMP):
        return Default(DefaultKind.NOW, time[1] or "6", expression)
    if type_.kind is Kind.BOOLEAN and expression in _BOOLEANS:
        return Default(DefaultKind.LITERAL, _BOOLEANS[expression], expression)
    bits = _BITS.fullmatch(expression)
    if bits and type_.kind is Kind.BITS:
        return Default(DefaultKind.LITERAL, bits[1], expression)
    found = _LITERAL.fullmatch(expression)
    if found is None:
        return Default(DefaultKind.EXPRESSION, expression, expression)
    text = found[2] if found[1] is None else found[1].replace("''", "'")
    if type_.kind is Kind.BINARY:
        if not text.startswith("\\x"):
            return Default(DefaultKind.EXPRESSION, expression, expression)
        text = text[2:]
    if type_.kind is Kind.INSTANT:
        text = text.removesuffix("+00")
    return Default(DefaultKind.LITERAL, text, expression)
