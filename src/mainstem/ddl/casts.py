"""Which type of the user's own choice a column gets: by its name, or by the type that it has in the source. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

from mainstem.model.names import TableId
from mainstem.model.schema import Column

_ARGUMENTS = re.compile(r"\s*\(.*\)")
_SIGNS = re.compile(r" (unsigned|zerofill)\b")
# What the SQL standard spells out, and what people write.
_SHORT = {
    "character varying": "varchar",
    "character": "char",
    "bit varying": "varbit",
    "timestamp without time zone": "timestamp",
    "timestamp with time zone": "timestamptz",
    "time without time zone": "time",
    "time with time zone": "timetz",
    "double precision": "float8",
    "real": "float4",
    "bigint": "int8",
    "integer": "int",
    "smallint": "int2",
    "boolean": "bool",
    "numeric": "decimal",
}


def override_for(column: Column, table: TableId, overrides: Mapping[str, str]) -> tuple[str, str]:
    """The override that applies to a column, as (key, type); both empty if none does.

    A column's own (``table.column``, ``schema.table.column``) goes before its type's (see `spellings`).
    """
    own = (f"{table.schema}.{table.name}.{column.name}", f"{table.name}.{column.name}")
    for key in own:
        if key in overrides:
            return key, overrides[key]
    folded = {key.lower(): key for key in overrides}
    for spelling in spellings(column.native):
        if spelling in folded:
            return folded[spelling], overrides[folded[spelling]]
    return "", ""


def spellings(native: str) -> list[str]:
    """How a type may be written as a key, the most special first.

    The full text, then without ``unsigned``, then without arguments; each also by its short name, ``varchar(40)`` for
    ``character varying(40)``. ``timestamp`` is not ``timestamp with time zone``.
    """
    full = native.lower()
    arguments = _ARGUMENTS.search(full)
    bare = _ARGUMENTS.sub("", full)
    plain = _SIGNS.sub("", bare)
    found = [full, _SIGNS.sub("", full)]
    if arguments and bare in _SHORT:
        found.append(_SHORT[bare] + arguments[0])
    return [*found, bare, plain, *([_SHORT[plain]] if plain in _SHORT else [])]
