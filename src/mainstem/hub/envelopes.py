"""What goes between a caller and the process that it calls: a head that is JSON, and a body of the head's kind."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Iterable
from typing import Any

import nats.errors
from nats.aio.msg import Msg
from nats.js.api import Header

from mainstem.errors import MainstemError, WireError
from mainstem.hub.link import NatsLink
from mainstem.hub.parcels import cut

_ROOM_FOR_HEADERS = 512
_ABSENT = "503"

Head = dict[str, Any]


def pack(link: NatsLink, head: Head, body: bytes = b"") -> list[bytes]:
    """The messages of one envelope."""
    text = json.dumps(head, separators=(",", ":")).encode()
    return cut(b"\n".join((text, body)), link.max_payload - _ROOM_FOR_HEADERS)


def unpack(parcel: bytes) -> tuple[Head, bytes]:
    """What `pack` was given. Raises `WireError`."""
    text, _, body = parcel.partition(b"\n")
    try:
        head = json.loads(text)
    except ValueError as exc:
        raise WireError("a call cannot be read") from exc
    if not isinstance(head, dict) or "is" not in head:
        raise WireError("a call cannot be read")
    return head, body


def nobody_there(message: Msg) -> bool:
    """Whether the server says that nobody listens where the message went that this one answers."""
    return not message.data and (message.headers or {}).get(Header.STATUS) == _ABSENT


async def publish(link: NatsLink, subject: str, messages: Iterable[bytes], reply: str = "") -> None:
    """Send, in the loop's thread. What cannot be sent now is asked for again by whoever misses it."""
    with contextlib.suppress(nats.errors.Error, MainstemError, OSError):
        for message in messages:
            await link.client.publish(subject, message, reply=reply)


def send(link: NatsLink, subject: str, messages: Iterable[bytes], reply: str = "") -> None:
    """The same from any other thread, without waiting for it."""
    work = publish(link, subject, messages, reply)
    try:
        asyncio.run_coroutine_threadsafe(work, link.loop)
    except RuntimeError:  # the loop is closed
        work.close()
