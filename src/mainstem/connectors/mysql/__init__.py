"""MySQL and MariaDB: flavours of one connector."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mainstem.connectors.mysql.config import DEFAULT_PORT
from mainstem.connectors.mysql.dialect import MysqlDialect
from mainstem.contract.spec import ConnectorSpec

if TYPE_CHECKING:
    from mainstem.contract.apply import ChangeTarget
    from mainstem.contract.browse import Browser
    from mainstem.contract.changes import ChangeSource
    from mainstem.contract.console import ConsoleKit
    from mainstem.contract.inspector import Inspector
    from mainstem.contract.source import Source
    from mainstem.contract.target import Target
    from mainstem.model.connection import ConnectionSettings
    from mainstem.model.run import RunOptions

__all__ = ["SPEC"]


# Imported when first used: listing the connectors should not load drivers and compiled code.
def _inspector(settings: ConnectionSettings) -> Inspector:
    from mainstem.connectors.mysql.inspector import MysqlInspector

    return MysqlInspector(settings)


def _source(settings: ConnectionSettings) -> Source:
    from mainstem.connectors.mysql.snapshot import MysqlSource

    return MysqlSource(settings)


def _target(settings: ConnectionSettings, options: RunOptions) -> Target:
    from mainstem.connectors.mysql.target import MysqlTarget

    return MysqlTarget(settings, options)


def _applies(settings: ConnectionSettings, options: RunOptions) -> ChangeTarget:
    from mainstem.connectors.mysql.apply import MysqlChangeTarget

    return MysqlChangeTarget(settings, options)


def _changes(settings: ConnectionSettings, options: RunOptions) -> ChangeSource:
    from mainstem.connectors.mysql.changes import MysqlChangeSource

    return MysqlChangeSource(settings, options)


def _console() -> ConsoleKit:
    from mainstem.connectors.mysql.console import GRAMMAR, MysqlConsole
    from mainstem.connectors.mysql.console_names import names
    from mainstem.connectors.mysql.console_plan import explain
    from mainstem.contract.console import ConsoleKit

    return ConsoleKit(GRAMMAR, MysqlConsole, explain, names)


def _browser(settings: ConnectionSettings) -> Browser:
    from mainstem.connectors.mysql.browse import MysqlBrowser

    return MysqlBrowser(settings)


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
    target=_target,
    applies=_applies,
    changes=_changes,
    console=_console,
    browser=_browser,
    logs_cascades=False,
    password_variable="MYSQL_PWD",  # noqa: S106
    flavors=("mariadb",),
)
