"""What both halves of a lane through NATS have in common: where it is, and what ends it."""

from __future__ import annotations

import threading

import nats.errors
from nats.js import errors as js_errors

from mainstem.errors import LostConnectionError, MainstemError
from mainstem.hub.link import NatsLink, translated
from mainstem.model.batch import Place

WINDOW = 8
"""Messages of a lane that are under way to the server at once."""
TICK_S = 0.5
"""How often one who waits looks around."""
STORED = "Mainstem-Stored"
"""The header of a message without data: so many messages of its lane were stored before this one."""
TRACE = "traceparent"
"""The header with the span that sent a frame; only there while it is traced."""


class LaneLife:
    """What ended a lane for this process: an error, or that it was given up. Halves that live together share one."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.cancelled = False
        self.error: MainstemError | None = None

    @property
    def over(self) -> bool:
        """Whether nothing is to be sent or awaited any more."""
        return self.cancelled or self.error is not None

    def fail(self, error: MainstemError) -> None:
        """End by an error, which both halves raise. The first one stays."""
        with self.changed:
            self.error = self.error or error
            self.changed.notify_all()

    def cancel(self) -> None:
        """Wake everyone who waits; what is on its way is given up."""
        with self.changed:
            self.cancelled = True
            self.changed.notify_all()


def consumer_name(place: Place) -> str:
    """The durable consumer that hands out a lane's messages."""
    return place.subject.rsplit(".", 1)[1]


async def find_out(life: LaneLife, link: NatsLink, place: Place, *, receiving: bool) -> None:
    """End a lane whose stream (of a receiver: or consumer) the server no longer has. In the loop's thread."""
    try:
        if receiving:
            await link.js.consumer_info(place.stream, consumer_name(place))
        else:
            await link.js.stream_info(place.stream)
    except js_errors.NotFoundError as exc:
        life.fail(lost(exc, link))
    except (TimeoutError, nats.errors.Error, js_errors.Error):
        return  # one that hears nothing for long ends by itself


def lost(error: Exception, link: NatsLink) -> LostConnectionError:
    """An error of NATS as the loss of what a lane stood on."""
    told = translated(error, link.address)
    return told if isinstance(told, LostConnectionError) else LostConnectionError(told.message, remedy=told.remedy)
