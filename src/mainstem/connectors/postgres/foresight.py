"""One of the transactions under way, decoded as it comes: what it would do, told ahead of its end.

Its messages are put aside all the same (`inprogress`), so that it can be given up at any moment: what stands in the way
is left to the time behind its commit, when all is known.
Source: PostgreSQL manual, "Logical Replication Message Formats" (Stream Start, Stream Abort), "Streaming of Large
Transactions for Logical Decoding".
"""

from __future__ import annotations

import threading
from collections.abc import Iterator

from mainstem.connectors.postgres.gather import Gathered
from mainstem.connectors.postgres.lsn import read_place
from mainstem.connectors.postgres.relations import SentTable, change_rows, read_relation, read_truncate, relation
from mainstem.connectors.postgres.tables import Tables
from mainstem.contract.changes import GroupLimits
from mainstem.model.change import Part
from mainstem.model.names import TableId
from mainstem.native.changerows import ChangeRows
from mainstem.native.pgoutput import LogDecoder
from mainstem.native.status import Status

Parts = tuple[Part, ...]

_BEHIND_ALL = 2**64 - 1  # where it will commit is not known, but that is behind all that was
_SIZE, _XID = 4, 4
_LARGE_BYTES = 4 * 1024 * 1024  # a message of which so much has come and not all
_MOST_PASSED = 7


class Foresight:
    """The one that is told ahead, if there is one. `answer` is for any thread, the rest for one at a time.

    Attributes:
        number: of the transaction that is told ahead, or was last.
        told: whether anything of it was handed on.
    """

    def __init__(self, tables: Tables, limits: GroupLimits) -> None:
        self._tables, self._limits = tables, limits
        self.number = 0
        self.told = False
        self._xid: int | None = None
        self._decoder = LogDecoder(0)
        self._gathered = Gathered(self._decoder, self)
        self._rows: dict[TableId, ChangeRows] = {}
        self._sent: dict[int, SentTable] = {}
        self._left = b""
        self._spoiled = False
        self._pass = self._passed = 0  # transactions: to be passed over before the next try, and at the last failure
        self._answers: tuple[int, bool] = (0, False)
        self._answered = threading.Event()

    def gathered(self) -> list[tuple[TableId, ChangeRows]]:
        """Where the rows of each table are."""
        return list(self._rows.items())

    def begin(self, xid: int) -> None:
        """A transaction's first messages follow."""
        if self._xid is not None or not self._limits.ahead:
            return
        if self._pass:
            self._pass -= 1
            return
        self.number += 1
        self._xid, self.told, self._spoiled = xid, False, False
        self._decoder = LogDecoder(0)
        self._decoder.begin_replay(_BEHIND_ALL, ())
        self._gathered = Gathered(self._decoder, self)
        self._rows, self._sent, self._left = {}, {}, b""

    def is_of(self, xid: int) -> bool:
        """Whether it is this transaction's."""
        return self._xid == xid

    def spoil(self) -> None:
        """A table is read in another way from here on."""
        self._spoiled = True

    def end(self, *, taken: bool) -> None:
        """It is over, or goes on without being told; after a failure the next ones are not told ahead either."""
        if self._xid is None:
            return
        self._xid = None
        self._rows, self._sent, self._left = {}, {}, b""
        if taken:
            self._passed = 0
        elif self.told:
            self._pass = self._passed = min(self._passed * 2 + 1, _MOST_PASSED)

    def read(self, data: memoryview, position: int) -> Iterator[Parts]:
        """Decode messages of it that were put aside, and hand on pieces; ends it if something stands in the way.

        Args:
            position: all transactions that committed before it were handed on.
        """
        whole = memoryview(self._left + bytes(data)) if self._left else data
        at = 0
        while self._xid is not None:
            status, used = self._decoder.replay(whole, at, self._limits.max_rows, self._limits.max_bytes)
            at += used
            if status is Status.FULL:
                yield self._take()
            elif status is Status.MESSAGE:
                end = at + _SIZE + int.from_bytes(whole[at : at + _SIZE])
                if not self._is_clear(bytes(whole[at + _SIZE : end]), position):
                    self.end(taken=False)
                at = end
            else:
                self._left = bytes(whole[at:])
                if len(self._left) > _LARGE_BYTES:
                    self.end(taken=False)
                return

    def rest(self) -> Parts:
        """The last piece."""
        return self._take() if self._decoder.rows else ()

    def described(self) -> list[SentTable]:
        """What the server said of tables within it, and takes for known from its commit on."""
        return list(self._sent.values())

    def answer(self, number: int, taken: bool) -> None:
        """What became of it."""
        self._answers = (number, taken)
        self._answered.set()

    @property
    def refused(self) -> bool:
        """Whether it is not to be told any further, by an answer or by `spoil`."""
        return self._spoiled or self._answers == (self.number, False)

    def is_answered(self) -> bool:
        """Whether there is an answer to the last one; `wait` for it."""
        self._answered.clear()
        return self._answers[0] == self.number

    def wait(self) -> None:
        """Until there may be an answer."""
        self._answered.wait()

    def wake(self) -> None:
        """End a `wait`."""
        self._answered.set()

    def _take(self) -> Parts:
        self.told = True
        return self._gathered.take_piece()

    def _is_clear(self, message: bytes, position: int) -> bool:
        """Deal with what stands between the rows; False: it has to wait for the commit."""
        letter, body = message[:1], message[1 + _XID :]
        if letter == b"R":
            return self._relate(read_relation(body), position)
        if letter == b"T":
            return not self._tables.followed(read_truncate(body)[0], _BEHIND_ALL)
        return letter in (b"Y", b"O", b"M")

    def _relate(self, sent: SentTable, position: int) -> bool:
        self._sent[sent.oid] = sent
        if self._tables.describe(sent, _BEHIND_ALL) or self._tables.obstacle(sent, _BEHIND_ALL):
            return False
        table = self._tables.of(sent)
        if table is None:
            self._decoder.relate(relation(sent, None, None, 0))
            return True
        if read_place(table.since).lsn > position:
            return False
        if table.source not in self._rows:
            self._rows[table.source] = change_rows(table, self._tables.digits(table))
        self._decoder.relate(relation(sent, table, self._rows[table.source], 0))
        return True
