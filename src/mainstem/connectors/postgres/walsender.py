"""The connection that a stream comes on: started, fed with answers, watched.

The server ends a stream that does not answer for `wal_sender_timeout`, also while the one who reads it is busy: then a
thread answers. It asks the server for a word, too, and so notices one that has vanished.
Source: PostgreSQL manual, "Streaming Replication Protocol" (START_REPLICATION, Standby status update).
"""

from __future__ import annotations

import select
import socket
import struct
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from typing import Any

import psycopg

from mainstem.connectors.postgres.client import connect, shut_down, translating
from mainstem.connectors.postgres.dialect import PostgresDialect
from mainstem.connectors.postgres.errors import lost_error
from mainstem.connectors.postgres.literals import string
from mainstem.connectors.postgres.lsn import EPOCH_US, format_lsn
from mainstem.connectors.postgres.messages import LogMessages, open_messages
from mainstem.connectors.postgres.side import Side
from mainstem.connectors.postgres.slot import end_former, replication_connection
from mainstem.errors import CancelledError, LostConnectionError, MainstemError, TransientError
from mainstem.model.connection import ConnectionSettings
from mainstem.native.pgoutput import LogDecoder
from mainstem.native.status import Status

_DIALECT = PostgresDialect()
_SESSION = "SET search_path = ''; SET extra_float_digits = 3; SET lc_monetary = 'C'; SET row_security = off"
_TIMEOUT = "SELECT setting FROM pg_catalog.pg_settings WHERE name = 'wal_sender_timeout'"  # milliseconds
_STREAMED = 140_000  # from here on transactions under way are sent
_IN_USE = "55006"
_BUSY_S = 20.0  # for how long a slot may be held by a sender whose reader is gone
_TRY_AGAIN_S = 0.25
_ANSWER_S = 10.0
_ANSWERS = 4  # at least so many within the time after which the server gives up
_SOON_S = 0.5  # to tell of progress
_SILENCE_S = 60.0
_SHUTDOWN_S = 5.0
_TLS_POLL_S = 0.2  # what TLS has decrypted already does not show at the socket
_UNCHECKED = "SQL_ASCII"


class Walsender:
    """A stream under way. `read` and `wait` are for one thread, the rest for any."""

    def __init__(
        self,
        settings: ConnectionSettings,
        slot: str,
        publications: Sequence[str],
        start: int,
        side: Side,
        look: Callable[[], None] = lambda: None,
        keep: int | None = None,
        token: int = 0,
    ) -> None:
        """Start it.

        Args:
            look: is called again and again, in a thread.
            keep: a place before the start that the slot must stay at until another is confirmed.
            token: of the process that reads: senders of earlier ones are ended (see `slot.end_former`).

        Raises:
            ConnectError: the server cannot be reached.
            TransientError: the slot is in use.
            StatementError: the server refuses.
        """
        self._slot, self._side, self._look = slot, side, look
        self.decoder = LogDecoder(start)
        self._connection, self._messages, timeout_s = _started(settings, slot, publications, start, token)
        self._answer_s = min(_ANSWER_S, timeout_s / _ANSWERS) if timeout_s else _ANSWER_S
        self._pid = self._connection.info.backend_pid
        self._lock = threading.Lock()  # of the connection
        self._error: MainstemError | None = None
        self._ended = threading.Event()
        self._confirmed = start if keep is None else min(keep, start)
        self._told = (0, 0)  # what the last answer said: received, confirmed
        self._told_at = 0.0
        self._stuck = (time.monotonic(), start)  # since when nothing was confirmed behind this place
        self._heard_at = time.monotonic()
        self._heard_bytes = -1
        self._near, self._far = socket.socketpair()
        for end in (self._near, self._far):
            end.setblocking(False)
        self._poll = select.poll()
        self._poll.register(self._connection.fileno(), select.POLLIN)
        self._poll.register(self._far.fileno(), select.POLLIN)
        self.log_end: int | None = None
        self._thread = threading.Thread(target=self._keep, name=f"answers {slot}", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the stream."""
        self._ended.set()
        self._wake()
        self._thread.join()
        with self._lock:
            with suppress(psycopg.Error, OSError):
                self._answer(ask=False)
            with suppress(psycopg.Error, OSError):
                self._messages.end()
            self._connection.close()
        self._near.close()
        self._far.close()

    def read(self, max_rows: int, max_bytes: int) -> Status:
        """Decode what is at hand. Raises `LostConnectionError`, `WireError`, `CancelledError`."""
        self.check()
        with self._lock:
            status = self._messages.read(self.decoder, max_rows, max_bytes)
        if status in (Status.END, Status.ERROR):
            raise self._failure()
        if self.decoder.reply_wanted:
            self.decoder.reply_wanted = False
            self.answer()
        return status

    @property
    def received_bytes(self) -> int:
        """Of messages, so far."""
        return self._messages.received_bytes

    def take(self) -> bytes:
        """The message that `read` stopped at."""
        with self._lock:
            return self._messages.take()

    def check(self) -> None:
        """Raise what another thread has found."""
        if self._error is not None:
            raise self._error

    def wait(self, seconds: float) -> None:
        """Until there is something to read, or someone calls `wake`."""
        if self._connection.pgconn.ssl_in_use:
            seconds = min(seconds, _TLS_POLL_S)
        for number, _ in self._poll.poll(max(int(seconds * 1000), 1)):
            if number == self._far.fileno():
                with suppress(OSError):
                    self._far.recv(1024)
        self.check()

    def wake(self) -> None:
        """End a `wait`."""
        self._wake()

    def _wake(self) -> None:
        with suppress(OSError):
            self._near.send(b"x")

    def interrupt(self) -> None:
        """Whoever reads gets `CancelledError`."""
        self._error = CancelledError("the stream was interrupted")
        self._wake()

    def confirm(self, lsn: int) -> None:
        """What committed before this place is durable elsewhere."""
        self._confirmed = max(self._confirmed, lsn)

    def answer(self) -> None:
        """Tell the server how far we are."""
        with self._lock, suppress(psycopg.Error, OSError):  # whoever reads notices a lost connection
            self._answer(ask=False)

    def _answer(self, *, ask: bool) -> None:
        received = max(self.decoder.received, self.decoder.position, self._confirmed)
        now_us = time.time_ns() // 1000 - EPOCH_US
        message = struct.pack("!cQQQqB", b"r", received, self._confirmed, self._confirmed, now_us, ask)
        self._messages.send(message)
        self._told, self._told_at = (received, self._confirmed), time.monotonic()

    def _keep(self) -> None:
        """The thread: answers while the reader is busy, and listens for silence."""
        while not self._ended.wait(min(_SOON_S, self._answer_s)):
            self.log_end = self._side.end()
            self._let_go(unreachable=self.log_end is None)
            self._look()
            self._listen()
            ask = time.monotonic() - self._told_at >= self._answer_s
            received = max(self.decoder.received, self.decoder.position)
            if ask or self._told != (max(received, self._confirmed), self._confirmed):
                with self._lock, suppress(psycopg.Error, OSError):
                    self._answer(ask=ask)

    def _let_go(self, *, unreachable: bool) -> None:
        """A server that shuts down waits until all that it has sent is confirmed, and answers nobody else.

        While nothing of it is confirmed (a stream that is paused), it would wait for ever.
        """
        now = time.monotonic()
        waits = unreachable and self._confirmed < max(self.decoder.received, self.decoder.position)
        if not waits or self._confirmed != self._stuck[1]:
            self._stuck = (now, self._confirmed)
        if now - self._stuck[0] > _SHUTDOWN_S:
            self._error = lost_error()
            shut_down(self._connection)
            self._wake()

    def _listen(self) -> None:
        """Nothing came for long: is the sender still there? It may be busy with what does not concern us."""
        now, heard = time.monotonic(), self._messages.received_bytes
        if heard != self._heard_bytes or self._readable():
            self._heard_at, self._heard_bytes = now, heard
        if now - self._heard_at < _SILENCE_S:
            return
        self._heard_at = now
        with suppress(MainstemError):
            if self._side.is_served(self._slot, self._pid):
                return
        self._error = LostConnectionError(
            f"PostgreSQL has not sent anything for {_SILENCE_S:.0f} s", remedy="check the server and the network"
        )
        self._wake()

    def _readable(self) -> bool:
        """Whether something waits to be read: it is us who are slow then, or the connection is broken."""
        poll = select.poll()
        try:
            poll.register(self._connection.fileno(), select.POLLIN)
        except psycopg.Error:  # it has broken, as the reader will find
            return True
        return bool(poll.poll(0))

    def _failure(self) -> MainstemError:
        """Why the stream ended."""
        error = self._messages.failure()
        if not isinstance(error, LostConnectionError):
            error.remedy = error.remedy or "the server's log tells more"
        return error


def _started(
    settings: ConnectionSettings, slot: str, publications: Sequence[str], start: int, token: int
) -> tuple[psycopg.Connection[Any], LogMessages, float]:
    """The connection, its messages, and for how long the server bears silence; 0 is forever."""
    deadline = time.monotonic() + _BUSY_S
    while True:
        connection = replication_connection(settings, slot, token)
        try:
            with translating(slot=slot):
                row = connection.execute(_TIMEOUT).fetchone()
                timeout_s = int(row[0]) / 1000 if row else 0.0
                return connection, _start(connection, slot, publications, start), timeout_s
        except TransientError as exc:
            connection.close()
            if time.monotonic() > deadline:
                raise TransientError(
                    f"the replication slot {slot} is in use by another connection",
                    remedy="end what reads from it (SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots)",
                    slot=slot,
                ) from exc
            _end_former(settings, slot, token)
        except BaseException:
            connection.close()
            raise
        time.sleep(_TRY_AGAIN_S)


def _end_former(settings: ConnectionSettings, slot: str, token: int) -> None:
    if token:
        with closing(connect(settings)) as plain, translating(slot=slot):
            end_former(plain, slot, token)


def _start(connection: psycopg.Connection[Any], slot: str, publications: Sequence[str], start: int) -> LogMessages:
    connection.execute(_SESSION)
    if connection.info.parameter_status("server_encoding") == _UNCHECKED:
        connection.execute(f"SET client_encoding = {_UNCHECKED}".encode())
    names = ",".join(_DIALECT.quote(name) for name in publications)
    streamed = connection.info.server_version >= _STREAMED
    options = f"proto_version '{2 if streamed else 1}', publication_names {string(names)}"
    if streamed:
        options += ", streaming 'on'"
    command = f"START_REPLICATION SLOT {_DIALECT.quote(slot)} LOGICAL {format_lsn(start)} ({options})"
    return open_messages(connection, command)
