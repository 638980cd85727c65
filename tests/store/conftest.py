"""The same tests on every database that the store can live in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mainstem.model.connection import ConnectionSettings
from mainstem.store.sql import SqlStore


def postgres_url(settings: ConnectionSettings) -> str:
    return (
        f"postgresql+psycopg://{settings.username}:{settings.password}@{settings.host}:{settings.port}"
        f"/{settings.database}"
    )


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'home' / 'mainstem.db'}"
    return postgres_url(request.getfixturevalue("postgres_db"))


@pytest.fixture
def store(store_url: str) -> Iterator[SqlStore]:
    store = SqlStore(store_url)
    yield store
    store.close()
