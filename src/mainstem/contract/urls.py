"""Connection URLs: ``mysql://user:password@host:port/database?parameter=value``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from mainstem.contract.registry import Registry
from mainstem.errors import InvalidError
from mainstem.model.connection import ConnectionSettings, SslMode, SslSettings

_MODES = {
    "disable": SslMode.DISABLED,
    "disabled": SslMode.DISABLED,
    "false": SslMode.DISABLED,
    "require": SslMode.REQUIRE,
    "required": SslMode.REQUIRE,
    "true": SslMode.REQUIRE,
    "skip-verify": SslMode.REQUIRE,
    "verify-ca": SslMode.VERIFY_CA,
    "verify_ca": SslMode.VERIFY_CA,
    "verify-full": SslMode.VERIFY_FULL,
    "verify_identity": SslMode.VERIFY_FULL,
}
# The spellings of PostgreSQL's and MySQL's own tools.
_PARAMETERS = {
    "sslmode": "mode",
    "ssl-mode": "mode",
    "tls": "mode",
    "sslrootcert": "ca",
    "ssl-ca": "ca",
    "sslcert": "client_cert",
    "ssl-cert": "client_cert",
    "sslkey": "client_key",
    "ssl-key": "client_key",
    "schema": "schema",
    "currentSchema": "schema",
    "connect_timeout": "connect_timeout",
}
_MAX_TIMEOUT_S = 3600


def parse_url(text: str, registry: Registry) -> ConnectionSettings:
    """Read a connection URL. User, password and database are percent-decoded; certificates are paths of PEM files.

    Raises:
        InvalidError: naming the part of the URL that is wrong. The URL itself, which may hold a password, is not told.
    """
    scheme, separator, _ = text.partition("://")
    if not separator:
        raise _wrong("url", "is not of the form type://user:password@host:port/database")
    spec = registry.find(scheme)
    try:
        parts = urlsplit(text)
        port = parts.port
        host = unquote(parts.hostname or "")
    except ValueError as exc:
        raise _wrong("host", "host or port is malformed; a port is a number from 1 to 65535") from exc
    if not host:
        raise _wrong("host", "is missing")
    if not parts.username:
        raise _wrong("username", "is missing")
    if port == 0 or parts.fragment:
        raise _wrong("port" if port == 0 else "url", "0 is no port" if port == 0 else "'#' must be written as %23")
    given = _given(parts.query)
    return ConnectionSettings(
        type=spec.name,
        host=host,
        port=port or spec.default_port,
        username=unquote(parts.username),
        password=unquote(parts.password or ""),
        database=unquote(parts.path.removeprefix("/")),
        schema=given.get("schema", spec.default_schema),
        ssl=_ssl(given),
        connect_timeout_s=_timeout(given.get("connect_timeout", "5")),
    )


def _given(query: str) -> dict[str, str]:
    given: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name not in _PARAMETERS:
            raise _wrong(name, f"is no parameter; known: {', '.join(_PARAMETERS)}")
        given[_PARAMETERS[name]] = value
    return given


def _ssl(given: Mapping[str, str]) -> SslSettings:
    mode = _MODES.get(given.get("mode", "disable").lower())
    if mode is None:
        raise _wrong("sslmode", "must be disable, require, verify-ca or verify-full")
    files = {name: _file(name, given[name]) for name in ("ca", "client_cert", "client_key") if given.get(name)}
    return SslSettings(mode, **files)


def _file(name: str, path: str) -> bytes:
    try:
        return Path(path).expanduser().read_bytes()
    except OSError as exc:
        raise _wrong(name, f"{path} cannot be read: {exc.strerror}") from exc


def _timeout(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 0 < int(text) <= _MAX_TIMEOUT_S:
        raise _wrong("connect_timeout", f"must be seconds from 1 to {_MAX_TIMEOUT_S}")
    return int(text)


def _wrong(field: str, what: str) -> InvalidError:
    return InvalidError(
        f"the connection URL is wrong: {field} {what}",
        fields={field: what},
        remedy="write type://user:password@host:port/database; special characters percent-encoded (@ is %40)",
    )
