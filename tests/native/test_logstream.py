"""A walsender's messages as they come at a socket."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator

import pytest
from log_oracle import HEAD, begin, change, commit

from mainstem.errors import WireError
from mainstem.model.change import Op
from mainstem.native.changerows import ChangeRows, Relation
from mainstem.native.logstream import SocketStream
from mainstem.native.ops import LogOp
from mainstem.native.pgoutput import LogDecoder
from mainstem.native.status import Status

MANY = 1 << 40
LARGE = 5 * 1024 * 1024
XID = struct.pack("!I", 7)


def sent(data: bytes, letter: bytes = b"d") -> bytes:
    return letter + struct.pack("!I", len(data) + 4) + data


def insert(cell: bytes) -> bytes:
    return change(Op.INSERT, 1, [cell], None)


class Wire:
    """Both ends of a connection, with a decoder behind one of them."""

    def __init__(self) -> None:
        self.server, self.client = socket.socketpair()
        self.stream, self.decoder = SocketStream(self.client.fileno()), LogDecoder(0)
        self.rows = ChangeRows(2, 1, [LogOp.TEXT, LogOp.TEXT], [0, 0])
        self.decoder.relate(Relation(1, 1, self.rows, [0, 0], 0))
        self.aside = bytearray()

    def read(self) -> Status:
        return self.stream.read(self.decoder, MANY, MANY)

    def feed(self, data: bytes, piece: int) -> list[Status]:
        """Send in pieces, and read after each; what is put aside is taken."""
        found = []
        for start in range(0, len(data), piece):
            self.server.sendall(data[start : start + piece])
            while (status := self.read()) in (Status.SPOOL, Status.LARGE):
                self.aside += self.decoder.take_spool()
                if status is Status.LARGE:
                    self.decoder.large(bytes(self.aside))
                    self.aside.clear()
                found.append(status)
            found.append(status)
        return found

    def cells(self) -> list[bytes]:
        count, _, _, after, _, _ = self.rows.take_changes()
        offsets, data = memoryview(after[0][1]).cast("i"), bytes(memoryview(after[0][2]))
        return [data[offsets[row] : offsets[row + 1]] for row in range(count)]


@pytest.fixture
def wire() -> Iterator[Wire]:
    found = Wire()
    with found.server, found.client:
        yield found


@pytest.mark.parametrize("piece", [1, 7, 100, 65536])
def test_messages_are_decoded_however_they_are_cut(wire: Wire, piece: int) -> None:
    cells = [b"x" * size for size in (0, 1, 50, 2000)]
    rows = b"".join(sent(HEAD + insert(cell)) for cell in cells)
    other = sent(b"SNOTICE\0\0", b"N") + sent(b"\0\0\0", b"W")
    wire.feed(other + sent(HEAD + begin(100)) + rows + other + sent(HEAD + commit(100)), piece)
    assert wire.cells() == cells
    assert wire.decoder.position == 108
    assert not wire.aside


def test_a_large_message_of_a_transaction_under_way_is_put_aside_in_pieces(wire: Wire) -> None:
    message = b"I" + XID + bytes(LARGE)
    wire.decoder.spooling = True
    found = wire.feed(sent(HEAD + message) + sent(HEAD + b"E"), 200_000)
    wire.aside += wire.decoder.take_spool()
    assert found.count(Status.SPOOL) >= 4
    assert found[-1] is Status.MESSAGE
    assert wire.stream.take() == b"E"
    assert wire.aside == struct.pack("!I", len(message)) + message


def test_a_large_row_is_put_aside_and_decoded_from_there(wire: Wire) -> None:
    cells = [b"small", bytes(range(256)) * (LARGE // 256), b"", b"y" * LARGE, b"last"]
    rows = b"".join(sent(HEAD + insert(cell)) for cell in cells)
    found = wire.feed(sent(HEAD + begin(100)) + rows + sent(HEAD + commit(100)), 180_000)
    assert found.count(Status.LARGE) == 2
    assert wire.cells() == cells


def test_a_message_is_left_for_the_caller(wire: Wire) -> None:
    wire.server.sendall(sent(HEAD + b"R" + bytes(20)))
    assert [wire.read(), wire.read()] == [Status.MESSAGE, Status.MESSAGE]
    assert wire.stream.take() == b"R" + bytes(20)
    assert wire.read() is Status.NEED_MORE


def test_an_error_of_the_server_ends_the_stream_and_is_kept(wire: Wire) -> None:
    wire.server.sendall(sent(HEAD + begin(100)) + sent(b"C57P01\0Mended\0\0", b"E") + sent(b"I", b"Z"))
    assert [wire.read(), wire.read()] == [Status.END, Status.END]
    assert wire.stream.failure() == b"C57P01\0Mended\0\0"


@pytest.mark.parametrize("last", [b"", sent(b"", b"c"), b"d\0\0"])
def test_the_end_is_noticed(wire: Wire, last: bytes) -> None:
    wire.server.sendall(sent(HEAD + begin(100)) + last)
    wire.server.shutdown(socket.SHUT_WR)
    assert wire.feed(b"", 1) == []
    while (status := wire.read()) is Status.NEED_MORE:
        pass
    assert status is Status.END
    assert wire.stream.failure() == b""


@pytest.mark.parametrize("data", [b"d\0\0\0\3", b"d\xff\xff\xff\xff" + bytes(40), sent(b"x" + bytes(40))])
def test_what_breaks_the_protocol_is_an_error(wire: Wire, data: bytes) -> None:
    wire.server.sendall(data)
    with pytest.raises(WireError):
        wire.read()


def test_a_large_row_of_a_table_that_is_not_settled_waits_until_it_is(wire: Wire) -> None:
    wire.decoder.relate(Relation(1, 1, None, [], 50))
    wire.feed(sent(HEAD + begin(100)), 100)
    row = insert(b"x" * LARGE)
    aside = struct.pack("!I", len(row)) + row
    assert wire.decoder.large(aside) is Status.MESSAGE
    wire.decoder.relate(Relation(1, 1, wire.rows, [0, 0], 50))
    assert wire.decoder.large(aside) is Status.NEED_MORE
    assert wire.cells() == [b"x" * LARGE]
