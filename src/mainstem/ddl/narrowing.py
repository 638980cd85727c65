"""Which types take another's values by rounding or cutting them. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable

from mainstem.model.types import Kind, LogicalType

_MOMENTS = (Kind.TIMESTAMP, Kind.INSTANT)
_TIMES = (*_MOMENTS, Kind.TIME, Kind.INTERVAL)
_FLOAT_DIGITS = {32: 6, 64: 15}  # decimal digits that always come back
_INTEGER_DIGITS = {8: 3, 16: 5, 24: 8, 32: 10, 64: 20}


def loses(source: LogicalType, target: LogicalType) -> bool:
    """Whether a server writes values of the one type as the other by rounding or cutting, where it should refuse."""
    if target.kind is Kind.DATE:
        return source.kind in _MOMENTS
    if target.kind is Kind.FLOAT:
        return _digits(source) > _FLOAT_DIGITS[target.bits or 64]
    if target.kind is Kind.DECIMAL:
        return target.scale is not None and _scale(source) > target.scale
    if target.kind is source.kind and target.fixed:  # blanks or zeros at the end come or go
        return not source.fixed or (source.kind is Kind.BINARY and source.length != target.length)
    if target.kind in _TIMES and source.kind in _TIMES:
        return target.fraction is not None and (source.fraction or 0) > target.fraction
    return False


def _digits(type_: LogicalType) -> float:
    if type_.kind is Kind.INTEGER:
        return _INTEGER_DIGITS[type_.bits or 64]
    if type_.kind is Kind.DECIMAL:
        return math.inf if type_.precision is None else type_.precision
    return _FLOAT_DIGITS[type_.bits or 64] if type_.kind is Kind.FLOAT else 0


def _scale(type_: LogicalType) -> float:
    if type_.kind is Kind.DECIMAL:
        return math.inf if type_.precision is None else type_.scale or 0
    return math.inf if type_.kind is Kind.FLOAT else 0


def widens(old: LogicalType, new: LogicalType) -> bool:
    """Whether every value of the old type is the same value in the new one, so that a column may be changed to it."""
    if old == new:
        return True
    if old.kind is not new.kind:
        return (old.kind, new.kind) in _ACROSS and _fits_across(old, new)
    rule = _WIDENS.get(old.kind)
    return rule is not None and rule(old, new)


def keeps_labels(old: LogicalType, new: LogicalType) -> bool:
    """Whether an enum has all labels of another one, in the same order, and perhaps others between."""
    there = iter(new.members)
    return old.kind is new.kind is Kind.ENUM and all(label in there for label in old.members)


_ACROSS = {(Kind.BOOLEAN, Kind.INTEGER), (Kind.INTEGER, Kind.DECIMAL), (Kind.ENUM, Kind.TEXT)}


def _fits_across(old: LogicalType, new: LogicalType) -> bool:
    if new.kind is Kind.TEXT:
        return new.length is None or new.length >= max(map(len, old.members), default=0)
    if new.kind is Kind.DECIMAL:
        room = math.inf if new.precision is None else new.precision - (new.scale or 0)
        return room >= _digits(old) and (old.unsigned or not new.unsigned)
    return True


def _wider_integer(old: LogicalType, new: LogicalType) -> bool:
    before, after = old.bits or 64, new.bits or 64
    if old.unsigned == new.unsigned:
        return after >= before
    return old.unsigned and after > before


def _wider_decimal(old: LogicalType, new: LogicalType) -> bool:
    if new.unsigned and not old.unsigned:
        return False
    if new.precision is None or old.precision is None:
        return new.precision is None
    scales = (old.scale or 0), (new.scale or 0)
    return scales[1] >= scales[0] and new.precision - scales[1] >= old.precision - scales[0]


def _longer(old: LogicalType, new: LogicalType) -> bool:
    if new.fixed:  # blanks or zeros are put at the end of a value
        return False
    return new.length is None or (old.length is not None and new.length >= old.length)


def _finer(old: LogicalType, new: LogicalType) -> bool:
    return new.fraction is None or (old.fraction is not None and new.fraction >= old.fraction)


def _more_members(old: LogicalType, new: LogicalType) -> bool:
    return new.members[: len(old.members)] == old.members


_WIDENS: dict[Kind, Callable[[LogicalType, LogicalType], bool]] = {
    Kind.INTEGER: _wider_integer,
    Kind.DECIMAL: _wider_decimal,
    Kind.FLOAT: lambda old, new: (new.bits or 64) >= (old.bits or 64) and old.unsigned >= new.unsigned,
    Kind.TEXT: _longer,
    Kind.BINARY: _longer,
    Kind.TIME: _finer,
    Kind.INTERVAL: _finer,
    Kind.TIMESTAMP: _finer,
    Kind.INSTANT: _finer,
    Kind.ENUM: _more_members,
    Kind.SET: _more_members,
}
