"""A control plane on a store of its own, with the connectors that are installed; no server is needed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mainstem.contract.registry import Registry
from mainstem.control.configs import Configs
from mainstem.control.connections import Connections
from mainstem.control.secrets import SecretBox
from mainstem.store.sql import SqlStore

PASSWORD = "planted-passw0rd"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    store = SqlStore(f"sqlite:///{tmp_path / 'mainstem.db'}")
    yield store
    store.close()


@pytest.fixture(scope="session")
def registry() -> Registry:
    return Registry.installed()


@pytest.fixture
def connections(store: SqlStore, registry: Registry) -> Connections:
    return Connections(store, SecretBox(b"k" * 32), registry)


@pytest.fixture
def configs(store: SqlStore, connections: Connections) -> Configs:
    return Configs(store, connections)


@pytest.fixture
def source_id(connections: Connections) -> str:
    return connections.create(flat()).id


@pytest.fixture
def target_id(connections: Connections) -> str:
    return connections.create(flat(type="postgresql", port=5432, database="warehouse")).id


def flat(**changes: Any) -> dict[str, Any]:
    """A connection in the flat shape."""
    body = {
        "name": "mysql-source", "type": "mysql", "host": "db.example", "port": 3306, "username": "root",
        "password": PASSWORD, "database": "shop",
    }  # fmt: skip
    return {name: value for name, value in {**body, **changes}.items() if value is not ...}


@pytest.fixture
def wait_until() -> Callable[[Callable[[], bool]], None]:
    """Wait for a condition, for half a minute at most."""
    import time

    def wait(condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 60
        while not condition():
            assert time.monotonic() < deadline, "the condition did not come true within a minute"
            time.sleep(0.005)

    return wait
