"""Which tables can pass from PostgreSQL to PostgreSQL undecoded, and in which of COPY's formats. Pure."""

from __future__ import annotations

import re

from mainstem.model.plan import ColumnPlan, TablePlan

BINARY = "copy-binary"
TEXT = "copy-text"

# Types whose binary form holds nothing of one server: no object's number, no text that is to be parsed. An array's form
# names the type of its elements by number, which is the same everywhere for these. ``xml`` is left out: it is parsed.
_STABLE = frozenset(
    {
        "smallint", "integer", "bigint", "numeric", "real", "double precision", "boolean", "text", "character",
        "character varying", '"char"', "name", "bytea", "date", "time without time zone", "time with time zone",
        "timestamp without time zone", "timestamp with time zone", "interval", "uuid", "json", "jsonb", "inet", "cidr",
        "macaddr", "macaddr8", "bit", "bit varying", "oid", "point", "line", "lseg", "box", "path", "polygon", "circle",
        "tsvector", "int4range", "int8range", "numrange", "tsrange", "tstzrange", "daterange", "int4multirange",
        "int8multirange", "nummultirange", "tsmultirange", "tstzmultirange", "datemultirange",
    }
)  # fmt: skip
_PARAMETERS = re.compile(r"\([\d,\s-]+\)|\[\]")


def raw_format(plan: TablePlan) -> str:
    """The format for a table whose columns keep their types; empty when one changes its own."""
    if not all(_same(column) for column in plan.columns):
        return ""
    return BINARY if all(_plain(column.native) in _STABLE for column in plan.columns) else TEXT


def _plain(type_: str) -> str:
    return _PARAMETERS.sub("", type_).strip()


def _same(column: ColumnPlan) -> bool:
    return bool(column.native) and column.target_type.strip() == column.native
