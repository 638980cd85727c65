"""What a hostile page, name or moment may try: other sites, frames, markup, an expired session, a lost server."""

from __future__ import annotations

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from mainstem.testing.servers import free_port
from tests.api.conftest import KEY, Server
from tests.web.conftest import Watched, origin, sign_in

MARKUP = '"><img src=x onerror="document.title=`taken`"><script>alert(1)</script>'


class _Evil(BaseHTTPRequestHandler):
    """A page of another port of this machine, which browsers take for the same site."""

    target = ""

    def do_GET(self) -> None:
        page = {
            "/frame": f'<iframe id=f src="{self.target}/"></iframe>',
            "/form": f"""<form method=post action="{self.target}/api/v1/api-keys" enctype="text/plain">
                <input name='{{"name":"evil","x":"' value='"}}'></form><script>document.forms[0].submit()</script>""",
            "/fetch": f"""<script>
                const told = [];
                const tell = what => {{ told.push(what); document.title = told.join(" "); }};
                const plain = {{credentials: "include", method: "POST", body: '{{"name":"evil"}}'}};
                fetch("{self.target}/api/v1/connections", {{credentials: "include"}})
                  .then(answer => tell("read " + answer.status), () => tell("unread"))
                  .then(() => fetch("{self.target}/api/v1/api-keys", {{...plain, mode: "no-cors"}}))
                  .then(answer => tell("sent " + answer.type), () => tell("unsent"))
                  .then(() => tell("done"));
                </script>""",
        }[self.path]
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(page.encode())

    def log_message(self, format: str, *args: object) -> None:
        return


@pytest.fixture
def evil(web_server: Server) -> Iterator[str]:
    handler = type("Evil", (_Evil,), {"target": origin(web_server)})
    server = ThreadingHTTPServer(("127.0.0.1", free_port()), handler)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def victim(browser: Browser, web_server: Server) -> Iterator[Page]:
    """Signed in here, and about to open another site's page, whose complaints are nobody's problem."""
    context = browser.new_context(base_url=origin(web_server))
    sign_in(context, web_server)
    yield context.new_page()
    context.close()


def _keys(server: Server) -> list[str]:
    answer = httpx.get(f"{server.url}/api-keys", headers={"X-API-Key": KEY})
    return [item["name"] for item in answer.json()]


def test_no_other_page_may_frame_it(victim: Page, evil: str) -> None:
    with victim.expect_console_message(lambda message: "frame" in message.text.lower()):
        victim.goto(f"{evil}/frame")
    victim.wait_for_function("document.getElementById('f')")
    frame = victim.frames[1]
    frame.wait_for_load_state()
    assert "Mainstem" not in frame.content()


def test_another_page_can_neither_read_nor_change_anything(victim: Page, evil: str, web_server: Server) -> None:
    victim.goto(f"{evil}/fetch")
    victim.wait_for_function("document.title.includes('done')")
    assert "read 200" not in victim.title()
    assert "evil" not in _keys(web_server)


def test_another_pages_form_changes_nothing(victim: Page, evil: str, web_server: Server) -> None:
    with victim.expect_response(lambda answer: answer.url.endswith("/api-keys")) as told:
        victim.goto(f"{evil}/form")
    assert told.value.status in {401, 403}
    assert "evil" not in _keys(web_server)


def test_an_expired_session_asks_in_a_dialog_and_sends_what_was_typed(page: Page, watched: Watched) -> None:
    page.goto("/settings?tab=keys")
    page.get_by_role("button", name="New key").click()
    page.get_by_label("What it is for").fill("typed before")
    watched.context.clear_cookies()
    page.get_by_role("button", name="Create").click()
    dialog = page.get_by_role("dialog", name="Your session has ended")
    dialog.get_by_label("API key").fill(KEY)
    dialog.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("dialog", name="Copy the key now")).to_be_visible()
    page.get_by_role("button", name="I have copied it").click()
    expect(page.get_by_role("cell", name="typed before", exact=True)).to_be_visible()


def test_markup_in_names_is_text(page: Page, web_server: Server) -> None:
    made = httpx.post(f"{web_server.url}/api-keys", headers={"X-API-Key": KEY}, json={"name": MARKUP})
    assert made.status_code == 200
    page.goto("/settings?tab=keys")
    expect(page.get_by_role("cell", name=MARKUP, exact=True)).to_be_visible()
    page.get_by_role("button", name=f"Revoke {MARKUP}").click()
    expect(page.get_by_role("dialog")).to_contain_text(MARKUP)
    page.get_by_role("button", name="Revoke", exact=True).click()
    expect(page.get_by_role("row").filter(has_text=MARKUP)).to_contain_text("revoked")
    assert page.title() == "Settings · Mainstem"


def test_a_wicked_address_leads_nowhere_else(stranger: Page, web_server: Server) -> None:
    for path in ("/signin#ticket=<img src=x onerror=alert(1)>", "/.//evil.example/", "/%22%3E%3Cimg%20src=x%3E"):
        stranger.goto(origin(web_server) + path)
        expect(stranger.get_by_role("heading", name="Sign in to Mainstem")).to_be_visible()
        assert stranger.evaluate("location.hostname") == "127.0.0.1"


def test_a_server_that_goes_and_comes_back_is_told_and_nothing_typed_is_lost(browser: Browser, tmp_path: Path) -> None:
    server = Server(tmp_path / "home", free_port())
    server.start()
    context = browser.new_context(base_url=origin(server))
    try:
        sign_in(context, server)
        page = context.new_page()
        page.goto("/settings?tab=keys")
        page.get_by_role("button", name="New key").click()
        page.get_by_label("What it is for").fill("typed before")
        server.end()
        page.get_by_role("button", name="Create").click()
        expect(page.get_by_text("The server does not answer.")).to_be_visible()
        expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text("does not answer")
        server.start()
        expect(page.get_by_text("The server does not answer.")).to_be_hidden()
        expect(page.get_by_label("What it is for")).to_have_value("typed before")
        page.get_by_role("button", name="Create").click()
        expect(page.get_by_role("dialog", name="Copy the key now")).to_be_visible()
    finally:
        context.close()
        server.end()


def test_no_request_leaves_this_server(page: Page, web_server: Server) -> None:
    seen: list[str] = []
    page.on("request", lambda request: seen.append(request.url))
    for path in ("/", "/connections", "/streams", "/explorer", "/sql", "/settings"):
        page.goto(path)
        page.wait_for_load_state("networkidle")
    assert [url for url in seen if not url.startswith((origin(web_server), "data:", "blob:"))] == []
