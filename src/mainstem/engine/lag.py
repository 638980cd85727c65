"""How far a stream is behind: kept by its reader and its writer, read by anyone."""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass
from types import TracebackType

from mainstem.engine.progress import now_us
from mainstem.model.change import ChangeGroup, Idle
from mainstem.model.run import ChangeProgress
from mainstem.model.stream import Checkpoint


@dataclass(slots=True)
class _Pending:
    number: int
    committed_us: int
    transactions: int
    lag_bytes: int | None
    size_bytes: int


class Offering:
    """For how long the reader has waited for room in the hub; ``with`` it while a frame is put in. Read by anyone."""

    __slots__ = ("_begun_s", "_seconds")

    def __init__(self) -> None:
        self._seconds, self._begun_s = 0.0, 0.0

    def __enter__(self) -> None:
        self._begun_s = time.monotonic()

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._seconds, self._begun_s = self.seconds, 0.0

    @property
    def seconds(self) -> float:
        """In all, with the wait that is not over."""
        begun_s = self._begun_s
        return self._seconds + (time.monotonic() - begun_s if begun_s else 0.0)


class Lag:
    """All methods may be called from any thread.

    Ages are the source's commit times against this machine's clock; a clock that is ahead shows no lag below zero.

    Attributes:
        heard_s, durable_s: when something was read, and became durable, last (`time.monotonic`).
        begun: something of this connection is durable.
        events: applied by this run.
        trouble: why there is no connection; empty while there is one.
        offering: the reader's waits for room in the hub.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pending: deque[_Pending] = deque()
        self._number = 0
        self._progress = ChangeProgress()
        self._at_end = False  # the last thing read was the end of the log
        self.heard_s = self.durable_s = time.monotonic()
        self.begun = False
        self.events = 0
        self.trouble = ""
        self._cut_off_s = 0.0
        self.offering = Offering()

    def read(self, frame: ChangeGroup | Idle) -> int:
        """The reader got this; returns its number, from 1."""
        with self._lock:
            self._number += 1
            self.trouble = ""
            self.heard_s = time.monotonic()
            self._at_end = isinstance(frame, Idle)
            if isinstance(frame, Idle):
                self._progress.lag_bytes = frame.lag_bytes
            elif frame.whole or not frame.ahead:  # what has not ended at the source lags behind nothing
                at_us = frame.first_committed_us or (self._pending[-1].committed_us if self._pending else now_us())
                self._pending.append(
                    _Pending(self._number, at_us, frame.transactions, frame.lag_bytes, frame.size_bytes)
                )
            return self._number

    def durable(self, number: int, checkpoint: Checkpoint) -> None:
        """Everything up to this number of this connection is durable."""
        with self._lock:
            self.durable_s, self.begun = time.monotonic(), True
            while self._pending and self._pending[0].number <= number:
                done = self._pending.popleft()
                if done.lag_bytes is not None and not self._at_end:
                    self._progress.lag_bytes = done.lag_bytes
            self._progress.position = checkpoint.position
            self._progress.transactions = checkpoint.transactions
            if checkpoint.committed_us > self._progress.committed_us:
                self._progress.committed_us = checkpoint.committed_us
                self._progress.applied_us = now_us()

    def reached(self, position: str) -> None:
        """The target is so far; known here before the source is told."""
        with self._lock:
            self._progress.position = position

    def restore(self, checkpoint: Checkpoint) -> None:
        """What the target says."""
        with self._lock:
            self._progress.position, self._progress.transactions = checkpoint.position, checkpoint.transactions
            self._progress.committed_us = checkpoint.committed_us

    def held(self, held_bytes: int | None) -> None:
        """What the source keeps for the stream."""
        with self._lock:
            self._progress.held_bytes = held_bytes

    def cut_off(self, why: str) -> None:
        """There is no connection, and nobody knows what the source has: the lag grows from here on."""
        with self._lock:
            if not self.trouble:
                self._cut_off_s = time.monotonic()
            self.trouble = why

    def begin(self) -> None:
        """A new connection: what was read and not applied comes again, and numbers begin at 1."""
        with self._lock:
            self._pending.clear()
            self._number, self.begun = 0, False
            self.heard_s = self.durable_s = time.monotonic()

    @property
    def waiting(self) -> bool:
        """Whether anything is read and not applied."""
        return bool(self._pending)

    def snapshot(self) -> ChangeProgress:
        """How it stands."""
        with self._lock:
            own = self._progress
            age_us = 0
            if self._pending:
                age_us = now_us() - self._pending[0].committed_us
            elif not self._at_end and own.committed_us:
                age_us = own.applied_us - own.committed_us
            if self.trouble:
                age_us = max(age_us, int((time.monotonic() - self._cut_off_s) * 1e6))
            lag_bytes = own.lag_bytes
            if lag_bytes is not None:  # what is not read yet; and what is read, as rows of that size
                lag_bytes += sum(item.size_bytes for item in self._pending)
            return ChangeProgress(
                own.position, max(age_us, 0) / 1e6, lag_bytes, sum(item.transactions for item in self._pending),
                own.transactions, own.committed_us, own.applied_us, own.held_bytes,
            )  # fmt: skip
