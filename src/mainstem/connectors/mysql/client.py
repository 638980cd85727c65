"""The only file of this connector that imports the driver."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pymysql

from mainstem.model.connection import ConnectionSettings

if TYPE_CHECKING:
    from pymysql.connections import Connection
    from pymysql.cursors import Cursor


def connect(settings: ConnectionSettings, **options: Any) -> Connection[Cursor]:
    """Open a connection with the session settings that every use of ours needs.

    Session: UTC, utf8mb4, SQL mode without surprises. Raises `ConnectError`.
    """
    return pymysql.connect(
        host=settings.host,
        port=settings.port,
        user=settings.username,
        password=settings.password,
        database=settings.database or None,
        charset="utf8mb4",
        connect_timeout=settings.connect_timeout_s,
        autocommit=True,
        init_command="SET time_zone = '+00:00', sql_mode = '', net_write_timeout = 3600, wait_timeout = 86400",
        **options,
    )
