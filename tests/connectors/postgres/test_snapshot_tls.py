"""Rows are taken by libpq's own functions also where TLS is between it and the socket."""

from __future__ import annotations

import threading
from contextlib import closing
from dataclasses import replace

import pytest

from mainstem.connectors.postgres.client import connect, tls_version
from mainstem.connectors.postgres.snapshot import PostgresReader, PostgresSource
from mainstem.contract.source import BatchLimits
from mainstem.errors import LostConnectionError
from mainstem.model.connection import SslMode
from mainstem.model.frame import Chunk
from mainstem.model.names import TableId
from mainstem.model.plan import ColumnPlan, TablePlan
from mainstem.model.types import Kind, LogicalType
from tests.connectors import tls

TABLE = TableId("public", "t")
COLUMNS = (ColumnPlan("id", "id", LogicalType(Kind.INTEGER, bits=32), "integer"),)
WHOLE = Chunk(TABLE, 0)


def test_a_snapshot_is_read_broken_off_and_interrupted_over_tls() -> None:
    certificates = tls.Certificates()
    plan = TablePlan(TABLE, TABLE, COLUMNS)
    endless = replace(plan, where="pg_sleep(60) IS NULL")
    with tls.postgresql(certificates) as server:
        secure = replace(server.settings, ssl=certificates.ssl(SslMode.VERIFY_FULL, client="good"))
        with connect(secure) as connection:
            connection.execute("CREATE TABLE t AS SELECT i AS id, repeat('x', 100) FROM generate_series(1, 100000) i")
        with PostgresSource(secure).snapshot(1) as snapshot:
            [reader] = snapshot.readers
            assert isinstance(reader, PostgresReader)
            assert tls_version(reader.connection).startswith("TLSv1.")
            with closing(reader.read(plan, WHOLE, BatchLimits(max_rows=10))) as batches:
                next(batches)
            assert sum(batch.count for batch in reader.read(plan, WHOLE, BatchLimits())) == 100_000
            timer = threading.Timer(0.3, snapshot.interrupt)
            timer.start()
            with pytest.raises(LostConnectionError):
                next(reader.read(endless, WHOLE, BatchLimits()))
            timer.join()
