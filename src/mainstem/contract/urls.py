"""Database URLs → `ConnectionSettings`, and back. `parse_url` reads the certificate files that a URL names."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import quote, unquote

from mainstem.contract.registry import Registry
from mainstem.contract.spec import ConnectorSpec
from mainstem.contract.tls import check_ssl
from mainstem.errors import InvalidError
from mainstem.model.connection import ConnectionSettings, SslMode, SslSettings

_URL = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://"
    r"(?:(?P<user>[^:/?#]*)(?::(?P<password>[^/?#]*))?@)?"  # up to the last @, so that a password may hold one
    r"(?P<host>\[[^\]/?#@]*\]|[^:/?#@\[\]]*)(?::(?P<port>[^/?#@]*))?"
    r"(?:/(?P<database>[^?#@]*))?(?:\?(?P<query>[^#]*))?"
)
_FORM = "scheme://user:password@host:port/database"
_ENCODE = "percent-encode / ? # % and : where they are part of a name or password (/ is %2F, ? is %3F, # is %23)"
_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_MAX_TIMEOUT_S = 3600

# Both systems' own spellings; MySQL's VERIFY_IDENTITY checks what verify-full does.
_MODES = {
    "disable": SslMode.DISABLED,
    "disabled": SslMode.DISABLED,
    "require": SslMode.REQUIRE,
    "required": SslMode.REQUIRE,
    "verify-ca": SslMode.VERIFY_CA,
    "verify_ca": SslMode.VERIFY_CA,
    "verify-full": SslMode.VERIFY_FULL,
    "verify_full": SslMode.VERIFY_FULL,
    "verify_identity": SslMode.VERIFY_FULL,
}
_TLS = {"true": SslMode.VERIFY_FULL, "false": SslMode.DISABLED, "skip-verify": SslMode.REQUIRE}
_UNDECIDED = {"allow", "prefer", "preferred"}
_SYSTEM_CA = "system"
_JDBC = "jdbc:"


@dataclass(slots=True)
class _Found:
    """What the query parameters said. ``files``: member of `SslSettings` → the parameter's name, and a path."""

    spec: ConnectorSpec
    mode: SslMode | None = None
    files: dict[str, tuple[str, str]] = field(default_factory=dict)
    schema: str = ""
    user: str = ""
    password: str = ""
    connect_timeout_s: int | None = None


@dataclass(frozen=True, slots=True)
class UrlParts:
    """What a URL says. ``files``: member of `SslSettings` → the path of its file, not looked at."""

    settings: ConnectionSettings
    files: Mapping[str, str]


def parse_url(text: str, registry: Registry) -> ConnectionSettings:
    """Read ``scheme://user:password@host:port/database?parameters``; every part percent-decoded.

    Parameters: ``user``, ``password``, ``sslmode`` (also ``ssl-mode``, ``tls``), ``sslrootcert`` (``ssl-ca``),
    ``sslcert`` (``ssl-cert``), ``sslkey`` (``ssl-key``), ``schema`` (``currentSchema``), ``connect_timeout``. A CA
    without a mode means verify-full, a client certificate without one means require. A host that begins with %2F is a
    Unix socket.

    Raises:
        InvalidError: naming the part or parameter, and never quoting the URL, which holds a password.
    """
    settings, found = _parse(text, registry)
    files = {member: _content(*named) for member, named in found.files.items()}
    ssl = SslSettings(settings.ssl.mode, **files)
    for name, problem in check_ssl(ssl).items():
        raise _wrong(_PARAMETER_OF[name], problem, "give PEM files that belong together")
    return replace(settings, ssl=ssl)


def read_url(text: str, registry: Registry) -> UrlParts:
    """The same where the files are not ours to read: a URL that somebody sends must not make us open files."""
    settings, found = _parse(text.strip().removeprefix(_JDBC), registry)
    return UrlParts(settings, {member: path for member, (_, path) in found.files.items()})


def write_url(settings: ConnectionSettings, *, password: str = "", files: Mapping[str, str] | None = None) -> str:
    """A URL that `parse_url` reads back. The settings' own password is not in it.

    Args:
        password: stands in its place as it is, a ``${NAME}`` for example; empty is none.
        files: member of `SslSettings` → the path to write for it.
    """
    host = quote(settings.host, safe="")
    host = f"[{settings.host}]" if ":" in settings.host else host
    login = quote(settings.username, safe="") + (f":{password}" if password else "")
    parameters = {} if settings.ssl.mode is SslMode.DISABLED else {"sslmode": settings.ssl.mode.value}
    parameters |= {_PARAMETER_OF[f"ssl.{member}"]: path for member, path in (files or {}).items()}
    parameters |= {"schema": settings.schema} if settings.schema else {}
    query = "&".join(f"{name}={quote(value, safe='/')}" for name, value in parameters.items())
    place = f"{login}@{host}:{settings.port}/{quote(settings.database, safe='')}"
    return f"{settings.type}://{place}{'?' if query else ''}{query}"


def _parse(text: str, registry: Registry) -> tuple[ConnectionSettings, _Found]:
    found = _URL.fullmatch(text.strip())
    if found is None:
        raise _wrong("url", f"is not of the form {_FORM}", _ENCODE)
    spec = registry.find(found["scheme"])
    parameters = _parameters(spec, found["query"] or "")
    username = _decode("username", found["user"]) or parameters.user
    if not username:
        raise _wrong("username", "is missing", f"write {_FORM}")
    settings = ConnectionSettings(
        type=spec.name,
        host=_host(found["host"]),
        port=_port(found["port"], spec.default_port),
        username=username,
        password=_decode("password", found["password"]) or parameters.password,
        database=_database(found["database"]),
        schema=parameters.schema or spec.default_schema,
        ssl=SslSettings(_mode(parameters)),
    )
    seconds = parameters.connect_timeout_s
    return (settings if seconds is None else replace(settings, connect_timeout_s=seconds)), parameters


def _wrong(part: str, problem: str, remedy: str) -> InvalidError:
    return InvalidError(f"database URL: {part} {problem}", fields={part: problem}, remedy=remedy)


def _decode(part: str, text: str | None) -> str:
    if not text:
        return ""
    if _PERCENT.search(text):
        raise _wrong(part, "has a % that begins no percent-encoding", "write a % as %25")
    try:
        decoded = unquote(text, errors="strict")
    except UnicodeDecodeError:
        raise _wrong(part, "is not UTF-8 when percent-decoded", "percent-encode its UTF-8 bytes") from None
    if "\0" in decoded:
        raise _wrong(part, "holds a NUL character", "leave it out")
    return decoded


def _host(text: str) -> str:
    if text.startswith("["):
        address = _decode("host", text[1:-1])
        try:
            ipaddress.IPv6Address(address)
        except ValueError:
            raise _wrong("host", "has brackets and is not an IPv6 address", "write [::1], for example") from None
        return address
    host = _decode("host", text)
    if not host:
        raise _wrong("host", "is missing", f"write {_FORM}")
    if "," in host:
        raise _wrong("host", "names several hosts", "name the one to connect to")
    return host


def _port(text: str | None, default: int) -> int:
    if not text:
        return default
    if not re.fullmatch(r"[0-9]{1,5}", text) or not 1 <= int(text) <= 65535:
        raise _wrong("port", "must be a whole number from 1 to 65535", f"leave it out for {default}")
    return int(text)


def _database(text: str | None) -> str:
    if text and "/" in text:
        raise _wrong("database", "holds a /", "write it as %2F if it is part of the name")
    return _decode("database", text)


def _parameters(spec: ConnectorSpec, query: str) -> _Found:
    found, seen = _Found(spec), set[str]()
    for part in filter(None, query.split("&")):
        name, _, raw = part.partition("=")
        name = _decode("parameter", name)
        member = _PARAMETERS.get(name)
        if member is None:
            raise _wrong(name, "is not a known parameter", f"known parameters: {', '.join(_PARAMETERS)}")
        if member in seen:
            raise _wrong(name, "is given twice", "give it once, in one spelling")
        seen.add(member)
        _READERS[member](found, name, _decode(name, raw))
    return found


def _read_mode(found: _Found, name: str, value: str) -> None:
    modes = _TLS if name == "tls" else _MODES
    mode = modes.get(value.lower())
    if mode is None and value.lower() in _UNDECIDED:
        raise _wrong(
            name, "leaves it to the server whether TLS is used, which is not offered", "say disable or require"
        )
    if mode is None:
        raise _wrong(name, "has an unknown value", f"use one of: {', '.join(modes)}")
    found.mode = mode


def _read_file(member: str) -> Callable[[_Found, str, str], None]:
    def read(found: _Found, name: str, value: str) -> None:
        if member == "ca" and value == _SYSTEM_CA:
            found.mode = found.mode or SslMode.VERIFY_FULL
            return
        found.files[member] = (name, value)

    return read


def _content(name: str, path: str) -> bytes:
    try:
        return Path(path).expanduser().read_bytes()
    except (OSError, RuntimeError) as exc:
        why = exc.strerror if isinstance(exc, OSError) else None
        raise _wrong(name, f"names a file that cannot be read: {why or 'no such user'}", "correct the path") from exc


def _read_schema(found: _Found, name: str, value: str) -> None:
    if not found.spec.has_schemas:
        raise _wrong(name, f"is given, and {found.spec.title} has no schemas", "name the database only")
    found.schema = value


def _read_login(member: str) -> Callable[[_Found, str, str], None]:
    def read(found: _Found, _name: str, value: str) -> None:
        setattr(found, member, value)

    return read


def _read_timeout(found: _Found, name: str, value: str) -> None:
    if not re.fullmatch(r"[0-9]{1,4}", value) or not 1 <= int(value) <= _MAX_TIMEOUT_S:
        raise _wrong(name, f"must be whole seconds from 1 to {_MAX_TIMEOUT_S}", "write connect_timeout=5, for example")
    found.connect_timeout_s = int(value)


_PARAMETERS = {
    "user": "user",
    "password": "password",
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
    "connect_timeout": "timeout",
}
_READERS: dict[str, Callable[[_Found, str, str], None]] = {
    "user": _read_login("user"),
    "password": _read_login("password"),
    "mode": _read_mode,
    "ca": _read_file("ca"),
    "client_cert": _read_file("client_cert"),
    "client_key": _read_file("client_key"),
    "schema": _read_schema,
    "timeout": _read_timeout,
}
_PARAMETER_OF = {"ssl.ca": "sslrootcert", "ssl.client_cert": "sslcert", "ssl.client_key": "sslkey"}


def _mode(found: _Found) -> SslMode:
    """What was said, or what the files mean."""
    if found.mode is None and found.files:
        return SslMode.VERIFY_FULL if "ca" in found.files else SslMode.REQUIRE
    return found.mode or SslMode.DISABLED
