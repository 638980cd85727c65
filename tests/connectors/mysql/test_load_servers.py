"""Rows into servers that do not take every way."""

from __future__ import annotations

from dataclasses import replace

from mainstem.connectors.mysql.target import MysqlTarget
from mainstem.model.connection import ConnectionSettings
from mainstem.model.frame import Chunk
from mainstem.model.run import RunOptions
from mainstem.testing import servers
from tests.connectors.mysql.rows import RUN, SOURCE, batch_of, loader_of, plan_of, run_sql
from tests.connectors.mysql.test_load import write, yes


def test_a_server_that_takes_no_arrays_gets_files() -> None:
    with servers.mariadb({"max_prepared_stmt_count": "0"}) as server:
        settings = replace(server.settings, database="there")
        run_sql(server.settings, "CREATE DATABASE there", "CREATE TABLE there.t (id int PRIMARY KEY AUTO_INCREMENT)")
        with loader_of(settings, 2) as loader:
            assert write(loader, plan_of("there", id="int"), (b"1",)).rows_written == 1
        run_sql(server.settings, "SET GLOBAL max_prepared_stmt_count = 99", "SET GLOBAL binlog_format = 'STATEMENT'")
        with MysqlTarget(settings, RunOptions()).loader(RUN) as loader:
            loader.begin(plan_of("there", id="int"), Chunk(SOURCE, 1), quarantine=None)
            loader.write(batch_of((b"2",)))
            assert loader.commit(1).rows_written == 1
        assert run_sql(settings, "SELECT COUNT(*) FROM t") == [("2",)]


def test_a_server_that_takes_no_files_gets_inserts_that_fit_its_packets() -> None:
    with servers.mariadb({"local-infile": "OFF", "max-allowed-packet": "1M"}) as server:
        run_sql(server.settings, "CREATE DATABASE d")
        settings = replace(server.settings, database="d")
        run_sql(settings, "CREATE TABLE t (id int PRIMARY KEY, v longblob)")
        plan = plan_of("d", id="int", v="longblob")
        rows = [(b"%d" % number, b"\xff" * 10_000) for number in range(150)]
        with loader_of(settings, chunks=2) as loader:
            assert write(loader, plan, *rows).rows_written == 150
            loader.begin(plan, Chunk(SOURCE, 1), quarantine=yes)
            loader.write(batch_of((b"-1", b"\xff" * 2**20), (b"-2", b"ok")))
            receipt = loader.commit(2)
        assert [row.key for row in receipt.rejected] == ["id=-1"]
        assert "max_allowed_packet" in receipt.rejected[0].reason
        assert run_sql(settings, "SELECT COUNT(*) FROM t") == [("151",)]


def test_a_server_that_changes_its_mind_gets_inserts(mysql_db: ConnectionSettings) -> None:
    run_sql(mysql_db, "CREATE TABLE t (id int PRIMARY KEY)")
    with loader_of(mysql_db) as loader:
        run_sql(mysql_db, "SET GLOBAL local_infile = 0")
        try:
            assert write(loader, plan_of(mysql_db.database, id="int"), (b"1",)).rows_written == 1
        finally:
            run_sql(mysql_db, "SET GLOBAL local_infile = 1")
