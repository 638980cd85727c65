"""Where one stands in the binary log: a file and an offset of one server, with the GTIDs up to there. Pure.

The JSON text is what travels as a position through the engine. ``file:offset`` is exact and cheap, but of one server;
GTIDs are understood by others of the same replication, and say whether a log is still the one that it was.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace

from mainstem.connectors.mysql.wire.gtid import Gtid, GtidSet, MariadbGtid, MariadbPosition
from mainstem.errors import InvalidError, PositionLostError

FIRST_OFFSET = 4
RESYNC = "copy the tables anew (mainstem resync), and start again"
_FILE_AND_OFFSET = re.compile(r"(\S+\.\d+):(\d+)")
_NUMBER = re.compile(r"\.(\d+)$")


@dataclass(frozen=True, slots=True)
class Prepared:
    """An XA transaction that was prepared and neither committed nor rolled back up to a position.

    Attributes:
        xid: its name, as the log writes it; empty stands for any.
        file, offset: where its rows begin; the log is read again from there.
        gtid: of its rows, or empty.
    """

    xid: str
    file: str
    offset: int
    gtid: str = ""


@dataclass(frozen=True, slots=True)
class Unsure:
    """A table whose layout was read when the log already held more statements about it.

    Attributes:
        file, offset: where the last of them is; from there on the layout is right.
        columns: until then the table has the layout's first columns, at least so many; -1 is "nobody knows".
    """

    schema: str
    name: str
    file: str
    offset: int
    columns: int = -1

    @property
    def order(self) -> tuple[int, int]:
        """As `LogPosition.order`."""
        return file_number(self.file), self.offset


@dataclass(frozen=True, slots=True)
class LogPosition:
    """A place between two transactions.

    Attributes:
        server: whose files these are: MySQL's server_uuid, or MariaDB's server id (see `log_side.Identity`).
        file: empty where only the GTIDs are known.
        made: when the file was begun, seconds since 1970, as its first event says: a file of the same name that was
            begun at another time is another file. 0 is not known.
        gtid: all transactions up to here, as the server writes it; empty where it has none or they are not known.
        at_s: when the last transaction was committed; 0 is not known.
        prepared: XA transactions that are under way here.
        unsure: tables whose layout is ahead of the log here.
        chosen: by a user: the layouts are those of today, wherever in the log this is.
    """

    server: str
    file: str = ""
    offset: int = FIRST_OFFSET
    made: int = 0
    gtid: str = ""
    at_s: int = 0
    prepared: tuple[Prepared, ...] = ()
    unsure: tuple[Unsure, ...] = ()
    chosen: bool = False

    @property
    def order(self) -> tuple[int, int]:
        """Ascends along the log of one server."""
        return file_number(self.file), self.offset

    @property
    def begin(self) -> tuple[str, int]:
        """Where to read from: the first of the transactions that are under way."""
        places = [(self.file, self.offset), *((one.file, one.offset) for one in self.prepared)]
        return min(places, key=lambda place: (file_number(place[0]), place[1]))

    def dump(self) -> str:
        """As JSON text; what is not known is left out."""
        return json.dumps({name: value for name, value in asdict(self).items() if value}, separators=(",", ":"))

    def reaches(self, other: LogPosition, mariadb: bool) -> bool:
        """Whether all transactions up to the other position are up to this one too.

        Raises:
            PositionLostError: they are of different servers, and GTIDs do not tell.
        """
        if self.server == other.server:
            return self.order >= other.order
        if not (self.gtid and other.gtid):
            raise PositionLostError(
                "positions of two servers cannot be compared without GTIDs",
                remedy=RESYNC,
                position=f"{other.file}:{other.offset}",
            )
        if mariadb:
            return MariadbPosition.parse(self.gtid).contains(MariadbPosition.parse(other.gtid))
        return GtidSet.parse(self.gtid).contains(GtidSet.parse(other.gtid))


def file_number(file: str) -> int:
    """The number at the end of a log file's name: ``binlog.000012`` → 12."""
    found = _NUMBER.search(file)
    return int(found[1]) if found else 0


def load(text: str) -> LogPosition:
    """Read what `LogPosition.dump` wrote; `InvalidError` for anything else."""
    try:
        fields = json.loads(text)
        prepared = tuple(Prepared(**one) for one in fields.pop("prepared", ()))
        unsure = tuple(Unsure(**one) for one in fields.pop("unsure", ()))
        return replace(LogPosition(**fields), prepared=prepared, unsure=unsure)
    except (ValueError, TypeError, AttributeError) as exc:
        raise InvalidError("this is no position in a MySQL server's log", remedy=RESYNC) from exc


def from_user(text: str, server: str, mariadb: bool) -> LogPosition:
    """Read ``binlog.000002:154`` or GTIDs, as a user writes them. With GTIDs the file is empty.

    Raises:
        InvalidError: anything else.
    """
    text = text.strip()
    found = _FILE_AND_OFFSET.fullmatch(text)
    if found is not None:
        return LogPosition(server, found[1], max(int(found[2]), FIRST_OFFSET), chosen=True)
    if text.startswith("{"):
        return load(text)
    try:
        gtid = str(MariadbPosition.parse(text) if mariadb else GtidSet.parse(text))
    except InvalidError as exc:
        form = "GTIDs such as 0-1-100" if mariadb else "GTIDs such as 3E11FA47-71CA-11E1-9E33-C80AA9429562:1-23"
        raise InvalidError(
            f"{text!r} is no position in the server's log",
            fields={"position": f"is neither a file and an offset such as binlog.000002:154 nor {form}"},
            remedy="take it from SHOW MASTER STATUS or SHOW BINARY LOG STATUS",
        ) from exc
    return LogPosition(server, "", gtid=gtid, chosen=True)


class GtidState:
    """The GTIDs up to a place in the log, kept up to date transaction by transaction; either flavour.

    Unknown until a set is given by `reset`; then nothing is counted.
    """

    def __init__(self, mariadb: bool, text: str = "") -> None:
        self._mariadb = mariadb
        self._set: GtidSet | None = None
        self._last: MariadbPosition | None = None
        self._text: str | None = None
        if text and mariadb:
            self._last = MariadbPosition.parse(text)
        elif text:
            self._set = GtidSet.parse(text)

    def reset(self, known: GtidSet | Iterable[MariadbGtid]) -> None:
        """What a log file says of all before it; of MariaDB, domains that are further on stay where they are."""
        if isinstance(known, GtidSet):
            if self._set is None:
                self._set = known.copy()
                self._text = None
            return
        if self._last is None:
            self._last = MariadbPosition()
            for gtid in sorted(known, key=lambda one: one.sequence):
                self._last.add(gtid)
            self._text = None

    def add(self, gtid: Gtid | MariadbGtid) -> None:
        """A transaction was passed."""
        self._text = None
        if isinstance(gtid, MariadbGtid):
            if self._last is None:
                self._last = MariadbPosition()
            self._last.add(gtid)
        elif self._set is not None:
            self._set.add(gtid)

    def __str__(self) -> str:
        """As the server writes it; empty when it is not known."""
        if self._text is None:
            known = self._last if self._mariadb else self._set
            self._text = "" if known is None else str(known)
        return self._text
