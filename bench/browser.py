"""For benchmarks of the explorer: a server of its own over a database, and Chromium that is signed in to it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright
from tests.api.conftest import KEY, Server, body
from tests.web.conftest import CHROMIUM, FLAGS, origin

from mainstem.connectors.postgres.client import connect
from mainstem.model.connection import ConnectionSettings
from mainstem.testing.servers import free_port

DEADLINE_MS = 120_000


@contextmanager
def serving(settings: ConnectionSettings, statements: Iterable[str]) -> Iterator[tuple[Server, str]]:
    """A server, and the id of its connection to the database ``postgres``, in which these statements were run."""
    settings = replace(settings, database="postgres")
    with connect(settings) as connection:
        for statement in statements:
            connection.execute(statement.encode())
    with tempfile.TemporaryDirectory() as home:
        running = Server(Path(home) / "home", free_port())
        running.start()
        try:
            with running.client() as api:
                yield running, api.post("/connections", json=body(settings)).json()["id"]
        finally:
            running.end()


@contextmanager
def signed_in(running: Server) -> Iterator[tuple[Browser, Page]]:
    """Chromium, and a page of it that has nothing loaded yet."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        context = chromium.new_context(base_url=origin(running), viewport={"width": 1360, "height": 860})
        context.set_default_timeout(DEADLINE_MS)
        context.request.post("/api/v1/session", data={"apiKey": KEY})
        yield chromium, context.new_page()
        chromium.close()


def frames(times: Sequence[float]) -> str:
    """What is to be said of the milliseconds between frames."""
    ordered = sorted(times)
    middle, slow = ordered[len(ordered) // 2], ordered[int(len(ordered) * 0.95)]
    return f"median {middle:5.1f} ms, 95 % {slow:5.1f} ms, worst {ordered[-1]:5.1f} ms"
