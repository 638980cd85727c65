"""What is looked at all the time: the target's bank, and what the processes count."""

from __future__ import annotations

import re
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise

import httpx
from tools.fleet.stage import Stage
from tools.workload import ACCOUNTS, REFUSED, TOTAL, Session

from mainstem.model.connection import ConnectionSettings

_LOOK_S, _COUNT_S = 0.03, 1.0
_SETTLED_S = 0.15
"""What a process had sent before it was killed is committed within this time."""
_COUNTED = re.compile(r"^mainstem_hub_(messages|bytes|redelivered|deduplicated|full)_total ([0-9.e+]+)$", re.MULTILINE)


@dataclass
class Watch:
    """Looks at the target's bank from a thread of its own until `close`.

    Attributes:
        looks: at a bank that was there.
        torn: what was seen of it that cannot be.
    """

    target: ConnectionSettings
    looks: int = 0
    torn: list[tuple[int, int]] = field(default_factory=list)
    _moves: list[tuple[float, int]] = field(default_factory=list)  # when the target came to a number of moves
    _over: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._thread = threading.Thread(target=self._work, name="watch", daemon=True)
        self._thread.start()

    def __enter__(self) -> Watch:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Look no more."""
        self._over.set()
        self._thread.join()

    def commits_again(self, since: float, deadline_s: float = 60.0) -> bool:
        """Whether a transfer is committed after a moment (monotonic), and what was under way then; waits for it."""
        while time.monotonic() < since + deadline_s:
            if self._moves and self._moves[-1][0] > since + _SETTLED_S:
                return True
            time.sleep(_LOOK_S)
        return False

    def standstill(self, since: float) -> float:
        """The longest time without a commit from a moment until now, in seconds."""
        commits = [at for at, _ in list(self._moves) if at > since]
        return max(later - earlier for earlier, later in pairwise([since, *commits, time.monotonic()]))

    def _work(self) -> None:
        session: Session | None = None
        while not self._over.wait(_LOOK_S):
            try:
                session = session or Session(self.target)
                self._look(session)
            except REFUSED:  # there is no such table before the first copy, or the server is away
                session = None
        if session is not None:
            session.connection.close()

    def _look(self, session: Session) -> None:
        count, total, moves = session.run(
            "SELECT COUNT(*), COALESCE(SUM(balance), 0), COALESCE(SUM(moves), 0) FROM accounts"
        )[0]
        if not self.looks and int(count) != ACCOUNTS:
            return
        self.looks += 1
        if (int(count), int(total)) != (ACCOUNTS, TOTAL):
            self.torn.append((int(count), int(total)))
        if not self._moves or self._moves[-1][1] != int(moves):
            self._moves.append((time.monotonic(), int(moves)))


class Counts:
    """What the processes count of the hub, summed over all their lives; read from their metrics by a thread."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._lives: dict[tuple[str, int], Counter[str]] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._work, name="counts", daemon=True)
        self._thread.start()

    def __enter__(self) -> Counts:
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    @property
    def total(self) -> Counter[str]:
        """Since the beginning. What a killed process counted in its last second is not in it."""
        return sum(list(self._lives.values()), Counter())

    def _work(self) -> None:
        while not self._over.wait(_COUNT_S):
            for node in [node for node in self._stage.fleet.nodes.values() if node.alive]:
                try:
                    text = httpx.get(
                        f"{node.url}/metrics", headers={"X-API-Key": self._stage.fleet.key}, timeout=2
                    ).text
                except httpx.HTTPError:
                    continue
                found = Counter({name: int(float(number)) for name, number in _COUNTED.findall(text)})
                if found:
                    self._lives[node.name, node.pid] = found
