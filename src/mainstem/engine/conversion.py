"""One run in mode convert, from plan to finished target. Blocking; runs in a thread of its caller's choice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mainstem.contract.spec import ConnectorSpec
from mainstem.model.connection import ConnectionSettings
from mainstem.model.event import Event
from mainstem.model.plan import MigrationPlan
from mainstem.model.run import Progress, RunOptions


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A system to work on: its connector and how to reach it."""

    spec: ConnectorSpec
    settings: ConnectionSettings


def make_plan(source: Endpoint, target: Endpoint, options: RunOptions) -> MigrationPlan:
    """What a run would do, found out without touching either side.

    Raises:
        ConnectError: a side cannot be reached.
        NotFoundError: a selected table does not exist.
        InvalidError: a query that isn't one SELECT, or source and target are the same place.
    """
    raise NotImplementedError


class Conversion:
    """Copies structure and rows once.

    The same ``run_id`` again goes on where the target's ledger says that the run stood: a run that failed, or whose
    process was killed, is resumed by making a new `Conversion` with its id.

    Args:
        listen: gets every event, from any thread; must not block.
    """

    def __init__(
        self,
        run_id: str,
        source: Endpoint,
        target: Endpoint,
        options: RunOptions,
        listen: Callable[[Event], None],
    ) -> None:
        raise NotImplementedError

    def run(self) -> Progress:
        """Work to a terminal state (FINISHED, FAILED, STOPPED, or a limit); never raises `MainstemError`.

        A failure is told by the progress: ``error``, ``error_code``, ``remedy``.
        """
        raise NotImplementedError

    def pause(self) -> None:
        """Stop moving rows; `run` goes on waiting. Unfinished chunks are rolled back after a short grace."""
        raise NotImplementedError

    def resume(self) -> None:
        """Go on after `pause`."""
        raise NotImplementedError

    def stop(self) -> None:
        """End the run in state STOPPED; what is durable stays, half-done chunks are rolled back."""
        raise NotImplementedError

    def progress(self) -> Progress:
        """A copy of the present counters; cheap, from any thread."""
        raise NotImplementedError
