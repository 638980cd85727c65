"""``python -m tools.screens``: pictures of every screen, from a sample data set, into docs/screens.

``--only home monitor`` takes some of them, ``--widths 390`` another width, ``--raw`` leaves them as the browser made
them. Look at each before it is committed.
"""

from __future__ import annotations

import argparse
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from demo.story import workspace
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright
from tools.scene import KEY, Scene, empty, scene

FOLDER = Path(__file__).resolve().parent.parent / "docs/screens"
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
HEIGHT = 800
MOST_BYTES = 80_000
SETTLED_MS = 1500


@dataclass(frozen=True, slots=True)
class Screen:
    """One picture. ``path`` may name ids of the scene in braces; ``clicks`` are buttons or tabs to press first."""

    name: str
    path: str
    clicks: tuple[str, ...] = ()
    dark: bool = False


SCREENS = (
    Screen("home", "/"),
    Screen("home-dark", "/", dark=True),
    Screen("connections", "/connections"),
    Screen("connection", "/connections/{Shop}"),
    Screen("streams", "/streams"),
    Screen("wizard", "/streams/new"),
    Screen("monitor", "/streams/{Live replica}"),
    Screen("monitor-dark", "/streams/{Live replica}", dark=True),
    Screen("failed", "/streams/{Second try}"),
    Screen("history", "/configs/{Nightly copy config}/history"),
    Screen("explorer", "/explorer/{Warehouse}"),
    Screen("console", "/sql/{Warehouse}"),
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
        for click in screen.clicks:
            page.get_by_role("tab", name=click).or_(page.get_by_role("button", name=click)).first.click()
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
