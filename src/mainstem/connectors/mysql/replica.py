"""A connection that asks for the binary log as a replica does, and hands out the events as the server sends them.

The driver does login and TLS; the packets are read here, straight from its socket.
Source: MySQL source documentation, "Replication Protocol"; MariaDB documentation, "Replica Protocol".
"""

from __future__ import annotations

import select
import socket
import ssl
import struct
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from pymysql.constants import COMMAND
from pymysql.err import raise_mysql_exception

from mainstem.connectors.mysql.client import as_text, connect, query, shut_down, translate_error, translating
from mainstem.connectors.mysql.wire.codes import Checksum, EventType
from mainstem.errors import LostConnectionError, WireError
from mainstem.model.connection import ConnectionSettings
from mainstem.native.binlogskim import skim

HEARTBEAT_S = 5.0
SILENCE_S = 30.0
SEEK_S = 600.0  # a server may look for the place of a GTID for long, and not all send heartbeats meanwhile
_HEAD_EVENTS = 4  # the file's name and head come before it has found the place
_BUFFER_BYTES = 1024 * 1024
_FULL_PACKET = 0xFFFFFF
_PACKET_HEADER_BYTES = 4
_EVENT_SIZE_OFFSET = 9
_OK, _EOF, _ERROR = 0x00, 0xFE, 0xFF
_COM_BINLOG_DUMP_GTID = 0x1E
_NAME = b"mainstem"
_MAX_POSITION = 0xFFFFFFFF
# Both spellings: servers differ in which they read, and an assignment that nobody reads costs nothing.
_SESSION = (
    "SET @master_binlog_checksum = @@GLOBAL.binlog_checksum, @source_binlog_checksum = @@GLOBAL.binlog_checksum,"
    " @master_heartbeat_period = {period}, @source_heartbeat_period = {period},"
    " @slave_uuid = '{uuid}', @replica_uuid = '{uuid}', @mariadb_slave_capability = 4,"
    " @slave_gtid_strict_mode = 0, @slave_gtid_ignore_duplicates = 0,"
    " net_write_timeout = 600"  # a reader that is gone without a word is not written to for ever
)


@dataclass(frozen=True, slots=True)
class Start:
    """Where to begin: ``file`` and ``position``, or behind a GTID state if that is given.

    Attributes:
        gtid: MariaDB's list as text (``0-1-55``); it may be empty, which is the log's very beginning.
        gtid_set: MySQL's set in its binary form.
    """

    file: str = ""
    position: int = 4
    gtid: str | None = None
    gtid_set: bytes | None = None


class Replica:
    """One connection that reads the log. For one thread, but for `interrupt`.

    Attributes:
        checksum: what stands behind events before the first that describes their format.
    """

    def __init__(self, settings: ConnectionSettings, server_id: int, uuid: str, start: Start) -> None:
        """Connect and ask for the log.

        Args:
            server_id: to be known by; the server hangs up on an older reader with the same.
            uuid: likewise; empty where the server id alone should count.

        Raises:
            ConnectError, StatementError: `next` tells what the server says of the position.
        """
        self._connection: Any = connect(settings, read_timeout=SILENCE_S, write_timeout=SILENCE_S)  # of the opening
        self._buffer = bytearray(_BUFFER_BYTES)
        self._start = self._end = 0
        self._heard = time.monotonic()
        self.checksum = Checksum.NONE
        self._seeking = _HEAD_EVENTS if start.gtid is not None or start.gtid_set is not None else 0
        try:
            with translating():
                self._ask(server_id, uuid, start)
        except BaseException:
            self.close()
            raise
        driver: Any = self._connection
        self._socket: socket.socket = driver._sock
        self._socket.setblocking(False)
        self._poll = select.poll()
        self._poll.register(self._socket, select.POLLIN)

    def __enter__(self) -> Replica:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Hang up."""
        with suppress(Exception):
            self._connection._force_close()

    def interrupt(self) -> None:
        """From another thread: `next` raises `LostConnectionError` soon."""
        shut_down(self._connection)

    def next(self, wait_s: float) -> memoryview | None:
        """The next event, header to checksum; it is valid until the next call. None: nothing came in time.

        Args:
            wait_s: how long to wait when nothing is at hand; 0 does not wait.

        Raises:
            LostConnectionError: the server hung up, or was silent for `SILENCE_S`.
            StatementError: what the server says of the position, by its number.
            WireError: a packet that breaks the protocol.
        """
        while True:
            size = self._packet_bytes()
            if size == _FULL_PACKET:
                return self._large_event()
            if size is not None:
                at = self._start + _PACKET_HEADER_BYTES
                self._start = at + size
                if self._seeking:
                    self._seeking -= 1
                return self._event(memoryview(self._buffer)[at : at + size])
            if not self._fill(wait_s):
                return None

    def skim(self, offset: int, wanted: bytes, checksum: int) -> int:
        """Pass over what is at hand and not wanted, see `native.binlogskim.skim`; where the last of it ends."""
        self._start, offset = skim(self._buffer, self._start, self._end, offset, wanted, checksum)
        return offset

    def rested(self, seconds: float) -> None:
        """For so long nothing was read on purpose: that was no silence of the server."""
        self._heard += seconds

    def _ask(self, server_id: int, uuid: str, start: Start) -> None:
        period = int(HEARTBEAT_S * 1e9)
        query(self._connection, _SESSION.format(period=period, uuid=uuid))
        ((checksum,),) = query(self._connection, "SELECT @master_binlog_checksum")
        self.checksum = Checksum.CRC32 if as_text(checksum).upper() == "CRC32" else Checksum.NONE
        if start.gtid is not None:
            query(self._connection, "SET @slave_connect_state = %s", (start.gtid,))
        body = struct.pack("<I", server_id)
        body += b"".join(struct.pack("<B", len(text)) + text for text in (_NAME, b"", b""))
        self._connection._execute_command(COMMAND.COM_REGISTER_SLAVE, body + struct.pack("<HII", 0, 0, 0))
        self._connection._read_packet()
        file = start.file.encode()
        if start.gtid_set is not None:
            sized = struct.pack("<HII", 0, server_id, len(file)) + file + struct.pack("<Q", start.position)
            sized += struct.pack("<I", len(start.gtid_set)) + start.gtid_set
            self._connection._execute_command(_COM_BINLOG_DUMP_GTID, sized)
        else:
            where = struct.pack("<IHI", min(start.position, _MAX_POSITION), 0, server_id)
            self._connection._execute_command(COMMAND.COM_BINLOG_DUMP, where + file)

    def _packet_bytes(self) -> int | None:
        """The payload of the packet at hand if it is there whole (or goes on in another one); else None."""
        at, left = self._start, self._end - self._start
        if left < _PACKET_HEADER_BYTES:
            return None
        buffer = self._buffer
        size = buffer[at] | buffer[at + 1] << 8 | buffer[at + 2] << 16
        if size == _FULL_PACKET:
            return size if left >= _PACKET_HEADER_BYTES + 1 + _EVENT_SIZE_OFFSET + 4 else None
        return size if left >= _PACKET_HEADER_BYTES + size else None

    def _event(self, packet: memoryview) -> memoryview:
        if not packet:
            raise WireError("an empty packet stands where an event should")
        if packet[0] == _OK:
            return packet[1:]
        if packet[0] == _ERROR:
            try:
                raise_mysql_exception(bytes(packet))
            except Exception as exc:
                raise translate_error(exc) from exc
        if packet[0] == _EOF:
            raise LostConnectionError("the server ended the log", remedy="check the server; then try again")
        raise WireError(f"a packet of the log begins with {packet[0]:#04x}")

    def _large_event(self) -> memoryview:
        """An event that spans packets, received into memory of its own."""
        header = self._start + _PACKET_HEADER_BYTES
        if self._buffer[header] == _ERROR:
            raise WireError("an error packet is longer than 16 MiB")
        size = int.from_bytes(
            self._buffer[header + 1 + _EVENT_SIZE_OFFSET : header + 1 + _EVENT_SIZE_OFFSET + 4], "little"
        )
        joined = bytearray(size + 1)
        filled, view = 0, memoryview(joined)
        for length in self._packets():
            if filled + length > len(joined):
                raise WireError("an event is longer than its header says")
            self._receive(view[filled : filled + length])
            filled += length
        if filled != len(joined):
            raise WireError("an event is shorter than its header says")
        return self._event(view)

    def _packets(self) -> Iterator[int]:
        """The payload lengths of packets that belong together; each must be received before the next is asked for."""
        length = _FULL_PACKET
        while length == _FULL_PACKET:
            header = bytearray(_PACKET_HEADER_BYTES)
            self._receive(memoryview(header))
            length = int.from_bytes(header[:3], "little")
            yield length

    def _receive(self, into: memoryview) -> None:
        """Exactly so many bytes, out of the buffer first."""
        filled = min(len(into), self._end - self._start)
        into[:filled] = memoryview(self._buffer)[self._start : self._start + filled]
        self._start += filled
        while filled < len(into):
            count = self._read(into[filled:], SILENCE_S)
            filled += count

    def _fill(self, wait_s: float) -> int:
        """Read more bytes behind those that are left, which move to the front of a buffer that is large enough."""
        left = self._end - self._start
        needed = _BUFFER_BYTES
        if left >= _PACKET_HEADER_BYTES:
            size = int.from_bytes(self._buffer[self._start : self._start + 3], "little")
            needed = max(needed, _PACKET_HEADER_BYTES + size) if size != _FULL_PACKET else needed
        if needed > len(self._buffer) - self._start or left == 0 or len(self._buffer) > 2 * needed:
            fresh = self._buffer if needed <= len(self._buffer) <= 2 * needed else bytearray(needed)
            fresh[:left] = self._buffer[self._start : self._end]
            self._buffer, self._start, self._end = fresh, 0, left
        count = self._read(memoryview(self._buffer)[self._end :], wait_s)
        self._end += count
        return count

    def _read(self, into: memoryview, wait_s: float) -> int:
        """Some bytes; 0 when none came in time."""
        until = time.monotonic() + wait_s
        while True:
            try:
                count = self._socket.recv_into(into)
            except (BlockingIOError, ssl.SSLWantReadError):
                if not self._wait(until):
                    return 0
                continue
            except OSError as exc:
                raise _hung_up() from exc
            if not count:
                raise _hung_up()
            self._heard = time.monotonic()
            return count

    def _wait(self, until: float) -> bool:
        """Until there is something to read, or the time is over: then False."""
        now = time.monotonic()
        patience_s = SEEK_S if self._seeking else SILENCE_S
        if now - self._heard > patience_s:
            raise LostConnectionError(
                f"the server was silent for {patience_s:.0f} s, though it was to send a heartbeat every"
                f" {HEARTBEAT_S:.0f} s",
                remedy="check the server and the network; then try again",
            )
        if until <= now:
            return False
        self._poll.poll(min(until - now, HEARTBEAT_S) * 1000)
        return True


def file_made(settings: ConnectionSettings, server_id: int, file: str) -> int:
    """When a file of the log was begun, seconds since 1970, by its first event; 0 if that does not come at once.

    Raises as `Replica`, and `StatementError` when there is no such file.
    """
    with Replica(settings, server_id, "", Start(file)) as replica:
        until = time.monotonic() + HEARTBEAT_S
        while (left := until - time.monotonic()) > 0:
            event = replica.next(left)
            if event is not None and event[4] == EventType.FORMAT_DESCRIPTION:
                return int.from_bytes(event[:4], "little")
    return 0


def _hung_up() -> LostConnectionError:
    return LostConnectionError(
        "the server closed the connection that reads its log", remedy="check the server and the network; then try again"
    )
