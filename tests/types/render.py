"""How the two servers write one value as the same text: pairs of SQL expressions, by family and direction.

``{v}`` is the column. Every text comes out of a server; nothing here looks at a value.
"""

from __future__ import annotations

from dataclasses import dataclass

from tests.types.cases import Kind

MY, PG = Kind.MYSQL, Kind.POSTGRES


@dataclass(frozen=True, slots=True)
class Texts:
    """The source's expression, the target's, and one by which the target reads the source's text first (or none)."""

    source: str
    target: str
    recast: str = ""


# A double's bits: MariaDB has no function for them, but writes them into a point's well-known binary.
_MY_BITS = "HEX(REVERSE(UNHEX(SUBSTR(HEX(ST_AsBinary(POINT({v}, 0))), 11, 16))))"
_PG_BITS = "upper(encode(float8send({v}::double precision), 'hex'))"
_MY_UTF8 = "HEX(CONVERT({v} USING utf8mb4))"
_PG_UTF8 = "upper(encode(convert_to({v}::text, 'UTF8'), 'hex'))"
_MY_CHAR = "CAST({v} AS CHAR)"
_MY_SECONDS = "CAST(CAST(TIME_TO_SEC({v}) AS DECIMAL(20,6)) AS CHAR)"
_MY_MOMENT = "CAST(CAST({v} AS DATETIME(6)) AS CHAR)"
_MY_CLOCK = "CAST(CAST({v} AS TIME(6)) AS CHAR)"
_PG_MOMENT = "to_char({v}, 'YYYY-MM-DD HH24:MI:SS.US')"
_PG_INSTANT = "to_char({v} AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')"
_PG_CLOCK = "to_char({v}::interval, 'HH24:MI:SS.US')"
_MY_DIGITS = "LPAD(BIN({v} + 0), {n}, '0')"
_MY_LONG_DIGITS = (
    "CONCAT(LPAD(CONV(SUBSTR(HEX({v}), 1, 10), 16, 2), 40, '0'), LPAD(CONV(SUBSTR(HEX({v}), 11), 16, 2), 64, '0'))"
)
_MY_WKB = "CONCAT(ST_SRID({v}), ':', HEX(ST_AsWKB({v})))"
# EWKB is WKB with a flag in the type's fourth byte and the SRID behind it.
_MY_EWKB = (
    "IF(ST_SRID({v}) = 0, HEX(ST_AsWKB({v})), CONCAT(SUBSTR(HEX(ST_AsWKB({v})), 1, 8), '20',"
    " HEX(REVERSE(UNHEX(LPAD(HEX(ST_SRID({v})), 8, '0')))), SUBSTR(HEX(ST_AsWKB({v})), 11)))"
)

MYSQL_TO_POSTGRES = {
    "number": Texts("CAST({v} + 0 AS CHAR)", "{v}::text"),
    "decimal": Texts(_MY_CHAR, "{v}::text"),
    "boolean": Texts("CAST({v} + 0 AS CHAR)", "{v}::int::text"),
    "float": Texts(_MY_BITS, _PG_BITS),
    "bits": Texts(_MY_DIGITS, "{v}::text"),
    "text": Texts(_MY_UTF8, _PG_UTF8),
    "bytes": Texts("HEX({v})", "upper(encode({v}, 'hex'))"),
    "label": Texts(_MY_UTF8, _PG_UTF8),
    "labels": Texts(_MY_UTF8, _PG_UTF8.replace("{v}::text", "array_to_string({v}, ',')")),
    "json": Texts(_MY_CHAR, "{v}::text", "(%s::jsonb)::text"),
    "date": Texts(_MY_CHAR, "to_char({v}, 'YYYY-MM-DD')"),
    "moment": Texts(_MY_MOMENT, _PG_MOMENT),
    "instant": Texts(_MY_MOMENT, _PG_INSTANT),
    "clock": Texts(_MY_CLOCK, _PG_CLOCK),
    "span": Texts(_MY_SECONDS, "extract(epoch FROM {v})::numeric(20,6)::text"),
    "uuid": Texts(_MY_CHAR, "{v}::text"),
    "inet": Texts(_MY_CHAR, "host({v})"),
    "geometry": Texts(_MY_EWKB, "upper(encode({v}, 'hex'))"),
}
POSTGRES_TO_MYSQL = {
    "number": Texts("{v}::text", _MY_CHAR),
    "decimal": Texts("{v}::text", _MY_CHAR),
    "free decimal": Texts("CASE WHEN abs({v}) < 1e35 THEN {v}::numeric(65,30)::text ELSE {v}::text END", _MY_CHAR),
    "money": Texts("{v}::numeric::text", _MY_CHAR),
    "inet": Texts("nullif(format('%s', {v}), '')", _MY_CHAR),
    "long bits": Texts("lpad({v}::text, 104, '0')", _MY_LONG_DIGITS),
    "boolean": Texts("{v}::int::text", _MY_CHAR),
    "float": Texts(_PG_BITS, _MY_BITS),
    "bits": Texts("{v}::text", _MY_DIGITS),
    "text": Texts(_PG_UTF8, "HEX({v})"),
    "blanks": Texts("upper(encode(convert_to(rtrim({v}::text), 'UTF8'), 'hex'))", "HEX({v})"),
    "bytes": Texts("upper(encode({v}, 'hex'))", "HEX({v})"),
    "date": Texts("{v}::text", _MY_CHAR),
    "moment": Texts(_PG_MOMENT, _MY_MOMENT),
    "instant": Texts(_PG_INSTANT, _MY_MOMENT),
    "clock": Texts(_PG_CLOCK, _MY_CLOCK),
    "uuid": Texts("{v}::text", _MY_CHAR),
}
_MYSQL_OWN = {
    "number": _MY_CHAR,
    "decimal": _MY_CHAR,
    "boolean": _MY_CHAR,
    "float": _MY_BITS,
    "bits": "HEX({v})",
    "text": "HEX({v})",
    "bytes": "HEX({v})",
    "label": "CONCAT({v} + 0, ':', HEX({v}))",
    "labels": "CONCAT({v} + 0, ':', HEX({v}))",
    "json": "HEX({v})",
    "geometry": _MY_WKB,
}
_POSTGRES_OWN = {
    "float": _PG_BITS,
    "bytes": "encode({v}, 'hex')",
    "text": _PG_UTF8,
}


def texts(family: str, source: Kind, target: Kind) -> Texts:
    """The pair for a family in a direction."""
    if source is target:
        own = _MYSQL_OWN.get(family, _MY_CHAR) if source is MY else _POSTGRES_OWN.get(family, "{v}::text")
        return Texts(own, own)
    return (MYSQL_TO_POSTGRES if source is MY else POSTGRES_TO_MYSQL)[family]
