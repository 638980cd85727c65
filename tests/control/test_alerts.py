from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from mainstem.control.alerts import MAX_WAITING, AlertSender, Letter
from mainstem.model.event import Category, Event, Level

WaitUntil = Callable[[Callable[[], bool]], None]
LAG = Event(
    Level.WARN, Category.ALERT, "the target is 400 s behind", 1_700_000_000_000_000, "target",
    {"alert": "lag", "subject": "", "remedy": "look at it", "over": False},
)  # fmt: skip


class Hook(ThreadingHTTPServer):
    """Answers with the next of these statuses, the last one for ever, and keeps what it was sent."""

    daemon_threads = True

    def __init__(self, *statuses: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.statuses = list(statuses)
        self.heard: list[dict[str, Any]] = []
        self.open = threading.Event()
        self.open.set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/hook?token=s3cret-token"


class _Handler(BaseHTTPRequestHandler):
    server: Hook

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.open.wait(60)
        self.server.heard.append(json.loads(body))
        status = self.server.statuses.pop(0) if len(self.server.statuses) > 1 else self.server.statuses[0]
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def hook(request: pytest.FixtureRequest) -> Iterator[Hook]:
    with Hook(*getattr(request, "param", (200,))) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield server
        server.open.set()
        server.shutdown()
        thread.join()


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def sender(said: list[str]) -> Iterator[AlertSender]:
    sender = AlertSender(lambda stream, text: said.append(f"{stream}: {text}"), delays_s=(0.01, 0.01))
    yield sender
    sender.close()


def letter(url: str, event: Event = LAG) -> Letter:
    return Letter("stream_1", "shop", url, event)


def test_an_alert_is_posted_with_what_one_must_know(hook: Hook, sender: AlertSender, wait_until: WaitUntil) -> None:
    sender.send(letter(hook.url))
    wait_until(lambda: bool(hook.heard))
    assert hook.heard == [
        {
            "text": "Mainstem stream shop (stream_1): the target is 400 s behind", "stream": "stream_1",
            "name": "shop", "message": "the target is 400 s behind", "level": "warn", "alert": "lag", "subject": "",
            "remedy": "look at it", "over": False, "timestamp": "2023-11-14T22:13:20+00:00",
        }
    ]  # fmt: skip


def test_an_alert_that_is_over_says_so_once() -> None:
    event = replace(LAG, message="over: the target is 400 s behind", data={**LAG.data, "over": True})
    assert letter("http://hook", event).body["text"].endswith("(stream_1): over: the target is 400 s behind")
    assert letter("http://hook", event).body["text"].count("over") == 1


@pytest.mark.parametrize("hook", [(500, 429, 204)], indirect=True)
def test_what_may_help_is_tried_again(hook: Hook, sender: AlertSender, said: list[str], wait_until: WaitUntil) -> None:
    sender.send(letter(hook.url))
    wait_until(lambda: len(hook.heard) == 3)
    sender.close()
    assert said == []


@pytest.mark.parametrize(("hook", "tries"), [((503,), 3), ((404,), 1), ((302,), 1)], indirect=["hook"])
def test_giving_up_is_told_without_the_address_behind_the_host(
    hook: Hook, sender: AlertSender, said: list[str], tries: int, wait_until: WaitUntil
) -> None:
    status = hook.statuses[0]
    sender.send(letter(hook.url))
    wait_until(lambda: bool(said))
    assert said == [f"stream_1: an alert could not be sent to 127.0.0.1: it answered {status}"]
    assert len(hook.heard) == tries


def test_nobody_there_is_told(hook: Hook, sender: AlertSender, said: list[str], wait_until: WaitUntil) -> None:
    sender.send(letter("http://127.0.0.1:1/s3cret"))
    wait_until(lambda: bool(said))
    assert said == ["stream_1: an alert could not be sent to 127.0.0.1: ConnectError"]
    sender.send(letter(hook.url))
    wait_until(lambda: bool(hook.heard))


def test_a_webhook_whose_answer_never_ends_keeps_no_other_waiting(
    hook: Hook, sender: AlertSender, wait_until: WaitUntil
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        sender.send(letter(f"http://127.0.0.1:{silent.getsockname()[1]}/"))
        endless = silent.accept()[0]
        endless.sendall(b"HTTP/1.1 200 OK\r\nX-Long: ")
        sender.send(letter(hook.url))
        wait_until(lambda: bool(hook.heard))
        endless.close()


def test_a_slow_webhook_holds_nobody_up_and_a_full_queue_is_told(
    hook: Hook, sender: AlertSender, said: list[str], wait_until: WaitUntil
) -> None:
    hook.open.clear()
    for _ in range(MAX_WAITING + 10):
        sender.send(letter(hook.url))
    assert said
    assert set(said) == {"stream_1: an alert was not sent to 127.0.0.1: too many are waiting"}
    hook.open.set()
    wait_until(lambda: len(hook.heard) + len(said) == MAX_WAITING + 10)
