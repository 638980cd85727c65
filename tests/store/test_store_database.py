from __future__ import annotations

import stat
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from mainstem.errors import ConflictError, InvalidError
from mainstem.model.connection import ConnectionSettings
from mainstem.store.database import Database
from mainstem.store.sql import SqlStore
from mainstem.store.tables import metadata
from tests.store.conftest import postgres_url


def test_migrations_make_the_tables_that_the_program_uses(store_url: str) -> None:
    database = Database(store_url)
    database.migrate()
    with database.reading() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), metadata)
    database.close()
    assert differences == []


def test_migrations_may_take_longer_than_what_stands_still(
    postgres_db: ConnectionSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a busy machine seconds pass between two statements, while the steps are read."""
    monkeypatch.setattr("mainstem.store.database.STOOD_STILL_MS", 1)
    database = Database(postgres_url(postgres_db))
    database.migrate()
    database.close()


def test_opening_a_store_twice_keeps_what_is_in_it(store_url: str) -> None:
    first = SqlStore(store_url)
    first.setdefault("a", "1")
    first.close()
    second = SqlStore(store_url)
    assert second.setting("a") == "1"
    second.close()


def test_a_store_in_a_file_has_one_server_at_a_time(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'mainstem.db'}"
    first, second = SqlStore(url), SqlStore(url)
    first.claim()
    with pytest.raises(ConflictError, match="another server"):
        second.claim()
    first.close()
    second.claim()
    second.close()


def test_a_store_on_postgresql_has_several_servers_or_one_that_is_alone(postgres_db: ConnectionSettings) -> None:
    url = postgres_url(postgres_db)
    first, second, alone = SqlStore(url), SqlStore(url), Database(url)
    first.claim()
    second.claim()
    first.close()
    with pytest.raises(ConflictError, match="another server"):
        alone.claim(alone=True)
    second.close()
    alone.claim(alone=True)
    third = SqlStore(url)
    with pytest.raises(ConflictError, match="another server"):
        third.claim()
    third.close()
    alone.close()


def test_a_store_of_a_newer_program_is_refused(store_url: str) -> None:
    SqlStore(store_url).close()
    engine = sa.create_engine(store_url)
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    with pytest.raises(InvalidError, match="newer version"):
        SqlStore(store_url)


def test_the_sqlite_file_is_for_its_owner_alone_and_in_wal_mode(tmp_path: Path) -> None:
    path = tmp_path / "home" / "mainstem.db"
    database = Database(f"sqlite:///{path}")
    database.migrate()
    with database.reading() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
    database.close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize("url", ["", "nonsense", "mysql+pymysql://root@localhost/x"])
def test_a_url_that_cannot_hold_a_store_is_named(url: str) -> None:
    with pytest.raises(InvalidError) as caught:
        Database(url)
    assert "MAINSTEM_STORE_URL" in caught.value.remedy
