"""A browser before a real server. Whatever a page throws, or its policy refuses, fails the test that saw it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect, sync_playwright

from mainstem.api import pages
from mainstem.testing.servers import free_port
from tests.api.conftest import KEY, Server

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-software-rasterizer", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
AXE = Path(__file__).resolve().parents[2] / "web/node_modules/axe-core/axe.min.js"
# For all that a page is to show or do: what comes ends the wait, so that it is for machines with much other work.
DEADLINE_MS = 60_000
expect.set_options(timeout=DEADLINE_MS)
# What the browser itself writes when an answer is no success, or the server is away: tests look at the page instead.
_OF_THE_NETWORK = ("Failed to load resource",)


class Watched:
    """Pages of one browser context, and what went wrong on them."""

    def __init__(self, context: BrowserContext) -> None:
        self.context = context
        self.problems: list[str] = []
        context.on("page", self._watch)

    def _watch(self, page: Page) -> None:
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on("console", self._hear)
        page.on("dialog", lambda dialog: (self.problems.append(f"a dialog: {dialog.message}"), dialog.dismiss()))

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"} and not message.text.startswith(_OF_THE_NETWORK):
            self.problems.append(message.text)


@pytest.fixture(scope="module")
def web_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of this file with the UI."""
    assert pages.is_built(), "the web UI is not built; run: tools/web build"
    running = Server(tmp_path_factory.mktemp("home"), free_port())
    running.start()
    yield running
    running.end()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium. Of this file alone: Playwright keeps an event loop running in this thread meanwhile."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


def origin(server: Server) -> str:
    return f"http://127.0.0.1:{server.port}"


@pytest.fixture
def watched(browser: Browser, web_server: Server) -> Iterator[Watched]:
    """A browser context that nobody has signed in with."""
    context = browser.new_context(base_url=origin(web_server), viewport={"width": 1280, "height": 800}, locale="en-GB",
                                  reduced_motion="reduce")  # fmt: skip
    context.set_default_timeout(DEADLINE_MS)
    found = Watched(context)
    yield found
    context.close()
    assert found.problems == []


@pytest.fixture
def stranger(watched: Watched) -> Page:
    """A page whose reader is not signed in."""
    return watched.context.new_page()


def sign_in(context: BrowserContext, server: Server) -> None:
    answer = context.request.post(f"{origin(server)}/api/v1/session", data={"apiKey": KEY})
    assert answer.ok, answer.text()


@pytest.fixture
def page(watched: Watched, web_server: Server) -> Page:
    """A page whose reader is signed in."""
    sign_in(watched.context, web_server)
    return watched.context.new_page()


@pytest.fixture
def axe() -> Callable[[Page], list[str]]:
    """Serious and critical findings of axe-core on a page, by rule and place."""

    def findings(page: Page) -> list[str]:
        page.evaluate(AXE.read_text())  # by the driver, which no policy of the page stops
        result = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        return [
            f"{item['id']}: {node['target']} {node.get('failureSummary', '')}"
            for item in result["violations"]
            if item["impact"] in {"serious", "critical"}
            for node in item["nodes"]
        ]

    return findings
