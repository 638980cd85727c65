"""Files of rows: NULL, texts, numbers and bytes stay what they are."""

from __future__ import annotations

import csv as reader
import json
from collections.abc import Iterator
from io import StringIO

from mainstem.control.exports import FORMATS, Rows
from mainstem.model.shown import ShownKind as Kind

NAMES = ["a", "a", "__proto__", "n", "b", "j", "t"]
KINDS = [Kind.NUMBER, Kind.NUMBER, Kind.TEXT, Kind.TEXT, Kind.BINARY, Kind.JSON, Kind.BOOLEAN]
ROWS = [
    [b"9007199254740993", b"NaN", b'x,"y"\r\nz', None, b"\x00\xff", b'{"k":\n[1.10]}', b"t"],
    [b"1e400", b"007", b"", b"\xff", b"", b"not json", b"f"],
]
SAME_AS_TEXT = [
    ["9007199254740993", "NaN", 'x,"y"\r\nz', None, b"\x00\xff", '{"k":\n[1.10]}', "true"],
    ["1e400", "007", "", b"\xff", b"", "not json", "false"],
]


def _file(form: str, rows: Rows, names: list[str] = NAMES, kinds: list[Kind] = KINDS) -> str:
    return b"".join(FORMATS[form].write(names, kinds, rows)).decode()


def test_csv_tells_null_from_an_empty_text() -> None:
    text = _file("csv", ROWS)
    assert text.splitlines()[-1] == '1e400,007,"",\\xff,\\x,not json,f'
    assert list(reader.reader(StringIO(text, newline="")))[1] == [
        "9007199254740993", "NaN", 'x,"y"\r\nz', "", "\\x00ff", '{"k":\n[1.10]}', "t",
    ]  # fmt: skip


def test_csv_keeps_blanks_at_the_ends_of_a_text() -> None:
    assert _file("csv", [[" a "], ["b c"], ["\u00e9"]], ["t"], [Kind.TEXT]) == 't\r\n" a "\r\nb c\r\n\u00e9\r\n'


def test_json_keeps_every_digit_and_every_column() -> None:
    text = _file("json", ROWS)
    first, second = json.loads(text, parse_float=str)
    assert first == {
        "a": 9007199254740993, "a_2": "NaN", "__proto__": 'x,"y"\r\nz', "n": None, "b": {"base64": "AP8="},
        "j": {"k": ["1.10"]}, "t": True,
    }  # fmt: skip
    assert (second["a"], second["a_2"], second["n"], second["j"], second["t"]) == (
        "1e400", "007", {"base64": "/w=="}, "not json", False,
    )  # fmt: skip
    assert '"a": 9007199254740993, ' in text
    assert '"a": 1e400, ' in text


def test_json_lines_are_the_objects_of_json() -> None:
    lines = _file("jsonl", ROWS).splitlines()
    assert len(lines) == 2
    assert [json.loads(line, parse_float=str) for line in lines] == json.loads(_file("json", ROWS), parse_float=str)


def test_cells_that_are_texts_already_make_the_same_file() -> None:
    for form in ("json", "jsonl"):
        assert _file(form, SAME_AS_TEXT) == _file(form, ROWS)
    assert _file("csv", SAME_AS_TEXT).replace("true\r", "t\r").replace("false\r", "f\r") == _file("csv", ROWS)


def test_what_only_looks_like_json_is_a_text() -> None:
    cells = [["NaN"], ["[Infinity]"], [""], ["1" * 5000], ["{}"]]
    kept = [json.loads(line, parse_int=str)["j"] for line in _file("jsonl", cells, ["j"], [Kind.JSON]).splitlines()]
    assert kept == ["NaN", "[Infinity]", "", "1" * 5000, {}]


def test_a_name_that_occurs_twice_takes_no_other_columns_name() -> None:
    text = _file("jsonl", [["1", "2", "3"]], ["a", "a", "a_2"], [Kind.NUMBER] * 3)
    assert json.loads(text) == {"a": 1, "a_3": 2, "a_2": 3}


def test_no_rows_are_an_empty_file_of_its_kind() -> None:
    assert _file("csv", [], ["a"], [Kind.TEXT]) == "a\r\n"
    assert json.loads(_file("json", [], ["a"], [Kind.TEXT])) == []
    assert _file("jsonl", [], ["a"], [Kind.TEXT]) == ""


def test_a_file_is_written_while_its_rows_are_read() -> None:
    taken = 0

    def rows() -> Iterator[list[str]]:
        nonlocal taken
        for _ in range(1000):
            taken += 1
            yield ["x" * 1000]

    for form in FORMATS.values():
        taken = 0
        first = next(form.write(["a"], [Kind.TEXT], rows()))
        assert taken < 300
        assert len(first) < 300_000
