"""Customers at work: small transactions of many kinds against the shop, for as long as the demo wants them."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any

from mainstem.connectors.mysql.client import connect
from mainstem.model.connection import ConnectionSettings

PER_SECOND = 120
_STATUSES = ("new", "paid", "packed", "shipped", "returned")


class Customers:
    """`with` it, they shop.

    Attributes:
        transactions: committed so far.
    """

    def __init__(self, shop: ConnectionSettings, per_second: float = PER_SECOND, seed: int = 11) -> None:
        self._shop, self._pause_s = shop, 1 / per_second
        self._dice = random.Random(seed)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._work, name="customers", daemon=True)
        self._problem: Exception | None = None
        self.transactions = 0

    def __enter__(self) -> Customers:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def leave(self) -> None:
        """Commit what is begun, and stop; raises what went wrong meanwhile."""
        self._over.set()
        self._thread.join()
        if self._problem is not None:
            raise self._problem

    def _work(self) -> None:
        try:
            with connect(self._shop) as connection, connection.cursor() as cursor:
                connection.autocommit(False)
                limits = _Limits(cursor)
                kinds = (_order, _order, _ship, _pay_in, _review, _forget_review, _change_their_mind)
                due = time.monotonic()
                while not self._over.is_set():
                    one: Callable[[Any, random.Random, _Limits], bool] = self._dice.choice(kinds)
                    if one(cursor, self._dice, limits):
                        connection.commit()
                        self.transactions += 1
                    else:
                        connection.rollback()
                    due = max(due + self._pause_s, time.monotonic() - 1)
                    self._over.wait(max(due - time.monotonic(), 0))
        except Exception as exc:  # told by `leave`
            self._problem = exc


class _Limits:
    """The highest ids, as the shop was when they came."""

    def __init__(self, cursor: Any) -> None:
        self.customers, self.products, self.orders, self.reviews = (
            _one(cursor, f"SELECT max(id) FROM {table}") for table in ("customer", "product", "orders", "review")
        )


def _one(cursor: Any, statement: str) -> int:
    cursor.execute(statement)
    return int((cursor.fetchone() or (0,))[0] or 0)


def _order(cursor: Any, dice: random.Random, limits: _Limits) -> bool:
    cursor.execute(
        "INSERT INTO orders (customer_id, placed_at, shipping, note) VALUES (%s, now(6), %s, %s)",
        (dice.randint(1, limits.customers), dice.randint(0, 2500) / 100, dice.choice((None, "please ring twice 🔔"))),
    )
    order = limits.orders = cursor.lastrowid
    for line in range(1, dice.randint(2, 4)):
        product, quantity = dice.randint(1, limits.products), dice.randint(1, 5)
        cursor.execute(
            "INSERT INTO order_line (order_id, line, product_id, quantity, unit_price) VALUES (%s, %s, %s, %s, %s)",
            (order, line, product, quantity, dice.randint(99, 49_999) / 100),
        )
        cursor.execute("UPDATE stock SET quantity = quantity - %s WHERE product_id = %s LIMIT 1", (quantity, product))
    cursor.execute(
        "INSERT INTO payment (reference, order_id, method, amount) VALUES (%s, %s, 'card', %s)",
        (dice.randbytes(16), order, dice.randint(0, 90_000) / 100),
    )
    return True


def _ship(cursor: Any, dice: random.Random, limits: _Limits) -> bool:
    order = dice.randint(max(limits.orders - 5000, 1), limits.orders)
    cursor.execute("UPDATE orders SET status = %s WHERE id = %s", (dice.choice(_STATUSES), order))
    return True


def _pay_in(cursor: Any, dice: random.Random, limits: _Limits) -> bool:
    """Money goes from one customer to another: the sum of all balances stays."""
    giver, taker = dice.sample(range(1, limits.customers + 1), 2)
    amount = dice.randint(1, 100_000) / 10_000
    for customer, by in sorted(((giver, -amount), (taker, amount))):
        cursor.execute("UPDATE customer SET balance = balance + %s, last_login = now() WHERE id = %s", (by, customer))
    return True


def _review(cursor: Any, dice: random.Random, limits: _Limits) -> bool:
    cursor.execute(
        "INSERT INTO review (product_id, customer_id, stars, title, body, written_at)"
        " VALUES (%s, %s, %s, 'live!', %s, now())",
        (dice.randint(1, limits.products), dice.randint(1, limits.customers), dice.randint(1, 5), "Très joli ! ⭐" * 8),
    )
    limits.reviews = cursor.lastrowid
    return True


def _forget_review(cursor: Any, dice: random.Random, limits: _Limits) -> bool:
    cursor.execute("DELETE FROM review WHERE id = %s", (dice.randint(1, limits.reviews),))
    return True


def _change_their_mind(cursor: Any, dice: random.Random, limits: _Limits) -> bool:
    """What is rolled back must not arrive."""
    _order(cursor, dice, limits)
    return False
