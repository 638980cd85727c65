"""Rows and schema changes at a source, at random: one statement after the other, all made from one random generator.

What a table looks like is asked of the source itself, so that nothing here has to know what a statement did. Statements
that the source refuses are counted, and forgotten.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from tools.schema_kinds import CHANGES
from tools.workload import MYSQL, POSTGRES, REFUSED, Session

from mainstem.model.connection import ConnectionSettings

FIRST = ("t0", "t1", "t2", "t3")
QUIET = "pulse"
_TYPES = {
    MYSQL: (
        "TINYINT", "SMALLINT", "INT", "BIGINT", "INT UNSIGNED", "DECIMAL(8,2)", "DECIMAL(12,3)", "VARCHAR(12)",
        "VARCHAR(40)", "VARCHAR(300)", "CHAR(9)", "TEXT", "MEDIUMTEXT", "DATE", "DATETIME", "DATETIME(6)",
        "VARBINARY(20)", "BLOB", "DOUBLE", "ENUM('a','b','c')", "ENUM('a','b','c','d')", "ENUM('c','b','a')",
        "SET('a','b','c')", "VARCHAR(12) CHARACTER SET latin1", "FLOAT", "TIME(3)", "YEAR", "TIMESTAMP",
        "BIT(5)", "JSON",
    ),
    POSTGRES: (
        "smallint", "integer", "bigint", "numeric(8,2)", "numeric(12,3)", "varchar(12)", "varchar(40)", "text",
        "char(9)", "date", "timestamp",
        "timestamptz", "bytea", "double precision", "boolean", "uuid", "integer[]", "mood", "real", "time", "interval",
        "inet", "bit(5)", "jsonb",
    ),
}  # fmt: skip
_NUMBERS = ("TINYINT", "SMALLINT", "INT", "BIGINT", "YEAR")
_FRACTIONS = ("DECIMAL", "DOUBLE", "NUMERIC", "REAL", "FLOAT")
_COLUMNS = {
    MYSQL: "SELECT column_name, UPPER(column_type), extra LIKE '%%GENERATED%%', column_key = 'PRI'"
    " FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = '{0}' ORDER BY ordinal_position",
    POSTGRES: "SELECT attname, upper(format_type(atttypid, atttypmod)), attgenerated <> '', EXISTS (SELECT"
    " FROM pg_index WHERE indrelid = attrelid AND indisprimary AND attnum = ANY (indkey)) FROM pg_attribute"
    " WHERE attrelid = to_regclass('\"{0}\"') AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
}
_TABLES = {
    MYSQL: "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE()"
    " AND table_type = 'BASE TABLE' ORDER BY 1",
    POSTGRES: "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')"
    " AND NOT relispartition ORDER BY 1",
}


@dataclass(frozen=True, slots=True)
class Had:
    """A column that a table has."""

    name: str
    type: str
    generated: bool
    key: bool


@dataclass
class SchemaWork:
    """What is done at a source.

    Attributes:
        done, refused: how often each kind of change was made, and was not.
        labels: of PostgreSQL's type ``mood``.
    """

    settings: ConnectionSettings
    random: Random
    log: Path
    done: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    rows: int = 0
    labels: str = "abc"
    _number: int = 0
    _within: bool = False

    def __post_init__(self) -> None:
        self.session = Session(self.settings)
        self.kind = self.settings.type
        if self.kind == MYSQL:
            self.session.run(
                "SET SESSION sql_mode = 'STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION', lock_wait_timeout = 5"
            )
        else:
            self.session.run("SET lock_timeout = '5s'", "SET client_min_messages = 'error'")

    def prepare(self) -> None:
        """Tables to begin with, and one that nobody changes."""
        if self.kind == POSTGRES:
            self.say("CREATE TYPE mood AS ENUM ('a', 'b', 'c')")
        self.say(f"CREATE TABLE {QUIET} (id BIGINT PRIMARY KEY)")
        for name in FIRST:
            self.create(name)
            self.insert(name)
        self._partitioned("parts")
        self.insert("parts")

    def say(self, *statements: str) -> bool:
        """Run statements; whether none was refused."""
        with self.log.open("a") as log:
            for statement in statements:
                try:
                    self.session.run(statement)
                except REFUSED as exc:
                    log.write(f"-- {statement};  -- {str(exc)[:120]!r}\n")
                    return False
                log.write(f"{statement};\n")
        return True

    def note(self, text: str) -> None:
        """Write a line of comment down between the statements."""
        with self.log.open("a") as log:
            log.write(f"---- {text}\n")

    def tables(self) -> list[str]:
        """All but the quiet one."""
        return [str(name) for (name,) in self.session.run(_TABLES[self.kind]) if name != QUIET]

    def columns(self, table: str) -> list[Had]:
        """Those of a table, in its order; none where there is no such table."""
        return columns_of(self.session, table)

    def touch(self) -> list[str]:
        """A row into each table, as PostgreSQL's log tells of a table's columns ahead of its rows alone.

        Returns those for which there was none.
        """
        if self.kind == POSTGRES:
            self.say("ROLLBACK")
        return [table for table in self.tables() if not any(self.insert(table) for _ in range(3))]

    def pulse(self) -> int:
        """A row into the quiet table; its number."""
        self._number += 1
        self.say(f"INSERT INTO {QUIET} VALUES ({self._number})")
        return self._number

    # Rows

    def write(self) -> None:
        """A transaction of rows."""
        self.say("BEGIN")
        for _ in range(self.random.randrange(1, 6)):
            if not self._one_write():
                self.say("ROLLBACK")
                return
        self.say("ROLLBACK" if self.random.random() < 0.05 else "COMMIT")

    def _one_write(self) -> bool:
        tables = self.tables()
        if not tables:
            return True
        table = self.random.choice(tables)
        what = self.random.choice((self.insert, self.insert, self.update, self.update, self.delete))
        self.rows += 1
        return what(table)

    def insert(self, table: str) -> bool:
        """Some rows."""
        columns = [column for column in self.columns(table) if not column.generated]
        if not columns:
            return True
        rows = ", ".join(
            f"({', '.join(self._value(column) for column in columns)})" for _ in range(self.random.randrange(1, 4))
        )
        return self.say(f"INSERT INTO {table} ({', '.join(column.name for column in columns)}) VALUES {rows}")

    def update(self, table: str) -> bool:
        """Rows that are there get other values."""
        columns = [column for column in self.columns(table) if not column.generated]
        free = [column for column in columns if not column.key]
        if not free or not any(column.name == "id" for column in columns):
            return True
        chosen = self.random.sample(free, min(len(free), 2))
        cells = ", ".join(f"{column.name} = {self._value(column)}" for column in chosen)
        return self.say(f"UPDATE {table} SET {cells} WHERE {self._some()}")

    def delete(self, table: str) -> bool:
        """Some rows go."""
        if not any(column.name == "id" for column in self.columns(table)):
            return True
        return self.say(f"DELETE FROM {table} WHERE {self._some()}")

    def _some(self) -> str:
        low = self.random.randrange(max(self._number, 1))
        return f"id BETWEEN {low} AND {low + self.random.choice((0, 3, 20))}"

    def _value(self, column: Had) -> str:
        random, type_ = self.random, column.type
        if column.name == "id":
            self._number += 1
            return str(self._number)
        if not column.key and random.random() < 0.15 and "NOT" not in type_:
            return "NULL"
        if type_.endswith("[]"):
            return f"'{{{random.randrange(9)},NULL,{random.randrange(9)}}}'"
        if type_.startswith(_NUMBERS) and not type_.startswith("INTERVAL"):
            return str(random.randrange(1, 100))
        if type_.startswith(_FRACTIONS):
            return f"{random.randrange(100)}{random.choice(('', '.5', '.125'))}"
        return self._other(type_)

    def _other(self, type_: str) -> str:
        random = self.random
        for begin, value in (
            (("DATETIME(6)",), f"'20{random.randrange(10, 38)}-0{random.randrange(1, 10)}-11 11:22:33.123456'"),
            (("DATE", "TIMESTAMP"), f"'20{random.randrange(10, 38)}-0{random.randrange(1, 10)}-11'"),
            (("TIME",), f"'0{random.randrange(1, 10)}:22:33.125'"),
            (("ENUM", "SET"), f"'{random.choice('abc')}'"),
            (("MOOD",), f"'{random.choice(self.labels)}'"),
            (("LONGTEXT", "JSON"), f"'{{\"a\": [{random.randrange(9)}, null]}}'"),
            (("BIT",), f"B'{random.randrange(32):05b}'"),
            (("INET",), f"'10.0.0.{random.randrange(256)}'"),
            (("INTERVAL",), f"'{random.randrange(9)} days 0{random.randrange(9)}:00:00'"),
            (("BOOL",), random.choice(("TRUE", "FALSE"))),
            (("UUID",), f"'00000000-0000-0000-0000-{random.randrange(10**12):012}'"),
            (("BYTEA",), f"'\\x{random.randbytes(3).hex()}'"),
            (("VARBINARY", "BLOB"), f"X'{random.randbytes(3).hex()}'"),
        ):
            if type_.startswith(begin):
                return value
        return f"'{random.choice(('', '7', '12', 'äöü', 'it', 'x y', '2020-01-01'))}{random.randrange(1000)}'"

    # Structure

    def change(self) -> None:
        """A schema change of some kind."""
        name, make = self.random.choice(CHANGES)
        tables = self.tables()
        if not tables and name != "create":
            return
        table = self.random.choice(tables) if tables else ""
        statements = make(self, table)
        if not statements:
            return
        done = self.say(*statements)
        if not done and "BEGIN" in statements:
            self.say("ROLLBACK")
        (self.done if done else self.refused)[name] += 1

    def mixed(self) -> None:
        """PostgreSQL: several changes and rows in one transaction; else one after the other."""
        self.say("BEGIN")
        for _ in range(self.random.randrange(2, 6)):
            done = self._one_write() if self.random.random() < 0.6 else self._changed_within()
            if not done:
                self.say("ROLLBACK")
                return
        self.say("COMMIT" if self.random.random() < 0.9 else "ROLLBACK")

    def _changed_within(self) -> bool:
        name, make = self.random.choice(CHANGES)
        tables = self.tables()
        if not tables:
            return True
        statements = make(self, self.random.choice(tables))
        if any(statement in ("BEGIN", "COMMIT") for statement in statements):
            statements = [statement for statement in statements if statement not in ("BEGIN", "COMMIT")]
        done = self.say("SAVEPOINT s", *statements) if self.kind == POSTGRES else self.say(*statements)
        (self.done if done else self.refused)[name] += 1
        if not done and self.kind == POSTGRES:
            return self.say("ROLLBACK TO SAVEPOINT s")
        return True

    def type(self) -> str:
        """Some type."""
        return self.random.choice(_TYPES[self.kind])

    def name(self, letter: str) -> str:
        """A name; few, so that they come again."""
        return f"{letter}{self.random.randrange(8)}"

    def literal(self, type_: str) -> str:
        """A value of a type that is not null."""
        while (value := self._value(Had("", type_.upper(), False, True))) == "NULL":
            pass
        return value

    def column(self) -> str:
        """A column's definition, but for its name."""
        type_ = self.type()
        shape = self.random.randrange(8)
        if shape == 0 and not type_.startswith(("TEXT", "BLOB", "MEDIUM")):
            return f"{type_} NOT NULL DEFAULT {self.literal(type_)}"
        if shape == 1 and not type_.startswith(("TEXT", "BLOB", "MEDIUM")):
            return f"{type_} DEFAULT {self.literal(type_)}"
        if shape == 2:
            return f"{type_} NOT NULL"
        if shape == 3 and self.kind == MYSQL:
            return "DATETIME(6) DEFAULT CURRENT_TIMESTAMP(6)"
        if shape == 3:
            return "double precision DEFAULT random()"
        if shape == 4:
            return "INTEGER GENERATED ALWAYS AS (id + 1) STORED"
        return type_

    def create(self, table: str) -> list[str]:
        """A table with an id and some columns."""
        names = self.random.sample([f"c{number}" for number in range(8)], self.random.randrange(1, 5))
        shapes = ", ".join(f"{name} {self.column()}" for name in names)
        sql = f"CREATE TABLE {table} (id INTEGER NOT NULL PRIMARY KEY, {shapes})"
        if not self._within and table in FIRST:
            self.say(sql)
        return [sql]

    def _partitioned(self, table: str) -> None:
        if self.kind == MYSQL:
            self.say(
                f"CREATE TABLE {table} (id INT NOT NULL PRIMARY KEY, c0 INT, c1 VARCHAR(40)) PARTITION BY RANGE (id)"
                " (PARTITION a VALUES LESS THAN (50), PARTITION b VALUES LESS THAN (1000), PARTITION z"
                " VALUES LESS THAN MAXVALUE)"
            )
            return
        self.say(
            f"CREATE TABLE {table} (id integer PRIMARY KEY, c0 integer, c1 varchar(40)) PARTITION BY RANGE (id)",
            f"CREATE TABLE {table}_a PARTITION OF {table} FOR VALUES FROM (0) TO (50)",
            f"CREATE TABLE {table}_z PARTITION OF {table} FOR VALUES FROM (50) TO (1000000000)",
        )

    def pick(self, table: str, *, key: bool = False) -> Had | None:
        """One of a table's columns, not ``id``."""
        found = [column for column in self.columns(table) if column.name != "id" and (key or not column.key)]
        return self.random.choice(found) if found else None


def columns_of(session: Session, table: str) -> list[Had]:
    """A table's columns, in its order; none where there is no such table."""
    rows = session.run(_COLUMNS[session.kind].format(table))
    return [Had(str(name), str(type_), bool(generated), bool(key)) for name, type_, generated, key in rows]


def reached(session: Session, number: int) -> bool:
    """Whether a target has the row of `SchemaWork.pulse`."""
    try:
        found: list[tuple[Any, ...]] = session.run(f"SELECT 1 FROM {QUIET} WHERE id = {number}")
    except REFUSED:
        return False
    return bool(found)
