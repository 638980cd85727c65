"""Dates and times: arithmetic, parts, formats."""

from __future__ import annotations

import re

from sqlglot import exp

from mainstem.connectors.postgres.expressions.sorts import (
    TIMES,
    Rule,
    Sort,
    call,
    cast,
    coerce,
    column_type,
    grouped,
    mark,
    number,
    sort_of,
    string,
)
from mainstem.contract.dialect import Use
from mainstem.errors import PlanError

_UNITS = {"MICROSECOND", "SECOND", "MINUTE", "HOUR", "DAY", "WEEK", "MONTH", "YEAR"}
_WHOLE_DAYS = {"DAY", "WEEK", "MONTH", "QUARTER", "YEAR"}


def _refuse_stored(use: Use) -> None:
    if use is Use.STORED:
        raise PlanError("a time that depends on the clock or the session cannot be stored")


def _moment(node: exp.Expr, use: Use) -> exp.Expr:
    """The node as something that has a date; a bare literal becomes a timestamp."""
    if sort_of(node) in (Sort.STRING, Sort.TEXT):
        _refuse_stored(use)
        return cast(node, "timestamp", Sort.TIMESTAMP)
    if sort_of(node) not in TIMES and sort_of(node) not in (Sort.UNKNOWN, Sort.NULL):
        raise PlanError(f"the expression uses {sort_of(node).value} as a date")
    return node


def _interval(amount: exp.Expr, unit: str, use: Use) -> exp.Expr:
    """``INTERVAL '1 DAY'``, or an amount that is computed times one unit."""
    if isinstance(amount, exp.Neg) and isinstance(amount.this, exp.Literal):
        amount = exp.Literal.string(f"-{amount.this.name}")
    factor, name = (3, "MONTH") if unit == "QUARTER" else (1, unit)
    if name not in _UNITS:
        raise PlanError(f"an interval in {unit.lower()} has no translation")
    if isinstance(amount, exp.Literal):
        if not re.fullmatch(r"-?\d+(\.\d+)?", amount.name):
            raise PlanError("an interval of several units has no translation")
        count = amount.name if factor == 1 else str(int(float(amount.name)) * factor)
        return mark(exp.Interval(this=exp.Literal.string(count), unit=exp.var(name)), Sort.INTERVAL)
    one = exp.Interval(this=exp.Literal.string(str(factor)), unit=exp.var(name))
    return mark(exp.Mul(this=grouped(coerce(amount, Sort.NUMBER, use)), expression=one), Sort.INTERVAL)


def _unit(node: exp.Expr) -> str:
    unit = node.args.get("unit")
    return unit.name.upper() if unit is not None else "DAY"


def _moved(start: exp.Expr, step: exp.Expr, unit: str, operator: type[exp.Expr], use: Use) -> exp.Expr:
    """A date stays a date when whole days are added; a time with zone depends on the session's."""
    start = _moment(start, use)
    sort = sort_of(start)
    if sort is Sort.INSTANT:
        _refuse_stored(use)
    made = mark(operator(this=grouped(start), expression=grouped(step)), sort)
    if sort is Sort.DATE:
        return cast(made, "date", Sort.DATE) if unit in _WHOLE_DAYS else mark(made, Sort.TIMESTAMP)
    return made


def shift(node: exp.Expr, use: Use) -> exp.Expr:
    """``date + INTERVAL …`` and ``date - INTERVAL …``; other sums of dates are numbers in MySQL."""
    start, step = node.this, node.expression
    if isinstance(start, exp.Interval) and isinstance(node, exp.Add):
        start, step = step, start
    if not isinstance(step, exp.Interval):
        raise PlanError("dates are used as numbers")
    unit = _unit(step)
    return _moved(start, _interval(step.this, unit, use), unit, type(node), use)


def _add(operator: type[exp.Expr]) -> Rule:
    def rule(node: exp.Expr, use: Use) -> exp.Expr:
        unit = _unit(node)
        return _moved(node.this, _interval(node.expression, unit, use), unit, operator, use)

    return rule


def _to(sort: Sort, sql_type: str) -> Rule:
    def rule(node: exp.Expr, use: Use) -> exp.Expr:
        inner = node.this
        if sort_of(inner) is sort or (sort is Sort.TIMESTAMP and sort_of(inner) is Sort.DATE):
            made: exp.Expr = inner
            return made
        if sort_of(inner) is not Sort.TIMESTAMP:
            _refuse_stored(use)
        return cast(_moment(inner, use), sql_type, sort)

    return rule


def _part(field: str, offset: int = 0, *, whole: bool = False) -> Rule:
    """EXTRACT of a field, moved to where MySQL counts from."""

    def rule(node: exp.Expr, use: Use) -> exp.Expr:
        return _extracted(field, node.this, use, offset, whole=whole)

    return rule


def _extracted(field: str, moment: exp.Expr, use: Use, offset: int = 0, *, whole: bool = False) -> exp.Expr:
    moment = _moment(moment, use)
    if sort_of(moment) is Sort.INSTANT:
        _refuse_stored(use)
    made = mark(exp.Extract(this=exp.var(field), expression=moment), Sort.NUMBER)
    if whole:
        made = call("FLOOR", Sort.NUMBER, made)
    if not offset:
        return made
    sign = exp.Add if offset > 0 else exp.Sub
    return mark(exp.Paren(this=sign(this=made, expression=exp.Literal.number(abs(offset)))), Sort.NUMBER)


def _extract(node: exp.Expr, use: Use) -> exp.Expr:
    field = node.this.name.upper()
    if field not in _UNITS | {"QUARTER"} or field in ("WEEK", "MICROSECOND"):
        raise PlanError(f"extracting {field.lower()} has no translation")
    return _extracted(field, node.expression, use, whole=field == "SECOND")


def _days_between(node: exp.Expr, use: Use) -> exp.Expr:
    if node.args.get("unit") is not None and _unit(node) != "DAY":
        raise PlanError("a difference in other units than days has no translation")
    left = _to(Sort.DATE, "date")(exp.Date(this=node.this), use)
    if _is_day_zero(node.expression):  # TO_DAYS; MySQL's year 0 has 365 days, and there is none here
        first = cast(string("0001-01-01"), "date", Sort.DATE)
        passed = exp.Sub(this=grouped(left), expression=first)
        return mark(exp.Paren(this=exp.Add(this=passed, expression=number(365))), Sort.NUMBER)
    right = _to(Sort.DATE, "date")(exp.Date(this=node.expression), use)
    return mark(exp.Paren(this=exp.Sub(this=grouped(left), expression=grouped(right))), Sort.NUMBER)


def _is_day_zero(node: exp.Expr) -> bool:
    return any(literal.name.startswith("0000-01-01") for literal in node.find_all(exp.Literal))


_SECONDS = {"SECOND": 1, "MINUTE": 60, "HOUR": 3600, "DAY": 86400, "WEEK": 604800}


def _difference(node: exp.Expr, use: Use) -> exp.Expr:
    """TIMESTAMPDIFF: whole units between two moments."""
    unit = _unit(node)
    later, earlier = (_moment(side, use) for side in (node.this, node.expression))
    if Sort.INSTANT in (sort_of(later), sort_of(earlier)):
        _refuse_stored(use)
    later, earlier = (cast(side, "timestamp", Sort.TIMESTAMP) if sort_of(side) is Sort.DATE else side
                      for side in (later, earlier))  # fmt: skip
    if unit in _SECONDS:
        passed = exp.Extract(
            this=exp.var("EPOCH"), expression=exp.Sub(this=grouped(later), expression=grouped(earlier))
        )
        return call(
            "TRUNC", Sort.NUMBER, exp.Div(this=passed, expression=number(_SECONDS[unit]), typed=True, safe=False)
        )
    age = call("AGE", Sort.INTERVAL, later, earlier)
    years = exp.Extract(this=exp.var("YEAR"), expression=age)
    if unit == "YEAR":
        return mark(years, Sort.NUMBER)
    if unit != "MONTH":
        raise PlanError(f"a difference in {unit.lower()} has no translation")
    months = exp.Extract(this=exp.var("MONTH"), expression=age.copy())
    total = exp.Add(this=exp.Mul(this=years, expression=number(12)), expression=months)
    return mark(exp.Paren(this=total), Sort.NUMBER)


_FORMATS = {
    "%Y": "YYYY", "%y": "YY", "%m": "MM", "%-m": "FMMM", "%d": "DD", "%-d": "FMDD", "%H": "HH24", "%-H": "FMHH24",
    "%I": "HH12", "%-I": "FMHH12", "%M": "MI", "%S": "SS", "%f": "US", "%b": "Mon", "%B": "FMMonth", "%a": "Dy",
    "%A": "FMDay", "%W": "FMDay", "%p": "AM", "%j": "DDD", "%T": "HH24:MI:SS", "%%": "%",
}  # fmt: skip
_FORMAT_PART = re.compile(r"%-?.|[A-Za-z\"\\]+|[^%A-Za-z\"\\]+")


def _format(node: exp.Expr, use: Use) -> exp.Expr:
    """DATE_FORMAT; letters that are not part of a code are quoted, else TO_CHAR would read them as codes."""
    _refuse_stored(use)
    if not isinstance(node.args["format"], exp.Literal):
        raise PlanError("a computed date format has no translation")
    parts = []
    for part in _FORMAT_PART.findall(node.args["format"].name):
        if part.startswith("%"):
            if part not in _FORMATS:
                raise PlanError(f"the date format {part} has no translation")
            parts.append(_FORMATS[part])
        else:
            parts.append(f'"{part}"' if part[0].isalpha() else part)
    return call("TO_CHAR", Sort.TEXT, _moment(node.this, use), string("".join(parts)))


def _now(node: exp.Expr, use: Use) -> exp.Expr:
    _refuse_stored(use)
    digits = node.args.get("this")
    if digits is None or digits.name == "0":
        return mark(exp.CurrentTimestamp(), Sort.INSTANT)
    return call("CURRENT_TIMESTAMP", Sort.INSTANT, digits)


def _today(node: exp.Expr, use: Use) -> exp.Expr:
    _refuse_stored(use)
    return mark(exp.CurrentDate(), Sort.DATE)


def _time_now(node: exp.Expr, use: Use) -> exp.Expr:
    _refuse_stored(use)
    return cast(exp.CurrentTimestamp(), "time", Sort.TIME)


def _utc_now(node: exp.Expr, use: Use) -> exp.Expr:
    _refuse_stored(use)
    zoned = exp.AtTimeZone(this=exp.CurrentTimestamp(), zone=exp.Literal.string("UTC"))
    return mark(exp.Paren(this=zoned), Sort.TIMESTAMP)


def _clock(node: exp.Expr, use: Use) -> exp.Expr:
    _refuse_stored(use)
    return call("CLOCK_TIMESTAMP", Sort.INSTANT)


def _from_epoch(node: exp.Expr, use: Use) -> exp.Expr:
    _refuse_stored(use)
    return call("TO_TIMESTAMP", Sort.INSTANT, coerce(node.this, Sort.NUMBER, use))


def _to_epoch(node: exp.Expr, use: Use) -> exp.Expr:
    _refuse_stored(use)
    if not node.expressions:
        return _extracted("EPOCH", mark(exp.CurrentTimestamp(), Sort.INSTANT), use, whole=True)
    known = column_type(node.expressions[0])
    return _extracted("EPOCH", node.expressions[0], use, whole=known is not None and not known.type.fraction)


def _weekday(node: exp.Expr, use: Use) -> exp.Expr:
    return _extracted("ISODOW", node.expressions[0], use, -1)


def _microsecond(node: exp.Expr, use: Use) -> exp.Expr:
    passed = cast(_extracted("MICROSECONDS", node.expressions[0], use), "bigint", Sort.NUMBER)
    return mark(exp.Paren(this=exp.Mod(this=passed, expression=number(1_000_000))), Sort.NUMBER)


def _iso_week(node: exp.Expr, use: Use) -> exp.Expr:
    if isinstance(node, exp.Week) and (node.args.get("mode") is None or node.args["mode"].name != "3"):
        raise PlanError("WEEK in another mode than 3, that of ISO 8601, has no translation")
    return _extracted("WEEK", node.this, use)


def _day_name(node: exp.Expr, use: Use) -> exp.Expr:
    _refuse_stored(use)
    return call("TO_CHAR", Sort.TEXT, _moment(node.this, use), string("FMDay"))


def _last_day(node: exp.Expr, use: Use) -> exp.Expr:
    _refuse_stored(use)
    node.set("this", _moment(node.this, use))
    return mark(node, Sort.DATE)


RULES: dict[type[exp.Expr], Rule] = {
    exp.DateAdd: _add(exp.Add),
    exp.DateSub: _add(exp.Sub),
    exp.DateDiff: _days_between,
    exp.TimestampDiff: _difference,
    exp.TsOrDsToDate: _to(Sort.DATE, "date"),
    exp.Date: _to(Sort.DATE, "date"),
    exp.TsOrDsToTimestamp: _to(Sort.TIMESTAMP, "timestamp"),
    exp.Timestamp: _to(Sort.TIMESTAMP, "timestamp"),
    exp.Time: _to(Sort.TIME, "time"),
    exp.TimeToStr: _format,
    exp.Extract: _extract,
    exp.Year: _part("YEAR"),
    exp.Quarter: _part("QUARTER"),
    exp.Month: _part("MONTH"),
    exp.Day: _part("DAY"),
    exp.DayOfMonth: _part("DAY"),
    exp.DayOfYear: _part("DOY"),
    exp.DayOfWeek: _part("DOW", 1),
    exp.Hour: _part("HOUR"),
    exp.Minute: _part("MINUTE"),
    exp.Second: _part("SECOND", whole=True),
    exp.LastDay: _last_day,
    exp.Week: _iso_week,
    exp.WeekOfYear: _iso_week,
    exp.Dayname: _day_name,
    exp.CurrentTimestamp: _now,
    exp.CurrentDate: _today,
    exp.CurrentTime: _time_now,
    exp.UtcTimestamp: _utc_now,
    exp.UnixToTime: _from_epoch,
}
BY_NAME: dict[str, Rule] = {
    "unix_timestamp": _to_epoch,
    "weekday": _weekday,
    "sysdate": _clock,
    "microsecond": _microsecond,
}
