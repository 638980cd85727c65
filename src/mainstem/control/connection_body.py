"""A connection as clients send it: flat, or nested under ``spec.database``; both become one `ConnectionBody`."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
)

from mainstem.contract.registry import Registry
from mainstem.contract.tls import check_files
from mainstem.control.validation import FilledLine, Line, check, invalid, limited
from mainstem.errors import InvalidError
from mainstem.model.connection import ConnectionSettings, SslMode, SslSettings

MAX_FILE_BYTES = 1024 * 1024
SSL_FILES = ("ca", "client_cert", "client_key")
_MODES = {mode.value: mode for mode in SslMode} | {"disable": SslMode.DISABLED}
_HOST = re.compile(r"/[^\s@,?#\\'\"]+|[^\s/@,?#\\'\"]+")
_SPEC_MEMBERS = ("host", "port", "username", "password", "database", "schema", "ssl")


def _mode(value: object) -> object:
    if isinstance(value, str):
        mode = _MODES.get(value.strip().lower())
        if mode is not None:
            return mode
    raise ValueError("must be one of disabled, require, verify-ca, verify-full")


def _file(value: object) -> object:
    """The bytes of a file in base64 (the tail of a data URL will do); None and empty mean "not given"."""
    if value is None or value == "":
        return value
    if not isinstance(value, str):
        raise ValueError("must be the file's bytes in base64")
    text = value.partition(";base64,")[2] if value.startswith("data:") else value
    if len(text) > MAX_FILE_BYTES * 3 // 2:
        raise ValueError("must be at most 1 MB")
    try:
        data = base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("must be the file's bytes in base64, and is not base64") from None
    if len(data) > MAX_FILE_BYTES:
        raise ValueError("must be at most 1 MB")
    return data


def _port(value: object) -> object:
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,9}", value.strip()):
        value = int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 65535:
        raise ValueError("must be a whole number from 1 to 65535")
    return value


def _host(value: str) -> str:
    host = value.strip()
    if not host:
        raise ValueError("must not be empty")
    if not _HOST.fullmatch(host):
        raise ValueError("must be a host name, an IP address, or the path of a Unix socket")
    return host


_AnyFile = Annotated[
    bytes | str | None,
    BeforeValidator(_file),
    WithJsonSchema({"type": "string", "contentEncoding": "base64"}),
]


class SslBody(BaseModel):
    """TLS of a connection. Files are the base64 of a PEM file's bytes, 1 MB at most; they are never returned."""

    model_config = ConfigDict(extra="ignore")

    mode: Annotated[SslMode, BeforeValidator(_mode)] = Field(
        default=SslMode.DISABLED, title="TLS", description="How much is asked of the encryption and the certificate."
    )
    ca: _AnyFile = Field(
        default=None, title="CA certificate", description="PEM; who has signed the server's certificate."
    )
    client_cert: _AnyFile = Field(
        default=None, title="Client certificate", description="PEM; where the server asks for one."
    )
    client_key: _AnyFile = Field(
        default=None,
        repr=False,
        title="Client key",
        description="PEM, without a passphrase; goes with the certificate.",
    )


class ConnectionBody(BaseModel):
    """A connection. Members that are absent keep what is stored (PUT) or get their default (POST)."""

    model_config = ConfigDict(extra="ignore")

    name: FilledLine | None = Field(default=None, title="Name", description="What you call it; need not be unique.")
    type: str | None = None
    host: Annotated[Line, AfterValidator(_host)] | None = Field(
        default=None, title="Host", description="Name or address; or the path of a Unix socket."
    )
    port: Annotated[int, BeforeValidator(_port)] | None = Field(default=None, title="Port")
    username: FilledLine | None = Field(default=None, title="User")
    password: Annotated[str, AfterValidator(limited(4096))] | None = Field(
        default=None, repr=False, title="Password", description="Kept encrypted, and never shown again."
    )
    database: Line | None = Field(
        default=None, title="Database", description="May be left open here and be chosen for each stream."
    )
    schema_: Annotated[Line | None, Field(alias="schema", title="Schema")] = None
    ssl: SslBody | None = None
    read_only: Annotated[StrictBool | None, Field(alias="readOnly")] = Field(
        default=None,
        title="Read-only",
        description="The explorer and the SQL console change nothing there. Streams are not concerned.",
    )

    @field_validator("type")
    @classmethod
    def _known_type(cls, value: str | None, info: ValidationInfo) -> str | None:
        registry: Registry = (info.context or {})["registry"]
        if value is not None:
            try:
                registry.find(value)
            except InvalidError as exc:
                raise ValueError(f"is not known; known types: {', '.join(s.name for s in registry.specs)}") from exc
        return value


def read_body(data: Mapping[str, Any], registry: Registry, *, required: tuple[str, ...] = ()) -> ConnectionBody:
    """Check a connection in either shape; `InvalidError` names every field as it was spelled in that shape.

    Args:
        required: members that must be there and not null.
    """
    flat, spelled = _flatten(data)
    problems: dict[str, str] = {}
    body = ConnectionBody()
    try:
        body = check(ConnectionBody, flat, {"registry": registry})
    except InvalidError as exc:
        problems = exc.fields
    for name in required:
        if flat.get(name) is None:
            problems.setdefault(name, "is required")
    for name, problem in _file_problems(flat.get("ssl")).items():
        problems.setdefault(name, problem)
    if problems:
        raise invalid(_as_spelled(problems, spelled))
    return body


def _file_problems(ssl: object) -> dict[str, str]:
    """What is wrong with those TLS files that can be read, whatever else is wrong with the connection."""
    files = {}
    for name in SSL_FILES:
        with suppress(ValueError):
            files[name] = _file(ssl.get(name)) if isinstance(ssl, Mapping) else None
    return check_files(SslSettings(SslMode.DISABLED, **{k: v for k, v in files.items() if isinstance(v, bytes)}))


def settings_of(data: Mapping[str, Any], registry: Registry, *, required: tuple[str, ...] = ()) -> ConnectionSettings:
    """The settings that an unsaved connection stands for (``POST /connections/test``, a stream file)."""
    body = read_body(data, registry, required=required or ("type", "host", "username"))
    spec = registry.find(body.type or "")
    return ConnectionSettings(
        type=spec.name,
        host=body.host or "",
        port=body.port or spec.default_port,
        username=body.username or "",
        password=body.password or "",
        database=body.database or "",
        schema=body.schema_ or spec.default_schema,
        ssl=ssl_settings(body.ssl or SslBody()),
        name=body.name or "",
    )


def ssl_settings(ssl: SslBody) -> SslSettings:
    """TLS as a connector needs it."""
    return SslSettings(ssl.mode, *(file if isinstance(file, bytes) else b"" for file in ssl_files(ssl).values()))


def ssl_files(ssl: SslBody) -> dict[str, bytes | str | None]:
    """The three files by name; not bytes means "not given"."""
    return {name: getattr(ssl, name) for name in SSL_FILES}


def _flatten(data: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """The flat shape of either shape, and how each of its members was spelled."""
    flat, spelled = dict(data), {}
    spec = data.get("spec")
    if spec is not None:
        database = spec.get("database") if isinstance(spec, Mapping) else None
        if not isinstance(database, Mapping):
            raise invalid({"spec": "must hold one object named database; other kinds are not supported"})
        for name in _SPEC_MEMBERS:
            if name in database:
                flat[name] = database[name]
            if name in database or name not in data:
                spelled[name] = f"spec.database.{name}"
        if "ssl" not in database:
            spelled.pop("ssl", None)
    if "type" not in flat and "driver" in flat:
        flat["type"], spelled["type"] = flat["driver"], "driver"
    return flat, spelled


def _as_spelled(problems: dict[str, str], spelled: dict[str, str]) -> dict[str, str]:
    """The problems in the order of the members, each under the name that the client used."""
    order = {name: number for number, name in enumerate(("name", "type", *_SPEC_MEMBERS))}
    found = {}
    for path, text in sorted(problems.items(), key=lambda item: order.get(item[0].split(".")[0], len(order))):
        name, dot, rest = path.partition(".")
        found[spelled.get(name, name) + dot + rest] = text
    return found
