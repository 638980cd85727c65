"""Looking ahead in the log: whether the catalog, which knows only the present, already shows what comes later in it."""

from __future__ import annotations

import secrets
import struct
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from mainstem.connectors.mysql import replica as reading
from mainstem.connectors.mysql import statements
from mainstem.connectors.mysql.log_place import Place
from mainstem.connectors.mysql.log_position import LogPosition, file_number
from mainstem.connectors.mysql.log_side import Identity, Side, log_end
from mainstem.connectors.mysql.statements import What
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
_OWN_IDS = 1 << 31


@dataclass(frozen=True, slots=True)
class Later:
    """The statements about a table between a place of the log and its end.

    Attributes:
        file, offset: of the last of them.
        words: of all of them; None when one of them is more than an ALTER TABLE, or is not known well enough.
    """

    file: str
    offset: int
    words: frozenset[str] | None

    @property
    def appends(self) -> bool:
        """Whether they can have done no more to columns than to add some behind the others."""
        return self.words is not None and not self.words & _SHIFTING


class Ahead:
    """Reads the log from a place to its present end, for the statements in it."""

    def __init__(
        self, settings: ConnectionSettings, side: Side, identity: Identity, stopped: Callable[[], bool]
    ) -> None:
        self._settings = settings
        self._side = side
        self._identity = identity
        self._stopped = stopped

    def later(self, file: str, offset: int, tables: Collection[TableId]) -> Mapping[TableId, Later]:
        """By table, what comes later; tables without are as the catalog shows them.

        Raises as `Replica`, and `CancelledError`.
        """
        end = log_end(self._side, self._identity)
        if not tables or end.order <= (file_number(file), offset):
            return {}
        found: dict[TableId, Later] = {}
        place = Place(self._identity, LogPosition(self._identity.server, file, offset))
        start = reading.Start(file, offset if offset < 1 << 32 else 4)
        with reading.Replica(self._settings, _OWN_IDS + secrets.randbelow(_OWN_IDS - 1), "", start) as replica:
            reader = EventReader(replica.checksum)
            while not place.has_reached(end.order):
                if self._stopped():
                    raise CancelledError("the stream was interrupted")
                data = replica.next(1.0)
                if data is not None:
                    self._event(data, reader, place, tables, found)
        return found

    def _event(
        self,
        data: memoryview,
        reader: EventReader,
        place: Place,
        tables: Collection[TableId],
        found: dict[TableId, Later],
    ) -> None:
        header = Header._make(_HEADER.unpack_from(data))
        if header.type not in (EventType.HEARTBEAT, EventType.HEARTBEAT_V2):
            place.move(header)
        if header.type not in _READ:
            return
        event = reader.read(data)
        if isinstance(event, Rotate):
            place.rotate(event)
        elif isinstance(event, FormatDescription):
            place.begin_file(event)
        elif isinstance(event, Query) and not place.passed_over:
            text = event.statement.decode("utf-8", "replace")
            statement = statements.read(text, event.database, folds=self._identity.folds)
            emptied = statement.what is What.TRUNCATE and not statement.names("create")
            if statement.what in _SHAPES and not emptied:
                for table in tables:
                    if statement.about(table):
                        before = found.get(table)
                        known = statement.words if statement.what is What.ALTER else None
                        if known is not None and before is not None:
                            known = None if before.words is None else known | before.words
                        found[table] = Later(place.file, place.before, known)
