from __future__ import annotations

import ctypes
import json
import struct
from typing import Any

import pytest
from drive import patient
from hypothesis import example, given
from hypothesis import strategies as st
from json_oracle import LARGE, SMALL, Opaque, encode, number
from json_oracle import to_text as oracle_text

from mainstem.errors import WireError
from mainstem.native.jsonb import to_text

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=30)
    | st.builds(Opaque, st.sampled_from([7, 10, 11, 12, 15, 246, 252, 253]), st.binary(max_size=12))
)
documents = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=5), inner, max_size=5)
)


def both(document: bytes) -> bytes | None:
    """The text, which is the oracle's; None where both refuse."""
    try:
        expected = oracle_text(document)
    except WireError:
        with pytest.raises(WireError):
            to_text(document)
        return None
    assert to_text(document) == expected
    return expected


@patient
@given(documents, st.sampled_from([SMALL, LARGE]))
def test_documents_are_printed_as_by_the_oracle(value: Any, wide: int) -> None:
    both(encode(value, wide))


@patient
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text() | st.floats(-1e300, 1e300),
        lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
    )
)
def test_text_reads_back_to_the_same_value(value: Any) -> None:
    assert json.loads(to_text(encode(value))) == value


@patient
@given(documents, st.sampled_from([SMALL, LARGE]), st.data())
def test_damaged_documents_fare_as_with_the_oracle(value: Any, wide: int, data: st.DataObject) -> None:
    damaged = bytearray(encode(value, wide))
    for _ in range(data.draw(st.integers(1, 3))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    both(bytes(damaged[: data.draw(st.integers(0, len(damaged)))]))


@patient
@given(st.binary(max_size=60))
@example(b"\x02\x01\x00\x07\x00\x02\x00\x00")  # an array that holds itself
@example(b"\x02\x02\x00\x0a\x00\x02\x00\x00\x02\x00\x00")
def test_bytes_that_are_no_document_are_refused(document: bytes) -> None:
    both(document)


def test_document_that_repeats_a_part_over_and_over_is_refused() -> None:
    count = 100
    entries = b"".join(b"\x02" + (4 + 3 * count).to_bytes(2, "little") for _ in range(count))
    inner = b"\x0c\x00\xff\x01" * 10
    size = 4 + len(entries) + len(inner)
    both(b"\x02" + count.to_bytes(2, "little") + size.to_bytes(2, "little") + entries + inner)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0.0"), (-0.0, "-0.0"), (1.0, "1.0"), (-1.5, "-1.5"), (0.1, "0.1"), (1 / 3, "0.3333333333333333"),
        (1e14, "100000000000000.0"), (1e15, "1e15"), (123456789012345.6, "123456789012345.6"),
        (1e-15, "0.000000000000001"),
        (1e-16, "1e-16"), (1.5e300, "1.5e300"), (5e-324, "5e-324"), (1.7976931348623157e308, "1.7976931348623157e308"),
        (2.0**-24, "0.00000005960464477539063"), (1234567890123456.8, "1234567890123456.8"),
        (2.5, "2.5"), (1e22, "1e22"), (9007199254740993.0, "9.007199254740992e15"),
    ],
)  # fmt: skip
def test_floating_point_numbers_have_as_few_digits_as_read_back(value: float, text: str) -> None:
    assert number(value) == text
    assert to_text(b"\x0b" + struct.pack("<d", value)) == text.encode()


@pytest.mark.parametrize(
    ("document", "text"),
    [
        (encode({"a": 1, "b": [1, 2]}, SMALL), '{"a": 1, "b": [1, 2]}'),
        (encode([], SMALL), "[]"),
        (encode({}), "{}"),
        (b"", "null"),
        (encode('"\\/\b\f\n\r\t\x01\x1f\x7fé😀'), '"\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u001f\x7fé😀"'),
        (encode([True, False, None]), "[true, false, null]"),
        (encode(Opaque(246, bytes.fromhex("050281580f"))), "344.15"),
        (encode(Opaque(253, b"text")), '"text"'),
        (encode(Opaque(15, b"\x01")), '"base64:type15:AQ=="'),
        (encode(Opaque(252, bytes(60))), f'"base64:type252:{"A" * 76}\\nAAAA"'),
        (encode(Opaque(10, (((2015 * 13 + 1) << 5 | 15) << 41).to_bytes(8, "little"))), '"2015-01-15"'),
        (
            encode(Opaque(12, (((2015 * 13 + 1) << 5 | 15) << 41 | (23 << 12 | 24 << 6 | 25) << 24 | 120000)
                          .to_bytes(8, "little"))),
            '"2015-01-15 23:24:25.120000"',
        ),
        (encode(Opaque(11, (-((10 << 12 | 1 << 6 | 2) << 24 | 5)).to_bytes(8, "little", signed=True))),
         '"-10:01:02.000005"'),
    ],
)  # fmt: skip
def test_values_are_printed_as_the_server_does(document: bytes, text: str) -> None:
    assert to_text(document).decode() == text
    assert oracle_text(document).decode() == text


@pytest.mark.parametrize("last", [False, True])
def test_no_byte_behind_a_document_is_read(last: bool) -> None:
    """A page that may not be read follows; the sanitizer that others use is not at hand."""
    library = ctypes.CDLL(None, use_errno=True)
    library.mmap.restype = ctypes.c_void_p
    library.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
    page = 4096
    start = library.mmap(None, 2 * page, 3, 0x22, -1, 0)
    assert library.mprotect(ctypes.c_void_p(start + page), page, 0) == 0
    document = encode({"key": ["text", 1.5, 7, Opaque(252, b"bytes")], "other": -70000})
    for size in range(1, len(document) + 1):
        piece = document[:size] if last else document[-size:]
        at = start + page - len(piece)
        ctypes.memmove(at, piece, len(piece))
        view = (ctypes.c_char * len(piece)).from_address(at)
        try:
            to_text(view)
        except WireError:
            continue
    library.munmap(ctypes.c_void_p(start), 2 * page)
