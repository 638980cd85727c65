"""What it takes to reach one system: address, login and TLS, as plain data that hides its secrets."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class SslMode(StrEnum):
    """How much of TLS is asked for; each mode includes what the one before it checks."""

    DISABLED = "disabled"
    REQUIRE = "require"
    VERIFY_CA = "verify-ca"
    VERIFY_FULL = "verify-full"


@dataclass(frozen=True, slots=True)
class SslSettings:
    """TLS of one connection. The files' contents are PEM bytes, decoded; empty means "not given"."""

    mode: SslMode = SslMode.DISABLED
    ca: bytes = field(default=b"", repr=False)
    client_cert: bytes = field(default=b"", repr=False)
    client_key: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class ConnectionSettings:
    """Address and login of one system.

    Attributes:
        type: the connector's name (``mysql``, ``postgresql``).
        database: empty is allowed where only server-wide questions are asked.
        schema: PostgreSQL's schema; empty means the connector's default (``public``).
        connect_timeout_s: for the whole of TCP, TLS and login.
    """

    type: str
    host: str
    port: int
    username: str
    password: str = field(default="", repr=False)
    database: str = ""
    schema: str = ""
    ssl: SslSettings = SslSettings()
    connect_timeout_s: int = 5
    name: str = ""

    @property
    def label(self) -> str:
        """``type://user@host:port/database``, fit for logs."""
        return f"{self.type}://{self.username}@{self.host}:{self.port}/{self.database}"
