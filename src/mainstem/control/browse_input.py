"""What clients of the explorer send, as what a `Browser` takes: filters, orders, positions, changes of rows."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from mainstem.contract.browse import ChangeKind, Condition, Group, RowChange, Sorting, Special, Value
from mainstem.contract.browse_sql import MAX_DEPTH, OPERATORS
from mainstem.control.validation import check, invalid

MAX_CHANGES = 1000
_MAX_CONDITIONS = 200
Scalar = str | int | float | bool


class Bytes(BaseModel):
    """A value of a binary column."""

    base64: str


class DefaultValue(BaseModel):
    """The column's own default."""

    default: bool = Field(description="must be true")


Sent = str | int | float | bool | Bytes | DefaultValue | None
"""A value: its text, a number, null, bytes, or the column's default."""


class FilterBody(BaseModel):
    """A comparison (``column``, ``operator``, ``value``), or a group: ``all`` or ``any`` of these."""

    model_config = ConfigDict(extra="forbid")

    column: str = ""
    operator: str = Field(default="", description=", ".join(OPERATORS))
    value: Scalar | list[Scalar] | None = None
    all: list[FilterBody] | None = None
    any: list[FilterBody] | None = None


class Edit(BaseModel):
    """New values for columns of one row."""

    keys: dict[str, Sent] = Field(description="the key's columns, as the row has them now")
    changes: dict[str, Sent] = Field(min_length=1)
    old: dict[str, Sent] = Field(default={}, description="what must still be there, by column; else 409")


class Insert(BaseModel):
    """A new row; columns that are left out get their defaults."""

    values: dict[str, Sent]


class Delete(BaseModel):
    """A row to delete."""

    keys: dict[str, Sent]
    old: dict[str, Sent] = Field(default={}, description="what must still be there, by column; else 409")


class Changes(BaseModel):
    """Changes of rows: all of them in one transaction, or none."""

    schema_name: str = Field(default="", alias="schema")
    edits: Annotated[list[Edit], Field(max_length=MAX_CHANGES)] = []
    inserts: Annotated[list[Insert], Field(max_length=MAX_CHANGES)] = []
    deletes: Annotated[list[Delete], Field(max_length=MAX_CHANGES)] = []
    dryRun: bool = Field(default=False, description="answer the statements, and change nothing")


def read_changes(body: Mapping[str, Any], kinds: Sequence[str]) -> tuple[Changes, list[RowChange]]:
    """The changes of a request; deletes come first and inserts last, so that a key may be used again.

    Args:
        kinds: the members that count: ``edits``, ``inserts``, ``deletes``.
    """
    sent = check(Changes, {name: value for name, value in body.items() if name not in _MEMBERS or name in kinds})
    found = [_delete(item, f"deletes[{number}]") for number, item in enumerate(sent.deletes)]
    found += [_edit(item, f"edits[{number}]") for number, item in enumerate(sent.edits)]
    found += [
        RowChange(ChangeKind.INSERT, f"inserts[{number}]", values=_values(item.values, f"inserts[{number}]"))
        for number, item in enumerate(sent.inserts)
    ]
    if not found:
        raise invalid({kinds[0]: "must hold at least one change"})
    return sent, found


def _delete(item: Delete, place: str) -> RowChange:
    return RowChange(ChangeKind.DELETE, place, _key(item.keys, place), old=_old(item.old, place))


def _edit(item: Edit, place: str) -> RowChange:
    return RowChange(
        ChangeKind.EDIT, place, _key(item.keys, place), _values(item.changes, place), _old(item.old, place)
    )


_MEMBERS = ("edits", "inserts", "deletes")


def _values(sent: Mapping[str, Sent], place: str) -> dict[str, Value | Special]:
    return {name: _value(value, f"{place}.{name}") for name, value in sent.items()}


def _key(sent: Mapping[str, Sent], place: str) -> dict[str, Value]:
    return _old(sent, f"{place}.keys")


def _old(sent: Mapping[str, Sent], place: str) -> dict[str, Value]:
    found: dict[str, Value] = {}
    for name, value in _values(sent, place).items():
        if isinstance(value, Special):
            raise invalid({f"{place}.{name}": "must be a value"})
        found[name] = value
    return found


def _value(sent: Sent, place: str) -> Value | Special:
    if isinstance(sent, DefaultValue):
        return Special.DEFAULT
    if isinstance(sent, Bytes):
        try:
            return base64.b64decode(sent.base64, validate=True)
        except (binascii.Error, ValueError):
            raise invalid({place: "is not base64"}) from None
    return None if sent is None else text_of(sent)


def text_of(value: Scalar) -> str:
    """A value as text."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def read_filter(text: str) -> Group | None:
    """A filter in JSON; None for an empty one."""
    if not text.strip():
        return None
    try:
        sent = json.loads(text)
    except (ValueError, RecursionError):
        raise invalid({"filter": "is not valid JSON"}) from None
    if not isinstance(sent, dict):
        raise invalid({"filter": "must be an object"})
    _check_depth(sent, 0)
    found = _part(check(FilterBody, sent))
    group = found if isinstance(found, Group) else Group(True, (found,))
    if _size(group) > _MAX_CONDITIONS:
        raise invalid({"filter": f"must have at most {_MAX_CONDITIONS} conditions"})
    return group


def _check_depth(sent: object, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise invalid({"filter": f"must not be deeper than {MAX_DEPTH} groups"})
    if isinstance(sent, dict):
        for name in ("all", "any"):
            parts = sent.get(name)
            for part in parts if isinstance(parts, list) else ():
                _check_depth(part, depth + 1)


def _part(sent: FilterBody) -> Condition | Group:
    for every, parts in ((True, sent.all), (False, sent.any)):
        if parts is not None:
            return Group(every, tuple(_part(part) for part in parts))
    if not sent.column or not sent.operator:
        raise invalid({"filter": "every part needs column and operator, or all, or any"})
    values = sent.value if isinstance(sent.value, list) else [] if sent.value is None else [sent.value]
    return Condition(sent.column, sent.operator, tuple(text_of(value) for value in values))


def _size(part: Condition | Group) -> int:
    return sum(map(_size, part.parts)) if isinstance(part, Group) else 1


def read_order(order_by: str, order_dir: str) -> tuple[Sorting, ...]:
    """Two lists with commas; a name that holds a comma is written in JSON: ``["a,b"]``."""
    names = _listed(order_by, "order_by")
    directions = [part.strip().lower() for part in order_dir.split(",")] if order_dir.strip() else []
    if any(part not in ("asc", "desc", "") for part in directions):
        raise invalid({"order_dir": "must hold asc and desc"})
    directions += ["asc"] * (len(names) - len(directions))
    return tuple(Sorting(name, way == "desc") for name, way in zip(names, directions, strict=False))


def read_columns(columns: str) -> tuple[str, ...]:
    """Names, as those of `read_order`."""
    return tuple(_listed(columns, "columns"))


def _listed(text: str, field: str) -> list[str]:
    if text.lstrip().startswith("["):
        try:
            names = json.loads(text)
        except ValueError:
            raise invalid({field: "is not valid JSON"}) from None
        if not all(isinstance(name, str) for name in names):
            raise invalid({field: "must be a list of names"})
        return list(names)
    return [name.strip() for name in text.split(",") if name.strip()]


def read_key(text: str) -> dict[str, Value]:
    """A row's key in JSON: column → value; empty for an empty text."""
    if not text.strip():
        return {}
    try:
        sent = json.loads(text)
    except (ValueError, RecursionError):
        raise invalid({"key": "is not valid JSON"}) from None
    if not isinstance(sent, dict):
        raise invalid({"key": "must be an object"})
    return _key(check(Delete, {"keys": sent}).keys, "key")


def position_token(values: Sequence[Value] | None) -> str | None:
    """A position as a text that says nothing to clients."""
    if values is None:
        return None
    plain = [{"b": base64.b64encode(value).decode()} if isinstance(value, bytes) else value for value in values]
    return base64.urlsafe_b64encode(json.dumps(plain, ensure_ascii=False).encode()).decode().rstrip("=")


def read_position(token: str) -> tuple[Value, ...] | None:
    """The position behind a text that `position_token` made; None for an empty one."""
    if not token:
        return None
    try:
        plain = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        return tuple(base64.b64decode(item["b"]) if isinstance(item, dict) else _text_or_none(item) for item in plain)
    except (ValueError, TypeError, KeyError, RecursionError):
        raise invalid({"after": "is no position"}, "use one that an earlier answer gave") from None


def _text_or_none(item: object) -> str | None:
    if item is None or isinstance(item, str):
        return item
    raise ValueError("neither text nor null")
