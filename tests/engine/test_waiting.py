from __future__ import annotations

import threading
import time

from mainstem.engine.waiting import Waiting


def test_blocked_time_counts() -> None:
    waiting = Waiting()
    with waiting:
        threading.Event().wait(0.1)
    assert 0.09 < waiting.seconds < 10


def test_work_does_not_count() -> None:
    waiting, begun, cpu = Waiting(), time.perf_counter(), time.thread_time()
    with waiting:
        while time.thread_time() < cpu + 0.05:
            pass
    assert waiting.seconds < time.perf_counter() - begun - 0.04
