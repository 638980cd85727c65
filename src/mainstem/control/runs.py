"""A run that has a thread: what the supervisor needs of it, and what it remembers of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from mainstem.contract.fleet import Lease
from mainstem.control.progress import carried, to_json
from mainstem.control.rates import RateMeter
from mainstem.control.timelines import Timelines
from mainstem.engine.endpoint import Endpoint
from mainstem.model.alert import Alert
from mainstem.model.event import Event
from mainstem.model.run import Progress, RunOptions


class Run(Protocol):
    """What the supervisor needs of `engine.conversion.Conversion` and `engine.replication.Replication`."""

    def run(self) -> Progress:
        """Work to a terminal state."""
        ...

    def pause(self) -> None:
        """Hold."""
        ...

    def resume(self) -> None:
        """Go on."""
        ...

    def stop(self) -> None:
        """End."""
        ...

    def progress(self) -> Progress:
        """How far it is."""
        ...

    def pause_table(self, name: str) -> None:
        """Hold one table while the others go on."""
        ...

    def resume_table(self, name: str) -> None:
        """Go on with a table that is held; in mode cdc by a new copy."""
        ...


Ends = tuple[Endpoint, Endpoint, RunOptions]
MakeRun = Callable[[str, Endpoint, Endpoint, RunOptions, Callable[[Event], None], bool], Run]
"""The last argument: an earlier start of the stream has written to the target."""
Through = Callable[[str, int, Ends], Ends]
"""The ends of a stream (its id, the token of its lease) as a process is to use them that may not reach the source."""


def directly(stream_id: str, token: int, ends: Ends) -> Ends:
    """By itself."""
    return ends


@dataclass(slots=True)
class Active:
    """A run that has a thread.

    Attributes:
        lease: the right to lead the stream, as it was when the run began.
        before: what an earlier start of the stream had done.
        hidden: takes this run's passwords out of a text.
        over: tells that these alerts are over.
        lost: this process leads the stream no more; its record is not ours to change.
    """

    stream_id: str
    lease: Lease
    run: Run
    ends: Ends
    before: Progress
    hidden: Callable[[str], str]
    over: Callable[[Iterable[Alert]], None]
    meter: RateMeter = field(default_factory=RateMeter)
    done: threading.Event = field(default_factory=threading.Event)
    lost: bool = False

    def progress(self) -> Progress:
        """How far it is."""
        return self.told(self.run.progress())

    def renewed_ends(self) -> Ends:
        """Both systems as they are reached by now."""
        source, target, options = self.ends
        return source.renewed(), target.renewed(), options

    def told(self, progress: Progress) -> Progress:
        """What may be shown: on top of the earlier start, without passwords."""
        progress = carried(self.before, progress)
        tables = [replace(table, error=self.hidden(table.error)) if table.error else table for table in progress.tables]
        alerts = [replace(alert, message=self.hidden(alert.message)) for alert in progress.alerts]
        error, remedy = self.hidden(progress.error), self.hidden(progress.remedy)
        return replace(progress, tables=tables, alerts=alerts, error=error, remedy=remedy)

    def stored(self, progress: Progress, timelines: Timelines) -> dict[str, Any]:
        """What the store keeps of it, for other servers too."""
        rates = self.meter.rates(time.monotonic(), progress)
        return to_json(progress, rates, timelines.recent(self.stream_id))
