"""A standby as the source: read at one point in time by several readers, with a word about what may break it off."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mainstem.connectors.postgres import SPEC
from mainstem.contract.inspector import Finding, Role
from mainstem.model.connection import ConnectionSettings
from mainstem.model.plan import Severity
from mainstem.model.run import RunOptions, RunState, TableSelection
from mainstem.testing import servers
from tests.e2e.test_overrides import ask, run


def findings(settings: ConnectionSettings, options: RunOptions) -> list[Finding]:
    with SPEC.inspector(settings) as inspector:
        return [item for item in inspector.preflight(Role.SOURCE, options) if item.check == "pg.standby"]


def test_a_standby_can_be_read_and_what_may_hinder_it_is_told(mysql_db: ConnectionSettings) -> None:
    binaries = servers.system_postgres_bin()
    if binaries is None:
        pytest.skip("the distribution's PostgreSQL server is not installed")
    small = {"max_wal_size": "128MB", "shared_buffers": "32MB"}
    with servers.postgres(binaries, small) as primary:
        ask(
            primary.settings,
            "CREATE TABLE kept AS SELECT generate_series(1, 1000) AS id",
            "CREATE UNLOGGED TABLE lost (id int)",
        )
        with servers.standby(primary, binaries, small) as copy:
            source = replace(copy.settings, database="postgres")
            found = findings(source, RunOptions())
            assert [item.severity for item in found] == [Severity.ERROR, Severity.WARNING]
            assert "public.lost" in found[0].message
            assert "hot_standby_feedback" in found[1].remedy
            only = RunOptions(tables=(TableSelection("kept"),))
            assert [item.severity for item in findings(source, only)] == [Severity.WARNING]
            progress = run(source, mysql_db, only)
            assert (progress.state, progress.error) == (RunState.FINISHED, "")
            assert ask(mysql_db, "SELECT COUNT(*) FROM kept") == [(1000,)]
        with servers.standby(primary, binaries, small | {"hot_standby_feedback": "on"}) as friendly:
            assert findings(friendly.settings, only) == []
