"""A slot's stream as groups of whole transactions.

Source: PostgreSQL manual, "Logical Streaming Replication Protocol", "Logical Replication Message Formats".
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from types import TracebackType

from mainstem.connectors.postgres.foresight import Foresight
from mainstem.connectors.postgres.gather import Gathered
from mainstem.connectors.postgres.inprogress import Data, InProgress, Transaction
from mainstem.connectors.postgres.lsn import Place, read_place
from mainstem.connectors.postgres.pace import Pace
from mainstem.connectors.postgres.relations import SentTable, read_relation, read_truncate
from mainstem.connectors.postgres.roster import Roster, Wanted
from mainstem.connectors.postgres.side import Side
from mainstem.connectors.postgres.tables import Tables
from mainstem.connectors.postgres.walsender import Walsender
from mainstem.contract.changes import GroupLimits
from mainstem.errors import WireError
from mainstem.model.change import ChangeGroup, Idle, Part, SchemaChange, SchemaChangeKind, Truncate
from mainstem.model.connection import ConnectionSettings
from mainstem.model.names import TableId
from mainstem.model.stream import StreamTable
from mainstem.native.status import Status
from mainstem.spool import Spools

_IDLE_S = 1.0
_SOON_S = 0.1  # from one `Idle` to the next while the log of others moves on
_XID, _OID = 4, 4
_LARGE_OID = slice(5, 5 + _OID)  # of a row that was put aside, behind size and letter
_ENVELOPE = b"w" + bytes(24)  # what the server puts before a message
_ROWS = (b"I", b"U", b"D")
_IGNORED = (b"Y", b"O", b"M")  # types, origins, logical messages


class PostgresChangeStream:
    """See `contract.changes.ChangeStream`."""

    def __init__(
        self,
        settings: ConnectionSettings,
        slot: str,
        wanted: Wanted,
        place: Place,
        tables: Sequence[StreamTable],
        limits: GroupLimits,
        added: Mapping[int, int],
        inserts_only: Callable[[TableId], bool],
        keep: int | None = None,
        token: int = 0,
    ) -> None:
        """Start it. Raises as `Walsender`.

        Args:
            added, inserts_only: as for `Tables`.
            keep, token: as for `Walsender`.
        """
        self._limits = limits
        self._timeline = place.timeline
        self._side = Side(settings)
        try:
            self._tables = Tables(self._side, tables, added, place.lsn, inserts_only)
            self._roster = Roster(self._side, wanted, self._tables)
            self._sender = Walsender(
                settings, slot, wanted.publications, place.lsn, self._side, self._roster.look, keep, token
            )
        except BaseException:
            self._side.close()
            raise
        self._decoder = self._sender.decoder
        self._gathered = Gathered(self._decoder, self._tables)
        self._under_way = InProgress()
        self._foresight = Foresight(self._tables, limits)
        self._aside = Spools(0).open()
        self._handed = place.lsn
        self._asked: deque[StreamTable] = deque()
        self._settled = threading.Event()
        self._waiting: TableId | None = None
        self._yielded_at = time.monotonic()
        self._pace = Pace()

    def __enter__(self) -> PostgresChangeStream:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._side.close()
        self._sender.close()
        self._side.close()
        self._under_way.close()
        self._aside.close()

    def groups(self) -> Iterator[ChangeGroup | Idle]:
        """What happens from the position on, without end."""
        steps = {
            Status.FULL: self._full, Status.SPOOL: self._spool, Status.MESSAGE: self._message,
            Status.LARGE: self._large,
        }  # fmt: skip
        while True:
            self._settle_asked()
            while self._tables.missing:
                yield from self._tell(self._tables.missing.popleft())
                self._settle_asked()
            for change in self._roster.found(self._decoder.position, within=self._decoder.within):
                yield from self._tell(change)
                self._settle_asked()
            status = self._sender.read(self._limits.max_rows, self._limits.max_bytes)
            step = steps.get(status)
            yield from step() if step is not None else self._at_end()

    def settle(self, table: StreamTable | None) -> None:
        """How rows of a table are read from here on."""
        if table is not None:
            self._asked.append(table)
        self._settled.set()
        self._sender.wake()

    def answer(self, number: int, taken: bool) -> None:
        """What became of a transaction that is told ahead."""
        self._foresight.answer(number, taken)

    def confirm(self, position: str) -> None:
        """All up to here is durable in the target."""
        self._sender.confirm(read_place(position).lsn)

    def interrupt(self) -> None:
        """From another thread: `groups` raises `CancelledError` soon."""
        self._sender.interrupt()
        self._settled.set()
        self._foresight.wake()
        self._side.interrupt()

    def _settle_asked(self) -> None:
        while self._asked:
            table = self._asked.popleft()
            self._foresight.spoil()
            self._gathered.collect()  # its rows lie in other columns from here on
            self._tables.settle(table, self._decoder)

    def _position(self) -> str:
        return str(Place(self._decoder.position, self._timeline))

    def _lag_bytes(self) -> int | None:
        end = self._sender.log_end
        return None if end is None else max(end - self._decoder.position, 0)

    def _at_end(self) -> Iterator[ChangeGroup | Idle]:
        """Nothing more is at hand."""
        now = time.monotonic()
        if self._gathered.whole:
            self._pace.rest()
            left = self._gathered.since + self._limits.linger_s - now
            if left > 0:
                self._sender.wait(left)
                return
            yield from self._hand_on()
            return
        moved = self._decoder.position > self._handed
        due = self._yielded_at + (_SOON_S if moved else _IDLE_S) - now
        if self._decoder.within:
            self._sender.wait(_IDLE_S)
            self._gather()
        elif due > 0:
            self._sender.wait(due)
            self._gather()
        else:
            self._yielded_at = now
            self._handed = self._decoder.position
            yield Idle(self._position(), self._lag_bytes())

    def _gather(self) -> None:
        """Within a large transaction, let more come before it is looked at again."""
        if not self._decoder.within and not self._decoder.spooling:
            self._pace.rest()
            return
        time.sleep(self._pace.pause_s(self._sender.received_bytes))

    def _full(self) -> Iterator[ChangeGroup]:
        """A bound is reached: hand on what is whole, and of the transaction under way what there is."""
        yield from self._hand_on()
        if self._decoder.within:
            parts = self._gathered.take_piece()
            if parts:
                yield ChangeGroup(parts, whole=False, lag_bytes=self._lag_bytes())
                self._yielded_at = time.monotonic()

    def _hand_on(self, change: SchemaChange | None = None) -> Iterator[ChangeGroup]:
        """Transactions that are whole, and behind them a change of a table."""
        decoder = self._decoder
        count, first_us, last_us = decoder.transactions, decoder.first_committed_us, decoder.committed_us
        parts = self._gathered.take_whole()
        if change is not None:
            parts = (*parts, change)
        if not parts and not count:
            return
        self._handed = decoder.position
        self._yielded_at = time.monotonic()
        yield ChangeGroup(parts, True, count, self._position(), first_us, last_us, self._lag_bytes())

    def _tell(self, change: SchemaChange) -> Iterator[ChangeGroup]:
        """A table is another one; before it is told what is to be done, nothing more is read.

        It changed before the transaction under way, or in it; if that has touched it already, its piece ends here.
        """
        self._settled.clear()
        self._gathered.collect()
        if self._decoder.within and self._gathered.touches(change.table):
            yield from self._hand_on()
            yield ChangeGroup((*self._gathered.take_piece(), change), whole=False, lag_bytes=self._lag_bytes())
        else:
            yield from self._hand_on(change)
        self._settled.wait()
        self._sender.check()

    def _spool(self) -> Iterator[ChangeGroup]:
        if self._decoder.alone:
            self._aside.append(self._decoder.take_spool())
        else:
            yield from self._put_aside(self._decoder.take_spool())

    def _put_aside(self, data: memoryview) -> Iterator[ChangeGroup]:
        """Messages of a transaction under way; tell it ahead, if it is the one."""
        self._under_way.append(data)
        seen = self._foresight
        if not seen.is_of(self._under_way.xid):
            return
        if not seen.refused:
            for parts in seen.read(data, self._decoder.position):
                yield from self._tell_ahead(parts)
        if seen.refused or not seen.is_of(self._under_way.xid):
            yield from self._forget()

    def _tell_ahead(self, parts: tuple[Part, ...]) -> Iterator[ChangeGroup]:
        yield from self._hand_on()
        yield ChangeGroup(parts, whole=False, lag_bytes=self._lag_bytes(), ahead=self._foresight.number)
        self._yielded_at = time.monotonic()

    def _forget(self) -> Iterator[ChangeGroup]:
        """What was told ahead is not to be: it comes behind its commit, if it does."""
        told = self._foresight.told
        self._foresight.end(taken=False)
        if told:
            yield ChangeGroup((), whole=False, lag_bytes=self._lag_bytes(), ahead=self._foresight.number)

    def _large(self) -> Iterator[ChangeGroup]:
        """A large row of a transaction that comes at its end."""
        self._aside.append(self._decoder.take_spool())
        row = self._aside.whole()
        if self._decoder.large(row) is Status.MESSAGE:
            yield from self._relation(self._tables.sent(int.from_bytes(row[_LARGE_OID])))
            self._decoder.large(row)
        self._aside.close()
        self._aside = Spools(0).open()

    def _message(self) -> Iterator[ChangeGroup]:
        """A message that the compiled loop leaves to us."""
        data = self._sender.take()
        letter = data[:1]
        if letter == b"S":
            begins = self._under_way.start(data)
            self._decoder.spooling = True
            if begins and self._foresight.is_of(self._under_way.xid):
                yield from self._forget()
            if begins:
                self._foresight.begin(self._under_way.xid)
        elif letter == b"E":
            self._decoder.spooling = False
            yield from self._put_aside(self._decoder.take_spool())
        elif letter == b"A":
            if self._foresight.is_of(self._under_way.abort(data)):
                yield from self._forget()
        elif letter == b"c":
            yield from self._commit(self._under_way.commit(data))
        else:
            yield from self._described(letter, data[1:])

    def _described(self, letter: bytes, body: bytes) -> Iterator[ChangeGroup]:
        """What stands between the rows of a transaction."""
        if letter == b"R":
            yield from self._relation(read_relation(body))
        elif letter == b"T":
            self._truncate(body)
        elif letter in _ROWS:
            yield from self._row(letter, body)
        elif letter not in _IGNORED:
            raise WireError(f"PostgreSQL's log: a message of the unknown kind {letter!r}")

    def _row(self, letter: bytes, body: bytes) -> Iterator[ChangeGroup]:
        """The first change of a table behind its snapshot, whose shape was only told of before."""
        yield from self._relation(self._tables.sent(int.from_bytes(body[:_OID])))
        self._decoder.message(_ENVELOPE + letter + body)

    def _relation(self, sent: SentTable) -> Iterator[ChangeGroup]:
        """What a table looks like from here on."""
        for look in (self._tables.describe, self._tables.obstacle):
            change = look(sent, self._decoder.commit_lsn)
            if change is not None:
                yield from self._tell(change)
                self._settle_asked()
                if change.kind is SchemaChangeKind.NOTED:
                    self._tables.note(sent)
        self._tables.relate(sent, self._decoder, self._decoder.commit_lsn)

    def _truncate(self, body: bytes) -> None:
        oids, restart = read_truncate(body)
        tables = self._tables.followed(oids, self._decoder.commit_lsn)
        if tables:
            self._gathered.add(Truncate(tables, restart))
            self._tables.emptied(oids)

    def _foretold(self, transaction: Transaction) -> Generator[ChangeGroup, None, bool]:
        """The end of a transaction that was told ahead; False if it is to be told behind its commit."""
        seen, decoder = self._foresight, self._decoder
        if seen.refused or not seen.told:
            yield from self._forget()
            return False
        if rest := seen.rest():
            yield from self._tell_ahead(rest)
        yield from self._hand_on()
        end, committed_us = max(transaction.end_lsn, decoder.position), transaction.committed_us
        position = str(Place(end, self._timeline))
        yield ChangeGroup((), True, 1, position, committed_us, committed_us, self._lag_bytes(), seen.number)
        while not seen.is_answered():
            self._sender.check()
            seen.wait()
        taken = not seen.refused
        if taken:
            decoder.begin_replay(transaction.commit_lsn, ())
            for sent in seen.described():
                self._tables.relate(sent, decoder, transaction.commit_lsn)
            decoder.end_replay(transaction.end_lsn, transaction.committed)
            self._handed, self._yielded_at = decoder.position, time.monotonic()
        seen.end(taken=taken)
        return taken

    def _commit(self, transaction: Transaction) -> Iterator[ChangeGroup]:
        """Decode a transaction whose messages were put aside, unless it was told ahead."""
        limits = self._limits
        with transaction:
            if self._foresight.is_of(transaction.xid) and (yield from self._foretold(transaction)):
                return
            self._decoder.begin_replay(transaction.commit_lsn, transaction.aborted)
            data: Data = bytearray()
            at = 0
            while True:
                mapped = isinstance(data, memoryview)
                status, used = self._decoder.replay(data, at, limits.max_rows, limits.max_bytes, mapped)
                at += used
                if status is Status.FULL:
                    yield from self._full()
                elif status is Status.MESSAGE:
                    end = at + _XID + int.from_bytes(data[at : at + _XID])
                    yield from self._replayed(transaction, bytes(data[at + _XID : end]))
                    at = end
                else:
                    more = transaction.more(data, at)
                    if len(more) == len(data) - at:  # nothing was left
                        break
                    data, at = more, 0
            if len(data) != at:
                raise WireError("PostgreSQL's log: a transaction's messages end before their time")
            self._decoder.end_replay(transaction.end_lsn, transaction.committed)

    def _replayed(self, transaction: Transaction, message: bytes) -> Iterator[ChangeGroup]:
        """Tables are described for all that follows, so that is done also where a subtransaction was rolled back."""
        letter, xid = message[:1], int.from_bytes(message[1 : 1 + _XID])
        if letter != b"T" or xid not in transaction.aborted:
            yield from self._described(letter, message[1 + _XID :])
