"""Enumerated types that are made where one of the name may be there."""

from __future__ import annotations

import psycopg
import pytest

from mainstem.connectors.postgres import enums
from mainstem.connectors.postgres.client import connect
from mainstem.model.connection import ConnectionSettings

_NAME = '"public"."it\'s %a"'
_LABELS = (
    "SELECT array_agg(enumlabel::text ORDER BY enumsortorder) FROM pg_enum"
    f" WHERE enumtypid = '{_NAME.replace(chr(39), chr(39) * 2)}'::regtype"
)


def test_a_type_that_is_there_is_made_anew_or_gets_the_labels_that_it_lacks(
    postgres_db: ConnectionSettings, postgres15_db: ConnectionSettings
) -> None:
    wanted = ["0", "a", "it's", "b", "c%s\\"]
    for settings in (postgres_db, postgres15_db):
        with connect(settings) as session:
            for there, used, labels in (
                ("", False, wanted),
                ("'x', 'c'", False, wanted),  # what a dropped table has left
                ("'a', 'b'", True, wanted),
                ("'a', 'more', 'b'", True, ["0", "a", "it's", "more", "b", "c%s\\"]),
            ):
                if there:
                    session.execute(f"CREATE TYPE {_NAME} AS ENUM ({there})".encode())
                if used:
                    session.execute(f"CREATE TABLE other (v {_NAME})".encode())
                for _ in range(2):
                    session.execute(enums.make(_NAME, "it's %a", wanted).encode())
                found = session.execute(_LABELS.encode()).fetchone()
                assert found is not None
                assert sorted(found[0]) == sorted(labels)
                assert [label for label in found[0] if label in wanted] == wanted
                session.execute(f"DROP TYPE {_NAME} CASCADE; DROP TABLE IF EXISTS other".encode())


def test_a_type_with_another_order_is_refused_by_a_text_that_can_be_run(postgres_db: ConnectionSettings) -> None:
    with connect(postgres_db) as session:
        session.execute(f"CREATE TYPE {_NAME} AS ENUM ('b', 'a'); CREATE TABLE other (v {_NAME})".encode())
        with pytest.raises(psycopg.errors.DuplicateObject, match=r"used by other\.v; run: ") as refused:
            session.execute(enums.make(_NAME, "it's %a", ["a", "b"]).encode())
        session.execute(str(refused.value.diag.message_primary).partition("run: ")[2].encode())
        session.execute(enums.make(_NAME, "it's %a", ["a", "b"]).encode())
        session.execute(b"CREATE DOMAIN d AS text")
        with pytest.raises(psycopg.errors.DuplicateObject, match="already exists"):
            session.execute(enums.make('"public"."d"', "d", ["a", "b"]).encode())


def test_labels_are_added_in_their_places(postgres_db: ConnectionSettings) -> None:
    with connect(postgres_db) as session:
        session.execute(f"CREATE TYPE {_NAME} AS ENUM ('b', 'd')".encode())
        for sql in enums.add(_NAME, ["a", "b", "c", "d", "e"], ["b"]):
            session.execute(sql.encode())
        assert session.execute(_LABELS.encode()).fetchone() == (["a", "b", "c", "d", "e"],)
