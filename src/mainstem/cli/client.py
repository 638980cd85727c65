"""The server as the command line sees it: calls, errors turned into ours, live events."""

from __future__ import annotations

import json
from collections.abc import Iterator
from types import TracebackType
from typing import Annotated, Any
from urllib.parse import quote

import httpx
import typer

from mainstem.errors import (
    ConflictError,
    ConnectError,
    ConnectReason,
    InvalidError,
    MainstemError,
    NotFoundError,
    UnauthorizedError,
)

DEFAULT_URL = "http://127.0.0.1:8020"
TIMEOUT_S = 60.0
_SERVER_PANEL = "Server"

Url = Annotated[
    str, typer.Option("--url", envvar="MAINSTEM_URL", help="Where the server is.", rich_help_panel=_SERVER_PANEL)
]
Key = Annotated[
    str,
    typer.Option(
        "--key", envvar="MAINSTEM_API_KEY", help="Its API key.", rich_help_panel=_SERVER_PANEL, show_default=False
    ),
]


class ServerError(MainstemError):
    """The server answered with an error that has no class of its own here; ``code`` is the server's."""

    def __init__(self, message: str, *, code: str, remedy: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.code = code


class Client:
    """Calls of the REST API. A context manager; paths are relative to ``/api/v1``.

    Args:
        answer_s: how long an answer may take.
    """

    def __init__(self, url: str, key: str, answer_s: float = TIMEOUT_S) -> None:
        self._url = url.rstrip("/").removesuffix("/api/v1")
        if not url.startswith(("http://", "https://")):
            raise InvalidError(f"{url!r} is not a server's URL", remedy=f"use {DEFAULT_URL}")
        headers = {"X-API-Key": key} if key else {}
        try:
            self._http = httpx.Client(base_url=f"{self._url}/api/v1", headers=headers, timeout=answer_s)
        except (httpx.InvalidURL, UnicodeEncodeError) as exc:
            raise InvalidError(f"{url!r} is not a server's URL", remedy=f"use {DEFAULT_URL}") from exc

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def call(self, method: str, *path: str, body: Any = None, **query: Any) -> Any:
        """Make a call and return its JSON answer (None for an empty one). Path segments are quoted here.

        Raises:
            ConnectError: there is no server.
            UnauthorizedError, NotFoundError, ConflictError, InvalidError, ServerError: as the server says.
        """
        url = "/" + "/".join(quote(part, safe="") for part in path)
        given = {name: value for name, value in query.items() if value is not None}
        try:
            answer = self._http.request(method, url, json=body, params=given)
        except (httpx.HTTPError, httpx.InvalidURL) as exc:
            raise self._unreachable(exc) from exc
        if answer.is_success:
            return answer.json() if answer.content else None
        raise error_of(answer.status_code, _json_or_text(answer))

    def events(self, *path: str, **query: Any) -> Iterator[tuple[str, dict[str, Any]]]:
        """Server-sent events as name and data, until the server ends the stream."""
        url = "/" + "/".join(quote(part, safe="") for part in path)
        try:
            with self._http.stream("GET", url, params=query, timeout=httpx.Timeout(TIMEOUT_S, read=None)) as answer:
                if not answer.is_success:
                    answer.read()
                    raise error_of(answer.status_code, _json_or_text(answer))
                yield from parse_events(answer.iter_lines())
        except httpx.HTTPError as exc:
            raise self._unreachable(exc) from exc

    def _unreachable(self, cause: Exception) -> ConnectError:
        timeout = isinstance(cause, httpx.TimeoutException)
        return ConnectError(
            f"no answer from {self._url}" if timeout else f"no Mainstem server at {self._url}: {cause}",
            reason=ConnectReason.TIMEOUT if timeout else ConnectReason.REFUSED,
            remedy="start one with `mainstem serve`, or name it with --url or MAINSTEM_URL",
        )


def parse_events(lines: Iterator[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Server-sent events from the lines of a stream; comments and data that isn't a JSON object are passed over."""
    name, data = "message", ""
    for line in lines:
        if not line:
            if data:
                value = _json(data)
                if isinstance(value, dict):
                    yield name, value
            name, data = "message", ""
            continue
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "event":
            name = value
        elif field == "data":
            data = f"{data}\n{value}" if data else value


def error_of(status: int, body: Any) -> MainstemError:
    """The error that an answer stands for."""
    members = body if isinstance(body, dict) else {}
    message = str(members.get("error") or members.get("message") or body or f"the server answered {status}")
    remedy = str(members.get("remedy") or "")
    if status == 401:
        return UnauthorizedError(message, remedy=remedy or "set MAINSTEM_API_KEY, or pass --key")
    if status == 404:
        return NotFoundError(message, remedy=remedy)
    if status == 409:
        return ConflictError(message, remedy=remedy)
    if status in (400, 422):
        fields = members.get("fields") or {}
        return InvalidError(message, fields={str(k): str(v) for k, v in dict(fields).items()}, remedy=remedy)
    return ServerError(message, code=str(members.get("code") or f"http_{status}"), remedy=remedy)


def _json_or_text(answer: httpx.Response) -> Any:
    value = _json(answer.text)
    return answer.text if value is None else value


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None
