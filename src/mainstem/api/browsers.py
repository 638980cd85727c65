"""What a browser must show beside its cookie: this server's own name, one of its own pages, the session's token.

A cookie is sent by the browser whichever page asks, so it alone proves nothing. Other ports of one machine count as the
same site, hence the look at Origin and Sec-Fetch-Site beside SameSite.
"""

from __future__ import annotations

import hmac
from http.cookies import CookieError, SimpleCookie
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import Scope

from mainstem.control.sessions import Session, Sessions
from mainstem.errors import ForbiddenError

CSRF_HEADER = "X-CSRF-Token"
LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]", "::1"})
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_OWN_PAGES = frozenset({"", "same-origin", "none"})  # absent: no browser of today; none: typed by the user


class Browsers:
    """Admits browsers of one server.

    Args:
        cookie: the cookie's name, which differs from one installation to the other: ports share their cookies.
        hosts: names that a browser may call this server by; none is any.
    """

    def __init__(self, sessions: Sessions, cookie: str, hosts: frozenset[str]) -> None:
        self._sessions, self._cookie, self._hosts = sessions, cookie, hosts

    def session(self, scope: Scope) -> Session | None:
        """The session of a request; None without a good cookie.

        Raises:
            ForbiddenError: there is one, but the request may not be of this server's own page.
        """
        headers = Headers(scope=scope)
        cookie = _cookie(headers, self._cookie)
        session = self._sessions.read(cookie) if cookie else None
        if session is None:
            return None
        self.check_page(headers)
        token = headers.get(CSRF_HEADER, "")
        if scope["method"] not in _SAFE and not hmac.compare_digest(token.encode(), session.csrf.encode()):
            raise ForbiddenError(
                f"the header {CSRF_HEADER} is {'not the one of this session' if token else 'missing'}",
                remedy="GET /api/v1/session gives the token; with an API key in X-API-Key none is needed",
            )
        return session

    def check_page(self, headers: Headers) -> None:
        """Raise `ForbiddenError` unless the request names this server, and comes from no other server's page."""
        self.check_host(headers)
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc.lower() != headers.get("host", "").lower():
            raise ForbiddenError("the request comes from another site's page", remedy="use this server's own pages")
        if headers.get("sec-fetch-site", "") not in _OWN_PAGES:
            raise ForbiddenError("the request comes from another site's page", remedy="use this server's own pages")

    def check_host(self, headers: Headers) -> None:
        """Raise `ForbiddenError` when the request calls this server by a name that is not its own."""
        if self._hosts and named_host(headers) not in self._hosts:
            raise ForbiddenError(
                "this server is not known by the name in the header Host",
                remedy="open it by its own address, or put the name into MAINSTEM_ALLOWED_HOSTS",
            )


def named_host(headers: Headers) -> str:
    """The header Host without its port, in lower case."""
    host = headers.get("host", "").lower()
    return host if host.endswith("]") else host.rsplit(":", 1)[0]


def _cookie(headers: Headers, name: str) -> str:
    """Its value, or nothing. Another application's cookie may be malformed, which must not hide ours."""
    for part in "; ".join(headers.getlist("cookie")).split(";"):
        if part.strip().startswith(f"{name}="):
            try:
                return SimpleCookie(part.strip())[name].value
            except (CookieError, KeyError):
                return ""
    return ""
