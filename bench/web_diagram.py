"""The diagram of a database with many tables: until it is seen, how evenly it moves, how long its pictures take.

``python -m bench.web_diagram [--tables N]``; needs Chromium and the built UI. Each table has twelve columns and refers
to two others.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

from playwright.sync_api import CDPSession, Page, expect, sync_playwright
from tests.api.conftest import KEY, Server, body
from tests.web.conftest import CHROMIUM, FLAGS, origin

from mainstem.connectors.postgres.client import connect
from mainstem.model.connection import ConnectionSettings
from mainstem.testing import servers
from mainstem.testing.servers import free_port

DEADLINE_MS = 120_000
RUNS = 5
# The time between frames while a hand moves the diagram about, and turns the wheel.
_WATCH = """() => {
  window.frames_ = [];
  let before = performance.now();
  const next = () => {
    const now = performance.now();
    window.frames_.push(now - before);
    before = now;
    window.watching_ = requestAnimationFrame(next);
  };
  window.watching_ = requestAnimationFrame(next);
}"""
_WATCHED = "() => { cancelAnimationFrame(window.watching_); return window.frames_.slice(2); }"


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tables", type=int, default=100)
    tables = parser.parse_args().tables
    with servers.postgres() as server, _serving(server.settings, tables) as (running, connection):
        print(f"{tables} tables, {2 * (tables - 1)} foreign keys")
        _look(running, connection, tables)


@contextmanager
def _serving(settings: ConnectionSettings, tables: int) -> Iterator[tuple[Server, str]]:
    settings = replace(settings, database="postgres")
    columns = ", ".join(f"column_{number} varchar({number + 1})" for number in range(9))
    with connect(settings) as connection:
        for number in range(tables):
            first, second = (f"REFERENCES table_{other}" if number else "" for other in (number // 2, number // 7))
            keys = f"id int PRIMARY KEY, a_id int {first}, b_id int {second}"
            connection.execute(f"CREATE TABLE table_{number} ({keys}, {columns})".encode())
    with tempfile.TemporaryDirectory() as home:
        running = Server(Path(home) / "home", free_port())
        running.start()
        try:
            with running.client() as api:
                yield running, api.post("/connections", json=body(settings)).json()["id"]
        finally:
            running.end()


def _look(running: Server, connection: str, tables: int) -> None:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        context = chromium.new_context(base_url=origin(running), viewport={"width": 1360, "height": 860})
        context.set_default_timeout(DEADLINE_MS)
        context.request.post("/api/v1/session", data={"apiKey": KEY})
        page = context.new_page()
        session = chromium.new_browser_cdp_session()
        found = [_opened(page, session, connection, tables) for _ in range(RUNS)]
        for name, times in zip(
            ("the page, until all tables are seen", "processor time of it"), zip(*found, strict=True), strict=True
        ):
            print(f"  {name:<36}{statistics.median(times):8.0f} ms (worst {max(times):.0f})")
        _frames(page)
        for kind in ("SVG", "PNG"):
            begin = time.perf_counter()
            with page.expect_download() as saved:
                page.get_by_role("button", name=kind).click()
            size = saved.value.path().stat().st_size
            print(f"  saved as {kind} {(time.perf_counter() - begin) * 1000:31.0f} ms, {size / 1000:,.0f} kB")
        chromium.close()


def _opened(page: Page, session: CDPSession, connection: str, tables: int) -> tuple[float, float]:
    """Milliseconds until the diagram is there, in a browser that has its files; and of processor time."""
    page.goto("/")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    before = _worked(session)
    begin = time.perf_counter()
    page.goto(f"/explorer/{quote(connection)}/postgres?tab=diagram")
    expect(page.locator(".react-flow__node")).to_have_count(tables)
    expect(page.locator(".react-flow__node").last).to_be_visible()
    taken = (time.perf_counter() - begin) * 1000
    return taken, _worked(session) - before


def _worked(session: CDPSession) -> float:
    """Processor time of the pages, in milliseconds: the clock tells little on a machine that others use, too."""
    found = session.send("SystemInfo.getProcessInfo")["processInfo"]
    return sum(float(process["cpuTime"]) for process in found if process["type"] == "renderer") * 1000


def _frames(page: Page) -> None:
    page.evaluate(_WATCH)
    page.mouse.move(1000, 700)
    page.mouse.down()
    for step in range(60):
        page.mouse.move(1000 - step * 5, 700 - step * 3)
    page.mouse.up()
    for step in range(30):
        page.mouse.wheel(0, -60 if step < 15 else 60)
    times = sorted(page.evaluate(_WATCHED))
    middle, slow = times[len(times) // 2], times[int(len(times) * 0.95)]
    print(
        f"  frames while it is moved and zoomed   median {middle:.1f} ms, 95 % {slow:.1f} ms, worst {times[-1]:.1f} ms"
    )


if __name__ == "__main__":
    main()
