"""What a run says: into the stream's log, and alerts to its config's webhook."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from mainstem.contract.store import StreamRecord
from mainstem.control.alerts import AlertSender, Letter
from mainstem.control.clock import now_us
from mainstem.control.hiding import hide
from mainstem.control.logbook import LogBook
from mainstem.control.runs import Ends
from mainstem.model.alert import Alert
from mainstem.model.event import Category, Event, Level


@dataclass(frozen=True, slots=True)
class Listener:
    """Takes the events of one run, from any thread.

    Attributes:
        mark: told of each stage that the run enters.
    """

    record: StreamRecord
    ends: Ends
    logbook: LogBook
    alerts: AlertSender
    mark: Callable[[str], None]

    def hidden(self, text: str) -> str:
        """A text without this run's passwords."""
        source, target, _ = self.ends
        return hide(text, source.settings, target.settings)

    def take(self, event: Event) -> None:
        """One event."""
        record, url = self.record, self.ends[2].changes.alert_url
        event = replace(event, message=self.hidden(event.message))
        self.logbook.take(record.id, event)
        if event.category is Category.PROGRESS:
            self.mark(record.id)
        if event.category is Category.ALERT and url:
            self.alerts.send(Letter(record.id, record.config_name, url, event))

    def over(self, alerts: Iterable[Alert]) -> None:
        """The stream has ended for good, and with it what these are about."""
        for alert in alerts:
            data: dict[str, object] = {"alert": str(alert.kind), "subject": alert.subject, "remedy": "", "over": True}
            self.take(Event(Level.INFO, Category.ALERT, f"over: {alert.message}", now_us(), "api", data))
