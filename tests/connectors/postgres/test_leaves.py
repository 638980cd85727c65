"""Partitions that PostgreSQL's log tells nothing of: told once, also of what was done while nobody read the log."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import psycopg
import pytest

from mainstem.connectors.postgres.partitions import Memo
from tests.connectors.postgres.changefeed import DEADLINE_S
from tests.connectors.postgres.conftest import MakeFeed
from tests.connectors.postgres.taking import Taker

Sql = psycopg.Connection[Any]

_ALL = "NOTED TRUNCATE public.{0}_1, public.{0}_2, public.{0}_3"
_CHANGES: dict[str, tuple[str, ...]] = {
    "TRUNCATE {0}_1": ("NOTED TRUNCATE public.{0}_1",),
    "BEGIN; TRUNCATE {0}_1; INSERT INTO {0} VALUES (9, 1); COMMIT; ANALYZE {0}_1": ("NOTED TRUNCATE public.{0}_1",),
    "TRUNCATE {0}_1; INSERT INTO {0} VALUES (9, 1); ALTER TABLE {0}_1 SET (fillfactor = 50); VACUUM FULL {0}_2": (
        "NOTED TRUNCATE public.{0}_1",
    ),
    "VACUUM FULL {0}_1; VACUUM FULL {0}_3; INSERT INTO {0} VALUES (9, 1)": (),
    "VACUUM FULL {0}": (),
    "INSERT INTO {0} VALUES (9, 3); CLUSTER {0}_3 USING {0}_3_pkey": (),
    "TRUNCATE {0}": (),
    "TRUNCATE {0}; INSERT INTO {0} VALUES (9, 1), (9, 2)": (),
    "TRUNCATE {0}; INSERT INTO {0} VALUES (9, 1); TRUNCATE {0}_1": ("NOTED TRUNCATE public.{0}_1",),
    "TRUNCATE {0}_1, {0}_2, {0}_3": (_ALL,),
    "ALTER TABLE {0} ALTER v TYPE bigint": (),
    "ALTER TABLE {0} DETACH PARTITION {0}_1; DROP TABLE {0}_2": (
        "NOTED DETACH PARTITION public.{0}_1",
        "NOTED DROP PARTITION public.{0}_2",
    ),
    "ALTER TABLE {0} DETACH PARTITION {0}_1 CONCURRENTLY": ("NOTED DETACH PARTITION public.{0}_1",),
    "ALTER TABLE {0} DETACH PARTITION {0}_1; DELETE FROM {0}_1; ALTER TABLE {0} ATTACH PARTITION {0}_1"
    " FOR VALUES IN (1)": ("LOST ATTACH PARTITION public.{0}_1",),
    "CREATE TABLE {0}_4 PARTITION OF {0} DEFAULT; INSERT INTO {0} VALUES (9, 9)": (),
    "TRUNCATE {0}_1; CREATE TABLE {0}_4 (LIKE {0}); INSERT INTO {0}_4 VALUES (9, 9); ALTER TABLE {0} ATTACH PARTITION"
    " {0}_4 DEFAULT": ("NOTED TRUNCATE public.{0}_1", "LOST ATTACH PARTITION public.{0}_4"),
}
"""What is done to a table, and what is told of its partitions."""


def _made(sql: Sql) -> dict[str, tuple[str, ...]]:
    for number in range(len(_CHANGES)):
        name = f"t{number}"
        sql.execute(f"CREATE TABLE {name} (id int, p int, v int, w text, PRIMARY KEY (id, p)) PARTITION BY LIST (p)")
        for part in (1, 2, 3):
            sql.execute(f"CREATE TABLE {name}_{part} PARTITION OF {name} FOR VALUES IN ({part})")
        sql.execute(f"INSERT INTO {name} VALUES (1, 1), (2, 1), (1, 2)")
    return {f"t{n}": tuple(text.format(f"t{n}") for text in told) for n, told in enumerate(_CHANGES.values())}


def _change(sql: Sql) -> None:
    for number, statements in enumerate(_CHANGES):
        for statement in statements.format(f"t{number}").split("; "):
            sql.execute(statement)


@pytest.mark.parametrize("running", [True, False])
@pytest.mark.usefixtures("roots")
def test_what_becomes_of_partitions_is_told_once_whenever_a_stream_ends(
    running: bool, sql: Sql, feed: MakeFeed, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted, deadline = _made(sql), time.monotonic() + DEADLINE_S
    told = Taker(one := feed(*wanted), monkeypatch)
    one.tables = [replace(table, memo="" if table.source.name == "t0" else table.memo) for table in one.tables]
    with one.stream() as stream:
        while told.next(stream):
            pass
        assert told.found == {name: [] for name in wanted}  # what an older version has left is learnt
        if running:
            _change(sql)
            while told.next(stream):
                pass
    if not running:
        _change(sql)
        for _ in range(4):
            with one.stream() as stream:  # it ends behind a change
                told.next(stream)
    with one.stream() as stream:
        while told.next(stream):
            assert time.monotonic() < deadline, "it is told again and again"
    assert {name: tuple(found) for name, found in told.found.items()} == wanted
    assert all(Memo.read(table.memo).parts for table in one.tables)
