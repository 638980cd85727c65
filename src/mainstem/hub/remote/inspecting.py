"""An inspector whose connection is in another process."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import Any, cast

from mainstem.contract.inspector import Inspector
from mainstem.hub.calls import CallSession
from mainstem.hub.remote.readers import Readers
from mainstem.model.connection import ConnectionSettings

INSPECTOR = "inspector"
"""The kind under which it is offered."""
_HERE = frozenset({"create_database", "create_schema", "preflight", "target_dialect"})
"""What is asked of a target, or before a run: of a connection of this process."""


class RemoteInspector:
    """See `contract.inspector.Inspector`: all that a run asks of its source is asked there."""

    def __init__(self, session: CallSession, here: Callable[[], Inspector]) -> None:
        self._session, self._here = session, here

    def __enter__(self) -> Inspector:
        return cast(Inspector, self)

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._session.close()

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name in _HERE:
            return partial(self._ask_here, name)
        method: Callable[..., Any] = getattr(Inspector, name)
        return partial(self._session.ask, method)

    def _ask_here(self, name: str, *args: Any, **kwargs: Any) -> Any:
        with self._here() as inspector:
            return getattr(inspector, name)(*args, **kwargs)


def remote_inspector(
    make: Callable[[ConnectionSettings], Inspector], readers: Readers
) -> Callable[[ConnectionSettings], Inspector]:
    """Makes inspectors in other processes, which know the connection by the stream.

    Args:
        make: makes them in this process.
    """

    def made(settings: ConnectionSettings) -> Inspector:
        return cast(Inspector, RemoteInspector(readers.open(INSPECTOR), partial(make, settings)))

    return made
