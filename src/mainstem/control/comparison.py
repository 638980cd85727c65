"""Two runs of one config, side by side. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mainstem.model.run import Progress, TableProgress


@dataclass(frozen=True, slots=True)
class TablePair:
    """A table in both runs; None where a run does not have it."""

    name: str
    left: TableProgress | None
    right: TableProgress | None


def pairs(left: Progress, right: Progress) -> list[TablePair]:
    """Every table of either run, in the order of the left one."""
    sides = [{str(table.source): table for table in progress.tables} for progress in (left, right)]
    return [TablePair(name, sides[0].get(name), sides[1].get(name)) for name in {**sides[0], **sides[1]}]


def settings(left: Mapping[str, Any], right: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """What two config bodies have otherwise: (path of the member, left, right) as JSON, empty where it is absent."""
    first, second = dict(_members("", left)), dict(_members("", right))
    return [
        (path, first.get(path, ""), second.get(path, ""))
        for path in {**first, **second}
        if first.get(path) != second.get(path)
    ]


def _members(path: str, value: Any) -> Iterator[tuple[str, str]]:
    """Each member that is no object itself. Lists are one member: their order and length are what differs."""
    if isinstance(value, Mapping) and value:
        for name, inner in value.items():
            yield from _members(f"{path}.{name}" if path else str(name), inner)
    else:
        yield path, json.dumps(value, ensure_ascii=False)
