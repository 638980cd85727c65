"""What reader and writer of one connection share, and how the writer asks for another one."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from mainstem.contract.changes import ChangeStream
from mainstem.contract.hub import Lane
from mainstem.engine.control import Limit, RunControl
from mainstem.engine.lag import Lag
from mainstem.engine.progress import Tracker
from mainstem.engine.standing import Milestones, Orders, Standing
from mainstem.errors import CancelledError, MainstemError
from mainstem.model.run import RunOptions


class ReadAgainError(MainstemError):
    """The stream is to be read again from the checkpoint; never shown to a user."""

    code = "read_again"


@dataclass(slots=True)
class Site:
    """What reader and writer of one connection share.

    Attributes:
        over: statements of the target are being broken off: what it raises from here on says nothing about changes.
    """

    stream: ChangeStream
    lane: Lane
    standing: Standing
    lag: Lag
    milestones: Milestones
    orders: Orders
    control: RunControl
    limit: Limit
    tracker: Tracker
    options: RunOptions
    over: threading.Event = field(default_factory=threading.Event)

    def check_over(self) -> None:
        """Raise `CancelledError` when the connection is being given up."""
        if self.over.is_set():
            raise CancelledError("the stream is being broken off")
