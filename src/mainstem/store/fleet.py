"""`SqlFleet`: the `FleetStore` on SQLAlchemy Core. Each statement has the database tell the time."""

# ruff: noqa: D102 - the Protocol in contract.fleet says what each method does

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import sqlalchemy as sa

from mainstem.contract.fleet import Lease, Member, Order, Unled, stream_lease
from mainstem.model.run import RunState
from mainstem.store.database import Database
from mainstem.store.tables import leases, members, orders, streams

_FORGOTTEN_US = 3_600_000_000


class SqlFleet:
    """Members, leases and orders in the store's own database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._now = database.now_us

    def beat(self, member: Member) -> None:
        values = {**asdict(member), "roles": list(member.roles), "started_us": self._now, "seen_us": self._now}
        again = {name: value for name, value in values.items() if name not in {"id", "started_us"}}
        with self._database.writing() as connection:
            if not connection.execute(members.update().where(members.c.id == member.id).values(again)).rowcount:
                connection.execute(members.delete().where(members.c.seen_us < self._now - _FORGOTTEN_US))
                connection.execute(members.insert().values(values))

    def members(self, silent_s: float) -> list[Member]:
        query = sa.select(members).where(members.c.seen_us > self._now - _us(silent_s))
        with self._database.reading() as connection:
            rows = connection.execute(query.order_by(members.c.started_us, members.c.id)).mappings().all()
        return [Member(**{**row, "roles": tuple(row["roles"])}) for row in rows]

    def leave(self, member_id: str) -> None:
        with self._database.writing() as connection:
            connection.execute(members.delete().where(members.c.id == member_id))

    def acquire(self, name: str, holder: str, lasts_s: float, over: Lease | None = None) -> Lease | None:
        until = self._now + _us(lasts_s)
        free = leases.c.until_us <= self._now
        insert = self._database.insert(leases).values(name=name, holder=holder, token=self._now, until_us=until)
        token = sa.case((leases.c.token >= self._now, leases.c.token + 1), else_=self._now)
        taking = insert.on_conflict_do_update(
            index_elements=[leases.c.name],
            set_={"holder": holder, "token": token, "until_us": until},
            where=free if over is None else sa.or_(free, leases.c.token == over.token),
        ).returning(leases.c.token)
        with self._database.writing() as connection:
            found = connection.scalar(taking)
        return None if found is None else Lease(name, holder, found)

    def renew(self, held: Sequence[Lease], lasts_s: float) -> list[Lease]:
        if not held:
            return []
        mine = sa.tuple_(leases.c.name, leases.c.token).in_([(lease.name, lease.token) for lease in held])
        change = (
            leases.update()
            .where(mine)
            .values(until_us=self._now + _us(lasts_s))
            .returning(leases.c.name, leases.c.token)
        )
        with self._database.writing() as connection:
            left = {tuple(row) for row in connection.execute(change)}
        return [lease for lease in held if (lease.name, lease.token) in left]

    def release(self, lease: Lease) -> None:
        mine = sa.and_(leases.c.name == lease.name, leases.c.token == lease.token)
        with self._database.writing() as connection:
            connection.execute(leases.update().where(mine).values(holder="", until_us=0))

    def holds(self, connection: sa.Connection, lease: Lease) -> bool:
        """Whether nobody has taken a lease over, and nobody will before this transaction has ended."""
        mine = sa.and_(leases.c.name == lease.name, leases.c.token == lease.token)
        return connection.scalar(sa.select(leases.c.token).where(mine).with_for_update(read=True)) is not None

    def leases(self) -> list[Lease]:
        query = sa.select(leases.c.name, leases.c.holder, leases.c.token).where(leases.c.until_us > self._now)
        with self._database.reading() as connection:
            return [Lease(*row) for row in connection.execute(query.order_by(leases.c.name))]

    def unled(self, states: Sequence[RunState]) -> list[Unled]:
        name = sa.literal(stream_lease("")) + streams.c.id
        held = sa.exists().where(leases.c.name == name, leases.c.until_us > self._now)
        query = (
            sa.select(streams.c.id, streams.c.state, streams.c.message)
            .where(streams.c.state.in_([state.value for state in states]), ~held)
            .order_by(streams.c.created_us, streams.c.id)
        )
        with self._database.reading() as connection:
            rows = connection.execute(query).all()
        return [Unled(stream_id, RunState(state), message) for stream_id, state, message in rows]

    def add_order(self, subject: str, kind: str, body: dict[str, Any], lasts_s: float) -> int:
        until = self._now + _us(lasts_s)
        adding = orders.insert().values(subject=subject, kind=kind, body=body, token=0, until_us=until)
        with self._database.writing() as connection:
            connection.execute(orders.delete().where(orders.c.until_us < self._now - _FORGOTTEN_US))
            return int(connection.scalar(adding.returning(orders.c.number)) or 0)

    def take_orders(self, holder: str) -> list[Order]:
        mine = (
            sa.select(orders.c.number, orders.c.subject, orders.c.kind, orders.c.body, leases.c.token)
            .join(leases, leases.c.name == orders.c.subject)
            .where(leases.c.holder == holder, leases.c.until_us > self._now, orders.c.token < leases.c.token)
            .where(orders.c.answer.is_(None), orders.c.until_us > self._now)
            .order_by(orders.c.number)
        )
        with self._database.reading() as connection:  # most of the time there is none, and nothing is written
            found = connection.execute(mine).all()
        return [
            Order(number, subject, kind, body)
            for number, subject, kind, body, token in found
            if self._take(number, token)
        ]

    def _take(self, number: int, token: int) -> bool:
        untaken = sa.and_(orders.c.number == number, orders.c.token < token)
        with self._database.writing() as connection:
            return connection.execute(orders.update().where(untaken).values(token=token)).rowcount > 0

    def answer_order(self, number: int, answer: dict[str, Any]) -> None:
        with self._database.writing() as connection:
            connection.execute(orders.update().where(orders.c.number == number).values(answer=answer))

    def answer(self, number: int) -> dict[str, Any] | None:
        with self._database.reading() as connection:
            return connection.scalar(sa.select(orders.c.answer).where(orders.c.number == number))

    def withdraw(self, number: int) -> dict[str, Any] | None:
        with self._database.writing() as connection:
            return connection.scalar(orders.delete().where(orders.c.number == number).returning(orders.c.answer))

    def reset(self) -> None:
        with self._database.writing() as connection:
            for table in (members, orders):
                connection.execute(table.delete())
            connection.execute(leases.update().values(holder="", until_us=0))


def _us(seconds: float) -> int:
    return int(seconds * 1_000_000)
