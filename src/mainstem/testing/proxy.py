"""A TCP port that passes bytes on to another, and can behave as badly as a network does."""

from __future__ import annotations

import socket
import struct
import threading
import time
from contextlib import suppress
from types import TracebackType

_PIECE_BYTES = 64 * 1024
_TICK_S = 0.02
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: unsent bytes are thrown away, and the peer gets a reset


class Proxy:
    """Passes connections to a port of the loopback on.

    Attributes:
        latency_s: for how long each piece is held back.
        bytes_per_s: of each connection and direction; 0 is unlimited.
        silent: nothing is passed on any more, and nobody is told: a cable that was pulled.
        held: whether anything has come since it is silent.
        accepted: connections so far.
    """

    def __init__(self, port: int) -> None:
        self.latency_s = 0.0
        self.bytes_per_s = 0.0
        self.silent = self.held = False
        self.accepted = 0
        self._to = port
        self._lock = threading.Lock()
        self._sockets: set[socket.socket] = set()
        self._refusing = False
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, name="proxy", daemon=True).start()

    def __enter__(self) -> Proxy:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def hang_up(self) -> None:
        """End all connections in order, as a server that shuts down."""
        for one in self._all():
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def reset(self) -> None:
        """Break all connections: both sides get a reset in the middle of whatever they do."""
        for one in self._all():
            with suppress(OSError):
                one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                one.shutdown(socket.SHUT_RD)
            with suppress(OSError):
                one.close()

    def refuse(self, *, on: bool = True) -> None:
        """End new connections at once, as long as it is on; those that are open go on."""
        self._refusing = on

    def close(self) -> None:
        """Pass nothing on any more."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.hang_up()

    def _all(self) -> set[socket.socket]:
        with self._lock:
            sockets, self._sockets = self._sockets, set()
        return sockets

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                self.accepted += 1
                try:
                    far = None if self._refusing else socket.create_connection(("127.0.0.1", self._to))
                except OSError:
                    far = None
                if far is None:
                    near.close()
                    continue
                for one in (near, far):  # else many small messages would each wait for an acknowledgement, up to 40 ms
                    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                with self._lock:
                    self._sockets |= {near, far}
                threading.Thread(target=self._carry, args=(near, far), name="proxy", daemon=True).start()

    def _carry(self, near: socket.socket, far: socket.socket) -> None:
        """One connection until its end; then nothing of it is left, so that a server that still sends is told."""
        back = threading.Thread(target=self._pass_on, args=(far, near), name="proxy", daemon=True)
        back.start()
        self._pass_on(near, far)
        back.join()
        with self._lock:
            self._sockets -= {near, far}
        for one in (near, far):
            one.close()

    def _pass_on(self, here: socket.socket, there: socket.socket) -> None:
        with suppress(OSError):
            while data := here.recv(_PIECE_BYTES):
                while self.silent:  # what comes after is read by nobody, and the sender's window fills
                    self.held = True
                    time.sleep(_TICK_S)
                self.held = False
                time.sleep(self.latency_s)
                if narrow := self.bytes_per_s:  # which may be another by the next line
                    time.sleep(len(data) / narrow)
                there.sendall(data)
        for one in (here, there):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
