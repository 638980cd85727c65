"""Reaching a host within a deadline: names, addresses, sockets, and the errors that tell them apart.

Connectors cannot import each other; what all of them need to open a TCP connection stands here.
"""

from __future__ import annotations

import errno
import os
import queue
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from ipaddress import ip_address

from mainstem.errors import ConnectError, ConnectReason
from mainstem.model.connection import ConnectionSettings

# A peer that has vanished without a word is noticed within about two minutes.
KEEPALIVE_IDLE_S = 60
KEEPALIVE_INTERVAL_S = 10
KEEPALIVE_PROBES = 6

_LOOPBACK = "loopback"
_FAMILIES = {socket.AF_INET, socket.AF_INET6}
_CHECK_ADDRESS = "correct host and port, or start the server there"
_CHECK_ROUTE = "check host, port and firewall between this machine and the server, or raise the connect timeout"


@dataclass(frozen=True, slots=True)
class Deadline:
    """A point in time on the monotonic clock, and the seconds that were granted until then."""

    at: float
    seconds: float

    @classmethod
    def after(cls, seconds: float) -> Deadline:
        """So many seconds from now."""
        return cls(time.monotonic() + seconds, seconds)

    def left(self) -> float:
        """Seconds until then; never less than a millisecond, since zero means "no limit" to sockets."""
        return max(self.at - time.monotonic(), 0.001)

    @property
    def passed(self) -> bool:
        """Whether the time is over."""
        return time.monotonic() >= self.at


def host_port(settings: ConnectionSettings) -> str:
    """``host:port``, an IPv6 address in brackets, a socket's path as it is."""
    if is_socket_path(settings.host):
        return settings.host
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"{host}:{settings.port}"


def is_socket_path(host: str) -> bool:
    """Whether a host names a Unix socket (MySQL) or the folder that holds one (PostgreSQL)."""
    return host.startswith("/")


def same_host(one: str, other: str) -> bool:
    """Whether two names lead to one machine: spelled alike, both this machine's own, or of a common address."""
    return one.lower() == other.lower() or not _addresses(one).isdisjoint(_addresses(other))


def _addresses(host: str) -> set[str]:
    """Its addresses, all of the loopback as one; empty for a name that is not known (and for a socket's path)."""
    try:
        found = {
            str(info[4][0]) for info in socket.getaddrinfo(host.strip("[]").rstrip("."), None, type=socket.SOCK_STREAM)
        }
    except (OSError, UnicodeError):
        return set()
    return {_LOOPBACK if ip_address(one).is_loopback or ip_address(one).is_unspecified else one for one in found}


def connect_error(settings: ConnectionSettings, reason: ConnectReason, what: str, remedy: str) -> ConnectError:
    """The error of a connection that could not be made: whereto, as whom, why."""
    return ConnectError(
        f"cannot connect to {host_port(settings)} as {settings.username}: {what}",
        reason=reason,
        remedy=remedy,
        host=settings.host,
        port=settings.port,
    )


def timeout_error(settings: ConnectionSettings, what: str = "no answer") -> ConnectError:
    """The error of a connection that took longer than it was given."""
    return connect_error(settings, ConnectReason.TIMEOUT, f"{what} within {settings.connect_timeout_s} s", _CHECK_ROUTE)


def resolve(settings: ConnectionSettings, deadline: Deadline) -> list[str]:
    """The host's IP addresses, in the order in which they should be tried.

    The system's resolver knows no deadline, so it runs in a thread that is left behind when it takes too long.

    Raises:
        ConnectError: HOST_NOT_FOUND or TIMEOUT.
    """
    answers: queue.SimpleQueue[list[str] | Exception] = queue.SimpleQueue()

    def ask() -> None:
        try:
            found = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)
            answers.put(list(dict.fromkeys(str(item[4][0]) for item in found if item[0] in _FAMILIES)))
        except Exception as exc:
            answers.put(exc)

    threading.Thread(target=ask, name=f"resolve {settings.host}", daemon=True).start()
    try:
        answer = answers.get(timeout=deadline.left())
    except queue.Empty:
        raise timeout_error(settings, "no answer from the name server") from None
    if isinstance(answer, Exception) or not answer:
        raise connect_error(
            settings,
            ConnectReason.HOST_NOT_FOUND,
            f"no address is known for host {settings.host!r}",
            "correct the host name, or use an IP address",
        ) from (answer if isinstance(answer, Exception) else None)
    return answer


def open_socket(settings: ConnectionSettings, deadline: Deadline, address: str | None = None) -> socket.socket:
    """A connected TCP socket (or Unix socket, where the host is a path), blocking, with keep-alive.

    Args:
        address: one IP address to try, instead of all that the host has.

    Raises:
        ConnectError: HOST_NOT_FOUND, REFUSED, TIMEOUT, or OTHER for what the network says besides.
    """
    if is_socket_path(settings.host):
        return _connect_one(settings, socket.AF_UNIX, settings.host, deadline.left())
    addresses = [address] if address else resolve(settings, deadline)
    error: ConnectError | None = None
    for number, candidate in enumerate(addresses):
        family = socket.AF_INET6 if ":" in candidate else socket.AF_INET
        try:
            return _connect_one(
                settings, family, (candidate, settings.port), deadline.left() / (len(addresses) - number)
            )
        except ConnectError as exc:
            error = exc
    raise error or timeout_error(settings)


def _connect_one(
    settings: ConnectionSettings, family: socket.AddressFamily, address: str | tuple[str, int], seconds: float
) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.settimeout(seconds)
        sock.connect(address)
        sock.settimeout(None)
        if family != socket.AF_UNIX:
            _keep_alive(sock)
    except OSError as exc:
        sock.close()
        raise _socket_error(settings, exc) from exc
    return sock


def _socket_error(settings: ConnectionSettings, exc: OSError) -> ConnectError:
    if isinstance(exc, TimeoutError):
        return timeout_error(settings)
    if exc.errno in (errno.ECONNREFUSED, errno.ENOENT):
        return connect_error(
            settings, ConnectReason.REFUSED, "connection refused, nothing listens there", _CHECK_ADDRESS
        )
    what = os.strerror(exc.errno).lower() if exc.errno else "the network failed"
    return connect_error(settings, ConnectReason.OTHER, what, _CHECK_ROUTE)


def _keep_alive(sock: socket.socket) -> None:
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (
        ("TCP_KEEPIDLE", KEEPALIVE_IDLE_S),
        ("TCP_KEEPINTVL", KEEPALIVE_INTERVAL_S),
        ("TCP_KEEPCNT", KEEPALIVE_PROBES),
    ):
        if hasattr(socket, name):  # not every system has all of them
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


@contextmanager
def shut_down_at(sock: socket.socket, deadline: Deadline) -> Iterator[None]:
    """Break the connection off when the deadline passes inside the context, whoever reads from it then.

    A time limit on each read would not do: a server that sends one byte a second never exceeds it.
    """
    guard = sock.dup()  # TLS takes the socket's own descriptor away from it

    def break_off() -> None:
        with suppress(OSError):
            guard.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(deadline.left(), break_off)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
        guard.close()
