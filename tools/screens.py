"""``python -m tools.screens``: pictures of every screen, from a sample data set, into docs/screens.

``--only home monitor`` takes some of them, ``--widths 390`` another width, ``--raw`` leaves them as the browser made
them. Look at each before it is committed.
"""

from __future__ import annotations

import argparse
import io
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from demo.story import workspace
from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright
from tools.scene import KEY, Scene, empty, scene

FOLDER = Path(__file__).resolve().parent.parent / "docs/screens"
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
HEIGHT = 800
MOST_BYTES = 80_000
SETTLED_MS = 1500


@dataclass(frozen=True, slots=True)
class Screen:
    """One picture. ``path`` may name ids of the scene in braces; ``act`` is what to do on the page first."""

    name: str
    path: str
    act: Callable[[Page], None] | None = None
    dark: bool = False


def _choose_ends(page: Page) -> None:
    for side, name in (("Source", "Shop"), ("Target", "Staging")):
        select = page.get_by_label(f"{side} connection")
        select.select_option(select.locator("option", has_text=name).get_attribute("value"))


def _to_step(number: int) -> Callable[[Page], None]:
    def act(page: Page) -> None:
        _choose_ends(page)
        for _ in range(number - 1):
            page.get_by_role("button", name="Next").click()

    return act


def _run_query(page: Page) -> None:
    page.locator(".cm-content").click()
    page.keyboard.insert_text(QUERY)
    page.keyboard.press("Shift+Enter")


def _open_palette(page: Page) -> None:
    page.get_by_role("heading", level=1).wait_for()
    page.keyboard.press("Control+k")
    page.get_by_role("combobox").wait_for()


def _press(role: Literal["tab", "button"], name: str) -> Callable[[Page], None]:
    return lambda page: page.get_by_role(role, name=name).first.click()


QUERY = """\
SELECT c.tier, count(*) AS orders, round(avg(p.amount), 2) AS average
FROM customer c JOIN orders o ON o.customer_id = c.id JOIN payment p ON p.order_id = o.id
GROUP BY c.tier ORDER BY orders DESC;

SELECT id, name, email, balance, last_login FROM customer ORDER BY balance DESC LIMIT 100;"""
TABLE = "/explorer/{Warehouse}/shop/table/public/customer"
SCREENS = (
    Screen("home", "/"),
    Screen("home-dark", "/", dark=True),
    Screen("palette", "/", _open_palette),
    Screen("connections", "/connections"),
    Screen("connection", "/connections/{Shop}"),
    Screen("streams", "/streams"),
    Screen("wizard", "/streams/new", _choose_ends),
    Screen("wizard-options", "/streams/new", _to_step(2)),
    Screen("wizard-tables", "/streams/new", _to_step(3)),
    Screen("wizard-plan", "/streams/new", _to_step(4)),
    Screen("monitor", "/streams/{Live replica}"),
    Screen("monitor-dark", "/streams/{Live replica}", dark=True),
    Screen("monitor-log", "/streams/{Live replica}?tab=log"),
    Screen("monitor-cutover", "/streams/{Live replica}?tab=cutover"),
    Screen("monitor-failed", "/streams/{Second try}?tab=problems"),
    Screen("history", "/configs/{Nightly copy config}/history"),
    Screen("explorer", TABLE),
    Screen("explorer-dark", TABLE, dark=True),
    Screen("explorer-structure", TABLE + "?tab=structure"),
    Screen("explorer-database", "/explorer/{Warehouse}/shop"),
    Screen("explorer-diagram", "/explorer/{Warehouse}/shop", _press("tab", "Diagram")),
    Screen("console", "/sql/{Warehouse}", _run_query),
    Screen("console-dark", "/sql/{Warehouse}", _run_query, dark=True),
    Screen("settings", "/settings?tab=keys"),
)


def main() -> None:
    """Make the pictures that are asked for."""
    parser = argparse.ArgumentParser(prog="tools.screens", description="Pictures of every screen into docs/screens.")
    parser.add_argument("--only", nargs="*", default=[screen.name for screen in SCREENS] + ["first-steps", "signin"])
    parser.add_argument("--folder", type=Path, default=FOLDER)
    parser.add_argument("--width", type=int, default=1280)
    parser.add_argument("--rows", type=int, default=60_000)
    parser.add_argument("--seconds", type=float, default=20.0, help="of customers at work before the first picture")
    parser.add_argument("--raw", action="store_true", help="as the browser made them")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        if {"first-steps", "signin"} & set(given.only):
            _of_an_empty_server(browser, given)
        wanted = [screen for screen in SCREENS if screen.name in given.only]
        if wanted:
            with scene(given.rows, given.seconds) as found:
                for screen in wanted:
                    _take(browser, found, screen, given)
        browser.close()


def _of_an_empty_server(browser: Browser, given: argparse.Namespace) -> None:
    with workspace() as folder, empty(folder) as server:
        for name, path, signed_in in (("signin", "/signin", False), ("first-steps", "/", True)):
            if name in given.only:
                with _page(browser, server.url, given.width, dark=False, signed_in=signed_in) as page:
                    page.goto(path)
                    _save(page, name, given)


def _take(browser: Browser, found: Scene, screen: Screen, given: argparse.Namespace) -> None:
    with _page(browser, found.url, given.width, dark=screen.dark) as page:
        page.goto(screen.path.format_map(found.ids))
        if screen.act is not None:
            screen.act(page)
        _save(page, screen.name, given)


@contextmanager
def _page(browser: Browser, url: str, width: int, *, dark: bool, signed_in: bool = True) -> Iterator[Page]:
    context = browser.new_context(
        base_url=url,
        viewport={"width": width, "height": HEIGHT},
        color_scheme="dark" if dark else "light",
        locale="en-GB",
        timezone_id="Europe/Berlin",
    )
    if signed_in:
        context.request.post("/api/v1/session", data={"apiKey": KEY})
    yield context.new_page()
    context.close()


def _save(page: Page, name: str, given: argparse.Namespace) -> None:
    expect(page.get_by_text(re.compile("^Loading"))).to_have_count(0, timeout=20_000)
    page.wait_for_timeout(SETTLED_MS)
    picture = page.screenshot(animations="disabled")
    path = given.folder / f"{name}.png"
    path.write_bytes(picture if given.raw else _small(picture))
    print(f"{path}  {path.stat().st_size / 1000:.0f} kB", flush=True)


def _small(picture: bytes) -> bytes:
    """With as many colours as fit into `MOST_BYTES`."""
    image = Image.open(io.BytesIO(picture)).convert("RGB")
    packed = picture
    for colors in (256, 128, 64, 32):
        out = io.BytesIO()
        image.quantize(colors, dither=Image.Dither.NONE).save(out, "PNG", optimize=True)
        packed = out.getvalue()
        if len(packed) <= MOST_BYTES:
            break
    return packed


if __name__ == "__main__":
    main()
