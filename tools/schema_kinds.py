"""Kinds of schema changes: each makes statements of what a table looks like now."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from tools.workload import MYSQL, POSTGRES

if TYPE_CHECKING:
    from tools.schema_work import SchemaWork

_MOST_TABLES, _MOST_COLUMNS = 9, 9


def _alter(table: str, *actions: str) -> list[str]:
    return [f"ALTER TABLE {table} {', '.join(actions)}"]


def _add(work: SchemaWork, table: str) -> list[str]:
    there = work.columns(table)
    if len(there) > _MOST_COLUMNS:
        return []
    place = ""
    if work.kind == MYSQL and there and work.random.random() < 0.4:
        place = work.random.choice((" FIRST", f" AFTER {work.random.choice(there).name}"))
    actions = [f"ADD COLUMN {work.name('c')} {work.column()}{place}"]
    if work.random.random() < 0.2:
        actions.append(f"ADD COLUMN {work.name('c')} {work.column()}")
    return _alter(table, *actions)


def _drop(work: SchemaWork, table: str) -> list[str]:
    column = work.pick(table, key=True)
    return _alter(table, f"DROP COLUMN {column.name}") if column else []


def _rename_column(work: SchemaWork, table: str) -> list[str]:
    column = work.pick(table)
    return _alter(table, f"RENAME COLUMN {column.name} TO {work.name('c')}") if column else []


def _swap_columns(work: SchemaWork, table: str) -> list[str]:
    one, other = work.pick(table), work.pick(table)
    if one is None or other is None or one == other:
        return []
    if work.kind == MYSQL:
        return _alter(table, f"RENAME COLUMN {one.name} TO {other.name}", f"RENAME COLUMN {other.name} TO {one.name}")
    return [
        "BEGIN", *_alter(table, f"RENAME COLUMN {one.name} TO swapped"),
        *_alter(table, f"RENAME COLUMN {other.name} TO {one.name}"),
        *_alter(table, f"RENAME COLUMN swapped TO {other.name}"), "COMMIT",
    ]  # fmt: skip


def _anew(work: SchemaWork, table: str) -> list[str]:
    """The same name, another column."""
    column = work.pick(table)
    if column is None:
        return []
    return _alter(table, f"DROP COLUMN {column.name}", f"ADD COLUMN {column.name} {work.column()}")


def _retype(work: SchemaWork, table: str) -> list[str]:
    column = work.pick(table, key=True)
    if column is None:
        return []
    if work.kind == MYSQL:
        place = work.random.choice(("", "", "", " FIRST", " NOT NULL"))
        return _alter(table, f"MODIFY COLUMN {column.name} {work.type()}{place}")
    type_ = work.type()
    how = work.random.choice(("", f" USING {column.name}::text::{type_}", f" USING {work.literal(type_)}"))
    return _alter(table, f"ALTER COLUMN {column.name} TYPE {type_}{how}")


def _nullable(work: SchemaWork, table: str) -> list[str]:
    column = work.pick(table)
    if column is None or column.generated:
        return []
    if work.kind == MYSQL:
        return _alter(table, f"MODIFY COLUMN {column.name} {column.type}{work.random.choice((' NOT NULL', ' NULL'))}")
    return _alter(table, f"ALTER COLUMN {column.name} {work.random.choice(('SET', 'DROP'))} NOT NULL")


def _default(work: SchemaWork, table: str) -> list[str]:
    column = work.pick(table)
    if column is None:
        return []
    what = work.random.choice(("DROP DEFAULT", f"SET DEFAULT {work.literal(column.type)}"))
    return _alter(table, f"ALTER COLUMN {column.name} {what}")


def _index(work: SchemaWork, table: str) -> list[str]:
    column = work.pick(table)
    if column is None:
        return []
    name = f"{table}_{work.name('i')}"
    unique = work.random.choice(("", "", "UNIQUE "))
    length = "(8)" if work.kind == MYSQL and column.type.startswith(("TEXT", "BLOB", "MEDIUM")) else ""
    if work.random.random() < 0.3:
        return [f"DROP INDEX {name}{f' ON {table}' if work.kind == MYSQL else ''}"]
    return [f"CREATE {unique}INDEX {name} ON {table} ({column.name}{length})"]


def _check(work: SchemaWork, table: str) -> list[str]:
    name = f"{table}_{work.name('k')}"
    if work.random.random() < 0.4:
        return _alter(table, f"DROP CONSTRAINT {name}")
    return _alter(table, f"ADD CONSTRAINT {name} CHECK (id > -{work.random.randrange(9)})")


def _foreign(work: SchemaWork, table: str) -> list[str]:
    other, name = work.random.choice(work.tables()), f"{table}_{work.name('f')}"
    if work.random.random() < 0.4:
        return _alter(table, f"DROP {'FOREIGN KEY' if work.kind == MYSQL else 'CONSTRAINT'} {name}")
    action = work.random.choice(("", " ON DELETE CASCADE"))
    column = work.pick(table)
    if column is None:
        return []
    return _alter(table, f"ADD CONSTRAINT {name} FOREIGN KEY ({column.name}) REFERENCES {other} (id){action}")


def _key(work: SchemaWork, table: str) -> list[str]:
    keys = [column.name for column in work.columns(table) if column.key]
    column = work.pick(table)
    drop = "DROP PRIMARY KEY" if work.kind == MYSQL else f"DROP CONSTRAINT {table}_pkey"
    add = "ADD PRIMARY KEY" if work.kind == MYSQL else f"ADD CONSTRAINT {table}_pkey PRIMARY KEY"
    if not keys:
        return _alter(table, f"{add} (id)")
    wanted = work.random.choice(("", "id", f"id, {column.name}" if column else "id"))
    actions = [drop, *([f"{add} ({wanted})"] if wanted else [])]
    if not wanted and work.kind == POSTGRES:
        actions.append("REPLICA IDENTITY FULL")
    return _alter(table, *actions)


def _create(work: SchemaWork, _: str) -> list[str]:
    return work.create(work.name("t")) if len(work.tables()) < _MOST_TABLES else []


def _drop_table(work: SchemaWork, table: str) -> list[str]:
    return [f"DROP TABLE {table}"] if len(work.tables()) > 3 else []


def _rename_table(work: SchemaWork, table: str) -> list[str]:
    return _alter(table, f"RENAME TO {work.name('t')}")


def _table_anew(work: SchemaWork, table: str) -> list[str]:
    if table == "parts":
        return []
    statements = [f"DROP TABLE {table}", *work.create(table)]
    return ["BEGIN", *statements, "COMMIT"] if work.kind == POSTGRES and work.random.random() < 0.5 else statements


def _truncate(work: SchemaWork, table: str) -> list[str]:
    return [f"TRUNCATE {table}"]


def _shadow(work: SchemaWork, table: str) -> list[str]:
    """As tools for changes of a table's structure do it: a copy is altered, and takes the table's name."""
    names = [column.name for column in work.columns(table) if not column.generated]
    shadow, old = work.random.choice(((f"_{table}_gho", f"_{table}_del"), (f"_{table}_new", f"_{table}_old")))
    like = f"CREATE TABLE {shadow} LIKE {table}"
    if work.kind == POSTGRES:
        like = f"CREATE TABLE {shadow} (LIKE {table} INCLUDING ALL)"
    alter = (_add(work, table) or _retype(work, table) or [""])[0].replace(
        f"ALTER TABLE {table} ", f"ALTER TABLE {shadow} "
    )
    fill = f"INSERT INTO {shadow} ({', '.join(names)}) SELECT {', '.join(names)} FROM {table}"
    statements = [like, *([alter] if alter else []), fill]
    if work.kind == MYSQL:
        return [f"DROP TABLE IF EXISTS {shadow}, {old}", *statements,
                f"RENAME TABLE {table} TO {old}, {shadow} TO {table}",
                *([f"DROP TABLE {old}"] if work.random.random() < 0.7 else [])]  # fmt: skip
    return [f"DROP TABLE IF EXISTS {shadow}, {old}", *statements, "BEGIN", f"ALTER TABLE {table} RENAME TO {old}",
            f"ALTER TABLE {shadow} RENAME TO {table}", "COMMIT",
            *([f"DROP TABLE {old}"] if work.random.random() < 0.7 else [])]  # fmt: skip


def _swap_tables(work: SchemaWork, table: str) -> list[str]:
    other = work.random.choice(work.tables())
    if other == table:
        return []
    if work.kind == MYSQL:
        return [f"RENAME TABLE {table} TO between, {other} TO {table}, between TO {other}"]
    return ["BEGIN", f"ALTER TABLE {table} RENAME TO between", f"ALTER TABLE {other} RENAME TO {table}",
            f"ALTER TABLE between RENAME TO {other}", "COMMIT"]  # fmt: skip


def _partition(work: SchemaWork, _: str) -> list[str]:
    low = 10**6 + work.random.randrange(5) * 1000
    if work.kind == MYSQL:
        return [work.random.choice((
            "ALTER TABLE parts TRUNCATE PARTITION a", "ALTER TABLE parts DROP PARTITION a",
            f"ALTER TABLE parts REORGANIZE PARTITION z INTO (PARTITION p{low} VALUES LESS THAN ({low}), PARTITION z"
            " VALUES LESS THAN MAXVALUE)", "ALTER TABLE parts REMOVE PARTITIONING",
        ))]  # fmt: skip
    return [work.random.choice((
        "ALTER TABLE parts DETACH PARTITION parts_a",
        "ALTER TABLE parts ATTACH PARTITION parts_a FOR VALUES FROM (0) TO (50)",
        "TRUNCATE parts_a", "DROP TABLE parts_a", "CREATE TABLE parts_a PARTITION OF parts FOR VALUES FROM (0) TO (50)",
    ))]  # fmt: skip


def _label(work: SchemaWork, _: str) -> list[str]:
    """PostgreSQL: a label more; the rows that come then may have it."""
    if work.kind == MYSQL or len(work.labels) > 6:
        return []
    label, place = chr(ord("a") + len(work.labels)), work.random.choice(("", " BEFORE 'b'", " AFTER 'a'"))
    work.labels += label
    return [f"ALTER TYPE mood ADD VALUE '{label}'{place}"]


def _charset(work: SchemaWork, table: str) -> list[str]:
    """MySQL: all texts of a table are written in another character set."""
    if work.kind == POSTGRES:
        return []
    return _alter(table, f"CONVERT TO CHARACTER SET {work.random.choice(('utf8mb4', 'latin1', 'utf8mb3'))}")


def _change(work: SchemaWork, table: str) -> list[str]:
    """MySQL: another name and another type at once."""
    column = work.pick(table)
    if column is None or work.kind == POSTGRES:
        return []
    type_ = work.random.choice((column.type, work.type()))
    return _alter(table, f"CHANGE COLUMN {column.name} {work.name('c')} {type_}")


_Make = Callable[["SchemaWork", str], list[str]]
_WEIGHTS: tuple[tuple[str, _Make, int], ...] = (
    ("add", _add, 6), ("drop", _drop, 3), ("rename column", _rename_column, 2), ("swap columns", _swap_columns, 1),
    ("column anew", _anew, 2), ("retype", _retype, 5), ("nullable", _nullable, 2), ("default", _default, 2),
    ("index", _index, 3), ("check", _check, 1), ("foreign key", _foreign, 1), ("key", _key, 2), ("create", _create, 3),
    ("drop table", _drop_table, 1), ("rename table", _rename_table, 1), ("table anew", _table_anew, 2),
    ("truncate", _truncate, 1), ("shadow", _shadow, 2), ("swap tables", _swap_tables, 1), ("partition", _partition, 1),
    ("label", _label, 1), ("charset", _charset, 1), ("change", _change, 1),
)  # fmt: skip
CHANGES: list[tuple[str, _Make]] = [(name, make) for name, make, weight in _WEIGHTS for _ in range(weight)]
