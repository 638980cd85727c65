"""A result's column definitions → `Column`. Pure.

Source: MySQL manual, "Client/Server Protocol", "Column Definition", and "Field Flags".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mainstem.connectors.mysql.types import logical_type
from mainstem.errors import InvalidError
from mainstem.model.schema import Column

_NOT_NULL, _UNSIGNED = 1, 32
_BINARY_CHARSET = 63
_BYTES_PER_CHARACTER = 4  # lengths are in bytes of the result's character set, which is utf8mb4
_NO_FIXED_DECIMALS = 31
_MAX_FRACTION = 6


@dataclass(frozen=True, slots=True)
class Field:
    """What the server says of one column: the numbers of the protocol."""

    name: str
    type_code: int
    flags: int
    charset: int
    length: int
    decimals: int

    @property
    def binary(self) -> bool:
        """Bytes rather than text."""
        return self.charset == _BINARY_CHARSET


def _constant(native: str) -> Callable[[Field], str]:
    return lambda field: native


def _decimal(field: Field) -> str:
    digits = field.length - (field.decimals > 0) - (not field.flags & _UNSIGNED)
    return f"decimal({min(max(digits, 1), 65)},{field.decimals})"


def _fractional(name: str) -> Callable[[Field], str]:
    def native(field: Field) -> str:
        digits = _MAX_FRACTION if field.decimals >= _NO_FIXED_DECIMALS else field.decimals
        return f"{name}({digits})" if digits else name

    return native


def _sized(text: str, binary: str) -> Callable[[Field], str]:
    def native(field: Field) -> str:
        return f"{binary}({field.length})" if field.binary else f"{text}({field.length // _BYTES_PER_CHARACTER})"

    return native


def _blob(field: Field) -> str:
    return "longblob" if field.binary else "longtext"


_NATIVE: dict[int, Callable[[Field], str]] = {
    0: _decimal,
    1: _constant("tinyint"),
    2: _constant("smallint"),
    3: _constant("int"),
    4: _constant("float"),
    5: _constant("double"),
    6: _constant("char(1)"),  # the literal NULL
    7: _fractional("timestamp"),
    8: _constant("bigint"),
    9: _constant("mediumint"),
    10: _constant("date"),
    11: _fractional("time"),
    12: _fractional("datetime"),
    13: _constant("year"),
    14: _constant("date"),
    15: _sized("varchar", "varbinary"),
    16: lambda field: f"bit({field.length})",
    242: _constant("vector"),
    245: _constant("json"),
    246: _decimal,
    # An expression's ENUM or SET does not say what its members are; as text nothing is lost.
    247: _sized("varchar", "varbinary"),
    248: _sized("varchar", "varbinary"),
    249: _blob,
    250: _blob,
    251: _blob,
    252: _blob,
    253: _sized("varchar", "varbinary"),
    254: _sized("char", "binary"),
    255: _constant("geometry"),
}
_NUMERIC = {0, 1, 2, 3, 4, 5, 8, 9, 246}
_SET_OR_ENUM = 256 | 2048
_MAX_CHAR = 255


def column(field: Field) -> Column:
    """The column of a query; `InvalidError` for a type that is not known."""
    native = _NATIVE.get(field.type_code)
    if native is None:
        raise InvalidError(
            f"column {field.name} of the query has a type that is not known",
            fields={"query": f"column {field.name} has type number {field.type_code}, which is not known"},
            remedy="leave the column out, or cast it",
        )
    text = native(field)
    if field.type_code == 254 and (field.flags & _SET_OR_ENUM or field.length > _MAX_CHAR * _BYTES_PER_CHARACTER):
        text = f"var{text}"
    if field.type_code in _NUMERIC and field.flags & _UNSIGNED:
        text += " unsigned"
    return Column(field.name, logical_type(text), text, nullable=not field.flags & _NOT_NULL)
