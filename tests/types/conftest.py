"""The matrix of this session."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mainstem.model.connection import ConnectionSettings
from tests.types.matrix import TITLES, Matrix, Server


@pytest.fixture(scope="session")
def matrix(
    mariadb_server: ConnectionSettings, postgres15_server: ConnectionSettings, postgres18_server: ConnectionSettings
) -> Iterator[Matrix]:
    """Directions are copied when they are asked for, once."""
    servers = {"mariadb": mariadb_server, "pg15": postgres15_server, "pg18": postgres18_server}
    with Matrix({name: Server(TITLES[name], settings) for name, settings in servers.items()}) as made:
        yield made
