"""The matrix of this session."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache

import pytest

from mainstem.model.connection import ConnectionSettings
from tests.types.matrix import TITLES, Matrix, Server
from tests.types.parity import Parity, through_both


@pytest.fixture(scope="session")
def matrix(
    mariadb_server: ConnectionSettings, postgres15_server: ConnectionSettings, postgres18_server: ConnectionSettings
) -> Iterator[Matrix]:
    """Directions are copied when they are asked for, once."""
    servers = {"mariadb": mariadb_server, "pg15": postgres15_server, "pg18": postgres18_server}
    with Matrix({name: Server(TITLES[name], settings) for name, settings in servers.items()}) as made:
        yield made


@pytest.fixture(scope="session")
def parity(matrix: Matrix) -> Callable[[str, bool], Mapping[str, Parity]]:
    """What came of a direction's replication, which is run once; whether values are changed by policy."""
    return cache(lambda name, policies: through_both(dict(matrix.servers), name, policies=policies))
