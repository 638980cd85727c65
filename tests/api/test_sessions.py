"""Browser sessions: how one begins, what it must show beside its cookie, how it ends; keys; what pages answer."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from mainstem.api import pages
from tests.api.conftest import KEY, Server


@pytest.fixture
def browser(server: Server) -> Iterator[httpx.Client]:
    """A client that keeps cookies and sends no key."""
    with httpx.Client(base_url=server.url, timeout=60) as client:
        yield client


def _sign_in(browser: httpx.Client, **given: str) -> str:
    answer = browser.post("session", json=given or {"apiKey": KEY})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["csrfToken"])


def test_a_session_stands_for_the_key(browser: httpx.Client) -> None:
    assert browser.get("session").json()["signedIn"] is False
    assert browser.get("connections").status_code == 401
    token = _sign_in(browser)
    told = browser.get("session").json()
    assert (told["signedIn"], told["csrfToken"], told["key"]) == (True, token, f"****{KEY[-4:]}")
    assert browser.get("connections").status_code == 200
    assert browser.get("user").json()["apiKey"] == f"****{KEY[-4:]}"


def test_the_cookie_is_for_the_server_alone_and_says_nothing(browser: httpx.Client) -> None:
    answer = browser.post("session", json={"apiKey": KEY})
    cookie = answer.headers["set-cookie"]
    assert {"HttpOnly", "SameSite=strict", "Path=/"} <= set(cookie.split("; "))
    assert "Secure" not in cookie  # plain HTTP
    assert KEY not in cookie
    assert answer.json()["csrfToken"] not in cookie
    forwarded = browser.post("session", json={"apiKey": KEY}, headers={"X-Forwarded-Proto": "https"})
    assert "Secure" in forwarded.headers["set-cookie"]


@pytest.mark.parametrize("given", [{"apiKey": "wrong"}, {"ticket": "wrong"}, {"apiKey": KEY[:-1]}])
def test_a_wrong_key_or_ticket_begins_nothing(browser: httpx.Client, given: dict[str, str]) -> None:
    answer = browser.post("session", json=given)
    assert answer.status_code == 401
    assert answer.json()["remedy"]
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("body", [{}, {"apiKey": ""}, {"apiKey": 5}, {"apiKey": "x" * 5000}, []])
def test_a_malformed_sign_in_is_told(browser: httpx.Client, body: Any) -> None:
    assert browser.post("session", json=body).status_code == 400


def test_what_changes_something_needs_the_token(browser: httpx.Client) -> None:
    token = _sign_in(browser)
    for headers in ({}, {"X-CSRF-Token": "wrong"}, {b"X-CSRF-Token": "ü".encode()}):
        answer = browser.post("api-keys", json={"name": "k"}, headers=httpx.Headers(headers))
        assert answer.status_code == 403
        assert answer.json()["code"] == "forbidden"
    assert browser.delete("session").status_code == 403
    assert browser.post("api-keys", json={"name": "k"}, headers={"X-CSRF-Token": token}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Host": "evil.example"},
        {"Host": "127.0.0.1.evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_another_sites_page_is_refused_even_with_the_token(browser: httpx.Client, headers: dict[str, str]) -> None:
    more = {"X-CSRF-Token": _sign_in(browser), **headers}
    cookie = {"Cookie": "; ".join(f"{name}={value}" for name, value in browser.cookies.items())}
    assert browser.get("connections", headers={**more, **cookie}).status_code == 403
    assert browser.post("api-keys", json={"name": "k"}, headers={**more, **cookie}).status_code == 403
    assert browser.post("session", json={"apiKey": KEY}, headers=headers).status_code == 403


def test_with_a_key_in_the_header_none_of_that_is_asked(server: Server) -> None:
    headers = {"X-API-Key": KEY, "Host": "mainstem.example", "Origin": "http://tool.example"}
    assert httpx.get(f"{server.url}/connections", headers=headers).status_code == 200


def test_a_ticket_signs_in_once(browser: httpx.Client, api: httpx.Client) -> None:
    made = api.post("session/tickets").json()
    assert made["path"] == f"/signin#ticket={made['ticket']}"
    _sign_in(browser, ticket=made["ticket"])
    assert browser.post("session", json={"ticket": made["ticket"]}).status_code == 401


def test_a_session_that_was_ended_stays_so_after_a_restart(own_server: Server) -> None:
    own_server.start()
    with httpx.Client(base_url=own_server.url) as first, httpx.Client(base_url=own_server.url) as second:
        token, _ = _sign_in(first), _sign_in(second)
        held = dict(first.cookies)
        assert first.delete("session", headers={"X-CSRF-Token": token}).json()["signedIn"] is False
        own_server.end()
        own_server.start()
        assert httpx.get(f"{own_server.url}/connections", cookies=held).status_code == 401
        assert second.get("connections").status_code == 200


def test_a_revoked_key_ends_its_sessions(browser: httpx.Client, api: httpx.Client) -> None:
    made = api.post("api-keys", json={"name": "for a while"}).json()
    assert made["key"].endswith(made["lastFour"])
    _sign_in(browser, apiKey=made["key"])
    assert browser.get("connections").status_code == 200
    listed = {item["id"]: item for item in api.get("api-keys").json()}
    assert "key" not in listed[made["id"]]
    assert api.delete(f"api-keys/{made['id']}").json()["revoked"]
    assert browser.get("connections").status_code == 401
    assert api.delete(f"api-keys/{made['id']}").status_code == 404


@pytest.mark.parametrize("name", ["", " ", "x" * 256])
def test_a_key_needs_a_name(api: httpx.Client, name: str) -> None:
    answer = api.post("api-keys", json={"name": name})
    assert (answer.status_code, answer.json()["field"]) == (400, "name")


@pytest.mark.parametrize("cookie", ["x", "v1:", "v1:AAAA", "x" * 100_000, "\x7f", '"'])
def test_a_forged_cookie_is_nobody(server: Server, browser: httpx.Client, cookie: str) -> None:
    name = browser.post("session", json={"apiKey": KEY}).headers["set-cookie"].split("=")[0]
    try:
        status = httpx.get(f"{server.url}/connections", headers={"Cookie": f'broken"; {name}={cookie}'}).status_code
    except httpx.ReadError:  # the server hangs up on a header of that size, and the answer may be lost with it
        assert len(cookie) == 100_000
    else:
        assert status in {400, 401}


def test_every_answer_says_what_a_browser_may_do_with_it(server: Server) -> None:
    root = f"http://127.0.0.1:{server.port}"
    for path in ("/api/v1/health", "/api/v1/connections", "/docs", "/no/such"):
        headers = httpx.get(root + path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["referrer-policy"] == "no-referrer"
        assert "frame-ancestors 'none'" in headers["content-security-policy"]


def test_a_page_has_a_strict_policy_with_a_nonce_of_its_own(server: Server) -> None:
    assert pages.is_built(), "the web UI is not built; run: tools/web build"
    root, seen = f"http://127.0.0.1:{server.port}", set()
    for path in ("/", "/streams/x", "/signin"):
        answer = httpx.get(root + path, headers={"Accept": "text/html"})
        policy = answer.headers["content-security-policy"]
        nonce = re.search(r"style-src 'self' 'nonce-([^']+)'", policy)
        assert nonce is not None
        assert f'nonce="{nonce[1]}"' in answer.text
        assert "script-src 'self';" in policy
        assert "unsafe" not in policy
        assert answer.headers["cache-control"] == "no-store"
        seen.add(nonce[1])
    assert len(seen) == 3


def test_files_of_the_ui_are_kept_for_ever_and_come_packed(server: Server) -> None:
    root = f"http://127.0.0.1:{server.port}"
    page = httpx.get(root).text
    script = next(path for path in re.findall(r'src="(/assets/[^"]+\.js)"', page))
    answer = httpx.get(root + script, headers={"Accept-Encoding": "gzip"})
    assert answer.headers["content-encoding"] == "gzip"
    assert "immutable" in answer.headers["cache-control"]
    assert answer.headers["content-type"].startswith("text/javascript")
    assert "content-encoding" not in httpx.get(root + script, headers={"Accept-Encoding": "identity"}).headers
    assert httpx.head(root + script).status_code == 200


@pytest.mark.parametrize(
    "path", ["/../settings.py", "/..%2fsettings.py", "/assets/../../errors.py", "/%00", "/assets/", f"/{'x' * 5000}"]
)
def test_nothing_else_can_be_read(server: Server, path: str) -> None:
    answer = httpx.get(f"http://127.0.0.1:{server.port}{path}")
    assert answer.status_code in {401, 404}
    assert "import" not in answer.text


def test_a_page_by_a_foreign_name_is_not_served(server: Server) -> None:
    answer = httpx.get(f"http://127.0.0.1:{server.port}/", headers={"Host": "evil.example"})
    assert answer.status_code == 421
    assert "MAINSTEM_ALLOWED_HOSTS" in answer.json()["remedy"]


def test_a_name_may_be_allowed(own_server: Server) -> None:
    own_server.start(MAINSTEM_ALLOWED_HOSTS="db.example, other.example")
    answer = httpx.get(f"http://127.0.0.1:{own_server.port}/", headers={"Host": "DB.example:8443"})
    assert answer.status_code in {200, 503}
