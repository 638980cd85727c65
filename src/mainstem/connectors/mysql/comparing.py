"""Conditions that are true of a row's own value and of no other, in SQL: for rows that are looked for one by one.

A server compares texts by collation and floating-point numbers as doubles; a change is about the very bytes.
Source: MySQL manual, "Type Conversion in Expression Evaluation", "Collation Coercibility in Expressions", "The CHAR and
VARCHAR Types", "Hexadecimal Literals".
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable

from mainstem.connectors.mysql.shape import Column

_LITERAL = re.compile(rb"x'[0-9A-Fa-f]*'|'(?:[^'\\]|\\.)*'|[^,'()]+", re.S)
_NULL = b"NULL"
_GEOMETRIES = (
    "geometry", "point", "linestring", "polygon", "multipoint", "multilinestring", "multipolygon",
    "geometrycollection", "geomcollection",
)  # fmt: skip


def split_literals(payload: bytes) -> list[bytes]:
    """The literals of ``(1,'a',x'00'),`` as `native.loaddata` writes them: no row has brackets outside of quotes."""
    return _LITERAL.findall(payload)


def same(name: str, column: Column, literal: bytes) -> bytes:
    """SQL that is true where the column holds just what the server stores for this literal; an index may help.

    Args:
        name: quoted.
        column: of the target.
    """
    quoted = name.encode()
    if literal == _NULL:
        return quoted + b" IS NULL"
    if column.charset:
        return _same_text(quoted, column, literal)
    return _BY_KIND.get(column.kind, _as_it_is)(quoted, column, literal)


def _same_text(name: bytes, column: Column, literal: bytes) -> bytes:
    charset, collation = column.charset.encode(), column.declared.rpartition(" ")[2].encode()
    kept = b"RTRIM(%s)" % literal if column.kind == "char" else literal
    text = b"CONVERT(%s USING %s)" % (kept, charset)
    return b"(%s <=> %s COLLATE %s AND CAST(%s AS BINARY) <=> CAST(%s AS BINARY))" % (
        name, text, collation, name, text,
    )  # fmt: skip


def _as_it_is(name: bytes, _: Column, literal: bytes) -> bytes:
    return b"%s <=> %s" % (name, literal)


def _whole(name: bytes, _: Column, literal: bytes) -> bytes:
    number = b"%d" % int(literal[2:-1], 16) if literal.startswith(b"x") else literal.strip(b"'")
    return b"%s <=> %s" % (name, number)


def _year(name: bytes, _: Column, literal: bytes) -> bytes:
    """A number of two digits, and 0, would be taken for another year."""
    return b"%s + 0 <=> %d" % (name, int(literal.strip(b"'")))


def _decimal(name: bytes, _: Column, literal: bytes) -> bytes:
    """With a text the server would compare doubles."""
    return b"%s <=> %s" % (name, literal.strip(b"'"))


def _double(name: bytes, _: Column, literal: bytes) -> bytes:
    return b"%s <=> %s" % (name, _digits(float(literal.strip(b"'"))))


def _single(name: bytes, _: Column, literal: bytes) -> bytes:
    """What is stored, as the double that it is compared as."""
    value = float(literal.strip(b"'"))
    return b"%s <=> %s" % (name, _digits(struct.unpack("<f", struct.pack("<f", value))[0]))


def _digits(value: float) -> bytes:
    text = repr(value)
    return (text if "e" in text else f"{text}e0").encode()


def _json(name: bytes, _: Column, literal: bytes) -> bytes:
    """By the text of what is stored: as JSON, 1 equals 1.0."""
    form = b"CAST(CAST(%s AS CHAR CHARACTER SET utf8mb4) AS BINARY)"
    return b"%s <=> %s" % (form % name, form % (b"CAST(%s AS JSON)" % literal))


def _bytes_of(name: bytes, _: Column, literal: bytes) -> bytes:
    return b"CAST(%s AS BINARY) <=> %s" % (name, literal)


_BY_KIND: dict[str, Callable[[bytes, Column, bytes], bytes]] = {
    **dict.fromkeys(("tinyint", "smallint", "mediumint", "int", "bigint", "bit"), _whole),
    "year": _year,
    "decimal": _decimal,
    "double": _double,
    "float": _single,
    "json": _json,
    **dict.fromkeys(_GEOMETRIES, _bytes_of),
}
