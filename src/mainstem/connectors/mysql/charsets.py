"""Text of the log in its column's character set → UTF-8, exactly as the server converts it when rows are selected.

The log holds text as it is stored. What a byte or a character becomes is asked of the server itself: once for
character sets of one byte, value by value (and remembered) for the others, so that a row has the same cells through a
snapshot and through the log.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pyarrow as pa

from mainstem.errors import StatementError, WireError

Ask = Callable[[str, Sequence[object]], list[tuple[Any, ...]]]

AS_IS = frozenset({"", "binary", "utf8", "utf8mb3", "utf8mb4"})
_WIDE = {"utf16": "utf-16-be", "utf16le": "utf-16-le", "utf32": "utf-32-be", "ucs2": "utf-16-be"}
_REMEMBERED_BYTES = 64
_MAX_REMEMBERED = 50_000
_ASKED_AT_ONCE = 500
_ASKED_BYTES = 1024 * 1024
_ASCII = bytes(range(128))

Convert = Callable[[Sequence[bytes]], list[bytes]]


class Charsets:
    """Converts by asking one connection. For one thread at a time."""

    def __init__(self, ask: Ask) -> None:
        """
        Args:
            ask: runs a query of the server, with its arguments, and returns the rows.
        """
        self._ask = ask
        self._converters: dict[str, _Converter] = {}
        self._names: dict[int, str] | None = None

    def name(self, collation: int) -> str:
        """The character set of a collation by its number; `WireError` for one that the server does not have."""
        if self._names is None:
            self._names = {}
            for query in _COLLATIONS:
                try:
                    rows = self._ask(query, ())
                except StatementError:  # a column that this server does not have
                    continue
                self._names |= {int(number): str(charset) for number, charset in rows if number is not None}
        if collation not in self._names:
            raise WireError(f"the log holds text of collation {collation}, which the server does not know")
        return self._names[collation]

    def converted(self, array: pa.Array[Any], charset: str) -> pa.Array[Any]:
        """A ``binary`` array with its cells in UTF-8."""
        if charset in AS_IS or not len(array):
            return array
        return self._converter(charset).array(array)

    def text(self, value: bytes, charset: str) -> bytes:
        """One value in UTF-8."""
        return value if charset in AS_IS else self._converter(charset).convert([value])[0]

    def statement(self, text: bytes, collation: int | None) -> str:
        """A statement as its session wrote it.

        Args:
            collation: of the session's client, by its number; None is "not told".
        """
        if collation is None or text.isascii() or len(text) > _ASKED_BYTES:
            return text.decode("utf-8", "replace")
        return self.text(text, self.name(collation)).decode("utf-8", "replace")

    def _converter(self, charset: str) -> _Converter:
        found = self._converters.get(charset)
        if found is None:
            found = self._converters[charset] = self._new(charset)
        return found

    def _new(self, charset: str) -> _Converter:
        ((longest,),) = self._ask(
            "SELECT maxlen FROM information_schema.character_sets WHERE character_set_name = %s", (charset,)
        )
        server = _Server(self._ask, charset)
        if charset in _WIDE:
            return _Converter(_wide(charset, server), plain=False)
        if int(longest) > 1:
            return _Converter(server, plain=server([_ASCII]) == [_ASCII])
        every = server([bytes([byte]) for byte in range(256)])
        table = "".join(text.decode() for text in every)
        if len(table) != 256:
            return _Converter(server, plain=False)
        return _Converter(
            lambda cells: [codecs.charmap_decode(cell, "strict", table)[0].encode() for cell in cells],
            plain=table[:128].encode() == _ASCII,
        )


_COLLATIONS = (
    "SELECT id, character_set_name FROM information_schema.collations",
    "SELECT id, character_set_name FROM information_schema.collation_character_set_applicability",
)


class _Converter:
    """Cells of one character set.

    Attributes:
        plain: cells of nothing but ASCII are in UTF-8 already.
    """

    def __init__(self, convert: Convert, *, plain: bool) -> None:
        self.convert = convert
        self._plain = plain

    def array(self, array: pa.Array[Any]) -> pa.Array[Any]:
        data = array.buffers()[2]
        if self._plain and (data is None or _is_ascii(data)):
            return array
        cells: list[bytes | None] = array.to_pylist()
        wanted = [
            number for number, cell in enumerate(cells) if cell is not None and not (self._plain and cell.isascii())
        ]
        for number, cell in zip(wanted, self.convert([cells[number] or b"" for number in wanted]), strict=True):
            cells[number] = cell
        return pa.array(cells, pa.binary())


def _is_ascii(data: pa.Buffer) -> bool:
    return bytes(memoryview(data)).isascii()


def _wide(charset: str, server: Convert) -> Convert:
    """UTF-16 and its like by the codec; what the codec does not take is the server's to say."""
    codec = _WIDE[charset]
    surrogates = charset != "ucs2"

    def convert(cells: Sequence[bytes]) -> list[bytes]:
        done: list[bytes | None] = []
        for cell in cells:
            try:
                text = cell.decode(codec)
            except UnicodeDecodeError:
                done.append(None)
                continue
            done.append(text.encode() if surrogates or not text or max(text) <= "\uffff" else None)
        left = [number for number, cell in enumerate(done) if cell is None]
        for number, answer in zip(left, server([cells[number] for number in left]), strict=True):
            done[number] = answer
        return [cell or b"" for cell in done]

    return convert


class _Server:
    """The server's own conversion; short values are remembered."""

    def __init__(self, ask: Ask, charset: str) -> None:
        if not charset.isalnum():
            raise ValueError(charset)
        self._ask = ask
        self._charset = charset
        self._known: dict[bytes, bytes] = {b"": b""}

    def __call__(self, cells: Sequence[bytes]) -> list[bytes]:
        known = self._known
        missing = [cell for cell in dict.fromkeys(cells) if cell not in known]
        answers = {cell: answer for some in _pieces(missing) for cell, answer in self._answers(some)}
        converted = [answers[cell] if cell in answers else known[cell] for cell in cells]
        if len(known) > _MAX_REMEMBERED:
            known.clear()
            known[b""] = b""
        known.update((cell, answer) for cell, answer in answers.items() if len(cell) <= _REMEMBERED_BYTES)
        return converted

    def _answers(self, cells: list[bytes]) -> Iterable[tuple[bytes, bytes]]:
        # The server takes the bytes for text of the character set as it does those of a column.
        one = f"CAST(CONVERT(CONVERT(UNHEX(%s) USING {self._charset}) USING utf8mb4) AS BINARY)"
        rows = self._ask(" UNION ALL ".join([f"SELECT {one}"] * len(cells)), [cell.hex() for cell in cells])
        return zip(cells, (bytes(answer) for (answer,) in rows), strict=True)


def _pieces(cells: list[bytes]) -> Iterable[list[bytes]]:
    """So many at once that the statement does not become too long."""
    piece: list[bytes] = []
    size = 0
    for cell in cells:
        if piece and (len(piece) >= _ASKED_AT_ONCE or size + len(cell) > _ASKED_BYTES):
            yield piece
            piece, size = [], 0
        piece.append(cell)
        size += len(cell)
    if piece:
        yield piece
