"""Recordings with bytes changed, left out or doubled only ever raise `WireError`, and nothing hangs or grows.

A failure is repeated by its file and seed. More of them: ``MAINSTEM_FUZZ=20000 pytest …/test_fuzz.py``.
"""

from __future__ import annotations

import os
import random
from contextlib import suppress
from pathlib import Path
from zlib import crc32

import pytest

from mainstem.connectors.mysql.wire import payload
from mainstem.connectors.mysql.wire.changes import take_changes
from mainstem.connectors.mysql.wire.codes import EventType
from mainstem.connectors.mysql.wire.events import Event, Rows, TableMapped, TransactionPayload
from mainstem.connectors.mysql.wire.forms import row_forms
from mainstem.connectors.mysql.wire.reader import EventReader, event_bytes
from mainstem.connectors.mysql.wire.tablemap import MapColumn
from mainstem.errors import WireError
from mainstem.model.names import TableId
from mainstem.model.plan import ColumnPlan
from mainstem.model.types import Kind, LogicalType
from mainstem.native.binlogrows import BinlogRows
from tests.connectors.mysql.wire.made import description, event, table_map

BINLOGS = sorted((Path(__file__).parents[3] / "data" / "binlogs").glob("*.*0*")) + sorted(
    (Path(__file__).parents[3] / "data" / "binlogs").glob("*.binlog")
)
ROUNDS = int(os.environ.get("MAINSTEM_FUZZ", "150"))
_KINDS = {
    1: LogicalType(Kind.INTEGER, bits=8), 2: LogicalType(Kind.INTEGER, bits=16), 3: LogicalType(Kind.INTEGER, bits=32),
    8: LogicalType(Kind.INTEGER, bits=64), 9: LogicalType(Kind.INTEGER, bits=24), 4: LogicalType(Kind.FLOAT, bits=32),
    5: LogicalType(Kind.FLOAT, bits=64), 13: LogicalType(Kind.YEAR), 10: LogicalType(Kind.DATE),
    245: LogicalType(Kind.JSON), 255: LogicalType(Kind.GEOMETRY), 247: LogicalType(Kind.ENUM, members=("a", "b")),
    248: LogicalType(Kind.SET, members=("a", "b")), 12: LogicalType(Kind.TIMESTAMP), 7: LogicalType(Kind.INSTANT),
    11: LogicalType(Kind.TIME), 242: LogicalType(Kind.BINARY),
}  # fmt: skip


def column_of(mapped: MapColumn) -> ColumnPlan:
    """Some column that the log's can be of."""
    made = {
        16: LogicalType(Kind.BITS, length=mapped.length),
        17: LogicalType(Kind.INSTANT, fraction=mapped.scale),
        18: LogicalType(Kind.TIMESTAMP, fraction=mapped.scale),
        19: LogicalType(Kind.TIME, fraction=mapped.scale),
        246: LogicalType(Kind.DECIMAL, precision=mapped.length, scale=mapped.scale),
    }
    type_ = made.get(mapped.type) or _KINDS.get(mapped.type) or LogicalType(Kind.TEXT)
    if type_.kind is Kind.INTEGER and mapped.unsigned:
        type_ = LogicalType(Kind.INTEGER, bits=type_.bits, unsigned=True)
    return ColumnPlan("c", "c", type_, "", native="")


def pieces(data: bytes) -> list[bytes]:
    """The events of a file."""
    found, at = [], 4
    with suppress(WireError):
        while at < len(data):
            size = event_bytes(data, at)
            found.append(data[at : at + size])
            at += size
    return found


class Consumer:
    """Reads events as a stream does, and decodes all of their rows."""

    def __init__(self) -> None:
        self.reader = EventReader()
        self.decoders: dict[int, BinlogRows] = {}

    def take(self, data: bytes) -> None:
        found = self.reader.read(data)
        self.use(found)
        if isinstance(found, TransactionPayload):
            for inner in payload.events(found, self.reader):
                self.use(inner)

    def use(self, found: Event) -> None:
        if isinstance(found, TableMapped):
            columns = [column_of(mapped) for mapped in found.table.columns]
            forms = row_forms(found.table, columns)
            self.decoders[found.table.table_id] = BinlogRows(forms, range(len(forms)), [0])
        elif isinstance(found, Rows) and (decoder := self.decoders.get(found.table_id)) is not None:
            at = found.start
            while at < found.end:
                at = decoder.feed(found.body, at, found.end, found.op, found.present, found.present_after, 0, 64 * 1024)
                changes = take_changes(decoder, TableId("", "t"))
                changes.after.validate(full=True)


def damaged(piece: bytes, chance: random.Random, crc: bool) -> bytes:
    """An event with some of its body changed; its size and checksum are right again."""
    end = len(piece) - 4 if crc else len(piece)
    body = bytearray(piece[19:end])
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(body) + 1)
        what = chance.randrange(5)
        if what == 0:
            del body[at : at + chance.randint(1, 8)]
        elif what == 1:
            body[at:at] = bytes(chance.choices((0, 1, 127, 128, 250, 251, 252, 253, 254, 255), k=chance.randint(1, 6)))
        elif at < len(body):
            body[at] = chance.choice((0, 1, 0x7F, 0x80, 0xFB, 0xFC, 0xFD, 0xFE, 0xFF, chance.randrange(256)))
    kind = piece[4] if chance.randrange(8) else chance.choice(list(EventType))
    head = piece[:4] + bytes([kind]) + piece[5:9]
    size = 19 + len(body) + (4 if crc else 0)
    made = head + size.to_bytes(4, "little") + piece[13:19] + bytes(body)
    return made + crc32(made).to_bytes(4, "little") if crc else made


@pytest.mark.parametrize("path", BINLOGS, ids=lambda path: path.name)
def test_damaged_events_are_read_or_refused(path: Path) -> None:
    whole = pieces(path.read_bytes())
    for seed in range(ROUNDS):
        chance = random.Random(f"{path.name} {seed}")
        consumer = Consumer()
        try:
            for number, piece in enumerate(whole):
                crc = bool(consumer.reader.checksum) or number == 0
                if number and not chance.randrange(3):
                    with suppress(WireError):
                        consumer.take(damaged(piece, chance, crc))
                with suppress(WireError):
                    consumer.take(piece)
        except Exception as exc:
            exc.add_note(f"{path.name}, seed {seed}")
            raise


@pytest.mark.parametrize("path", BINLOGS, ids=lambda path: path.name)
def test_cut_logs_are_refused(path: Path) -> None:
    data = path.read_bytes()
    ends = {0}
    for piece in pieces(data):
        ends.add(max(ends) + len(piece))
    for size in range(4, len(data), 7):
        consumer, at = Consumer(), 4
        if size - 4 in ends:
            continue
        with pytest.raises(WireError):  # noqa: PT012  # which of the events is cut is not the point
            while at < size:
                length = event_bytes(data[:size], at)
                consumer.take(data[at : at + length])
                at += length


def test_damaged_tables_of_every_type_are_read_or_refused() -> None:
    types = bytes([1, 2, 3, 4, 5, 8, 9, 10, 13, 15, 16, 17, 18, 19, 245, 246, 252, 254, 254, 254, 255, 7, 11, 12, 242])
    metadata = bytes([4, 8, 20, 0, 5, 1, 6, 3, 0, 4, 10, 2, 2, 247, 1, 248, 1, 254, 40, 4, 4])
    for seed in range(ROUNDS * 4):
        chance = random.Random(f"types {seed}")
        consumer = Consumer()
        consumer.take(description())
        mapped = event(EventType.TABLE_MAP, table_map(types, metadata))
        with suppress(WireError):
            consumer.take(damaged(mapped, chance, False))
        consumer.take(mapped)
        body = (9).to_bytes(6, "little") + b"\0\0" + b"\x19" + bytes(chance.choices((0, 0xFF), k=4))
        images = bytes(chance.choice((0, 1, 2, 3, 0x80, 0xFF, chance.randrange(256))) for _ in range(200))
        with suppress(WireError):
            consumer.take(event(EventType.WRITE_ROWS_V1, body + bytes(4) + images))
        with suppress(WireError):
            consumer.take(event(EventType.UPDATE_ROWS_V1, body + b"\xff" * 4 + images))
