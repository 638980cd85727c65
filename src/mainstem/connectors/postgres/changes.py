"""PostgreSQL's log as a source of changes: what a stream is kept by, and how it is opened."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import psycopg

from mainstem.connectors.postgres import holders
from mainstem.connectors.postgres import slot as slots
from mainstem.connectors.postgres.changestream import PostgresChangeStream
from mainstem.connectors.postgres.client import connect, translating
from mainstem.connectors.postgres.config import BOOTSTRAP_DATABASE, DEFAULT_SCHEMA
from mainstem.connectors.postgres.dialect import PostgresDialect
from mainstem.connectors.postgres.holders import LOCK_WAIT_S
from mainstem.connectors.postgres.lsn import Place, format_lsn, parse_lsn, read_place
from mainstem.connectors.postgres.publication import Publications, inserts_only, operations
from mainstem.connectors.postgres.roster import Wanted
from mainstem.connectors.postgres.side import end_of_log
from mainstem.connectors.postgres.snapshot import Exported, open_snapshot
from mainstem.contract.changes import GroupLimits, Retention
from mainstem.contract.source import Snapshot
from mainstem.errors import InvalidError, LockedError, PositionLostError, StatementError
from mainstem.model.connection import ConnectionSettings
from mainstem.model.names import TableId
from mainstem.model.run import RunOptions
from mainstem.model.stream import StreamTable

_DIALECT = PostgresDialect()
_NEWEST = "SELECT coalesce(max(oid), 1)::bigint FROM pg_catalog.pg_class WHERE relkind IN ('r', 'p')"
_HELD = (
    "SELECT pg_catalog.pg_wal_lsn_diff(CASE WHEN pg_catalog.pg_is_in_recovery()"
    " THEN pg_catalog.pg_last_wal_replay_lsn() ELSE pg_catalog.pg_current_wal_lsn() END, restart_lsn)::bigint"
    " FROM pg_catalog.pg_replication_slots WHERE slot_name = %s"
)
_LIMIT = "SELECT pg_catalog.pg_size_bytes(nullif(pg_catalog.current_setting('max_slot_wal_keep_size', true), '-1'))"


@dataclass(frozen=True, slots=True)
class Origin:
    """What a stream is found again by.

    Attributes:
        slot_made, publications_made: they are ours, and are dropped with the stream.
        system: the server's identifier.
        start: the slot's first place.
        newest: the highest oid of a table at the start; 0 is not known.
    """

    slot: str
    slot_made: bool
    publications: tuple[str, ...]
    publications_made: bool
    system: str
    start: str
    newest: int = 0

    @classmethod
    def read(cls, text: str) -> Origin:
        """What `str` wrote; `InvalidError` for anything else."""
        try:
            found = json.loads(text)
            return cls(**{**found, "publications": tuple(found["publications"])})
        except (ValueError, TypeError, KeyError) as exc:
            raise InvalidError("this is not what a stream of PostgreSQL is found by") from exc

    def __str__(self) -> str:
        """As JSON."""
        return json.dumps(asdict(self))


class PostgresChanges:
    """See `contract.changes.ChangeSource`."""

    def __init__(self, settings: ConnectionSettings, options: RunOptions) -> None:
        self._settings = settings
        self._options = options.changes
        self._token = options.token
        self._schemas: tuple[str, ...] = ()  # whose new tables are wanted too
        if not options.tables:
            self._schemas = options.source_schemas or (settings.schema or DEFAULT_SCHEMA,)
        self._conditions = sorted({*options.filters, *(item.name for item in options.tables if item.where)})
        self._database = settings.database or BOOTSTRAP_DATABASE

    def open(self, stream_id: str, tables: Sequence[TableId], origin: str, position: str) -> tuple[str, str]:
        """Have the log kept from here on for these tables: a publication and a slot."""
        if self._conditions:
            raise _conditional(self._conditions[0])
        found = Origin.read(origin) if origin else None
        slot = found.slot if found else self._options.slot or slots.own_name(stream_id)
        with self._connections(slot) as (plain, sender):
            if found:
                plain.execute(f"SET lock_timeout = '{LOCK_WAIT_S}s'".encode())
                try:
                    with translating():
                        return self._find(plain, sender, found, tables)
                except LockedError as exc:
                    raise holders.named(plain, exc) from exc
            return self._begin(plain, sender, stream_id, tables, position)

    @contextmanager
    def _connections(self, slot: str) -> Iterator[tuple[psycopg.Connection[Any], psycopg.Connection[Any]]]:
        with (
            self._writing() as plain,
            closing(slots.replication_connection(self._settings, slot, self._token)) as sender,
            translating(),
        ):
            yield plain, sender

    @contextmanager
    def _writing(self) -> Iterator[psycopg.Connection[Any]]:
        """For what is the stream's own: also where users are kept from writing by default, as before a cut-over."""
        with closing(connect(self._settings)) as connection:
            with translating():
                connection.execute("SET default_transaction_read_only = off")
            yield connection

    def _begin(
        self,
        plain: psycopg.Connection[Any],
        sender: psycopg.Connection[Any],
        stream_id: str,
        tables: Sequence[TableId],
        position: str,
    ) -> tuple[str, str]:
        """The publication first: changes are decoded by what was published when they were made.

        Of a stream that cannot begin nothing is left.
        """
        wanted = parse_lsn(position) if position else None
        if wanted is not None and wanted > end_of_log(plain):
            raise InvalidError(
                f"the log has not reached {position} yet", fields={"position": "lies behind the end of the log"},
                remedy="SELECT pg_current_wal_lsn() shows where it ends; another server's positions mean nothing here",
            )  # fmt: skip
        with ExitStack() as undo:
            found = self._kept(plain, sender, stream_id, tables, wanted, undo)
            undo.pop_all()
        return found

    def _kept(
        self,
        plain: psycopg.Connection[Any],
        sender: psycopg.Connection[Any],
        stream_id: str,
        tables: Sequence[TableId],
        wanted: int | None,
        undo: ExitStack,
    ) -> tuple[str, str]:
        name = slots.own_name(stream_id)
        chosen = self._options.slot or name
        system = slots.identify(sender)
        row = plain.execute(_NEWEST.encode()).fetchone()
        newest = int(row[0]) if row else 0
        publications = Publications.begin(plain, name, self._options.publication)
        undo.callback(publications.drop, plain)
        publications.include(plain, tables, self._options)
        there = slots.find(plain, chosen)
        if there is not None and self._options.slot:
            start, made = slots.require_usable(there, chosen, self._database).confirmed, False
            if publications.made:  # what was written before it was made is not told
                start = max(start, end_of_log(plain))
        else:
            slots.drop(plain, chosen, self._token)  # left behind by a start that came to nothing
            start, made = slots.create(sender, chosen)[0], True
            undo.callback(slots.drop, plain, chosen, self._token)
        if wanted is not None and wanted < start:
            raise PositionLostError(
                f"the log is kept from {format_lsn(start)} on, and {format_lsn(wanted)} lies before",
                remedy="begin now (no position), or name a slot that reaches back so far (replicationSlotName)",
            )
        origin = Origin(
            chosen, made, tuple(publications.names), publications.made, system.identifier, format_lsn(start), newest
        )
        return str(origin), str(Place(wanted or start, system.timeline))

    def _find(
        self,
        plain: psycopg.Connection[Any],
        sender: psycopg.Connection[Any],
        origin: Origin,
        tables: Sequence[TableId],
    ) -> tuple[str, str]:
        system, slot = self._require(plain, sender, origin)
        publications = Publications(origin.publications, made=origin.publications_made)
        publications.require(plain)
        publications.check(plain)
        publications.include(plain, tables, self._options, again=True)
        return str(origin), str(Place(slot.confirmed, system.timeline))

    def _require(
        self, plain: psycopg.Connection[Any], sender: psycopg.Connection[Any], origin: Origin
    ) -> tuple[slots.System, slots.Slot]:
        system = slots.identify(sender)
        if system.identifier != origin.system:
            raise PositionLostError(
                "another server answers than the one whose log this stream has read",
                remedy=f"correct the source's address, or {slots.RESYNC}",
            )
        slot = slots.require_usable(slots.find(plain, origin.slot), origin.slot, self._database)
        return system, slot

    @contextmanager
    def snapshot(self, origin: str, readers: int) -> Iterator[Snapshot]:
        """What a temporary slot exports: exactly what committed before its first place."""
        found = Origin.read(origin)
        with ExitStack() as stack:
            with closing(slots.replication_connection(self._settings)) as keeper, translating():
                system = slots.identify(keeper)
                name = f"{found.slot[:40]}_{keeper.info.backend_pid}_copy"
                lsn, exported = slots.create(keeper, name, temporary=True)
                place = json.loads(str(Place(lsn, system.timeline)))
                snapshot = stack.enter_context(open_snapshot(self._settings, readers, Exported(exported, place)))
                # All have joined it: neither slot nor connection is needed any more.
                keeper.execute(f"DROP_REPLICATION_SLOT {_DIALECT.quote(name)}".encode())
            yield snapshot

    def stream(
        self, origin: str, position: str, tables: Sequence[StreamTable], limits: GroupLimits, keep: str = ""
    ) -> PostgresChangeStream:
        """Read the log from a position."""
        found, place = Origin.read(origin), read_place(position)
        kept = read_place(keep).lsn if keep else None
        with self._connections(found.slot) as (plain, sender):
            system, slot = self._require(plain, sender, found)
            slots.require_position(slot, place)
            slots.require_history(sender, system, place)
            added = Publications(found.publications, made=found.publications_made).added(plain)
        start = Place(place.lsn or slot.confirmed, system.timeline)
        wanted = Wanted(
            found.publications,
            self._schemas if found.newest else (),
            found.newest,
            partial(operations, self._options),
        )
        return PostgresChangeStream(
            self._settings,
            found.slot,
            wanted,
            start,
            tables,
            limits,
            added,
            partial(inserts_only, self._options),
            kept,
            self._token,
        )

    def reaches(self, origin: str, at: str, position: str) -> bool:
        """Whether all that is committed up to a position is so up to ``at`` too."""
        return read_place(at).lsn >= read_place(position).lsn

    def end_position(self) -> str:
        """Where the log ends now."""
        with closing(connect(self._settings)) as connection, translating():
            return str(Place(end_of_log(connection)))

    def retention(self, origin: str, position: str) -> Retention:
        """How much log the slot has the server keep, and how much it may become."""
        found = Origin.read(origin)
        with closing(connect(self._settings)) as connection, translating():
            slot = slots.find(connection, found.slot)
            if slot is None or slot.lost:
                return Retention(lost=True)
            held = connection.execute(_HELD.encode(), (found.slot,)).fetchone()
            limit = connection.execute(_LIMIT.encode()).fetchone()
            place = read_place(position)
            return Retention(
                held_bytes=held[0] if held else None,
                limit_bytes=limit[0] if limit else None,
                lost=bool(place.lsn) and slot.confirmed > place.lsn,
            )

    def close(self, origin: str) -> None:
        """Drop the slot and the publications, if they are ours."""
        found = Origin.read(origin)
        with self._writing() as connection, translating():
            if found.slot_made:
                slots.drop(connection, found.slot)
            Publications(found.publications, made=found.publications_made).drop(connection)


def _conditional(table: str) -> StatementError:
    return StatementError(
        f"of table {table} only some rows are wanted: the log does not tell when a row becomes one of them, or ceases"
        " to be",
        remedy="leave the condition out, or use mode convert",
        table=table,
    )
