"""Where MySQL and MariaDB spell the same fact differently in information_schema."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from mainstem.connectors.mysql.types import unquote
from mainstem.model.schema import Default, DefaultKind

_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
_ESCAPED = re.compile(r"\\(.)", re.S)
_QUOTED = re.compile(r"'((?:[^'\\]|''|\\.)*)'", re.S)
_BITS = re.compile(r"b'([01]*)'")
_BYTES = re.compile(r"0x([0-9A-Fa-f]*)")
_NOW = re.compile(r"(?:current_timestamp|now|localtime(?:stamp)?)(?:\((\d*)\))?", re.I)

DefaultReader = Callable[[str, str, str], Default | None]


@dataclass(frozen=True, slots=True)
class Flavour:
    """What differs.

    Attributes:
        read_default: (default's text, data type, extra) → the default; None is "NULL", which needs no saying.
        read_expression: an expression as information_schema shows it → SQL.
        index_expression: the column of ``statistics`` with a functional part's expression, or ``NULL``.
        index_hidden: the same, 1 where the optimizer does not use the index.
        checks: the query for check constraints, with the database as its parameter; empty where there are none.
        sequences: whether there are sequences.
        view_algorithm: the column of ``views`` with a view's ALGORITHM, or ``NULL``.
        session: statements that make the figures fresh.
    """

    name: str
    read_default: DefaultReader
    read_expression: Callable[[str], str]
    index_expression: str
    index_hidden: str
    checks: str
    sequences: bool
    session: tuple[str, ...] = ()
    view_algorithm: str = "NULL"


def mariadb_default(text: str, data_type: str, extra: str) -> Default | None:
    """MariaDB shows SQL: a quoted literal, a bare number, ``b'01'``, ``NULL`` or an expression.

    In literals of bytes it puts a question mark for each that is not UTF-8.
    """
    if text == "NULL":
        return None
    quoted = _QUOTED.fullmatch(text)
    if quoted is not None and data_type in ("binary", "varbinary") and "?" in quoted[1]:
        return Default(DefaultKind.HIDDEN, quoted[1])
    if quoted is not None:
        return _literal(unquote(quoted[1]), data_type)
    if data_type == "bit" or _NUMBER.fullmatch(text):
        return _literal(text, data_type)
    return _expression(text)


def mysql_default(text: str, data_type: str, extra: str) -> Default | None:
    """MySQL shows a literal's bare text, and marks expressions in ``extra`` (all but CURRENT_TIMESTAMP in old ones)."""
    if "DEFAULT_GENERATED" in extra.upper():
        return _expression(_unescape(text))
    if data_type in ("timestamp", "datetime") and _NOW.fullmatch(text):
        return _expression(text)
    return _literal(text, data_type)


def _expression(text: str) -> Default:
    now = _NOW.fullmatch(text)
    return Default(DefaultKind.NOW, now[1] or "0") if now else Default(DefaultKind.EXPRESSION, text)


def _literal(text: str, data_type: str) -> Default:
    """`Default` of a literal, in the digits that `Default` asks for where the type is made of bits or bytes."""
    if data_type == "bit":
        bits = _BITS.fullmatch(text)
        return Default(DefaultKind.LITERAL, bits[1] if bits else format(int(text), "b") if text.isdigit() else text)
    if data_type in ("binary", "varbinary"):
        found = _BYTES.fullmatch(text)
        return Default(DefaultKind.LITERAL, found[1].lower() if found else text.encode().hex())
    return Default(DefaultKind.LITERAL, text)


def _unescape(text: str) -> str:
    """MySQL shows expressions with every quote and backslash escaped once more; undo it."""
    return _ESCAPED.sub(lambda found: {"n": "\n", "0": "\0"}.get(found[1], found[1]), text)


_MARIADB_CHECKS = (
    "SELECT table_name, constraint_name, check_clause, level AS level, 'YES' AS enforced"
    " FROM information_schema.check_constraints WHERE constraint_schema = %s"
)
_MYSQL_CHECKS = (
    "SELECT t.table_name, t.constraint_name, c.check_clause, 'Table' AS level, t.enforced"
    " FROM information_schema.table_constraints t"
    " JOIN information_schema.check_constraints c USING (constraint_schema, constraint_name)"
    " WHERE t.constraint_type = 'CHECK' AND t.constraint_schema = %s"
)

MARIADB = Flavour(
    "mariadb", mariadb_default, lambda text: text, "NULL", "ignored = 'YES'", _MARIADB_CHECKS, sequences=True,
    view_algorithm="algorithm",
)  # fmt: skip
MARIADB_BEFORE_10_6 = replace(MARIADB, index_hidden="0")
MYSQL5 = Flavour("mysql", mysql_default, lambda text: text, "NULL", "0", "", sequences=False)
MYSQL8 = Flavour(
    "mysql",
    mysql_default,
    _unescape,
    "expression",
    "is_visible = 'NO'",
    _MYSQL_CHECKS,
    sequences=False,
    session=("SET SESSION information_schema_stats_expiry = 0",),  # else counters may be a day old
)


def flavour_of(version: str) -> Flavour:
    """The flavour by the server's version text (``10.11.6-MariaDB``, ``8.4.3``).

    MySQL before 8.0.16 has no check constraints in information_schema, and before 8.0.13 no functional indexes.
    """
    numbers = tuple(int(part) for part in re.findall(r"\d+", version)[:3])
    if "mariadb" in version.lower():
        return MARIADB if numbers >= (10, 6) else MARIADB_BEFORE_10_6
    return MYSQL8 if numbers >= (8, 0, 16) else MYSQL5
