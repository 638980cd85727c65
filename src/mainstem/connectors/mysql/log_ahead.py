"""Looking ahead in the log: whether the catalog, which knows only the present, already shows what comes later in it."""

from __future__ import annotations

import secrets
import struct
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass

from mainstem.connectors.mysql import replica as reading
from mainstem.connectors.mysql import statements
from mainstem.connectors.mysql.charsets import Charsets
from mainstem.connectors.mysql.log_place import Place
from mainstem.connectors.mysql.log_position import LogPosition, file_number
from mainstem.connectors.mysql.log_side import Identity, Side, log_tail
from mainstem.connectors.mysql.statements import Statement, What
from mainstem.connectors.mysql.wire.codes import EventType
from mainstem.connectors.mysql.wire.events import FormatDescription, Header, Query, Rotate
from mainstem.connectors.mysql.wire.reader import EventReader
from mainstem.errors import CancelledError
from mainstem.model.connection import ConnectionSettings
from mainstem.model.names import TableId

_HEADER = struct.Struct("<IBIIIH")
_READ = frozenset({EventType.FORMAT_DESCRIPTION, EventType.ROTATE, EventType.QUERY, EventType.QUERY_COMPRESSED})
_SHAPES = frozenset({What.ALTER, What.OTHER, What.CREATE, What.RENAME, What.DROP, What.TRUNCATE, What.REPLACED})
_SHIFTING = frozenset({"drop", "change", "modify", "rename", "first", "after", "convert", "replace", "like", "select"})
_WANTED = bytes(kind in _READ for kind in range(256))
_OWN_IDS = 1 << 31
_MOST_WORDS = 200_000  # are remembered, of some 70 bytes each
_STATEMENT_WORDS = 20  # is what a statement itself counts for


@dataclass(frozen=True, slots=True)
class Later:
    """The statements about a table between a place of the log and its end.

    Attributes:
        file, offset: of the last of them.
        words: of all of them; None when one of them is more than an ALTER TABLE, or is not known well enough.
        renames: one of them gave the table another name.
    """

    file: str
    offset: int
    words: frozenset[str] | None
    renames: bool = False

    @property
    def appends(self) -> bool:
        """Whether they can have done no more to columns than to add some behind the others."""
        return self.words is not None and not self.words & _SHIFTING


@dataclass(frozen=True, slots=True)
class _Said:
    """A statement of the log that changed the structure of tables, and where it begins."""

    file: str
    offset: int
    statement: Statement

    @property
    def order(self) -> tuple[int, int]:
        """As `LogPosition.order`."""
        return file_number(self.file), self.offset

    @property
    def weight(self) -> int:
        """What it takes to remember it, in words."""
        return _STATEMENT_WORDS + len(self.statement.words or ())

    def after(self, before: Later | None) -> Later:
        """This one, behind others about the same table."""
        words = self.statement.words if self.statement.what is What.ALTER else None
        if words is not None and before is not None:
            words = None if before.words is None else words | before.words
        renames = self.statement.what is What.RENAME or (before is not None and before.renames)
        return Later(self.file, self.offset, words, renames)


class Ahead:
    """Reads the log from a place to its present end, for the statements in it. For one thread at a time.

    What was read once is remembered: a later place asks for no more than what was written since. A log with many
    statements is read once, and not once for each of them.
    """

    def __init__(
        self, settings: ConnectionSettings, side: Side, identity: Identity, stopped: Callable[[], bool]
    ) -> None:
        self._settings = settings
        self._side = side
        self._charsets = Charsets(side.ask)
        self._identity = identity
        self._stopped = stopped
        self._said: deque[_Said] = deque()
        self._weight = 0
        self._from = (0, 0)  # no statement from here on was left out
        self._read: LogPosition | None = None  # up to there

    def later(self, file: str, offset: int, tables: Collection[TableId]) -> Mapping[TableId, Later]:
        """By table, what comes later; tables without are as the catalog shows them.

        Args:
            file, offset: later statements begin there or further on.

        Raises as `Replica`, and `CancelledError`.
        """
        end = log_tail(self._side, self._identity)
        start = LogPosition(self._identity.server, file, offset)
        if not tables or end.order <= start.order:
            return {}
        found: dict[TableId, Later] = {}

        def hear(said: _Said) -> None:
            for table in tables:
                if said.statement.about(table):
                    found[table] = said.after(found.get(table))

        known = self._known_from(start)
        for said in known:
            hear(said)
        if self._read is None or self._read.order < end.order:
            self._read_on(self._read or start, end.order, hear)
        return found

    def _known_from(self, start: LogPosition) -> Iterable[_Said]:
        """What is remembered from a place on; what comes before it is forgotten, as no earlier place is asked about."""
        if self._read is None or not self._from <= start.order <= self._read.order:
            self._said.clear()
            self._weight, self._from, self._read = 0, start.order, None
        while self._said and self._said[0].order < start.order:
            self._forget_one()
        return tuple(self._said)

    def _forget_one(self) -> None:
        said = self._said.popleft()
        self._weight -= said.weight
        self._from = said.order[0], said.order[1] + 1

    def _read_on(self, start: LogPosition, end: tuple[int, int], hear: Callable[[_Said], None]) -> None:
        """Read the log from a place to another."""
        self._read = None  # until it is done
        place = Place(self._identity, start)
        begin = reading.Start(start.file, start.offset if start.offset < 1 << 32 else 4)
        with reading.Replica(self._settings, _OWN_IDS + secrets.randbelow(_OWN_IDS - 1), "", begin) as replica:
            reader = EventReader(replica.checksum)
            while not place.has_reached(end):
                if self._stopped():
                    raise CancelledError("the stream was interrupted")
                data = replica.next(1.0)
                if data is not None and (said := self._event(data, reader, place)) is not None:
                    hear(said)
                    self._remember(said)
                place.pass_over(replica.skim(place.offset, _WANTED, reader.checksum_bytes))
        self._read = LogPosition(self._identity.server, place.file, place.offset)

    def _event(self, data: memoryview, reader: EventReader, place: Place) -> _Said | None:
        header = Header._make(_HEADER.unpack_from(data))
        if header.type not in (EventType.HEARTBEAT, EventType.HEARTBEAT_V2):
            place.move(header)
        if header.type not in _READ:
            return None
        event = reader.read(data)
        if isinstance(event, Rotate):
            place.rotate(event)
        elif isinstance(event, FormatDescription):
            place.begin_file(event)
        elif isinstance(event, Query) and not place.passed_over:
            text = self._charsets.statement(event.statement, event.status.client_collation)
            statement = statements.read(text, event.database, folds=self._identity.folds)
            emptied = statement.what is What.TRUNCATE and not statement.names("create")
            if statement.what in _SHAPES and not emptied:
                return _Said(place.file, place.before, statement)
        return None

    def _remember(self, said: _Said) -> None:
        self._said.append(said)
        self._weight += said.weight
        while self._weight > _MOST_WORDS:
            self._forget_one()
