"""What a process is told from outside: environment variables ``MAINSTEM_…`` (docs/configuration.md lists them)."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

LOOPBACK_ORIGINS = "loopback"
ROLES = ("api", "reader", "writer")


class LogFormat(StrEnum):
    """How log lines look; AUTO is CONSOLE on a terminal and JSON elsewhere."""

    AUTO = "auto"
    JSON = "json"
    CONSOLE = "console"


class Settings(BaseSettings):
    """One field per variable; a value given to the constructor wins over the environment."""

    model_config = SettingsConfigDict(env_prefix="MAINSTEM_", extra="ignore")

    home: Path = Field(default=Path("~/.local/share/mainstem"), description="data folder: store, secret key, lock")
    api_key: SecretStr | None = Field(default=None, description="an API key that is accepted besides the stored ones")
    secret_key: SecretStr | None = Field(
        default=None, description="32 bytes in base64; else the file secret.key in HOME"
    )
    store_url: SecretStr | None = Field(
        default=None, description="SQLAlchemy URL of the store; else a SQLite file in HOME"
    )
    hub: SecretStr | None = Field(
        default=None, description="what carries rows from readers to writers: nats://…; else memory"
    )
    traces: str | None = Field(
        default=None, description="where spans go, by OTLP over HTTP; off; else as OpenTelemetry's own variables say"
    )
    role: str = Field(
        default="all", description="what this process does: api, reader, writer (comma-separated), or all"
    )
    host: str = Field(default="127.0.0.1", description="address to listen on")
    port: int = Field(default=8020, ge=0, le=65535, description="port to listen on; 0 takes a free one")
    log_level: str = Field(default="info", description="debug, info, warning or error")
    log_file: Path | None = Field(default=None, description="also write the log to this file, as JSON lines")
    log_format: LogFormat = Field(default=LogFormat.AUTO, description="auto, json or console")
    cors_origins: Annotated[list[str], NoDecode] = Field(
        default=[LOOPBACK_ORIGINS],
        description="browser origins that may call, comma-separated; * is any, loopback is any port of this machine",
    )
    allowed_hosts: Annotated[list[str], NoDecode] = Field(
        default=[],
        description="names, comma-separated, that browsers may call this server by besides localhost; none: any, unless"
        " it listens on this machine only",
    )
    max_active_streams: int = Field(default=0, ge=0, description="streams that may run at once; 0 is unlimited")

    @field_validator("home")
    @classmethod
    def _expand(cls, value: Path) -> Path:
        return value.expanduser()

    @field_validator("cors_origins", "allowed_hosts", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        if value.lstrip().startswith("["):
            return json.loads(value)
        return [origin.strip() for origin in value.split(",") if origin.strip()]

    @field_validator("role")
    @classmethod
    def _known_roles(cls, value: str) -> str:
        names = {name.strip().lower() for name in value.split(",") if name.strip()}
        unknown = names - {*ROLES, "all"}
        if unknown or not names:
            raise ValueError(f"must be of {', '.join(ROLES)}, or all")
        return "all" if "all" in names or names == set(ROLES) else ",".join(sorted(names))

    @field_validator("log_level")
    @classmethod
    def _known_level(cls, value: str) -> str:
        level = value.strip().lower()
        level = {"warn": "warning"}.get(level, level)
        if level not in {"debug", "info", "warning", "error"}:
            raise ValueError("must be debug, info, warning or error")
        return level

    @property
    def roles(self) -> frozenset[str]:
        """What ``role`` comes to."""
        return frozenset(ROLES if self.role == "all" else self.role.split(","))

    @property
    def resolved_store_url(self) -> str:
        """The store's URL; a SQLite file in HOME unless one is set."""
        if self.store_url is not None and self.store_url.get_secret_value():
            return self.store_url.get_secret_value()
        return f"sqlite:///{self.home / 'mainstem.db'}"
