"""The diagram of a database with many tables: until it is seen, how evenly it moves, how long its pictures take.

``python -m bench.web_diagram [--tables N]``; needs Chromium and the built UI. Each table has twelve columns and refers
to two others.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Iterator
from urllib.parse import quote

from playwright.sync_api import CDPSession, Page, expect
from tests.api.conftest import Server

from bench.browser import frames, serving, signed_in
from mainstem.testing import servers

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
    with servers.postgres() as server, serving(server.settings, _statements(tables)) as (running, connection):
        print(f"{tables} tables, {2 * (tables - 1)} foreign keys")
        _look(running, connection, tables)


def _statements(tables: int) -> Iterator[str]:
    columns = ", ".join(f"column_{number} varchar({number + 1})" for number in range(9))
    for number in range(tables):
        first, second = (f"REFERENCES table_{other}" if number else "" for other in (number // 2, number // 7))
        yield f"CREATE TABLE table_{number} (id int PRIMARY KEY, a_id int {first}, b_id int {second}, {columns})"


def _look(running: Server, connection: str, tables: int) -> None:
    with signed_in(running) as (chromium, page):
        session = chromium.new_browser_cdp_session()
        found = [_opened(page, session, connection, tables) for _ in range(RUNS)]
        for name, times in zip(
            ("the page, until all tables are seen", "processor time of it"), zip(*found, strict=True), strict=True
        ):
            print(f"  {name:<36}{statistics.median(times):8.0f} ms (worst {max(times):.0f})")
        print(f"  {'frames while it is moved and zoomed':<36} {frames(_moved(page))}")
        for kind in ("SVG", "PNG"):
            begin = time.perf_counter()
            with page.expect_download() as saved:
                page.get_by_role("button", name=kind).click()
            size = saved.value.path().stat().st_size
            print(f"  saved as {kind} {(time.perf_counter() - begin) * 1000:31.0f} ms, {size / 1000:,.0f} kB")


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


def _moved(page: Page) -> list[float]:
    """Milliseconds between frames while it is dragged and zoomed."""
    page.evaluate(_WATCH)
    page.mouse.move(1000, 700)
    page.mouse.down()
    for step in range(60):
        page.mouse.move(1000 - step * 5, 700 - step * 3)
    page.mouse.up()
    for step in range(30):
        page.mouse.wheel(0, -60 if step < 15 else 60)
    times: list[float] = page.evaluate(_WATCHED)
    return times


if __name__ == "__main__":
    main()
