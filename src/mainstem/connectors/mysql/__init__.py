"""MySQL and MariaDB: flavours of one connector."""

from __future__ import annotations

from mainstem.connectors.mysql.config import DEFAULT_PORT
from mainstem.connectors.mysql.dialect import MysqlDialect
from mainstem.contract.inspector import Inspector
from mainstem.contract.source import Source
from mainstem.contract.spec import ConnectorSpec
from mainstem.model.connection import ConnectionSettings

__all__ = ["SPEC"]


# Imported when first used: listing the connectors should not load drivers and compiled code.
def _inspector(settings: ConnectionSettings) -> Inspector:
    from mainstem.connectors.mysql.inspector import MysqlInspector

    return MysqlInspector(settings)


def _source(settings: ConnectionSettings) -> Source:
    from mainstem.connectors.mysql.snapshot import MysqlSource

    return MysqlSource(settings)


SPEC = ConnectorSpec(
    name="mysql",
    aliases=("mariadb",),
    title="MySQL and MariaDB",
    default_port=DEFAULT_PORT,
    default_schema="",
    has_schemas=False,
    dialect=MysqlDialect(),
    inspector=_inspector,
    source=_source,
    password_variable="MYSQL_PWD",  # noqa: S106
    flavors=("mariadb",),
)
