"""Types and collations of a MySQL or MariaDB source on a server of the other flavour, or of another age. Pure.

Sources: MySQL manual, "Character Sets and Collations in MySQL"; MariaDB documentation, "Supported Character Sets and
Collations", "Incompatibilities and Feature Differences Between MariaDB and MySQL".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from mainstem.connectors.mysql.native import Native, base_name
from mainstem.connectors.mysql.traits import Traits
from mainstem.model.schema import Column, Table
from mainstem.model.types import Kind, LogicalType

_ASCII = "CHARACTER SET ascii COLLATE ascii_bin"
_SUFFIX = re.compile(r"_(as_cs|as_ci|ai_ci|ai_cs|bin|cs|ci)$")
_FALLBACKS = {
    "ci": ("0900_ai_ci", "uca1400_ai_ci", "unicode_520_ci", "unicode_ci", "general_ci", "ci"),
    "as_ci": ("0900_as_ci", "uca1400_as_ci", "unicode_520_ci", "unicode_ci", "general_ci"),
    "cs": ("0900_as_cs", "uca1400_as_cs", "general_cs", "bin"),
    "bin": ("0900_bin", "nopad_bin", "bin"),
}
_FAMILY = {"ai_ci": "ci", "ci": "ci", "as_ci": "as_ci", "as_cs": "cs", "ai_cs": "cs", "cs": "cs", "bin": "bin"}


def own_type(column: Column, traits: Traits) -> Native:
    """The source's type as this server has it, without character set."""
    native = column.native
    name = base_name(native)
    if name == "longtext" and column.type.kind is Kind.JSON:  # MariaDB's JSON, which has a check (see `create`)
        return Native(native) if traits.mariadb else Native("json", "json_parsed")
    if name == "json":
        return Native("json")
    known, instead = _OTHERS.get(name, (lambda traits: True, ""))
    return Native(native) if known(traits) else Native(instead, "own_type_replaced")


_OTHERS: dict[str, tuple[Callable[[Traits], bool], str]] = {
    "uuid": (lambda traits: traits.uuid, f"char(36) {_ASCII}"),
    "inet6": (lambda traits: traits.inet6, f"varchar(39) {_ASCII}"),
    "inet4": (lambda traits: traits.inet4, f"varchar(15) {_ASCII}"),
    "vector": (lambda traits: traits.since(mariadb=(11, 7, 1), mysql=(9, 0, 0)), "longblob"),
    "xmltype": (lambda traits: traits.since(mariadb=(12, 3, 0), mysql=None), "longtext"),
    "geomcollection": (lambda traits: not traits.mariadb, "geometrycollection"),
}


# Every code of these has a Unicode character of its own. Others have codes without one, which the server turns into
# question marks, and characters with two codes. Counted on MariaDB 10.11, over all codes of one and two bytes.
_UNICODE = frozenset({
    "", "utf8mb4", "utf8mb3", "utf8", "ucs2", "utf16", "utf16le", "utf32", "latin1", "latin2", "latin5", "latin7",
    "cp850", "cp852", "cp866", "koi8r", "koi8u", "keybcs2", "macce", "macroman", "binary",
})  # fmt: skip


def has_gaps(charset: str) -> bool:
    """Whether a character set has codes that Unicode has no character for, or the same one as for others."""
    return charset.lower() not in _UNICODE


def travels(column: Column) -> LogicalType | None:
    """Text in a character set with gaps travels as its bytes; None is as it is."""
    gaps = column.type.kind is Kind.TEXT and has_gaps(column.charset)
    return LogicalType(Kind.BINARY) if gaps else None


def charset_of(collation: str) -> str:
    """The character set that a collation is of: its first word."""
    return collation.split("_")[0]


def known_collation(collation: str, traits: Traits) -> str:
    """The collation itself if this server has it, else the nearest that it has; empty if there is none."""
    for candidate in _candidates(collation):
        if traits.knows(candidate):
            return candidate
    return ""


def _candidates(collation: str) -> Iterable[str]:
    yield collation
    charset = charset_of(collation)
    charset = {"utf8": "utf8mb3", "utf8mb3": "utf8"}.get(charset, charset)  # one character set, by both its names
    yield f"{charset}_{collation.partition('_')[2]}"
    charsets = dict.fromkeys((charset_of(collation), charset))
    found = _SUFFIX.search(collation)
    for suffix in _FALLBACKS[_FAMILY[found[1]]] if found else ():
        for name in charsets:
            yield f"{name}_{suffix}"


def collated(sql: str, column: Column, table: Table, traits: Traits) -> str:
    """The type with the column's character set and collation where they are not the table's."""
    if not column.collation or column.collation == table.collation or "CHARACTER SET" in sql or sql == "json":
        return sql
    collation = known_collation(column.collation, traits)
    if not collation:
        return f"{sql} CHARACTER SET {column.charset}"
    return f"{sql} CHARACTER SET {charset_of(collation)} COLLATE {collation}"


def replaced_collations(table: Table, traits: Traits) -> dict[str, str]:
    """Collation → what stands for it here, for those of a table that this server does not have."""
    wanted = {table.collation, *(column.collation for column in table.columns)} - {""}
    return {name: known_collation(name, traits) for name in sorted(wanted) if not traits.knows(name)}


_OPTION = re.compile(r"(`?)(\w+)\1\s*=\s*('(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|\S+)")
_BOTH = frozenset({"row_format", "key_block_size", "stats_persistent", "stats_auto_recalc", "stats_sample_pages"})
_MARIADB = frozenset({"page_compressed", "page_compression_level"})
_MYSQL = frozenset({"compression"})
_INNODB_FORMATS = frozenset({"dynamic", "compact", "redundant", "compressed"})


def engine_of(table: Table) -> str:
    """The source's storage engine; empty if unknown."""
    return next((value for name, value in _pairs(table) if name == "engine"), "")


def table_options(table: Table, traits: Traits) -> str:
    """Storage options of the source that InnoDB of this server has too."""
    if engine_of(table).lower() != "innodb":
        return ""
    wanted = _BOTH | (_MARIADB if traits.mariadb else _MYSQL)
    return " ".join(
        f"{name.upper()}={value}"
        for name, value in _pairs(table)
        if name in wanted and (name != "row_format" or value.lower() in _INNODB_FORMATS)
    )


def _pairs(table: Table) -> list[tuple[str, str]]:
    return [(found[2].lower(), found[3]) for found in _OPTION.finditer(table.options)]
