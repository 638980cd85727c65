"""`SqlStore`: the `StateStore` on SQLAlchemy Core, the same for SQLite and PostgreSQL."""

# ruff: noqa: D102 - the Protocol in contract.store says what each method does

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import sqlalchemy as sa

from mainstem.contract.fleet import Lease, stream_lease
from mainstem.contract.store import (
    ApiKeyRecord,
    ConfigRecord,
    ConnectionRecord,
    LogLine,
    QueryRecord,
    StreamRecord,
    Voucher,
)
from mainstem.model.event import Category, Event, Level
from mainstem.model.run import RunState
from mainstem.store import tables
from mainstem.store.database import Database
from mainstem.store.fleet import SqlFleet

TROUBLES = (Level.WARN.value, Level.ERROR.value)


class SqlStore:
    """Opens (and, when needed, makes or upgrades) the store of a URL. See `contract.store.StateStore`."""

    def __init__(self, url: str) -> None:
        self._database = Database(url)
        self._database.migrate()
        self.fleet = SqlFleet(self._database)

    @property
    def away(self) -> tuple[type[Exception], ...]:
        return sa.exc.OperationalError, sa.exc.InterfaceError, sa.exc.InternalError, sa.exc.TimeoutError

    @property
    def is_shared(self) -> bool:
        return not self._database.is_sqlite

    def claim(self) -> None:
        self._database.claim()

    def close(self) -> None:
        self._database.close()

    def ready(self) -> None:
        with self._database.reading() as connection:
            connection.execute(sa.select(1))

    def _add(self, table: sa.Table, values: dict[str, Any]) -> None:
        with self._database.writing() as connection:
            connection.execute(table.insert().values(values))

    def _put(self, table: sa.Table, values: dict[str, Any]) -> bool:
        with self._database.writing() as connection:
            return connection.execute(table.update().where(table.c.id == values["id"]).values(values)).rowcount > 0

    def _delete(self, table: sa.Table, row_id: str) -> bool:
        with self._database.writing() as connection:
            return connection.execute(table.delete().where(table.c.id == row_id)).rowcount > 0

    def _rows(self, query: sa.Select[Any]) -> list[dict[str, Any]]:
        with self._database.reading() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]

    def _oldest_first(self, table: sa.Table) -> list[dict[str, Any]]:
        return self._rows(sa.select(table).order_by(table.c.created_us, table.c.id))

    def _one(self, table: sa.Table, row_id: str) -> dict[str, Any] | None:
        return next(iter(self._rows(sa.select(table).where(table.c.id == row_id))), None)

    def add_connection(self, record: ConnectionRecord) -> None:
        self._add(tables.connections, asdict(record))

    def connections(self) -> list[ConnectionRecord]:
        return [ConnectionRecord(**row) for row in self._oldest_first(tables.connections)]

    def connection(self, connection_id: str) -> ConnectionRecord | None:
        row = self._one(tables.connections, connection_id)
        return None if row is None else ConnectionRecord(**row)

    def put_connection(self, record: ConnectionRecord) -> bool:
        return self._put(tables.connections, asdict(record))

    def delete_connection(self, connection_id: str) -> bool:
        return self._delete(tables.connections, connection_id)

    def add_config(self, record: ConfigRecord) -> None:
        self._add(tables.stream_configs, asdict(record))

    def configs(self) -> list[ConfigRecord]:
        return [ConfigRecord(**row) for row in self._oldest_first(tables.stream_configs)]

    def config(self, config_id: str) -> ConfigRecord | None:
        row = self._one(tables.stream_configs, config_id)
        return None if row is None else ConfigRecord(**row)

    def put_config(self, record: ConfigRecord) -> bool:
        return self._put(tables.stream_configs, asdict(record))

    def delete_config(self, config_id: str) -> bool:
        return self._delete(tables.stream_configs, config_id)

    def add_stream(self, record: StreamRecord) -> None:
        self._add(tables.streams, asdict(record))

    def streams(self, *, config_id: str = "", states: Sequence[RunState] = ()) -> list[StreamRecord]:
        table = tables.streams
        query = sa.select(table).order_by(table.c.created_us.desc(), table.c.id.desc())
        if config_id:
            query = query.where(table.c.config_id == config_id)
        if states:
            query = query.where(table.c.state.in_([state.value for state in states]))
        return [_stream(row) for row in self._rows(query)]

    def stream(self, stream_id: str) -> StreamRecord | None:
        row = self._one(tables.streams, stream_id)
        return None if row is None else _stream(row)

    def put_stream(self, record: StreamRecord, lease: Lease | None = None) -> bool:
        return self._change_stream(record.id, asdict(record), lease)

    def save_progress(self, stream_id: str, progress: dict[str, Any], lease: Lease | None = None) -> bool:
        return self._change_stream(stream_id, {"progress": progress}, lease)

    def _change_stream(self, stream_id: str, values: dict[str, Any], lease: Lease | None) -> bool:
        table = tables.streams
        with self._database.writing() as connection:
            if lease is not None and not self.fleet.holds(connection, lease):
                return False
            return connection.execute(table.update().where(table.c.id == stream_id).values(values)).rowcount > 0

    def newest_streams(self) -> list[tuple[StreamRecord, int]]:
        table = tables.streams
        newest_first = [table.c.created_us.desc(), table.c.id.desc()]
        place = sa.func.row_number().over(partition_by=table.c.config_id, order_by=newest_first).label("place")
        runs = sa.func.count().over(partition_by=table.c.config_id).label("runs")
        ranked = sa.select(table.c.id, place, runs).subquery()
        query = (
            sa.select(table, ranked.c.runs)
            .join(ranked, sa.and_(ranked.c.id == table.c.id, ranked.c.place == 1))
            .order_by(*newest_first)
        )
        rows = self._rows(query)
        counts = [row.pop("runs") for row in rows]
        return list(zip(map(_stream, rows), counts, strict=True))

    def save_timeline(self, stream_id: str, timeline: dict[str, Any]) -> None:
        table = tables.stream_timelines
        adding = self._database.insert(table).values(id=stream_id, data=timeline)
        with self._database.writing() as connection:
            connection.execute(adding.on_conflict_do_update(index_elements=[table.c.id], set_={"data": timeline}))

    def timeline(self, stream_id: str) -> dict[str, Any]:
        row = self._one(tables.stream_timelines, stream_id)
        return {} if row is None else row["data"]

    def delete_stream(self, stream_id: str) -> bool:
        with self._database.writing() as connection:
            connection.execute(tables.stream_logs.delete().where(tables.stream_logs.c.stream_id == stream_id))
            connection.execute(tables.stream_timelines.delete().where(tables.stream_timelines.c.id == stream_id))
            connection.execute(tables.leases.delete().where(tables.leases.c.name == stream_lease(stream_id)))
            return connection.execute(tables.streams.delete().where(tables.streams.c.id == stream_id)).rowcount > 0

    def append_logs(self, lines: Sequence[tuple[str, Event]], *, keep: int, keep_troubles: int = 0) -> None:
        if not lines:
            return
        table = tables.stream_logs
        with self._database.writing() as connection:
            self._database.keep_order(connection)
            connection.execute(table.insert(), [{"stream_id": stream, **asdict(event)} for stream, event in lines])
            for stream in {stream for stream, _ in lines}:
                mine = table.c.stream_id == stream
                too_old = table.c.number < _nth_newest(mine, keep)
                if keep_troubles:
                    trouble = table.c.level.in_(TROUBLES)
                    older = table.c.number < _nth_newest(sa.and_(mine, trouble), keep_troubles)
                    too_old = sa.and_(too_old, sa.or_(~trouble, older))
                connection.execute(table.delete().where(mine, too_old))

    def logs(
        self,
        stream_id: str,
        *,
        levels: Sequence[str] = (),
        limit: int = 1000,
        after: int | None = None,
        before: int | None = None,
    ) -> list[LogLine]:
        table = tables.stream_logs
        query = sa.select(table).limit(limit)
        if stream_id:
            query = query.where(table.c.stream_id == stream_id)
        if levels:
            query = query.where(table.c.level.in_(levels))
        if before is not None:
            query = query.where(table.c.number < before)
        if after is not None:
            query = query.where(table.c.number > after).order_by(table.c.number)
            return [_log_line(row) for row in self._rows(query)]
        return [_log_line(row) for row in reversed(self._rows(query.order_by(table.c.number.desc())))]

    def log_begin(self, stream_id: str, keep: int) -> int:
        table = tables.stream_logs
        with self._database.reading() as connection:
            return connection.scalar(sa.select(_nth_newest(table.c.stream_id == stream_id, keep))) or 0

    def log_end(self) -> int:
        with self._database.reading() as connection:
            return connection.scalar(sa.select(sa.func.max(tables.stream_logs.c.number))) or 0

    def add_key(self, record: ApiKeyRecord) -> None:
        self._add(tables.api_keys, asdict(record))

    def api_keys(self) -> list[ApiKeyRecord]:
        return [ApiKeyRecord(**row) for row in self._oldest_first(tables.api_keys)]

    def revoke_key(self, key_id: str, at_us: int) -> bool:
        table = tables.api_keys
        change = table.update().where(table.c.id == key_id, table.c.revoked_us == 0).values(revoked_us=at_us)
        with self._database.writing() as connection:
            return connection.execute(change).rowcount > 0

    def add_query(self, record: QueryRecord, *, keep: int) -> None:
        table = tables.queries
        values = {name: value for name, value in asdict(record).items() if name != "number"}
        with self._database.writing() as connection:
            connection.execute(table.insert().values(values))
            oldest_kept = sa.select(table.c.number).order_by(table.c.number.desc()).offset(keep - 1).limit(1)
            connection.execute(table.delete().where(table.c.number < oldest_kept.scalar_subquery()))

    def queries(
        self, *, search: str = "", connection_id: str = "", limit: int = 100, before: int | None = None
    ) -> list[QueryRecord]:
        table = tables.queries
        query = sa.select(table).order_by(table.c.number.desc()).limit(limit)
        if search:
            query = query.where(table.c.query.icontains(search, autoescape=True))
        if connection_id:
            query = query.where(table.c.connection_id == connection_id)
        if before is not None:
            query = query.where(table.c.number < before)
        return [QueryRecord(**row) for row in self._rows(query)]

    def clear_queries(self) -> int:
        with self._database.writing() as connection:
            return connection.execute(tables.queries.delete()).rowcount

    def set_setting(self, name: str, value: str) -> None:
        table = tables.settings
        adding = self._database.insert(table).values(name=name, value=value)
        with self._database.writing() as connection:
            connection.execute(adding.on_conflict_do_update(index_elements=[table.c.name], set_={"value": value}))

    def setting(self, name: str) -> str | None:
        table = tables.settings
        with self._database.reading() as connection:
            return connection.scalar(sa.select(table.c.value).where(table.c.name == name))

    def setdefault(self, name: str, value: str) -> str:
        table = tables.settings
        adding = self._database.insert(table).values(name=name, value=value).on_conflict_do_nothing()
        with self._database.writing() as connection:
            connection.execute(adding)
            return str(connection.scalar(sa.select(table.c.value).where(table.c.name == name)))

    def add_voucher(self, voucher: Voucher, *, lasts_s: float, most: int) -> None:
        table, now = tables.vouchers, self._database.now_us
        mine = table.c.kind == voucher.kind
        newest_first = sa.select(table.c.until_us).where(mine).order_by(table.c.until_us.desc())
        oldest_kept = newest_first.offset(most - 1).limit(1)
        change = {"value": voucher.value, "until_us": now + int(lasts_s * 1e6)}
        adding = self._database.insert(table).values(kind=voucher.kind, id=voucher.id, **change)
        with self._database.writing() as connection:
            connection.execute(adding.on_conflict_do_update(index_elements=[table.c.kind, table.c.id], set_=change))
            too_old = sa.or_(table.c.until_us <= now, table.c.until_us < oldest_kept.scalar_subquery())
            connection.execute(table.delete().where(mine, too_old))

    def vouchers(self, kind: str) -> list[Voucher]:
        table = tables.vouchers
        good = sa.and_(table.c.kind == kind, table.c.until_us > self._database.now_us)
        columns = sa.select(table.c.kind, table.c.id, table.c.value)
        return [Voucher(**row) for row in self._rows(columns.where(good).order_by(table.c.until_us))]

    def voucher(self, kind: str, voucher_id: str) -> Voucher | None:
        table = tables.vouchers
        good = sa.and_(table.c.kind == kind, table.c.id == voucher_id, table.c.until_us > self._database.now_us)
        rows = self._rows(sa.select(table.c.kind, table.c.id, table.c.value).where(good))
        return Voucher(**rows[0]) if rows else None

    def take_voucher(self, kind: str, voucher_id: str) -> Voucher | None:
        table = tables.vouchers
        wanted = table.delete().where(table.c.kind == kind, table.c.id == voucher_id)
        is_good = (table.c.until_us > self._database.now_us).label("is_good")
        with self._database.writing() as connection:
            row = connection.execute(wanted.returning(table.c.value, is_good)).first()
        return Voucher(kind, voucher_id, row.value) if row is not None and row.is_good else None


def _nth_newest(condition: sa.ColumnElement[bool], count: int) -> sa.ScalarSelect[int]:
    """The number of the line from which on there are so many; NULL where there are fewer."""
    number = tables.stream_logs.c.number
    query = sa.select(number).where(condition).order_by(number.desc()).offset(count - 1).limit(1)
    return query.scalar_subquery()


def _stream(row: dict[str, Any]) -> StreamRecord:
    return StreamRecord(**{**row, "state": RunState(row["state"])})


def _log_line(row: dict[str, Any]) -> LogLine:
    event = Event(
        Level(row["level"]), Category(row["category"]), row["message"], row["at_us"], row["part"], row["data"]
    )
    return LogLine(row["number"], row["stream_id"], event)
