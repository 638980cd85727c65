"""Dates and times. What depends on a session's time zone is refused, but for the present moment."""

from __future__ import annotations

import re
from collections.abc import Callable

from sqlglot import exp

from mainstem.connectors.mysql.expressions.sorts import (
    MOMENTS,
    Context,
    Rule,
    Sort,
    call,
    each,
    mark,
    number,
    sort_of,
    string,
    want,
)
from mainstem.contract.dialect import Use
from mainstem.errors import PlanError

_INTERVAL = re.compile(r"(-?\d+) (year|mon|month|week|day|hour|minute|second)s?")
_CLOCK = re.compile(r"(-?)(\d\d):(\d\d):(\d\d)")
_UNITS = {"mon": "MONTH"}
_TIME_UNITS = frozenset({"HOUR", "MINUTE", "SECOND"})


def _now(node: exp.Expr, context: Context) -> exp.Expr:
    """The present moment is one in UTC, as columns that hold moments are."""
    _refuse_stored(context)
    return call("UTC_TIMESTAMP", Sort.INSTANT, number(6))


def _local_now(node: exp.Expr, context: Context) -> exp.Expr:
    _refuse_stored(context)
    return call("NOW", Sort.TIMESTAMP, number(6))


def _today(node: exp.Expr, context: Context) -> exp.Expr:
    _refuse_stored(context)
    return call("CURRENT_DATE", Sort.DATE)


def _refuse_stored(context: Context) -> None:
    if context.use is not Use.VALUE:
        raise PlanError("the present time cannot stand in what is stored or checked")


def _at_zone(node: exp.Expr, context: Context) -> exp.Expr:
    """A moment in UTC as a timestamp, which it is here already."""
    zone, moment = node.args["zone"], node.this
    if not (isinstance(zone, exp.Literal) and zone.name.lower() in ("utc", "gmt", "etc/utc")):
        raise PlanError("time zones other than UTC have no translation")
    if sort_of(moment) is Sort.INSTANT:
        return mark(moment, Sort.TIMESTAMP)
    if sort_of(moment) is Sort.TIMESTAMP:
        return mark(moment, Sort.INSTANT)
    raise PlanError(f"AT TIME ZONE of {sort_of(moment).value} has no translation")


def _extract(node: exp.Expr, context: Context) -> exp.Expr:
    field, value = node.name.upper() or node.this.name.upper(), node.expression
    make = _FIELDS.get(field)
    if make is None:
        raise PlanError(f"extracting {field.lower()} has no translation")
    wanted = {Sort.TIME, Sort.TIMESTAMP} if field in _TIME_UNITS else MOMENTS
    return make(want(value, wanted, f"extracting {field.lower()}"))


def _field(name: str) -> Callable[[exp.Expr], exp.Expr]:
    return lambda value: call(name, Sort.INTEGER, value)


def _plus(name: str, shift: int) -> Callable[[exp.Expr], exp.Expr]:
    def make(value: exp.Expr) -> exp.Expr:
        kind = exp.Add if shift > 0 else exp.Sub
        made = mark(kind(this=call(name, Sort.INTEGER, value), expression=number(abs(shift))), Sort.INTEGER)
        return mark(exp.Paren(this=made), Sort.INTEGER)

    return make


def _seconds(value: exp.Expr) -> exp.Expr:
    fraction = exp.Mul(this=call("MICROSECOND", Sort.INTEGER, value.copy()), expression=exp.Literal.number("0.000001"))
    made = exp.Add(this=call("SECOND", Sort.INTEGER, value), expression=fraction)
    return mark(exp.Paren(this=made), Sort.DECIMAL, 6)


_FIELDS: dict[str, Callable[[exp.Expr], exp.Expr]] = {
    **{name: _field(name) for name in ("YEAR", "MONTH", "QUARTER", "HOUR", "MINUTE")},
    "DAY": _field("DAYOFMONTH"),
    "DOY": _field("DAYOFYEAR"),
    "DOW": _plus("DAYOFWEEK", -1),
    "ISODOW": _plus("WEEKDAY", 1),
    "WEEK": lambda value: call("WEEK", Sort.INTEGER, value, number(3)),
    "SECOND": _seconds,
}


def _truncate(node: exp.Expr, context: Context) -> exp.Expr:
    value = want(node.this, {Sort.TIMESTAMP}, "date_trunc")
    unit = node.args["unit"].name.lower()
    if unit == "day":
        return call("TIMESTAMP", Sort.TIMESTAMP, call("DATE", Sort.DATE, value))
    form = _FORMATS.get(unit)
    if form is None:
        raise PlanError(f"date_trunc to {unit} has no translation")
    return call("TIMESTAMP", Sort.TIMESTAMP, call("DATE_FORMAT", Sort.TEXT, value, string(form)))


_FORMATS = {
    "year": "%Y-01-01",
    "month": "%Y-%m-01",
    "hour": "%Y-%m-%d %H:00:00",
    "minute": "%Y-%m-%d %H:%i:00",
    "second": "%Y-%m-%d %H:%i:%S",
}


def _interval(node: exp.Expr, context: Context) -> exp.Expr:
    return mark(node, Sort.INTERVAL)


def shifted(node: exp.Expr, left: exp.Expr, right: exp.Expr) -> exp.Expr:
    """A date or timestamp plus or minus something; the difference of two dates."""
    plus = isinstance(node, exp.Add)
    if plus and sort_of(left) not in (*MOMENTS, Sort.INSTANT):
        left, right = right, left
    have, other = sort_of(left), sort_of(right)
    if not plus and have is other is Sort.DATE:
        return call("DATEDIFF", Sort.INTEGER, left, right)
    if have is Sort.DATE and other is Sort.INTEGER:
        return _shift(left, right, "DAY", Sort.DATE, plus)
    if isinstance(right, exp.Interval):
        amount, unit = _amount(right)
        if have is Sort.INSTANT and unit in _TIME_UNITS:  # days are not all of 24 hours where clocks are changed
            return _shift(left, amount, unit, Sort.INSTANT, plus)
        want(left, MOMENTS, "adding days or more")
        moment = call("TIMESTAMP", Sort.TIMESTAMP, left) if have is Sort.DATE else left
        return _shift(moment, amount, unit, Sort.TIMESTAMP, plus)
    raise PlanError(f"arithmetic of {have.value} with {other.value} has no translation")


def _amount(interval: exp.Expr) -> tuple[exp.Expr, str]:
    text = interval.this.name
    found, clock = _INTERVAL.fullmatch(text), _CLOCK.fullmatch(text)
    if found is not None and interval.args.get("unit") is None:
        return number(int(found[1])), _UNITS.get(found[2], found[2].upper())
    if clock is not None:
        seconds = int(clock[2]) * 3600 + int(clock[3]) * 60 + int(clock[4])
        return number(-seconds if clock[1] else seconds), "SECOND"
    unit = interval.args.get("unit")
    if unit is not None and re.fullmatch(r"-?\d+", text):
        return number(int(text)), unit.name.upper().rstrip("S")
    raise PlanError("an interval of several units has no translation")


def _shift(moment: exp.Expr, amount: exp.Expr, unit: str, sort: Sort, plus: bool) -> exp.Expr:
    step = exp.Interval(this=amount, unit=exp.var(unit))
    return call("DATE_ADD" if plus else "DATE_SUB", sort, moment, step)


RULES: dict[type[exp.Expr], Rule] = {
    exp.CurrentTimestamp: _now,
    exp.Localtimestamp: _local_now,
    exp.CurrentDate: _today,
    exp.AtTimeZone: _at_zone,
    exp.Extract: _extract,
    exp.Interval: _interval,
    **each(_truncate, exp.TimestampTrunc, exp.DateTrunc),
}
