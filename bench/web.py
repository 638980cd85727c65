"""``python -m bench.web``: how smooth the monitor stays with many tables and a fast log, in a real browser.

A server of its own runs one stream whose engine is a stand-in: so many tables, some of which move all the time, and so
many lines of log a minute. Chromium opens the stream's page, first on its tables, then on its log; meanwhile a script
in the page measures every frame, long tasks, and memory.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from playwright.sync_api import Page, sync_playwright

from mainstem import log
from mainstem.bootstrap import server as wiring
from mainstem.control import preflight
from mainstem.engine.replication import Replication
from mainstem.model.event import Category, Event, Level
from mainstem.model.names import TableId
from mainstem.model.run import ChangeProgress, Progress, RunState, TableProgress, TableState
from mainstem.settings import Settings
from mainstem.testing.servers import free_port

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--enable-precise-memory-info"]
KEY = "bench-of-the-web-ui"
MOVING = 0.3
"""The share of the tables that change between two looks."""

MEASURE = """
() => {
  const bench = {frames: [], long: [], begun: performance.now()};
  window.bench = bench;
  let before = performance.now();
  const frame = (now) => {
    bench.frames.push(now - before);
    before = now;
    if (window.bench === bench) requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) bench.long.push(entry.duration);
  }).observe({type: "longtask"});
}
"""
RESULT = """
() => ({frames: window.bench.frames.slice(2), long: window.bench.long, took: performance.now() - window.bench.begun,
        heap: performance.memory.usedJSHeapSize, nodes: document.querySelectorAll('*').length})
"""


class Pretended(Replication):
    """A replication that does nothing but look busy."""

    def __init__(self, run_id: str, tables: int, lines_a_minute: int, listen: Any) -> None:
        self.run_id, self._listen, self._lines = run_id, listen, lines_a_minute
        self._over = threading.Event()
        names = [TableId("shop", f"table_{number:04}") for number in range(tables)]
        self._tables = [
            TableProgress(
                name, name, TableState.STREAMING, 100_000, 10_000_000, rows_read=100_000, rows_written=100_000
            )
            for name in names
        ]
        self._begun = time.monotonic()
        self._looks = 0

    def run(self) -> Progress:
        """Say so many lines a minute until stopped."""
        number = 0
        while not self._over.wait(0.05):
            due = int((time.monotonic() - self._begun) * self._lines / 60)
            for number in range(number, due):  # noqa: B020 - it goes on where it was
                level = Level.WARN if number % 500 == 0 else Level.INFO
                text = f"shop.table_{number % len(self._tables):04}: batch {number} of {number % 97} changes applied"
                self._listen(Event(level, Category.GENERAL, text, time.time_ns() // 1000, "target", {}))
            number = due
        return replace(self.progress(), state=RunState.STOPPED)

    def stop(self) -> None:
        self._over.set()

    def alerts(self) -> tuple[Any, ...]:
        return ()

    def progress(self) -> Progress:
        """Counters in which a share of the tables has moved since the last look."""
        self._looks += 1
        step = int(1 / MOVING)
        for number, table in enumerate(self._tables):
            if (number + self._looks) % step == 0:
                table.inserts += 7
                table.updates += 3
                table.bytes_read += 1000
        changes = ChangeProgress("0/1", 0.2, 1000, 2, self._looks, time.time_ns() // 1000, time.time_ns() // 1000)
        return Progress(
            RunState.RUNNING, "streaming", [replace(table) for table in self._tables],
            elapsed_s=time.monotonic() - self._begun, changes=changes,
        )  # fmt: skip


@contextmanager
def served(tables: int, lines_a_minute: int) -> Iterator[tuple[str, str]]:
    """The server with its stream under way: its address, and the stream's id."""

    def pretend(run_id: str, *rest: Any, **_: Any) -> Pretended:
        return Pretended(run_id, tables, lines_a_minute, rest[3])

    real_run, real_check = wiring.run_of, preflight.check
    wiring.run_of, preflight.check = pretend, lambda *_: []  # type: ignore[assignment]
    port = free_port()
    with tempfile.TemporaryDirectory() as home:
        settings = Settings(home=Path(home), port=port, api_key=KEY)  # type: ignore[arg-type]
        try:
            with wiring.control_plane(settings) as (services, _):
                config = uvicorn.Config(
                    wiring.make_app(services), port=port, log_config=None, lifespan="off", ws="none"
                )
                running = uvicorn.Server(config)
                thread = threading.Thread(target=running.run, daemon=True)
                thread.start()
                while not running.started:
                    time.sleep(0.01)
                url = f"http://127.0.0.1:{port}"
                yield url, _start(url)
                services.broadcaster.close()
                running.should_exit = True
                thread.join(20)
        finally:
            wiring.run_of, preflight.check = real_run, real_check


def _start(url: str) -> str:
    with httpx.Client(base_url=f"{url}/api/v1", headers={"X-API-Key": KEY}, timeout=60) as api:
        base = {"host": "127.0.0.1", "port": 1, "username": "u", "password": "p", "database": "shop"}
        ends = [
            api.post("/connections", json={**base, "name": kind, "type": kind}).json()["id"]
            for kind in ("mysql", "postgresql")
        ]
        made = api.post("/stream-configs", json={"source": ends[0], "target": ends[1], "mode": "cdc", "name": "many"})
        return str(api.post(f"/stream-configs/{made.json()['id']}/start").json()["id"])


def measure(page: Page, seconds: float) -> dict[str, Any]:
    """Frames, long tasks and memory over so many seconds, with a wheel that turns now and then as a reader's does."""
    page.evaluate(MEASURE)
    until = time.monotonic() + seconds
    page.mouse.move(700, 600)
    while time.monotonic() < until:
        page.mouse.wheel(0, 400)
        page.wait_for_timeout(250)
    found: dict[str, Any] = page.evaluate(RESULT)
    return found


def report(title: str, found: dict[str, Any]) -> None:
    """One line of figures."""
    frames, long = sorted(found["frames"]), found["long"]
    median, p95, p99 = (frames[int(len(frames) * share)] for share in (0.5, 0.95, 0.99))
    late = sum(frame > 50 for frame in frames)
    print(
        f"{title:14} {len(frames) / found['took'] * 1000:5.1f} frames/s; ms a frame: {median:.1f} median,"
        f" {p95:.1f} p95, {p99:.1f} p99, {frames[-1]:.0f} longest, {late} over 50; {len(long)} long tasks of"
        f" {sum(long):.0f} ms in all; heap {found['heap'] / 2**20:.1f} MiB; {found['nodes']} nodes",
        flush=True,
    )


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--tables", type=int, default=1000)
    parser.add_argument("--lines", type=int, default=10_000, help="of log, a minute")
    parser.add_argument("--seconds", type=float, default=60, help="for each of the two views")
    given = parser.parse_args()
    log.configure("error", json_lines=True)
    with served(given.tables, given.lines) as (url, stream), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        context = browser.new_context(base_url=url, viewport={"width": 1400, "height": 1000})
        context.request.post(f"{url}/api/v1/session", data={"apiKey": KEY})
        page = context.new_page()
        print(f"{given.tables:,} tables, {given.lines:,} lines of log a minute, {given.seconds:g} s each")
        begun = time.perf_counter()
        page.goto(f"/streams/{stream}")
        page.get_by_role("table", name="Tables").get_by_role("row").nth(5).wait_for()
        print(f"the tables are there after {time.perf_counter() - begun:.2f} s")
        report("tables", measure(page, given.seconds))
        page.get_by_role("tab", name="Log").click()
        page.get_by_role("log").wait_for()
        report("log", measure(page, given.seconds))
        page.get_by_label("Search the log").fill("table_0042")
        report("log, filtered", measure(page, given.seconds / 2))
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
