"""A PostgreSQL database whose texts are any bytes (SQL_ASCII)."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from mainstem.model.connection import ConnectionSettings
from tests.e2e.routes import POSTGRES, End, Route


@pytest.mark.parametrize("route", [("postgresql", kind) for kind in ("postgresql", "mysql")], indirect=True)
def test_rows_that_are_not_utf8_are_put_aside_and_the_others_arrive(
    route: Route, tmp_path: Path, postgres18_server: ConnectionSettings
) -> None:
    source, target = End(replace(postgres18_server, database="awkward_ascii")), route.target
    assert source.settings.type == POSTGRES
    End(postgres18_server).run(
        "DROP DATABASE IF EXISTS awkward_ascii WITH (FORCE)",
        "CREATE DATABASE awkward_ascii ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0",
    )
    source.run(
        "SET client_encoding = SQL_ASCII",
        "CREATE TABLE a (k text PRIMARY KEY, v text)",
        r"INSERT INTO a VALUES ('1', E'\xe4'), ('2', E'\xc3\xa4'), (E'\xff', 'x'), ('3', NULL)",
        "CREATE TABLE b (k int PRIMARY KEY)",  # read by the same connection, after the other
        "INSERT INTO b VALUES (1)",
    )
    done = Route(source, target).command(
        "--on-row-error", "quarantine", "--no-preflight", "--jobs", "1", folder=tmp_path
    )
    told = json.loads(done.stdout)
    assert told["status"] == "FINISHED"
    assert sorted(row["key"] for row in told["rejected"]) == ["k=1", r"k=\xff"]
    assert target.run("SELECT k, v FROM a ORDER BY k") == [("2", "ä"), ("3", None)]
    assert target.run("SELECT k FROM b") == [(1,)]
