"""What a run says while it works: the lines of its log and of the live event stream."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Level(StrEnum):
    """How much a line matters."""

    DEBUG = "debug"
    INFO = "info"
    WARN = "warn"
    ERROR = "error"


class Category(StrEnum):
    """What a line is about; the names are those of the API's log stream."""

    GENERAL = "general"
    PROGRESS = "progress"
    STAT = "stat"
    TABLE_METADATA = "table_metadata"
    ERROR = "error"
    ALERT = "alert"


@dataclass(frozen=True, slots=True)
class Event:
    """One line. Messages never hold a row's values or a secret.

    Attributes:
        at_us: UTC microseconds since 1970.
        part: which side spoke: ``api``, ``source`` or ``target``.
        data: members beside the message: for STAT ``table`` (empty is the total), ``status``, ``events``, ``size``,
            ``rate``, ``elapsed``, ``failed``; for PROGRESS ``stage`` (1 to 5), ``percentage``, ``description``;
            for ALERT ``alert`` (`model.alert.AlertKind`), ``subject``, ``remedy``, ``over``.
    """

    level: Level
    category: Category
    message: str
    at_us: int
    part: str = "api"
    data: dict[str, Any] = field(default_factory=dict)
