"""Which types take another's values by rounding or cutting them. Pure."""

from __future__ import annotations

import math

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
