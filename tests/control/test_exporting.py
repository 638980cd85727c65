"""Files of rows: NULL, texts, numbers and bytes stay what they are."""

from __future__ import annotations

import csv as reader
import json
from io import StringIO

from mainstem.control.exporting import csv, json_lines
from mainstem.model.shown import ShownKind as Kind

NAMES = ["a", "a", "__proto__", "n", "b", "j", "t"]
KINDS = [Kind.NUMBER, Kind.NUMBER, Kind.TEXT, Kind.TEXT, Kind.BINARY, Kind.JSON, Kind.BOOLEAN]
ROWS = [
    [b"9007199254740993", b"NaN", b'x,"y"\r\nz', None, b"\x00\xff", b'{"k": [1]}', b"t"],
    [b"1e400", b"007", b"", b"\xff", b"", b"not json", b"f"],
]


def test_csv_tells_null_from_an_empty_text() -> None:
    text = b"".join(csv(NAMES, KINDS, ROWS)).decode()
    assert text.splitlines()[-1] == '1e400,007,"",\\xff,\\x,not json,f'
    assert list(reader.reader(StringIO(text, newline="")))[1] == [
        "9007199254740993", "NaN", 'x,"y"\r\nz', "", "\\x00ff", '{"k": [1]}', "t",
    ]  # fmt: skip


def test_json_keeps_every_digit_and_every_column() -> None:
    text = b"".join(json_lines(NAMES, KINDS, ROWS)).decode()
    first, second = json.loads(text, parse_float=str)
    assert first == {
        "a": 9007199254740993, "a_2": "NaN", "__proto__": 'x,"y"\r\nz', "n": None, "b": {"base64": "AP8="},
        "j": {"k": [1]}, "t": True,
    }  # fmt: skip
    assert (second["a"], second["a_2"], second["n"], second["j"], second["t"]) == (
        "1e400", "007", "\\xff", "not json", False,
    )  # fmt: skip


def test_no_rows_are_an_empty_file_of_its_kind() -> None:
    assert b"".join(csv(["a"], [Kind.TEXT], [])) == b"a\r\n"
    assert json.loads(b"".join(json_lines(["a"], [Kind.TEXT], []))) == []
