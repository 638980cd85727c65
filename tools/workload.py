"""Writers that keep a source busy with all that a transaction can hold, and what must be true of it at any moment.

Each writer is one connection with rows of its own, so that writers seldom wait for each other; all are made from one
seed. ``accounts`` is a bank: each transaction leaves the sum of its balances as it was.
"""

# ruff: noqa: S311 - random numbers that must be repeatable, not secret
from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from typing import Any

import psycopg
import pymysql

from mainstem.connectors.mysql.client import connect as mysql_connect
from mainstem.connectors.postgres.client import connect as postgres_connect
from mainstem.errors import MainstemError
from mainstem.model.connection import ConnectionSettings

MYSQL, POSTGRES = "mysql", "postgresql"
ACCOUNTS, EACH = 20, 1000
TOTAL = ACCOUNTS * EACH
TABLES = ("accounts", "items", "events", "pairs", "parents", "children")
_RANGE = 10_000_000  # ids of one writer
_MAX_INT = 2**31
STEPS = 4
_LETTERS = "abcdefghij ÄÖßéñ漢字😀'\"%_"
_LARGE = 30_000  # characters of a text that is stored beside its row
_DEADLINE_S = 120.0  # for a server that is restarted
# What a server's refusal, or its absence, is raised as.
REFUSED = (pymysql.MySQLError, psycopg.Error, OSError, MainstemError)
_TYPES = {
    MYSQL: {"text": "LONGTEXT", "bytes": "LONGBLOB", "at": "DATETIME(6)", "flag": "TINYINT(1)", "double": "DOUBLE"},
    POSTGRES: {"text": "text", "bytes": "bytea", "at": "timestamp(6)", "flag": "boolean", "double": "double precision"},
}
_SCHEMA = (
    "CREATE TABLE accounts (id INT PRIMARY KEY, balance BIGINT NOT NULL, moves INT NOT NULL)",
    "CREATE TABLE items (id BIGINT PRIMARY KEY, name VARCHAR(80) NOT NULL, price DECIMAL(12,3), weight {double},"
    " qty INT, body {text}, raw {bytes}, made {at}, flag {flag})",
    "CREATE TABLE events (n INT, what VARCHAR(40))",
    "CREATE TABLE pairs (a INT NOT NULL, b VARCHAR(20) NOT NULL, u BIGINT UNIQUE, PRIMARY KEY (a, b))",
    "CREATE TABLE parents (id BIGINT PRIMARY KEY, name VARCHAR(40))",
    "CREATE TABLE children (id BIGINT PRIMARY KEY, parent BIGINT NOT NULL REFERENCES parents (id), name VARCHAR(40))",
)


class Session:
    """One connection of a user; statements are committed one by one unless within BEGIN and COMMIT."""

    def __init__(self, settings: ConnectionSettings) -> None:
        self.kind, self._settings = settings.type, settings
        self.connect()

    def connect(self) -> None:
        """Anew, whatever became of the connection before."""
        self.connection: Any = mysql_connect(self._settings) if self.kind == MYSQL else postgres_connect(self._settings)
        if self.kind == MYSQL:  # without locks on gaps, which writers would wait for
            self.run("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()

    def run(self, *statements: str) -> list[tuple[Any, ...]]:
        """Run statements; the rows of the last one."""
        rows: list[tuple[Any, ...]] = []
        for statement in statements:
            if self.kind == MYSQL:
                with self.connection.cursor() as cursor:
                    cursor.execute(statement)
                    rows = list(cursor.fetchall()) if cursor.description else []
            else:
                answer = self.connection.execute(statement.encode())
                rows = answer.fetchall() if answer.description else []
        return rows


def prepare(settings: ConnectionSettings, items: int = 200) -> None:
    """Make the tables, with rows in each."""
    with Session(settings) as session:
        session.run(*(statement.format(**_TYPES[settings.type]) for statement in _SCHEMA))
        if settings.type == POSTGRES:
            session.run("ALTER TABLE events REPLICA IDENTITY FULL")
        accounts = ", ".join(f"({number}, {EACH}, 0)" for number in range(ACCOUNTS))
        session.run(f"INSERT INTO accounts VALUES {accounts}")
        random = Random(0)
        for start in range(0, items, 500):
            rows = (_item(settings.type, random, -1 - number) for number in range(start, min(start + 500, items)))
            session.run(f"INSERT INTO items VALUES {', '.join(rows)}")
        session.run("INSERT INTO events VALUES " + ", ".join(f"({number % 7}, 'first')" for number in range(50)))


def bank_sum(session: Session) -> tuple[int, int]:
    """The accounts and their sum, in one moment."""
    count, total = session.run("SELECT COUNT(*), COALESCE(SUM(balance), 0) FROM accounts")[0]
    return int(count), int(total)


def _text(random: Random, most: int) -> str:
    letters = "".join(random.choices(_LETTERS, k=random.randrange(most)))
    return "'" + letters.replace("'", "''") + "'"


def _bytes(kind: str, random: Random) -> str:
    digits = random.randbytes(random.randrange(40)).hex()
    return f"X'{digits}'" if kind == MYSQL else f"'\\x{digits}'"


def _item(kind: str, random: Random, id_: int) -> str:
    body = f"REPEAT({_text(random, 20)}, {_LARGE // 20})" if random.random() < 0.05 else _text(random, 60)
    cells = (
        str(id_), _text(random, 40), f"{random.randrange(-10**8, 10**8) / 1000:.3f}", repr(random.uniform(-1e9, 1e9)),
        random.choice(("NULL", str(random.randrange(-1000, 1000)))), random.choice(("NULL", body, body)),
        _bytes(kind, random), f"'2024-02-{random.randrange(1, 30):02} 12:34:56.{random.randrange(10**6):06}'",
        random.choice(("NULL", "TRUE", "FALSE")),
    )  # fmt: skip
    return f"({', '.join(cells)})"


@dataclass
class Writer:
    """One connection's transactions, one after the other. Its ids are its own.

    Attributes:
        longest: a transaction has at most so many steps.
        transactions, rows: committed so far; ``given_up``: transactions that the server broke off.
    """

    session: Session
    number: int
    random: Random
    longest: int = STEPS
    transactions: int = 0
    rows: int = 0
    given_up: int = 0
    _transferred: bool = False
    _next: int = 0
    _items: list[int] = field(default_factory=list)
    _pairs: dict[int, int] = field(default_factory=dict)
    _parents: dict[int, list[int]] = field(default_factory=dict)
    _events: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._next = (self.number + 1) * _RANGE

    def transaction(self) -> None:
        """One transaction of a few steps; some are rolled back, wholly or to a savepoint.

        One that the server breaks off (a deadlock, a restart) is given up, and the writer connects again.
        """
        kept = list(self._items), dict(self._pairs), dict(self._parents), list(self._events)
        try:
            changed = self._steps()
        except REFUSED:
            self._items, self._pairs, self._parents, self._events = kept
            self.given_up += 1
            self._reconnect()
            return
        if changed:
            self.transactions += 1
            self.rows += changed
        else:
            self._items, self._pairs, self._parents, self._events = kept

    def _steps(self) -> int:
        """Rows changed; 0 if it was rolled back."""
        self.session.run("BEGIN")
        self._transferred = False
        changed = sum(self.random.choice(_STEPS)(self) for _ in range(self.random.randrange(self.longest) + 1))
        if self.random.random() < 0.1:
            self.session.run("ROLLBACK")
            return 0
        self.session.run("COMMIT")
        return changed

    def _reconnect(self) -> None:
        deadline = time.monotonic() + _DEADLINE_S
        while True:
            with suppress(*REFUSED):
                self.session.connection.close()
            try:
                self.session.connect()
                return
            except REFUSED:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)

    def insert(self) -> int:
        """Several rows at once."""
        ids = [self._id() for _ in range(self.random.randrange(1, 25))]
        rows = ", ".join(_item(self.session.kind, self.random, id_) for id_ in ids)
        self.session.run(f"INSERT INTO items VALUES {rows}")
        self._items += ids
        return len(ids)

    def update(self) -> int:
        """Some columns of a few rows; large texts stay as they are, and do not travel."""
        ids = self._some(self._items)
        if not ids:
            return self.insert()
        change = self.random.choice(("qty = COALESCE(qty, 0) + 1", "price = price * -1", "flag = NULL", "name = 'new'",
                                     f"body = {_text(self.random, 30)}", "raw = NULL"))  # fmt: skip
        self.session.run(f"UPDATE items SET {change} WHERE id IN ({', '.join(map(str, ids))})")
        return len(ids)

    def delete(self) -> int:
        """A few rows."""
        ids = self._some(self._items)
        if not ids:
            return self.insert()
        self.session.run(f"DELETE FROM items WHERE id IN ({', '.join(map(str, ids))})")
        self._items = [id_ for id_ in self._items if id_ not in ids]
        return len(ids)

    def change_key(self) -> int:
        """A row gets another key, and another row the key that it had."""
        if len(self._items) < 2:
            return self.insert()
        one, other = self.random.sample(self._items, 2)
        fresh = self._id()
        self.session.run(
            f"UPDATE items SET id = {fresh} WHERE id = {one}", f"UPDATE items SET id = {one} WHERE id = {other}"
        )
        self._items.remove(other)
        self._items.append(fresh)
        return 2

    def savepoint(self) -> int:
        """What comes behind a savepoint is undone, and then done otherwise."""
        id_ = self._id()
        self.session.run(
            "SAVEPOINT s", f"INSERT INTO items (id, name) VALUES ({id_}, 'undone')",
            f"UPDATE items SET name = 'undone' WHERE id > {id_ - 30} AND id < {id_}", "ROLLBACK TO SAVEPOINT s",
            f"INSERT INTO items (id, name) VALUES ({id_}, 'kept')", "RELEASE SAVEPOINT s",
        )  # fmt: skip
        self._items.append(id_)
        return 1

    def transfer(self) -> int:
        """Money moves from one account to another, in two statements; once a transaction, in the accounts' order.

        So writers wait for each other, and none is broken off.
        """
        if self._transferred:
            return self.insert()
        self._transferred = True
        one, other = sorted(self.random.sample(range(ACCOUNTS), 2))
        amount = self.random.randrange(-50, 50)
        for account, change in ((one, -amount), (other, amount)):
            self.session.run(
                f"UPDATE accounts SET balance = balance + {change}, moves = moves + 1 WHERE id = {account}"
            )
        return 2

    def add_event(self) -> int:
        """Equal rows in a table without a key."""
        n = self.number * 10 + self.random.randrange(5)
        self.session.run(f"INSERT INTO events VALUES ({n}, 'again'), ({n}, 'again'), (NULL, NULL)")
        self._events += [n, n]
        return 3

    def remove_event(self) -> int:
        """One of several equal rows."""
        if not self._events:
            return self.add_event()
        n = self._events.pop(self.random.randrange(len(self._events)))
        if self.session.kind == MYSQL:
            self.session.run(f"DELETE FROM events WHERE n = {n} LIMIT 1")
        else:
            self.session.run(f"DELETE FROM events WHERE ctid = (SELECT ctid FROM events WHERE n = {n} LIMIT 1)")
        return 1

    def swap(self) -> int:
        """Two rows change a unique value between them."""
        if len(self._pairs) < 2:
            u = self._id()
            self._pairs[u % _MAX_INT] = u
            self.session.run(f"INSERT INTO pairs VALUES ({u % _MAX_INT}, 'p{self.number}', {u})")
            return 1
        (one, mine), (other, theirs) = self.random.sample(sorted(self._pairs.items()), 2)
        self.session.run(
            f"UPDATE pairs SET u = NULL WHERE a = {one}", f"UPDATE pairs SET u = {mine} WHERE a = {other}",
            f"UPDATE pairs SET u = {theirs} WHERE a = {one}",
        )  # fmt: skip
        self._pairs[one], self._pairs[other] = theirs, mine
        return 3

    def family(self) -> int:
        """A parent with children, or the end of one."""
        if self._parents and self.random.random() < 0.4:
            parent = self.random.choice(sorted(self._parents))
            children = self._parents.pop(parent)
            self.session.run(
                f"DELETE FROM children WHERE parent = {parent}", f"DELETE FROM parents WHERE id = {parent}"
            )
            return 1 + len(children)
        parent, children = self._id(), [self._id() for _ in range(self.random.randrange(1, 4))]
        rows = ", ".join(f"({child}, {parent}, 'c')" for child in children)
        self.session.run(f"INSERT INTO parents VALUES ({parent}, 'p')", f"INSERT INTO children VALUES {rows}")
        self._parents[parent] = children
        return 1 + len(children)

    def _id(self) -> int:
        self._next += 1
        return self._next

    def _some(self, ids: Sequence[int]) -> list[int]:
        return self.random.sample(list(ids), min(len(ids), self.random.randrange(1, 12)))


_STEPS: tuple[Callable[[Writer], int], ...] = (
    Writer.insert, Writer.insert, Writer.update, Writer.update, Writer.delete, Writer.change_key, Writer.savepoint,
    Writer.transfer, Writer.transfer, Writer.add_event, Writer.remove_event, Writer.swap, Writer.family,
)  # fmt: skip


class Workload:
    """Writers at work in threads until `stop`.

    Args:
        pause_s: between two transactions of a writer.
        turn: of workloads one after the other on the same tables, each has its own, so that their ids are.
        longest: the most steps of a transaction of the first writer's.
    """

    def __init__(
        self,
        settings: ConnectionSettings,
        seed: int,
        writers: int = 2,
        pause_s: float = 0.0,
        turn: int = 0,
        longest: int = STEPS,
    ) -> None:
        self._over = threading.Event()
        self._pause_s = pause_s
        self._failed: list[BaseException] = []
        first = turn * writers
        self.writers = [
            Writer(Session(settings), first + number, Random(f"{seed}/{number}"), STEPS if number else longest)
            for number in range(writers)
        ]
        self._threads = [
            threading.Thread(target=self._work, args=(writer,), name=f"writer-{writer.number}", daemon=True)
            for writer in self.writers
        ]

    def __enter__(self) -> Workload:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def rows(self) -> int:
        """Changed and committed so far."""
        return sum(writer.rows for writer in self.writers)

    @property
    def transactions(self) -> int:
        """Committed so far."""
        return sum(writer.transactions for writer in self.writers)

    def stop(self) -> None:
        """End after the transactions under way; raises what a writer died of."""
        self._over.set()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join()
        for writer in self.writers:
            with suppress(*REFUSED):  # it may be closed already
                writer.session.connection.close()
        if self._failed:
            raise self._failed.pop()

    def _work(self, writer: Writer) -> None:
        try:
            while not self._over.wait(self._pause_s) if self._pause_s else not self._over.is_set():
                writer.transaction()
        except BaseException as exc:  # told by `stop`
            self._failed.append(exc)
