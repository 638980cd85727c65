"""A table of ten million rows in the explorer: how long pages take, how evenly the grid moves, what the page holds.

``python -m bench.web_explorer [--rows N]``; needs Chromium and the built UI. Rows are made by generate_series.
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

import httpx
from playwright.sync_api import CDPSession, Page, expect, sync_playwright
from tests.api.conftest import KEY, Server, body
from tests.web.conftest import CHROMIUM, FLAGS, origin

from mainstem.connectors.postgres.client import connect
from mainstem.model.connection import ConnectionSettings
from mainstem.testing import servers
from mainstem.testing.servers import free_port

DEADLINE_MS = 120_000
_TABLE = (
    "CREATE TABLE big AS SELECT i::bigint AS id, 'name ' || i AS name, (i % 1000)::int AS part, i * 1.5 AS total,"
    " timestamp '2020-01-01' + i * interval '1 second' AS made, md5(i::text) AS code"
    " FROM generate_series(1, {rows}) AS i"
)
# The time between frames while the grid scrolls as far as its page goes, and back.
_SCROLL = """async () => {
  const grid = document.querySelector('[role=grid]');
  const times = [];
  let before = performance.now();
  for (let frame = 0; frame < 180; frame += 1) {
    await new Promise(requestAnimationFrame);
    const now = performance.now();
    times.push(now - before);
    before = now;
    const far = grid.scrollHeight - grid.clientHeight;
    grid.scrollTop = Math.abs(Math.sin(frame / 30)) * far;
  }
  return times.slice(5);
}"""


_ELEMENTS = "document.querySelectorAll('*').length"


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    rows = parser.parse_args().rows
    with servers.postgres() as server, _serving(server.settings, rows) as (running, connection):
        print(f"{rows:,} rows")
        _calls(running, connection, rows)
        _browse(running, connection, rows)


@contextmanager
def _serving(settings: ConnectionSettings, rows: int) -> Iterator[tuple[Server, str]]:
    settings = replace(settings, database="postgres")
    with connect(settings) as connection:
        connection.execute(_TABLE.format(rows=rows).encode())
        connection.execute("ALTER TABLE big ADD PRIMARY KEY (id)")
        connection.execute("VACUUM ANALYZE big")
    with tempfile.TemporaryDirectory() as home:
        running = Server(Path(home) / "home", free_port())
        running.start()
        try:
            with running.client() as api:
                yield running, api.post("/connections", json=body(settings)).json()["id"]
        finally:
            running.end()


def _calls(running: Server, connection: str, rows: int) -> None:
    """Pages of the API: the first, one far away by its position, by counting, and the last."""
    url = f"/connections/{connection}/databases/postgres/tables/big/data"
    with running.client() as api:

        def timed(name: str, **params: str | int) -> dict[str, str]:
            taken, answer = [], httpx.Response(500)
            for _ in range(5):
                begin = time.perf_counter()
                answer = api.get(url, params={"limit": 100, "skip_count": True, **params}, timeout=120)
                taken.append((time.perf_counter() - begin) * 1000)
            answer.raise_for_status()
            print(f"  {name:<44} {statistics.median(taken):8.0f} ms")
            found: dict[str, str] = answer.json()
            return found

        timed("page 1")
        far = timed(f"page {rows // 200:,}, by counting rows (offset)", offset=rows // 2)
        timed(f"page {rows // 200 + 1:,}, by position (after)", after=far["last"])
        timed("the last page (before=end)", before="end")


def _browse(running: Server, connection: str, rows: int) -> None:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        context = chromium.new_context(base_url=origin(running), viewport={"width": 1360, "height": 860})
        context.set_default_timeout(DEADLINE_MS)
        context.request.post("/api/v1/session", data={"apiKey": KEY})
        page = context.new_page()
        session = context.new_cdp_session(page)
        begin = time.perf_counter()
        page.goto(f"/explorer/{quote(connection)}/postgres/table/public/big?size=1000")
        expect(page.locator("[role=gridcell]").first).to_be_visible()
        print(f"  the page, until rows are seen {(time.perf_counter() - begin) * 1000:22.0f} ms")
        _frames(page, "frames while 1,000 rows scroll")
        print(f"  memory of scripts after the first page {_heap(session):12.1f} MiB")
        for _ in range(20):
            told = page.locator("nav[aria-label=Pages] > span").first.inner_text()
            page.get_by_role("button", name="Next page").click()
            expect(page.locator("nav[aria-label=Pages] > span").first).not_to_have_text(told)
        page.get_by_label("Page number").fill(str(rows // 2000))
        page.get_by_label("Page number").press("Enter")
        expect(page.locator("nav[aria-label=Pages] > span").first).to_contain_text(f"Rows {rows // 2 - 999:,}")
        _frames(page, "frames there")
        print(f"  memory of scripts after 21 more pages {_heap(session):13.1f} MiB")
        print(f"  elements in the page {page.evaluate(_ELEMENTS):28,}")
        chromium.close()


def _frames(page: Page, name: str) -> None:
    times = sorted(page.evaluate(_SCROLL))
    middle, slow = times[len(times) // 2], times[int(len(times) * 0.95)]
    print(f"  {name:<36} median {middle:5.1f} ms, 95 % {slow:5.1f} ms, worst {times[-1]:5.1f} ms")


def _heap(session: CDPSession) -> float:
    session.send("HeapProfiler.collectGarbage")
    return float(session.send("Runtime.getHeapUsage")["usedSize"]) / 1024**2


if __name__ == "__main__":
    main()
