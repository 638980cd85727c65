"""Transactions that the server sends before they have ended: put aside until it is known what became of them.

Source: PostgreSQL manual, "Logical Replication Message Formats" (Stream Start, Stream Stop, Stream Commit, Stream
Abort).
"""

from __future__ import annotations

import struct
from types import TracebackType

from mainstem.connectors.postgres.lsn import EPOCH_US
from mainstem.errors import WireError
from mainstem.spool import Spool, Spools

MEMORY_BYTES = 16 * 1024 * 1024
_PIECE_BYTES = 1024 * 1024
_LARGE_BYTES = 4 * 1024 * 1024
_LENGTH = 4

Data = bytearray | memoryview


class Transaction:
    """One that has committed. Leaving the context forgets its messages.

    Attributes:
        xid: by which the server tells it from others.
        aborted: subtransactions that were rolled back.
        commit_lsn, end_lsn: where its commit begins and ends in the log.
        committed: microseconds since 2000-01-01.
    """

    def __init__(self, xid: int, spool: Spool, aborted: set[int], ends: tuple[int, int, int]) -> None:
        self._spool = spool
        self.xid, self.aborted = xid, aborted
        self.commit_lsn, self.end_lsn, self.committed = ends
        spool.rewind()

    def __enter__(self) -> Transaction:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._spool.close()

    @property
    def committed_us(self) -> int:
        """Microseconds since 1970."""
        return self.committed + EPOCH_US

    def more(self, data: Data, at: int) -> Data:
        """What is left of ``data``, and more behind it: at least one whole message; only what is left at the end.

        A large message comes alone, as a memoryview of the file that it lies in.
        """
        left = memoryview(data)[at:]
        wanted = _LENGTH + int.from_bytes(left[:_LENGTH]) - len(left) if len(left) >= _LENGTH else 0
        found = self._spool.mapped(len(left), wanted) if wanted >= _LARGE_BYTES else None
        return self._spool.read(max(wanted, _PIECE_BYTES), left) if found is None else found


class InProgress:
    """All that are under way.

    Attributes:
        xid: whose messages come now, or came last.
    """

    def __init__(self) -> None:
        self._shared = Spools(MEMORY_BYTES)
        self._spools: dict[int, Spool] = {}
        self._aborted: dict[int, set[int]] = {}
        self._current: Spool | None = None
        self.xid = 0

    def close(self) -> None:
        """Forget all."""
        for spool in self._spools.values():
            spool.close()
        self._spools.clear()

    def start(self, data: bytes) -> bool:
        """A Stream Start message: what comes now is of this transaction. Whether it begins (anew) here."""
        xid, first = _read("!xIB", data)
        if first and xid in self._spools:
            self._forget(xid)
        if not first and xid not in self._spools:
            raise WireError("PostgreSQL's log: a transaction goes on that did not begin")
        self._current = self._spools.setdefault(xid, self._shared.open())
        self._aborted.setdefault(xid, set())
        self.xid = xid
        return bool(first)

    def append(self, data: memoryview) -> None:
        """Put messages aside."""
        if self._current is None:
            raise WireError("PostgreSQL's log: messages of no transaction")
        self._current.append(data)

    def abort(self, data: bytes) -> int:
        """A Stream Abort message: of a transaction, which is returned, or of a part of it."""
        xid, part = _read("!xII", data[:9])
        if xid == part:
            self._forget(xid)
        elif xid in self._aborted:
            self._aborted[xid].add(part)
        return xid

    def commit(self, data: bytes) -> Transaction:
        """A Stream Commit message."""
        xid, _, commit_lsn, end_lsn, committed = _read("!xIBQQq", data)
        if xid not in self._spools:
            raise WireError("PostgreSQL's log: a transaction commits that did not begin")
        return Transaction(xid, self._spools.pop(xid), self._aborted.pop(xid), (commit_lsn, end_lsn, committed))

    def _forget(self, xid: int) -> None:
        self._aborted.pop(xid, None)
        spool = self._spools.pop(xid, None)
        if spool is not None:
            spool.close()


def _read(form: str, data: bytes) -> tuple[int, ...]:
    try:
        return struct.unpack(form, data)
    except struct.error as exc:
        raise WireError("PostgreSQL's log: a message is not as long as its kind is") from exc
