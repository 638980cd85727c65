"""Bytes of what cannot be handed on yet: in memory up to a bound that all share, then in temporary files."""

from __future__ import annotations

import mmap
import os
import tempfile
from contextlib import suppress
from io import BytesIO
from typing import IO

from mainstem.errors import SpoolError


class Spools:
    """What several spools share. For one thread at a time.

    Args:
        memory_bytes: so much of all spools together is kept in memory.
    """

    def __init__(self, memory_bytes: int) -> None:
        self._bound = memory_bytes
        self.memory_bytes = 0

    def open(self) -> Spool:
        """A new, empty one."""
        return Spool(self)

    def reserve(self, size: int) -> bool:
        """Take memory, if there is so much left."""
        if self.memory_bytes + size > self._bound:
            return False
        self.memory_bytes += size
        return True


class Spool:
    """Bytes that are written once, then read in their order. Has no name in the file system.

    Raises `SpoolError` when the temporary folder has no room.
    """

    def __init__(self, shared: Spools) -> None:
        self._shared = shared
        self._held = 0  # bytes of the shared memory
        self._file: IO[bytes] = BytesIO()
        self.size = 0
        self._read = 0

    def append(self, data: bytes | memoryview) -> None:
        """Write bytes at the end."""
        if isinstance(self._file, BytesIO):
            if self._shared.reserve(len(data)):
                self._held += len(data)
            else:
                self._move()
        try:
            self._file.write(data)
        except OSError as exc:
            raise _full() from exc
        self.size += len(data)

    def _move(self) -> None:
        memory = self._file
        try:
            self._file = tempfile.TemporaryFile(prefix="mainstem-spool-")  # noqa: SIM115
            self._file.write(memory.getvalue())  # type: ignore[attr-defined]
        except OSError as exc:
            raise _full() from exc
        self._release()

    def rewind(self) -> None:
        """All is written; `read` begins at the start."""
        try:
            self._file.seek(0)
            self._read = 0
        except OSError as exc:  # writes what had been buffered
            raise _full() from exc

    def read(self, size: int, before: bytes | memoryview = b"") -> bytearray:
        """The next bytes, as many or what is left, behind others: in one piece of memory."""
        found = bytearray(len(before) + min(size, self.size - self._read))
        found[: len(before)] = before
        rest = memoryview(found)[len(before) :]
        while rest:
            count = self._file.readinto(rest)  # type: ignore[attr-defined]
            if not count:
                raise _full()
            self._read += count
            rest = rest[count:]
        return found

    def mapped(self, back: int, more: int) -> memoryview | None:
        """Bytes around the place that `read` is at, mapped instead of read, which moves it to their end.

        Args:
            back: so many of those that were read already.
            more: so many of those behind.
        Returns:
            None while all is in memory.
        """
        if isinstance(self._file, BytesIO):
            return None
        begin = self._read - back
        aligned = begin // mmap.ALLOCATIONGRANULARITY * mmap.ALLOCATIONGRANULARITY
        try:
            pages = mmap.mmap(self._file.fileno(), self._read + more - aligned, offset=aligned, access=mmap.ACCESS_READ)
            self._file.seek(more, os.SEEK_CUR)
        except (OSError, ValueError) as exc:  # the file is shorter
            raise _full() from exc
        self._read += more
        return memoryview(pages)[begin - aligned :]

    def whole(self) -> memoryview:
        """All, mapped if it is not in memory."""
        self.rewind()
        found = self.mapped(0, self.size)
        return memoryview(self.read(self.size)) if found is None else found

    def close(self) -> None:
        """Give memory and disk back; it cannot be used any more."""
        with suppress(OSError):
            self._file.close()
        self._release()

    def _release(self) -> None:
        self._shared.memory_bytes -= self._held
        self._held = 0


def _full() -> SpoolError:
    return SpoolError(
        "a transaction that is under way at the source does not fit into the temporary folder",
        remedy=f"make room in {tempfile.gettempdir()}, or set TMPDIR to a folder with more",
    )
