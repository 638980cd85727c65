"""What somebody should be told of a replication, beyond its log."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class AlertKind(StrEnum):
    """What an alert is about.

    LAG: the target is further behind than `ChangeOptions.max_lag_s`. SILENCE: nothing becomes durable though there is
    something, or the source says nothing at all, for `ChangeOptions.max_silence_s`. HUB: it has been full for long.
    RETENTION: half of what the source
    keeps for the stream is used up. TABLE: a table was paused or failed. FAILURE: the stream ended with an error.
    """

    LAG = "lag"
    SILENCE = "silence"
    HUB = "hub"
    RETENTION = "retention"
    TABLE = "table"
    FAILURE = "failure"


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert; sent when it begins, and once more with ``over`` when its cause is gone.

    Attributes:
        subject: the table that it is about, or empty.
    """

    kind: AlertKind
    message: str
    remedy: str = ""
    subject: str = ""
    over: bool = False
