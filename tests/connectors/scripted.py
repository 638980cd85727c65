"""A server that does exactly what a test says: it runs a function for every connection that it gets."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

Talk = Callable[[socket.socket, threading.Event], None]


def silent(sock: socket.socket, ended: threading.Event) -> None:
    """Take the connection and say nothing."""
    ended.wait(60)


def hang_up(sock: socket.socket, ended: threading.Event) -> None:
    """Take the connection and close it."""


def trickle(sock: socket.socket, ended: threading.Event) -> None:
    """Begin a message of a megabyte and send it byte by byte, so that no single read takes long."""
    with suppress(OSError):
        sock.sendall(b"\x00\x00\x10\x00\x0a")
        while not ended.wait(0.05):
            sock.sendall(b"N")


@contextmanager
def server(talk: Talk) -> Iterator[int]:
    """Run it on a free port of the loopback; yields the port."""
    ended = threading.Event()
    threads: list[threading.Thread] = []
    sockets: list[socket.socket] = []

    def serve(sock: socket.socket) -> None:
        with sock, suppress(OSError):
            talk(sock, ended)

    def accept() -> None:
        with suppress(OSError):
            while True:
                sock, _ = listener.accept()
                sockets.append(sock)
                threads.append(threading.Thread(target=serve, args=(sock,), daemon=True))
                threads[-1].start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        acceptor = threading.Thread(target=accept, daemon=True)
        acceptor.start()
        try:
            yield listener.getsockname()[1]
        finally:
            ended.set()
            listener.shutdown(socket.SHUT_RDWR)
            for sock in sockets:
                with suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)
            acceptor.join(60)
            for thread in threads:
                thread.join(60)
