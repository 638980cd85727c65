"""A table of ten million rows in the explorer: how long pages take, how evenly the grid moves, what the page holds.

``python -m bench.web_explorer [--rows N]``; needs Chromium and the built UI. Rows are made by generate_series.
"""

from __future__ import annotations

import argparse
import statistics
import time
from urllib.parse import quote

import httpx
from playwright.sync_api import CDPSession, expect
from tests.api.conftest import Server

from bench.browser import frames, serving, signed_in
from mainstem.testing import servers

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
    with servers.postgres() as server, serving(server.settings, _statements(rows)) as (running, connection):
        print(f"{rows:,} rows")
        _calls(running, connection, rows)
        _browse(running, connection, rows)


def _statements(rows: int) -> tuple[str, ...]:
    return _TABLE.format(rows=rows), "ALTER TABLE big ADD PRIMARY KEY (id)", "VACUUM ANALYZE big"


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
    with signed_in(running) as (_, page):
        session = page.context.new_cdp_session(page)
        begin = time.perf_counter()
        page.goto(f"/explorer/{quote(connection)}/postgres/table/public/big?size=1000")
        expect(page.locator("[role=gridcell]").first).to_be_visible()
        print(f"  the page, until rows are seen {(time.perf_counter() - begin) * 1000:22.0f} ms")
        print(f"  {'frames while 1,000 rows scroll':<36} {frames(page.evaluate(_SCROLL))}")
        print(f"  memory of scripts after the first page {_heap(session):12.1f} MiB")
        for _ in range(20):
            told = page.locator("nav[aria-label=Pages] > span").first.inner_text()
            page.get_by_role("button", name="Next page").click()
            expect(page.locator("nav[aria-label=Pages] > span").first).not_to_have_text(told)
        page.get_by_label("Page number").fill(str(rows // 2000))
        page.get_by_label("Page number").press("Enter")
        expect(page.locator("nav[aria-label=Pages] > span").first).to_contain_text(f"Rows {rows // 2 - 999:,}")
        print(f"  {'frames there':<36} {frames(page.evaluate(_SCROLL))}")
        print(f"  memory of scripts after 21 more pages {_heap(session):13.1f} MiB")
        print(f"  elements in the page {page.evaluate(_ELEMENTS):28,}")


def _heap(session: CDPSession) -> float:
    session.send("HeapProfiler.collectGarbage")
    return float(session.send("Runtime.getHeapUsage")["usedSize"]) / 1024**2


if __name__ == "__main__":
    main()
