from __future__ import annotations

import ctypes
import zlib
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import json_oracle
import pyarrow as pa
import pytest
from binlog_oracle import ENCODED, PREFIXED, Cell, Event, Mark, columns_of, decode, encode, fixed_size, image
from drive import patient
from hypothesis import given
from hypothesis import strategies as st

from mainstem.errors import WireError
from mainstem.model.change import Op
from mainstem.native.binlogrows import BinlogRows
from mainstem.native.ops import BinlogForm, BinlogOp

MANY = 1 << 40
LABELS = (b"small", "Größe".encode(), b"a,b", b"", b"x" * 300)


def a_form(op: BinlogOp, width: int, extra: int = 0, labels: tuple[bytes, ...] = ()) -> BinlogForm:
    """Told apart from the class, of which hypothesis would make up what is left out."""
    return BinlogForm(op, width, extra, labels)


forms: dict[BinlogOp, st.SearchStrategy[BinlogForm]] = {
    **{
        op: st.builds(a_form, st.just(op), st.sampled_from([1, 2, 3, 4, 8]))
        for op in (BinlogOp.INT, BinlogOp.UINT)
    },
    BinlogOp.FLOAT: st.builds(a_form, st.just(BinlogOp.FLOAT), st.sampled_from([4, 8])),
    BinlogOp.DECIMAL: st.integers(1, 65).flatmap(
        lambda width: st.builds(a_form, st.just(BinlogOp.DECIMAL), st.just(width), st.integers(0, min(width, 30)))
    ),
    **{op: st.just(BinlogForm(op)) for op in (BinlogOp.YEAR, BinlogOp.DATE, BinlogOp.NULL)},
    **{
        op: st.builds(a_form, st.just(op), st.just(0), st.integers(0, 6))
        for op in BinlogOp
        if BinlogOp.DATETIME2 <= op <= BinlogOp.TIME
    },
    BinlogOp.BIT: st.builds(a_form, st.just(BinlogOp.BIT), st.integers(1, 8)),
    BinlogOp.ENUM: st.builds(
        a_form, st.just(BinlogOp.ENUM), st.integers(1, 2), st.just(0), st.integers(0, 5).map(lambda n: LABELS[:n])
    ),
    BinlogOp.SET: st.builds(
        a_form, st.just(BinlogOp.SET), st.integers(1, 8), st.just(0), st.integers(0, 5).map(lambda n: LABELS[:n])
    ),
    **{
        op: st.builds(a_form, st.just(op), st.integers(1, 4), st.integers(0, 30) if op is BinlogOp.PADDED else
                      st.integers(0, 1) if op is BinlogOp.UUID else st.just(0))
        for op in PREFIXED
    },
}  # fmt: skip
some_form = st.sampled_from(BinlogOp).flatmap(lambda op: forms[op])


def fraction(digits: int) -> st.SearchStrategy[str]:
    return st.integers(0, 10**6 - 1).map(lambda micros: f".{micros:06d}"[: digits + 1] if digits else "")


def moments(digits: int, *, instant: bool) -> st.SearchStrategy[str]:
    if instant:
        dates = st.dates(date(1970, 1, 2), date(2106, 2, 6)).map(str)
    else:
        dates = st.builds(
            lambda year, month, day: f"{year:04d}-{month:02d}-{day:02d}",
            st.integers(0, 9999), st.integers(0, 12), st.integers(0, 31),
        )  # fmt: skip
    clocks = st.builds(
        lambda hour, minute, second: f" {hour:02d}:{minute:02d}:{second:02d}",
        st.integers(0, 23), st.integers(0, 59), st.integers(0, 59),
    )  # fmt: skip
    return st.builds(lambda day, clock, part: day + clock + part, dates, clocks, fraction(digits))


def spans(digits: int) -> st.SearchStrategy[str]:
    made = st.builds(
        lambda sign, hour, minute, second, part: f"{sign}{hour:02d}:{minute:02d}:{second:02d}{part}",
        st.sampled_from(["", "-"]), st.integers(0, 838), st.integers(0, 59), st.integers(0, 59), fraction(digits),
    )  # fmt: skip
    return made.filter(lambda text: not text.startswith("-") or any(digit in "123456789" for digit in text))


def decimals(form: BinlogForm) -> st.SearchStrategy[str]:
    def made(sign: str, digits: int) -> str:
        text = str(digits).rjust(form.extra + 1, "0")
        whole, scale = text[: len(text) - form.extra], text[len(text) - form.extra :]
        return f"{sign if digits else ''}{whole}{'.' if scale else ''}{scale}"

    return st.builds(made, st.sampled_from(["", "-"]), st.integers(0, 10**form.width - 1)).filter(
        lambda text: len(text.lstrip("-").partition(".")[0].lstrip("0")) <= form.width - form.extra
    )


def written(form: BinlogForm) -> st.SearchStrategy[bytes]:
    """Cells that a column of this form can hold."""
    bits = 8 * form.width
    texts: dict[BinlogOp, st.SearchStrategy[Any]] = {
        BinlogOp.INT: st.integers(-(1 << bits - 1), (1 << bits - 1) - 1) if bits else st.nothing(),
        BinlogOp.UINT: st.integers(0, (1 << bits) - 1),
        BinlogOp.DECIMAL: decimals(form) if form.op is BinlogOp.DECIMAL else st.nothing(),
        BinlogOp.YEAR: st.sampled_from([0, *range(1901, 2156)]).map(lambda year: f"{year:04d}"),
        BinlogOp.DATE: moments(0, instant=False).map(lambda text: text[:10]),
        BinlogOp.DATETIME2: moments(form.extra, instant=False),
        BinlogOp.TIMESTAMP2: moments(form.extra, instant=True),
        BinlogOp.TIME2: spans(form.extra),
    }
    if form.op in texts:
        return texts[form.op].map(lambda value: str(value).encode())
    if form.op is BinlogOp.ENUM:
        return st.sampled_from(form.labels) if form.labels else st.nothing()
    if form.op is BinlogOp.PADDED:
        return st.binary(min_size=form.extra, max_size=form.extra)
    return st.binary(min_size=form.width, max_size=form.width) if form.op not in PREFIXED else st.binary(max_size=40)


plain_form = st.sampled_from([*ENCODED, BinlogOp.BYTES, BinlogOp.PADDED]).flatmap(lambda op: forms[op]).filter(
    lambda form: form.op is not BinlogOp.ENUM or bool(form.labels)
)  # fmt: skip


def taken(decoder: BinlogRows) -> list[Event]:
    """What a decoder has gathered, event by event; the arrays pass Arrow's own full check."""
    batch = decoder.take()

    def array(type_: Any, *buffers: Any) -> list[Any]:
        made = pa.Array.from_buffers(type_, batch.rows, [b if b is None else pa.py_buffer(b) for b in buffers])
        made.validate(full=True)
        return list(made.to_pylist())

    after = [array(pa.binary(), *column) for column in batch.after]
    for cells, bits in zip(after, batch.absent, strict=True):
        if bits is not None:
            for row, absent in enumerate(array(pa.bool_(), None, bits)):
                if absent:
                    assert cells[row] is None
                    cells[row] = Mark.ABSENT
    before = [array(pa.binary(), *column) for column in batch.before] if batch.before is not None else None
    ops, seqs = array(pa.uint8(), None, batch.ops), array(pa.int64(), None, batch.seqs)
    assert seqs == list(range(seqs[0], seqs[0] + len(seqs))) if seqs else True
    assert (before is None) == all(op == Op.INSERT for op in ops)
    return [
        Event(
            Op(op),
            tuple(column[row] for column in after),
            tuple(column[row] for column in before) if before is not None else (),
        )
        for row, op in enumerate(ops)
    ]


def full(width: int) -> bytes:
    return b"\xff" * ((width + 7) // 8)


@patient
@given(st.lists(plain_form, min_size=1, max_size=9), st.data())
def test_what_was_written_is_read(columns: list[BinlogForm], data: st.DataObject) -> None:
    rows = data.draw(st.lists(st.tuples(*(st.none() | written(form) for form in columns)), max_size=20))
    event = b"".join(image(row, columns) for row in rows)
    decoder = BinlogRows(columns, range(len(columns)), [0])
    present = full(len(columns))
    assert decoder.feed(event, 0, len(event), Op.INSERT, present, present, 5, MANY) == len(event)
    assert [event.after for event in taken(decoder)] == rows


@st.composite
def events(draw: st.DrawFn) -> tuple[list[BinlogForm], list[int], list[int], Op, bytes, bytes, bytes]:
    columns = draw(st.lists(some_form, min_size=1, max_size=10))
    some = st.lists(st.integers(0, len(columns) - 1), unique=True, max_size=4)
    after, before = draw(some), draw(some)
    op = draw(st.sampled_from(Op))
    size = (len(columns) + 7) // 8
    masks = st.just(full(len(columns))) | st.binary(min_size=size, max_size=size)
    present, present_after = draw(masks), draw(masks)
    body = b""
    for _ in range(draw(st.integers(0, 3))):
        for mask in (present, present_after)[: 2 if op is Op.UPDATE else 1]:
            body += draw(raw_image(columns, mask))
    return columns, after or [0], before, op, present, present_after, body


@st.composite
def raw_image(draw: st.DrawFn, columns: Sequence[BinlogForm], present: bytes) -> bytes:
    """An image of the right size, of bytes that are values or not."""
    there = columns_of(present, len(columns))
    nulls = draw(st.integers(0, (1 << len(there)) - 1)) & draw(st.integers(0, (1 << len(there)) - 1))
    body = nulls.to_bytes((len(there) + 7) // 8, "little")
    for number, index in enumerate(there):
        if not nulls >> number & 1:
            body += draw(raw_value(columns[index]))
    return body


def raw_value(form: BinlogForm) -> st.SearchStrategy[bytes]:
    if form.op not in PREFIXED:
        size = fixed_size(form)
        random = st.binary(min_size=size, max_size=size)
        return random | written(form).map(lambda cell: encode(cell, form)) if form.op in ENCODED else random
    inside: st.SearchStrategy[bytes] = st.binary(max_size=18)
    if form.op is BinlogOp.JSON:
        inside |= st.lists(st.integers() | st.text(max_size=4), max_size=3).filter(
            lambda items: all(not isinstance(item, int) or -(2**63) <= item < 2**64 for item in items)
        ).map(json_oracle.encode)  # fmt: skip
    if form.op is BinlogOp.COMPRESSED:
        inside |= st.binary(max_size=40).map(lambda cell: b"\x00" + cell)
        inside |= st.binary(max_size=40).map(lambda cell: bytes([0x81, len(cell)]) + zlib.compress(cell))
        inside |= st.binary(max_size=40).map(lambda cell: bytes([0x89, len(cell)]) + zlib.compress(cell, wbits=-15))
    return inside.map(lambda cell: len(cell).to_bytes(form.width, "little") + cell)


def both(
    columns: Sequence[BinlogForm], after: Sequence[int], before: Sequence[int], op: Op, present: bytes,
    present_after: bytes, body: bytes, defaults: Mapping[int, bytes | None],
) -> list[Event]:  # fmt: skip
    """The events, which are the oracle's, and the error at the end if it has one."""
    expected: list[Event] = []
    refused = False
    try:
        for event in decode(body, columns, after, before, op, present, present_after, defaults):
            expected.append(event if op is not Op.INSERT else Event(op, event.after, ()))
    except WireError:
        refused = True
    decoder = BinlogRows(columns, after, before, defaults)
    if not refused:
        assert decoder.feed(body, 0, len(body), op, present, present_after, 0, MANY) == len(body)
    else:
        with pytest.raises(WireError):
            decoder.feed(body, 0, len(body), op, present, present_after, 0, MANY)
    found = taken(decoder)
    assert found == expected
    return found


@patient
@given(events(), st.dictionaries(st.integers(0, 9), st.none() | st.binary(max_size=5), max_size=4))
def test_images_become_the_events_of_the_oracle(
    made: tuple[list[BinlogForm], list[int], list[int], Op, bytes, bytes, bytes], defaults: dict[int, bytes | None]
) -> None:
    columns, *_ = made
    both(*made, {index: cell for index, cell in defaults.items() if index < len(columns)})


@patient
@given(events(), st.data())
def test_damaged_images_fare_as_with_the_oracle(
    made: tuple[list[BinlogForm], list[int], list[int], Op, bytes, bytes, bytes], data: st.DataObject
) -> None:
    *rest, body = made
    damaged = bytearray(body)
    if damaged:
        for _ in range(data.draw(st.integers(1, 3))):
            damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    both(*rest, bytes(damaged[: data.draw(st.integers(0, len(damaged)))]), {})  # type: ignore[arg-type]


@patient
@given(st.lists(st.binary(max_size=20), min_size=1, max_size=200), st.integers(1, 300))
def test_full_batch_is_taken_and_the_event_goes_on(cells: list[bytes], max_bytes: int) -> None:
    columns = [BinlogForm(BinlogOp.BYTES, 2)]
    body = b"".join(image([cell], columns) for cell in cells)
    decoder = BinlogRows(columns, [0], [])
    at, found, seq = 0, [], 0
    while at < len(body):
        stopped = decoder.feed(body, at, len(body), Op.INSERT, b"\xff", b"\xff", seq, max_bytes)
        assert stopped > at
        at, seq = stopped, seq + decoder.rows
        found += [event.after[0] for event in taken(decoder)]
    assert found == cells


def test_events_of_several_kinds_share_a_batch() -> None:
    columns = [BinlogForm(BinlogOp.INT, 4), BinlogForm(BinlogOp.BYTES, 1)]
    decoder = BinlogRows(columns, [0, 1], [0])
    one, two = image([b"1", b"a"], columns), image([b"2", None], columns)
    for seq, (op, body) in enumerate([(Op.INSERT, one), (Op.UPDATE, one + two), (Op.DELETE, two)]):
        assert decoder.feed(body, 0, len(body), op, b"\x03", b"\x03", seq, MANY) == len(body)
    assert (decoder.rows, decoder.size_bytes) == (3, 5)
    assert taken(decoder) == [
        Event(Op.INSERT, (b"1", b"a"), (None,)),
        Event(Op.UPDATE, (b"2", None), (b"1",)),
        Event(Op.DELETE, (None, None), (b"2",)),
    ]
    assert taken(decoder) == []


def test_absent_cells_stay_where_they_are_when_a_batch_grows() -> None:
    columns = [BinlogForm(BinlogOp.INT, 4), BinlogForm(BinlogOp.BYTES, 1)]
    decoder = BinlogRows(columns, [0, 1], [0])
    expected: list[tuple[Cell, ...]] = []
    for number in range(1000):
        key = encode(str(number).encode(), columns[0])
        if number % 3:
            body, present, cell = b"\0" + key + b"\0" + key, b"\x01", Mark.ABSENT
        else:
            body, present, cell = 2 * image([str(number).encode(), b"x"], columns), b"\x03", b"x"  # type: ignore[assignment]
        decoder.feed(body, 0, len(body), Op.UPDATE, present, present, number, MANY)
        expected.append((str(number).encode(), cell))
    assert [event.after for event in taken(decoder)] == expected


def test_event_with_other_columns_than_its_table_is_refused() -> None:
    with pytest.raises(WireError, match="other columns"):
        BinlogRows([BinlogForm(BinlogOp.YEAR)], [0], []).feed(b"", 0, 0, Op.INSERT, b"\1\1", b"\1\1", 0, MANY)


def test_images_without_a_byte_are_refused() -> None:
    decoder = BinlogRows([BinlogForm(BinlogOp.YEAR)], [], [0])
    with pytest.raises(WireError, match="without a byte"):
        decoder.feed(b"x", 0, 1, Op.DELETE, b"\0", b"\0", 0, MANY)


@pytest.mark.parametrize(
    ("form", "message"),
    [
        (BinlogForm(BinlogOp.INT, 5), "width"),
        (BinlogForm(BinlogOp.FLOAT, 3), "width"),
        (BinlogForm(BinlogOp.DECIMAL, 66), "65 digits"),
        (BinlogForm(BinlogOp.DECIMAL, 5, 6), "65 digits"),
        (BinlogForm(BinlogOp.TIME2, 0, 7), "six digits"),
        (BinlogForm(BinlogOp.BYTES, 5), "one to four"),
        (BinlogForm(BinlogOp.SET, 9), "width"),
    ],
)
def test_form_that_does_not_exist_is_refused(form: BinlogForm, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        BinlogRows([form], [0], [])


def test_no_byte_behind_an_event_is_read() -> None:
    """A page that may not be read follows."""
    library = ctypes.CDLL(None, use_errno=True)
    library.mmap.restype = ctypes.c_void_p
    library.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
    page = 4096
    start = library.mmap(None, 2 * page, 3, 0x22, -1, 0)
    assert library.mprotect(ctypes.c_void_p(start + page), page, 0) == 0
    columns = [BinlogForm(op, 2) for op in (BinlogOp.INT, BinlogOp.BYTES, BinlogOp.BIT)]
    columns += [BinlogForm(BinlogOp.DATETIME2, 0, 6), BinlogForm(BinlogOp.DECIMAL, 20, 5)]
    row = [b"7", b"bytes", b"\x01\x02", b"2020-01-02 03:04:05.678901", b"-123.45678"]
    body = image(row, columns)
    for size in range(1, len(body) + 1):
        at = start + page - size
        ctypes.memmove(at, body[:size], size)
        view = (ctypes.c_char * size).from_address(at)
        decoder = BinlogRows(columns, range(5), [0])
        try:
            decoder.feed(view, 0, size, Op.INSERT, b"\x1f", b"\x1f", 0, MANY)
        except WireError:
            continue
        assert taken(decoder)[0].after == tuple(row)
    library.munmap(ctypes.c_void_p(start), 2 * page)
