"""PostgreSQL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mainstem.connectors.postgres.config import DEFAULT_PORT, DEFAULT_SCHEMA
from mainstem.connectors.postgres.dialect import PostgresDialect
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
    from mainstem.connectors.postgres.inspector import PostgresInspector

    return PostgresInspector(settings)


def _source(settings: ConnectionSettings) -> Source:
    from mainstem.connectors.postgres.snapshot import PostgresSource

    return PostgresSource(settings)


def _target(settings: ConnectionSettings, options: RunOptions) -> Target:
    from mainstem.connectors.postgres.load import PostgresTarget

    return PostgresTarget(settings, options)


def _applies(settings: ConnectionSettings, options: RunOptions) -> ChangeTarget:
    from mainstem.connectors.postgres.apply import PostgresChangeTarget

    return PostgresChangeTarget(settings, options)


def _changes(settings: ConnectionSettings, options: RunOptions) -> ChangeSource:
    from mainstem.connectors.postgres.changes import PostgresChanges

    return PostgresChanges(settings, options)


def _console() -> ConsoleKit:
    from mainstem.connectors.postgres.console import GRAMMAR, PostgresConsole
    from mainstem.connectors.postgres.console_names import names
    from mainstem.connectors.postgres.console_plan import explain
    from mainstem.contract.console import ConsoleKit

    return ConsoleKit(GRAMMAR, PostgresConsole, explain, names)


def _browser(settings: ConnectionSettings) -> Browser:
    from mainstem.connectors.postgres.browse import PostgresBrowser

    return PostgresBrowser(settings)


SPEC = ConnectorSpec(
    name="postgresql",
    aliases=("postgres", "pg"),
    title="PostgreSQL",
    default_port=DEFAULT_PORT,
    default_schema=DEFAULT_SCHEMA,
    has_schemas=True,
    dialect=PostgresDialect(),
    inspector=_inspector,
    source=_source,
    target=_target,
    applies=_applies,
    changes=_changes,
    console=_console,
    browser=_browser,
    password_variable="PGPASSWORD",  # noqa: S106
)
