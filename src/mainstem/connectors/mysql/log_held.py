"""Changes of a transaction that may come to nothing, put aside until it is known what becomes of it."""

from __future__ import annotations

from collections.abc import Iterator
from tempfile import SpooledTemporaryFile

from mainstem.connectors.mysql.log_group import divided
from mainstem.errors import SpoolError
from mainstem.model.change import RowChanges
from mainstem.model.letters import pack, unpack

_MEMORY_BYTES = 4 * 1024 * 1024


class Held:
    """Pieces of one transaction: in memory up to a bound, beyond it in a file that has no name.

    Raises `SpoolError` when the temporary folder has no room.
    """

    def __init__(self) -> None:
        self._file = SpooledTemporaryFile(max_size=_MEMORY_BYTES, prefix="mainstem-")  # noqa: SIM115
        self._sizes: list[list[int]] = []

    def add(self, parts: list[RowChanges]) -> None:
        """Put more aside: one piece."""
        packed = [pack(changes) for changes in parts]
        if not packed:
            return
        try:
            for data in packed:
                self._file.write(data)
        except OSError as exc:
            raise SpoolError(
                "the temporary folder has no room for a transaction that is prepared at the source",
                remedy="make room there, or set TMPDIR to a folder with more",
            ) from exc
        self._sizes.append([len(data) for data in packed])

    def cut(self, sequence: int) -> None:
        """Forget the events from a number on."""
        kept = [divided(parts, sequence)[0] for parts in self.pieces()]
        self._file.seek(0)
        self._file.truncate()
        self._sizes.clear()
        for parts in kept:
            self.add(parts)

    def pieces(self) -> Iterator[list[RowChanges]]:
        """The pieces in their order."""
        self._file.seek(0)
        for sizes in self._sizes:
            yield [unpack(self._file.read(size)) for size in sizes]

    def close(self) -> None:
        """Give memory and disk back."""
        self._file.close()
