"""The only file of this connector that imports the driver."""

from __future__ import annotations

from typing import Any

import psycopg

from mainstem.model.connection import ConnectionSettings


def connect(settings: ConnectionSettings, **options: Any) -> psycopg.Connection[Any]:
    """Open a connection with the session that every use of ours needs: UTC, UTF8, ISO dates. Raises `ConnectError`."""
    return psycopg.connect(
        host=settings.host,
        port=settings.port,
        user=settings.username,
        password=settings.password,
        dbname=settings.database or "postgres",
        connect_timeout=settings.connect_timeout_s,
        options="-c TimeZone=UTC -c DateStyle=ISO,YMD -c client_encoding=UTF8 -c standard_conforming_strings=on",
        application_name="mainstem",
        autocommit=True,
        **options,
    )
