"""`Means`: what a run works with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mainstem.contract.hub import Hub
from mainstem.contract.target import Target
from mainstem.engine.control import Interrupts, RunControl
from mainstem.engine.endpoint import Endpoint
from mainstem.engine.progress import Tracker
from mainstem.engine.retry import Backoff
from mainstem.model.run import RunOptions


@dataclass(frozen=True, slots=True)
class Means:
    """What a run works with, whatever it copies.

    Attributes:
        end: the target, for questions about its tables.
        make_hub: makes the hub between readers and writers, bounded by so many bytes.
    """

    target: Target
    end: Endpoint
    options: RunOptions
    control: RunControl
    tracker: Tracker
    backoff: Backoff
    interrupts: Interrupts
    make_hub: Callable[[int], Hub]
