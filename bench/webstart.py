"""``python -m bench.webstart``: how long the home page takes until it can be used, on this machine.

A server of its own on the loopback, Chromium with an empty cache each time. Printed: script and all bytes over the
wire, the first paint, and when the page could be used: its data is there and the main thread rests for 50 ms.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
from pathlib import Path
from typing import Any

from demo.api import Mainstem
from playwright.sync_api import Browser, sync_playwright

from mainstem.testing.servers import free_port

KEY = "bench-0123456789abcdef"
SETTLED_MS = 4000
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
# Watches from within the page: asking from outside takes longer than what is measured.
_WATCH = """
const watch = new MutationObserver(() => {
  if (!document.body?.innerText.includes("Nothing runs")) return;
  watch.disconnect();
  window.shown = performance.now();
  const rest = deadline => {
    if (deadline.timeRemaining() < 45) requestIdleCallback(rest);
    else window.usable = performance.now();
  };
  requestIdleCallback(rest);
});
watch.observe(document, {childList: true, subtree: true, characterData: true});
"""
_MEASURE = """() => {
  const entries = performance.getEntriesByType("resource");
  const sum = list => list.reduce((total, entry) => total + entry.transferSize, 0);
  return {
    shown: window.shown,
    usable: window.usable,
    paint: performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? 0,
    script: sum(entries.filter(entry => entry.name.endsWith(".js"))),
    all: sum(entries) + performance.getEntriesByType("navigation")[0].transferSize,
  };
}"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=7)
    given = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        Mainstem.started(Path(folder), free_port(), KEY) as server,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        found = [_open(browser, server.url) for _ in range(given.runs)]
        browser.close()
    middle = {name: statistics.median(one[name] for one in found) for name in found[0]}
    worst = max(one["usable"] for one in found)
    print(f"script {middle['script'] / 1000:.0f} kB, all {middle['all'] / 1000:.0f} kB over the wire")
    print(
        f"first paint {middle['paint']:.0f} ms, usable {middle['usable']:.0f} ms (worst of {given.runs}: {worst:.0f})"
    )


def _open(browser: Browser, url: str) -> dict[str, Any]:
    context = browser.new_context(base_url=url)
    context.request.post("/api/v1/session", data={"apiKey": KEY})
    page = context.new_page()
    page.add_init_script(_WATCH)
    page.goto("/", wait_until="commit")
    page.wait_for_timeout(SETTLED_MS)
    found: dict[str, Any] = page.evaluate(_MEASURE)
    context.close()
    return found


if __name__ == "__main__":
    main()
