"""`ConnectorSpec`: everything a connector folder offers, under one name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mainstem.contract.apply import ChangeTarget
    from mainstem.contract.browse import Browser
    from mainstem.contract.changes import ChangeSource
    from mainstem.contract.console import ConsoleKit
    from mainstem.contract.dialect import Dialect
    from mainstem.contract.inspector import Inspector
    from mainstem.contract.source import Source
    from mainstem.contract.target import Target
    from mainstem.model.connection import ConnectionSettings
    from mainstem.model.run import RunOptions


@dataclass(frozen=True, slots=True)
class ConnectorSpec:
    """A connector.

    Attributes:
        name: the canonical ``type`` of the API (``mysql``, ``postgresql``).
        aliases: other spellings of it, lower case, also as URL schemes.
        title: for people.
        default_port, default_schema: what an absent member means.
        has_schemas: whether a database holds schemas.
        inspector: opens a connection for questions; raises `ConnectError`.
        source, target: None where the connector cannot be one (yet).
        changes, applies: the same for its transaction log, and for applying changes.
        console: what it offers for a user's own SQL.
        browser: opens a connection for the explorer; None where the system cannot be browsed.
        logs_cascades: its transaction log has the rows that foreign keys change by themselves (see
            `model.stream.StreamTable.cascades`).
        flavors: those of the aliases that name a relative of the system (``mariadb``), not just another spelling.
        password_variable: the environment variable that the system's own tools take a password from.
    """

    name: str
    aliases: tuple[str, ...]
    title: str
    default_port: int
    default_schema: str
    has_schemas: bool
    dialect: Dialect
    inspector: Callable[[ConnectionSettings], Inspector]
    source: Callable[[ConnectionSettings], Source] | None = None
    target: Callable[[ConnectionSettings, RunOptions], Target] | None = None
    changes: Callable[[ConnectionSettings, RunOptions], ChangeSource] | None = None
    applies: Callable[[ConnectionSettings, RunOptions], ChangeTarget] | None = None
    console: Callable[[], ConsoleKit] | None = None
    browser: Callable[[ConnectionSettings], Browser] | None = None
    logs_cascades: bool = True
    password_variable: str = ""
    flavors: tuple[str, ...] = ()
