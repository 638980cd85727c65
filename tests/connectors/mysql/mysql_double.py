"""A MySQL server as far as a reader of its log can see: a login, some answers, and a recorded log.

Source: MySQL source documentation, "Connection Phase", "Text Resultset", "COM_BINLOG_DUMP", "COM_BINLOG_DUMP_GTID".
"""

from __future__ import annotations

import re
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from zlib import crc32

from mainstem.connectors.mysql.wire.codes import EventFlag, EventType
from mainstem.connectors.mysql.wire.events import GtidEvent
from mainstem.connectors.mysql.wire.gtid import GtidSet
from mainstem.connectors.mysql.wire.reader import EventReader, event_bytes
from mainstem.model.connection import ConnectionSettings
from tests.connectors.scripted import server

_MARK = 4
_TEXT_COLUMN = b"\x03def\x00\x00\x00\x01c\x00\x0c" + struct.pack("<HIBHB", 45, 1024, 253, 0, 0) + b"\0\0"
_EOF = b"\xfe\0\0\2\0"
_OK = b"\0\0\0\2\0\0\0"
_QUERY, _QUIT, _REGISTER, _DUMP, _DUMP_GTID = 3, 1, 0x15, 0x12, 0x1E

Row = Sequence[str | None]


@dataclass
class Double:
    """What the server has and answers.

    Attributes:
        log: the content of its one log file.
        answers: pattern of a query → its rows, or the number of an error. Others are answered with nothing.
        asked: how the log was asked for: command, file and offset, and the set of GTIDs.
        ended: what is sent at the end of the log: an error's number, or nothing, and it waits.
    """

    log: bytes
    file: str = "mysql-bin.000001"
    answers: dict[str, list[Row] | int] = field(default_factory=dict)
    asked: list[tuple[int, str, int, str]] = field(default_factory=list)
    ended: int = 0
    message: str = "it is so"

    def talk(self, sock: socket.socket, ended: threading.Event) -> None:
        """Serve one connection."""
        wire = _Wire(sock)
        salt = b"12345678", b"123456789012\0"
        caps = 0x1 | 0x8 | 0x200 | 0x2000 | 0x8000 | 0x20000 | 0x80000
        wire.send(
            b"\x0a8.0.36\0" + struct.pack("<I", 7) + salt[0] + b"\0" + struct.pack("<HBHH", caps & 0xFFFF, 45, 2,
            caps >> 16) + bytes([21]) + b"\0" * 10 + salt[1] + b"mysql_native_password\0"
        )  # fmt: skip
        wire.read()
        wire.send(_OK)
        while (packet := wire.read()) is not None and packet[0] != _QUIT:
            wire.number = 1
            if packet[0] == _QUERY:
                self._answer(wire, packet[1:].decode())
            elif packet[0] in (_DUMP, _DUMP_GTID):
                self._dump(wire, packet)
                ended.wait(60)
                return
            else:
                wire.send(_OK)

    def _answer(self, wire: _Wire, sql: str) -> None:
        found = next((rows for pattern, rows in self.answers.items() if re.search(pattern, sql)), None)
        if isinstance(found, int):
            self._error(wire, found)
        elif found is None:
            wire.send(_OK)
        else:
            width = len(found[0]) if found else 1
            wire.send(bytes([width]))
            for part in [_TEXT_COLUMN] * width + [_EOF]:
                wire.send(part)
            for row in found:
                wire.send(b"".join(_lenenc(cell) for cell in row))
            wire.send(_EOF)

    def _error(self, wire: _Wire, number: int) -> None:
        wire.send(b"\xff" + struct.pack("<H", number) + b"#HY000" + self.message.encode())

    def _dump(self, wire: _Wire, packet: bytes) -> None:
        have = GtidSet()
        if packet[0] == _DUMP:
            offset, _, _ = struct.unpack_from("<IHI", packet, 1)
            file = packet[11:].decode()
        else:
            _, _, length = struct.unpack_from("<HII", packet, 1)
            file = packet[11 : 11 + length].decode()
            offset, size = struct.unpack_from("<QI", packet, 11 + length)
            have = GtidSet.decode(packet[23 + length : 23 + length + size])
        self.asked.append((packet[0], file, offset, str(have)))
        for event in self._events(offset, have):
            wire.send_large(b"\0" + event)
        if self.ended:
            self._error(wire, self.ended)

    def _events(self, offset: int, have: GtidSet) -> Iterator[bytes]:
        name = self.file.encode()
        yield _event(EventType.ROTATE, struct.pack("<Q", max(offset, _MARK)) + name)
        reader, at, skipping = EventReader(), _MARK, False
        while at < len(self.log):
            size = event_bytes(self.log, at)
            event = self.log[at : at + size]
            read = reader.read(event)
            if isinstance(read, GtidEvent):
                skipping = read.gtid is not None and read.gtid in have
            if at == _MARK and offset > _MARK:
                event = _with_end(event, 0)
            if at == _MARK or (at >= offset and not skipping):
                yield event
            at += size


def _event(kind: int, body: bytes) -> bytes:
    """An event that stands in no file, with its checksum."""
    size = 19 + len(body) + 4
    whole = struct.pack("<IBIIIH", 0, kind, 1, size, 0, EventFlag.ARTIFICIAL) + body
    return whole + struct.pack("<I", crc32(whole))


def _with_end(event: bytes, end: int) -> bytes:
    """A format description that is sent to somebody who begins further behind."""
    changed = bytearray(event[:-4])
    changed[13:17] = struct.pack("<I", end)
    changed[17] &= ~EventFlag.BINLOG_IN_USE & 0xFF
    return bytes(changed) + struct.pack("<I", crc32(changed))


class _Wire:
    """Packets of a connection."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self.number = 0

    def read(self) -> bytes | None:
        """The next packet; None when the other side has hung up."""
        header = self._exactly(4)
        if header is None:
            return None
        self.number = header[3] + 1
        return self._exactly(int.from_bytes(header[:3], "little"))

    def _exactly(self, size: int) -> bytes | None:
        data = b""
        while len(data) < size:
            piece = self._sock.recv(size - len(data))
            if not piece:
                return None
            data += piece
        return data

    def send(self, payload: bytes) -> None:
        self._sock.sendall(len(payload).to_bytes(3, "little") + bytes([self.number & 0xFF]) + payload)
        self.number += 1

    def send_large(self, payload: bytes) -> None:
        """In as many packets as it takes."""
        while len(payload) >= 0xFFFFFF:
            self.send(payload[:0xFFFFFF])
            payload = payload[0xFFFFFF:]
        self.send(payload)


def _lenenc(cell: str | None) -> bytes:
    if cell is None:
        return b"\xfb"
    data = cell.encode()
    return (bytes([len(data)]) if len(data) < 251 else b"\xfc" + struct.pack("<H", len(data))) + data


@contextmanager
def running(double: Double) -> Iterator[ConnectionSettings]:
    """Serve it."""
    talk: Callable[[socket.socket, threading.Event], None] = double.talk
    with server(talk) as port:
        yield ConnectionSettings("mysql", "127.0.0.1", port, "reader", "pw", "mysql")


def answers(**more: Mapping[str, list[Row] | int]) -> dict[str, list[Row] | int]:
    """Those of a MySQL 8.4 in order."""
    return {
        "@@server_uuid": [("97c7af02-4c50-11ec-acd8-681842034964", "ON", "0")],
        "SHOW MASTER STATUS": 1064,
        "SHOW BINARY LOG STATUS": [
            ("mysql-bin.000001", "1810", "", "", "97c7af02-4c50-11ec-acd8-681842034964:1-5"),
        ],
        "SHOW BINARY LOGS": [("mysql-bin.000001", "1810", "No")],
        "XA RECOVER": 1227,
        "GTID_SUBSET": [("1",)],
        "GTID_SUBTRACT": [("", "")],
        "SELECT @master_binlog_checksum": [("CRC32",)],
        "information_schema.collations": [("255", "utf8mb4"), ("63", "binary")],
        "UNIX_TIMESTAMP": [("1637667300",)],
        **more,
    }  # type: ignore[dict-item]
