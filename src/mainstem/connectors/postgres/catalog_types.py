"""Types of the user's own: what a column of one holds, and the SQL that makes it."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from mainstem.connectors.postgres.ask import Ask, not_of_extension
from mainstem.connectors.postgres.literals import quoted, string
from mainstem.connectors.postgres.native import logical_type
from mainstem.model.names import TableId
from mainstem.model.schema import Default, Domain
from mainstem.model.types import LogicalType

_ENUMS = (
    "SELECT enumtypid AS oid, array_agg(enumlabel::text ORDER BY enumsortorder) AS labels"
    " FROM pg_enum GROUP BY enumtypid"
)
# Domains of other schemas, and of extensions, count too: columns may be of them.
_DOMAINS = """
SELECT t.oid, format_type(t.typbasetype, t.typtypmod) AS base, t.typbasetype AS base_oid, t.typnotnull AS not_null,
    pg_get_expr(t.typdefaultbin, 0) AS default, t.typdefault IS NOT NULL AS has_default,
    CASE WHEN t.typcollation <> b.typcollation THEN format('%%I.%%I', ln.nspname, l.collname) END AS collation
FROM pg_type t JOIN pg_type b ON b.oid = t.typbasetype
LEFT JOIN pg_collation l ON l.oid = t.typcollation LEFT JOIN pg_namespace ln ON ln.oid = l.collnamespace
WHERE t.typtype = 'd'
"""
_DOMAIN_CHECKS = """
SELECT c.contypid AS oid, c.conname AS name, pg_get_constraintdef(c.oid) AS definition, c.convalidated AS validated,
    obj_description(c.oid, 'pg_constraint') AS comment
FROM pg_constraint c WHERE c.contypid <> 0 AND c.contype = 'c' ORDER BY c.contypid, c.conname
"""
_RANGES = """
SELECT t.oid, format_type(r.rngsubtype, NULL) AS subtype,
    CASE WHEN NOT o.opcdefault THEN format('%%I.%%I', onsp.nspname, o.opcname) END AS operator_class,
    CASE WHEN r.rngcollation <> s.typcollation THEN format('%%I.%%I', ln.nspname, l.collname) END AS collation,
    nullif(r.rngcanonical, 0)::regproc::text AS canonical, nullif(r.rngsubdiff, 0)::regproc::text AS difference,
    CASE WHEN m.typnamespace <> t.typnamespace OR m.typname <> CASE WHEN t.typname ~ 'range'
        THEN regexp_replace(t.typname, 'range', 'multirange') ELSE t.typname || '_multirange' END
        THEN format_type(m.oid, NULL) END AS multirange
FROM pg_range r
LEFT JOIN pg_type m ON m.oid = {multirange} JOIN pg_type t ON t.oid = r.rngtypid JOIN pg_type s ON s.oid = r.rngsubtype
JOIN pg_opclass o ON o.oid = r.rngsubopc JOIN pg_namespace onsp ON onsp.oid = o.opcnamespace
LEFT JOIN pg_collation l ON l.oid = r.rngcollation LEFT JOIN pg_namespace ln ON ln.oid = l.collnamespace
WHERE t.oid >= 16384
"""
_ATTRIBUTES = """
SELECT t.oid, a.attname AS name, format_type(a.atttypid, a.atttypmod) AS type,
    CASE WHEN a.attcollation <> at.typcollation THEN format('%%I.%%I', ln.nspname, l.collname) END AS collation,
    col_description(c.oid, a.attnum) AS comment
FROM pg_type t JOIN pg_class c ON c.oid = t.typrelid AND c.relkind = 'c'
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_type at ON at.oid = a.atttypid
LEFT JOIN pg_collation l ON l.oid = a.attcollation LEFT JOIN pg_namespace ln ON ln.oid = l.collnamespace
ORDER BY t.oid, a.attnum
"""
# Types that are objects of their own: not a table's row, not an array, not a multirange, not half-made.
_TYPES = f"""
SELECT t.oid, n.nspname AS schema, t.typname AS name, t.typtype AS kind, obj_description(t.oid, 'pg_type') AS comment
FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace LEFT JOIN pg_class c ON c.oid = t.typrelid
WHERE n.nspname = ANY(%(schemas)s) AND t.typisdefined AND {not_of_extension("pg_type", "t.oid")}
    AND (t.typtype IN ('e', 'd', 'r') OR t.typtype = 'c' AND c.relkind = 'c'
         OR t.typtype = 'b' AND NOT EXISTS (SELECT FROM pg_type e WHERE e.typarray = t.oid))
ORDER BY n.nspname, t.typname
"""
_CONDITION = re.compile(r"CHECK \((.*)\)", re.S)
KINDS = {"e": "enum", "d": "domain", "r": "range", "c": "composite", "b": "base_type"}


@dataclass(slots=True)
class Types:
    """What is known of the database's types.

    Attributes:
        labels: of enumerated types, by oid.
        own: the schemas' own types: rows of oid, schema, name, kind, comment.
    """

    labels: dict[int, list[str]]
    domains: dict[int, Any]
    own: list[Any]
    checks: dict[int, list[Any]] = field(default_factory=lambda: defaultdict(list))
    ranges: dict[int, Any] = field(default_factory=dict)
    attributes: dict[int, list[Any]] = field(default_factory=lambda: defaultdict(list))

    def logical(self, oid: int, native: str) -> LogicalType:
        """What a column of a type holds: a domain what its base does."""
        while (domain := self.domains.get(oid)) is not None:
            oid, native = domain.base_oid, domain.base
        return logical_type(native, tuple(self.labels.get(oid, ())))

    def domain(self, oid: int, default: Callable[[str], Default]) -> Domain | None:
        """What a column's domain says, with what those below it say; None for a type that is none."""
        base, nullable, value = "", True, None
        conditions: list[tuple[str, str]] = []
        while (domain := self.domains.get(oid)) is not None:
            base, nullable = domain.base, nullable and not domain.not_null
            value = domain.default if value is None else value
            conditions += [
                (check.name, _CONDITION.sub(r"\1", check.definition)) for check in self.checks[oid] if check.validated
            ]
            oid = domain.base_oid
        if not base:
            return None
        return Domain(base, tuple(conditions), nullable, None if value is None else default(value))

    def statements(self, row: Any) -> tuple[str, ...]:
        """What makes one of the schemas' own types, with its comments; empty for one that C code makes."""
        name = f"{quoted(row.schema)}.{quoted(row.name)}"
        body = {"e": self._enum, "d": self._domain, "r": self._range, "c": self._composite}.get(row.kind)
        if body is None:
            return ()
        word = "DOMAIN" if row.kind == "d" else "TYPE"
        made = [f"CREATE {word} {name} {body(row.oid)}".rstrip()]
        if row.comment:
            made.append(f"COMMENT ON {word} {name} IS {string(row.comment)}")
        for check in self.checks[row.oid]:
            if not check.validated:
                made.append(f"ALTER DOMAIN {name} ADD CONSTRAINT {quoted(check.name)} {check.definition}")
            if check.comment:
                made.append(f"COMMENT ON CONSTRAINT {quoted(check.name)} ON DOMAIN {name} IS {string(check.comment)}")
        made += [
            f"COMMENT ON COLUMN {name}.{quoted(item.name)} IS {string(item.comment)}"
            for item in self.attributes[row.oid]
            if item.comment
        ]
        return tuple(made)

    def parts(self, row: Any) -> tuple[tuple[str, str], ...]:
        """What a type consists of: labels; attributes with their types; checks, and NOT NULL, of a domain."""
        if row.kind == "e":
            return tuple((label, "") for label in self.labels.get(row.oid, []))
        if row.kind == "c":
            return tuple((item.name, item.type) for item in self.attributes[row.oid])
        if row.kind == "d":
            bare = (("", "NOT NULL"),) if self.domains[row.oid].not_null else ()
            return (*bare, *((check.name, check.definition) for check in self.checks[row.oid]))
        return ()

    def _enum(self, oid: int) -> str:
        return f"AS ENUM ({', '.join(string(label) for label in self.labels.get(oid, []))})"

    def _domain(self, oid: int) -> str:
        domain = self.domains[oid]
        parts = [f"AS {domain.base}"]
        if domain.collation:
            parts.append(f"COLLATE {domain.collation}")
        if domain.default is not None:
            parts.append(f"DEFAULT {domain.default}")
        if domain.not_null:
            parts.append("NOT NULL")
        parts += [
            f"CONSTRAINT {quoted(check.name)} {check.definition}" for check in self.checks[oid] if check.validated
        ]
        return " ".join(parts)

    def _range(self, oid: int) -> str:
        row = self.ranges[oid]
        options = {
            "subtype": row.subtype,
            "subtype_opclass": row.operator_class,
            "collation": row.collation,
            "canonical": row.canonical,
            "subtype_diff": row.difference,
            "multirange_type_name": row.multirange,
        }
        return f"AS RANGE ({', '.join(f'{name} = {value}' for name, value in options.items() if value)})"

    def _composite(self, oid: int) -> str:
        attributes = ", ".join(
            f"{quoted(item.name)} {item.type}{f' COLLATE {item.collation}' if item.collation else ''}"
            for item in self.attributes[oid]
        )
        return f"AS ({attributes})"


def read_types(ask: Ask) -> Types:
    """All enumerated types and domains of the database, and the schemas' own types in full."""
    types = Types(
        {row.oid: row.labels for row in ask.rows(_ENUMS)},
        {row.oid: row for row in ask.rows(_DOMAINS)},
        ask.rows(_TYPES),
    )
    kinds = {row.kind for row in types.own}
    if "d" in kinds:
        for row in ask.rows(_DOMAIN_CHECKS):
            types.checks[row.oid].append(row)
    if "r" in kinds:
        types.ranges = {row.oid: row for row in ask.rows(_RANGES)}
    if "c" in kinds:
        for row in ask.rows(_ATTRIBUTES):
            types.attributes[row.oid].append(row)
    return types


def type_id(row: Any) -> TableId:
    """A type's name."""
    return TableId(row.schema, row.name)
