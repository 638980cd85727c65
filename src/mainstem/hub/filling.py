"""What waits in the hubs of all runs, asked of JetStream.

By its API itself: the client's own types leave out the times.
Source: NATS documentation, "JetStream wire API reference", `$JS.API.STREAM.LIST`.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

from nats.aio.client import Client
from nats.js import errors as js_errors

from mainstem.contract.hub import HubFill

_LIST = "$JS.API.STREAM.LIST"
_ANSWER_S = 3.0
_NS = 1_000_000_000


async def fills(client: Client, prefix: str) -> tuple[HubFill, ...]:
    """Those whose streams' names begin so; behind it come the run's id, its start, a number (`hub.nats.NatsHubs`)."""
    return tuple(
        [
            _fill(info["config"]["name"].removeprefix(prefix).rsplit("_", 2)[0], info)
            async for info in _streams(client)
            if info["config"]["name"].startswith(prefix)
        ]
    )


async def _streams(client: Client) -> AsyncIterator[dict[str, Any]]:
    """All of the account."""
    offset = 0
    while True:
        answer = await client.request(_LIST, json.dumps({"offset": offset}).encode(), timeout=_ANSWER_S)
        page = json.loads(answer.data)
        if "error" in page:
            raise js_errors.APIError(**page["error"])
        found = page["streams"] or ()
        for info in found:
            yield info
        offset += len(found)
        if not found or offset >= page["total"]:
            return


def _fill(run_id: str, info: dict[str, Any]) -> HubFill:
    state, config = info["state"], info["config"]
    oldest_s = 0.0
    if state["messages"] and "ts" in info:  # NATS 2.10 and newer say when it is there
        oldest_s = max(0.0, (_time(info["ts"]) - _time(state["first_ts"])).total_seconds())
    return HubFill(
        run_id, state["messages"], state["bytes"], max(0, config["max_bytes"]), oldest_s, config["max_age"] / _NS
    )


def _time(text: str) -> datetime:
    """RFC 3339 with up to nine digits of a second."""
    return datetime.fromisoformat(text)
