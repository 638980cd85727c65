"""Keys, indexes and constraints of tables and materialized views."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from mainstem.connectors.postgres.ask import Ask
from mainstem.model.names import TableId
from mainstem.model.schema import Check, ForeignKey, Index, IndexMethod, IndexPart, Table

# The parts of every index: a column's name, or else an expression; in indoption bit 1 is DESC.
_INDEXES = """
SELECT i.indexrelid AS oid, i.indrelid AS relation, n.nspname AS schema, ic.relname AS name,
    i.indisunique AS is_unique, i.indisprimary AS is_primary, am.amname AS method, i.indnkeyatts AS key_columns,
    i.indoption::int2[] AS options, {nulls_distinct} AS nulls_distinct, con.oid IS NOT NULL AS is_constraint,
    con.contype AS constraint_type, con.condeferrable AS deferrable, con.condeferred AS deferred,
    CASE WHEN con.oid IS NOT NULL THEN pg_get_constraintdef(con.oid) END AS constraint_definition,
    pg_get_indexdef(i.indexrelid) AS definition,
    format('CREATE %%sINDEX %%I ON %%s%%I.%%I ', CASE WHEN i.indisunique THEN 'UNIQUE ' ELSE '' END, ic.relname,
        CASE WHEN c.relkind = 'p' THEN 'ONLY ' ELSE '' END, tn.nspname, c.relname) AS prefix,
    coalesce(pg_get_expr(i.indpred, i.indrelid), '') AS condition,
    ARRAY(SELECT a.attname::text FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS k(number, place)
        LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number AND k.number <> 0
        ORDER BY k.place) AS columns,
    CASE WHEN 0 = ANY(i.indkey::int2[]) THEN ARRAY(SELECT pg_get_indexdef(i.indexrelid, place::int, false)
        FROM generate_series(1, i.indnkeyatts) AS place ORDER BY place) END AS expressions,
    coalesce(obj_description(i.indexrelid, 'pg_class'), '') AS comment, pn.nspname AS parent_schema,
    p.relname AS parent_name
FROM pg_index i JOIN pg_class ic ON ic.oid = i.indexrelid JOIN pg_am am ON am.oid = ic.relam
JOIN pg_namespace n ON n.oid = ic.relnamespace
JOIN pg_class c ON c.oid = i.indrelid JOIN pg_namespace tn ON tn.oid = c.relnamespace
LEFT JOIN pg_constraint con ON con.conindid = i.indexrelid AND con.conrelid = i.indrelid
    AND con.contype IN ('p', 'u', 'x')
LEFT JOIN pg_inherits h ON h.inhrelid = i.indexrelid LEFT JOIN pg_class p ON p.oid = h.inhparent
LEFT JOIN pg_namespace pn ON pn.oid = p.relnamespace
WHERE i.indrelid = ANY(%(oids)s::oid[]) AND (i.indisvalid OR c.relkind = 'p')
ORDER BY i.indrelid, ic.relname
"""
_CONSTRAINTS = """
SELECT c.conrelid AS relation, c.conname AS name, c.contype AS type, c.convalidated AS validated,
    c.connoinherit AS no_inherit, c.condeferrable AS deferrable, c.condeferred AS deferred, c.confmatchtype AS match,
    c.confupdtype AS on_update, c.confdeltype AS on_delete, c.conislocal AS local, {enforced} AS enforced,
    {period} AS period, pg_get_constraintdef(c.oid) AS definition,
    CASE WHEN c.contype = 'c' THEN pg_get_expr(c.conbin, c.conrelid) END AS expression,
    pn.nspname AS parent_schema, p.relname AS parent_name,
    ARRAY(SELECT a.attname::text FROM unnest(c.conkey) WITH ORDINALITY AS k(number, place)
        JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.number ORDER BY k.place) AS columns,
    ARRAY(SELECT a.attname::text FROM unnest(c.confkey) WITH ORDINALITY AS k(number, place)
        JOIN pg_attribute a ON a.attrelid = c.confrelid AND a.attnum = k.number ORDER BY k.place) AS parent_columns
FROM pg_constraint c LEFT JOIN pg_class p ON p.oid = c.confrelid LEFT JOIN pg_namespace pn ON pn.oid = p.relnamespace
WHERE c.conrelid = ANY(%(oids)s::oid[])
    AND (c.contype = 'f' AND c.conparentid = 0 OR c.contype = 'c' AND c.conislocal
         OR c.contype = 'x' AND c.conparentid = 0
         OR c.contype = {not_null} AND NOT c.convalidated AND c.conislocal)
ORDER BY c.conrelid, c.conname
"""
_METHODS = {"btree": IndexMethod.BTREE, "hash": IndexMethod.HASH, "gin": IndexMethod.GIN, "gist": IndexMethod.GIST,
            "spgist": IndexMethod.SPGIST, "brin": IndexMethod.BRIN}  # fmt: skip
_ACTIONS = {"a": "NO ACTION", "r": "RESTRICT", "c": "CASCADE", "n": "SET NULL", "d": "SET DEFAULT"}
_DESCENDING = 1


@dataclass(slots=True)
class Keys:
    """What hangs on tables, by their oids."""

    primary: dict[int, Any] = field(default_factory=dict)
    indexes: dict[int, list[Index]] = field(default_factory=lambda: defaultdict(list))
    foreign: dict[int, list[ForeignKey]] = field(default_factory=lambda: defaultdict(list))
    checks: dict[int, list[Check]] = field(default_factory=lambda: defaultdict(list))
    others: dict[int, list[Check]] = field(default_factory=lambda: defaultdict(list))

    def settle(self, oid: int, table: Table) -> Table:
        """The table with all of it."""
        row = self.primary.get(oid)
        return replace(
            table,
            primary_key=tuple(row.columns[: row.key_columns]) if row else (),
            primary_key_name=row.name if row else "",
            primary_key_definition=row.constraint_definition if row else "",
            primary_key_part_of=_parent(row) if row else None,
            indexes=tuple(self.indexes[oid]),
            foreign_keys=tuple(self.foreign[oid]),
            checks=tuple(self.checks[oid]),
            constraints=tuple(self.others[oid]),
        )


def read_keys(ask: Ask, oids: Sequence[int]) -> Keys:
    """Keys, indexes and constraints of these tables and materialized views."""
    keys = Keys()
    for row in ask.rows(_INDEXES, oids=oids):
        if row.is_primary and row.is_constraint:
            keys.primary[row.relation] = row
        elif row.constraint_type != "x":
            keys.indexes[row.relation].append(_index(row))
    for row in ask.rows(_CONSTRAINTS, oids=oids):
        if row.type == "f":
            keys.foreign[row.relation].append(_foreign_key(row))
        elif row.type == "c" and row.enforced:
            keys.checks[row.relation].append(Check(row.name, row.expression, row.validated, not row.no_inherit))
        else:
            keys.others[row.relation].append(Check(row.name, row.definition, row.validated, not row.no_inherit))
    return keys


def _index(row: Any) -> Index:
    parts = []
    for place in range(row.key_columns):
        column = row.columns[place]
        parts.append(
            IndexPart(
                column or "",
                "" if column else row.expressions[place],
                bool(row.options[place] & _DESCENDING),
            )
        )
    return Index(
        row.name,
        tuple(parts),
        unique=row.is_unique,
        method=_METHODS.get(row.method, IndexMethod.OTHER),
        comment=row.comment,
        where=row.condition,
        include=tuple(row.columns[row.key_columns :]),
        constraint=row.is_constraint,
        deferrable=_deferrable(row),
        nulls_distinct=row.nulls_distinct,
        definition=row.constraint_definition or row.definition.removeprefix(row.prefix),
        part_of=_parent(row),
    )


def _parent(row: Any) -> TableId | None:
    return TableId(row.parent_schema, row.parent_name) if row.parent_name else None


def _deferrable(row: Any) -> str:
    if not row.deferrable:
        return ""
    return "DEFERRABLE INITIALLY DEFERRED" if row.deferred else "DEFERRABLE"


def _foreign_key(row: Any) -> ForeignKey:
    action = _ACTIONS[row.on_delete]
    odd = row.period or not row.enforced or f"ON DELETE {action} (" in row.definition
    return ForeignKey(
        row.name,
        tuple(row.columns),
        TableId(row.parent_schema, row.parent_name),
        tuple(row.parent_columns),
        _ACTIONS[row.on_update],
        action,
        match_full=row.match == "f",
        deferrable=_deferrable(row),
        validated=row.validated,
        definition=row.definition if odd else "",
    )
