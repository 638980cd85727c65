"""A loader that another process uses by calls: the side where it works."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

from mainstem.contract.target import Loader, Receipt, Target
from mainstem.errors import CancelledError, MainstemError
from mainstem.hub.callserver import Offer, Opening
from mainstem.hub.link import NatsLink
from mainstem.hub.remote.fetching import Fetching
from mainstem.model.batch import PlacedBatch
from mainstem.model.frame import Chunk
from mainstem.model.plan import TablePlan
from mainstem.model.run import RunState

LOADER = "loader"
"""The kind under which it is offered."""
_CLOSE_TICK_S = 0.5


@dataclass(frozen=True, slots=True)
class Said:
    """How far a step has come.

    Attributes:
        asks: a row was refused; the step goes on with `LoaderDesk.answer`, which says whether it may be put aside.
        alone: after `LoaderDesk.begin`, see `contract.target.Loader.alone`.
        receipt: after `LoaderDesk.commit`.
    """

    asks: bool = False
    alone: bool = False
    receipt: Receipt | None = None


class LoaderDesk:
    """One loader. Its steps are done one by one, in a thread of its own.

    `write` returns while its batch is still being written, once the one before it has been: what is wrong with it is
    raised by the next step of the chunk.

    Args:
        make: opens the loader of a run.
    """

    def __init__(self, make: Callable[[str], Loader]) -> None:
        self._make = make
        self._worker = ThreadPoolExecutor(1, "loader")
        self._changed = threading.Condition()
        self._loader: Loader | None = None
        self._asks = self._interrupted = False
        self._given_up = False  # the chunk is to be rolled back as soon as the worker is free
        self._allowed: bool | None = None
        self._failed: Exception | None = None  # the chunk cannot become anything any more
        self._last: Future[Said] | None = None
        self._awaited: Future[Said] | None = None

    def open(self, run_id: str) -> str:
        """Connect; what the target's server calls the connection. Raises as `contract.target.Target.loader`."""
        loader = self._make(run_id).__enter__()
        with self._changed:
            self._loader, interrupted = loader, self._interrupted
        if interrupted:
            loader.interrupt()
        return loader.session

    def begin(self, table: TablePlan, chunk: Chunk, careful: bool) -> Said:
        """Start a chunk's transaction.

        Args:
            careful: a row that is refused is asked about.
        """

        def work() -> Said:
            self._opened.begin(table, chunk, quarantine=self._quarantine if careful else None)
            return Said(alone=self._opened.alone)

        return self._heard(self._begun(work))

    def write(self, batch: PlacedBatch) -> Said:
        """Fetch a batch and send it; waits only until the step before is done."""

        def work() -> Said:
            self._opened.write(batch)
            return Said()

        before = self._last
        self._begun(work)
        return Said() if before is None else self._heard(before)

    def commit(self, rows: int, limit: RunState | None) -> Said:
        """Make the chunk durable."""
        return self._heard(self._begun(lambda: Said(receipt=self._opened.commit(rows, limit))))

    def answer(self, allowed: bool) -> Said:
        """Go on with a step that asked."""
        with self._changed:
            self._asks, self._allowed = False, allowed
            self._changed.notify_all()
        return Said() if self._awaited is None else self._heard(self._awaited)

    def rollback(self) -> None:
        """Give the chunk up: what is being written is brought to its end, what waits is not begun."""
        with self._changed:
            self._given_up = True
            self._changed.notify_all()
        self._worker.submit(self._rolled_back).result()

    def interrupt(self) -> None:
        """Break off what runs now, for good."""
        with self._changed:
            self._interrupted = True
            loader = self._loader
            self._changed.notify_all()
        if loader is not None:
            loader.interrupt()

    def close(self) -> None:
        """Break off what runs, roll back, and disconnect."""
        last = self._last
        while last is not None and not last.done():
            self.interrupt()
            with self._changed:
                self._changed.wait(_CLOSE_TICK_S)
        if self._loader is not None:
            self._worker.submit(self._rolled_back).result()
            self._loader.__exit__(None, None, None)
        self._worker.shutdown()

    @property
    def _opened(self) -> Loader:
        if self._loader is None:
            raise MainstemError("a loader is used before it was opened")
        return self._loader

    def _begun(self, work: Callable[[], Said]) -> Future[Said]:
        """Have the worker do it, behind what it still does."""

        def guarded() -> Said:
            if self._failed is not None:
                raise self._failed
            if self._given_up:
                raise CancelledError("the chunk was given up")
            try:
                return work()
            except Exception as exc:
                self._failed = exc
                raise

        self._last = step = self._worker.submit(guarded)
        step.add_done_callback(self._look)
        return step

    def _look(self, _: object) -> None:
        with self._changed:
            self._changed.notify_all()

    def _heard(self, step: Future[Said]) -> Said:
        """Wait until a step is done, or the worker asks."""
        self._awaited = step
        with self._changed:
            self._changed.wait_for(lambda: self._asks or step.done())
            if self._asks:
                return Said(asks=True)
        return step.result()

    def _quarantine(self) -> bool:
        """In the worker: ask whoever waits, or calls next."""
        with self._changed:
            self._asks, self._allowed = True, None
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._allowed is not None or self._interrupted or self._given_up)
            self._asks = False
            return bool(self._allowed)

    def _rolled_back(self) -> None:
        self._opened.rollback()
        self._failed = self._last = None
        self._given_up = False


def loader_offer(link: NatsLink, target_of: Callable[[Opening], Target]) -> Offer:
    """What a writer process offers: a loader for each session.

    Args:
        target_of: the target of a stream, as this process reaches it.
    """

    @contextmanager
    def opened(opening: Opening) -> Iterator[LoaderDesk]:
        target = target_of(opening)
        desk = LoaderDesk(lambda run_id: Fetching(link, target.loader(run_id)))
        try:
            yield desk
        finally:
            desk.close()

    return Offer(LoaderDesk, opened)
