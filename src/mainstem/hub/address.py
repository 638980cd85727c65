"""What the setting HUB says: ``memory``, or where NATS is and how to use it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from mainstem.errors import InvalidError
from mainstem.hub.framing import Compression

MEMORY = "memory"
_T = TypeVar("_T")
_SCHEMES = ("nats", "tls")
_NAMESPACE = re.compile(r"[A-Za-z0-9_-]{1,32}")
_MAX_REPLICAS = 5
_OPTIONS = frozenset(
    {
        "namespace", "replicas", "storage", "compression", "credentials", "nkey", "ca", "cert", "key", "max_bytes",
        "max_age",
    }
)  # fmt: skip
_AGE = re.compile(r"([0-9]{1,9})(s|m|h|d)")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_LEAST_AGE_S, _MOST_AGE_S = 60, 365 * 86_400


@dataclass(frozen=True, slots=True)
class NatsAddress:
    """Where NATS is, how to log in, and how the hub is kept there.

    Attributes:
        servers: ``nats://host:port`` without login; all of one cluster.
        credentials: file with a user's JWT and seed (``nsc generate creds``).
        nkey: file with an nkey's seed.
        ca, cert, key: PEM files; with any of them, and with ``tls://``, the connection is encrypted.
        namespace: keeps installations on one NATS apart; empty: of the installation's own id.
        replicas: servers of the cluster that hold each stream, 1 to 5.
        on_disk: streams survive the end of all servers. The hub does not need it: what is lost with it is read from
            the source again.
        max_bytes: of one stream; None: the run's own memory bound.
        max_age_s: how long anything may wait there, before it is dropped; None: for ever.
    """

    servers: tuple[str, ...]
    user: str = ""
    password: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    credentials: Path | None = None
    nkey: Path | None = None
    tls: bool = False
    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None
    namespace: str = ""
    replicas: int = 1
    on_disk: bool = False
    compression: Compression = Compression.LZ4
    max_bytes: int | None = None
    max_age_s: float | None = None

    def __str__(self) -> str:
        """The servers, for people."""
        return ",".join(self.servers)


def read_address(text: str) -> NatsAddress | None:
    """Read the setting. None is the memory hub.

    Form: ``nats://[user:password@|token@]host[:port][,host…][/][?option=value&…]``; ``tls://`` insists on TLS.

    Raises:
        InvalidError: names the part that is wrong; never shows the login.
    """
    text = text.strip()
    if text.lower() in ("", MEMORY):
        return None
    try:
        url = urlsplit(text)
    except ValueError as exc:
        raise _wrong("it is no URL") from exc
    if url.scheme not in _SCHEMES or not url.netloc:
        raise _wrong("it is neither memory nor a URL that begins with nats:// or tls://")
    login, _, hosts = url.netloc.rpartition("@")
    user, colon, password = login.partition(":")
    options = _options(url)
    files = {name: _file(options, name) for name in ("credentials", "nkey", "ca", "cert", "key")}
    if bool(files["cert"]) != bool(files["key"]):
        raise _wrong("cert and key belong together")
    return NatsAddress(
        tuple(_server(host) for host in hosts.split(",")),
        user=unquote(user) if colon else "",
        password=unquote(password),
        token="" if colon else unquote(user),
        tls=url.scheme == "tls" or any(files[name] for name in ("ca", "cert")),
        namespace=_namespace(options.get("namespace", "")),
        replicas=_number(options, "replicas", 1, _MAX_REPLICAS),
        on_disk=_choice(options, "storage", {"memory": False, "file": True}, default="memory"),
        compression=_choice(
            options, "compression", {codec.name.lower(): codec for codec in Compression}, default="lz4"
        ),
        max_bytes=_number(options, "max_bytes", 1024 * 1024, 2**50) if "max_bytes" in options else None,
        max_age_s=_age(options["max_age"]) if "max_age" in options else None,
        **files,
    )


def _wrong(why: str) -> InvalidError:
    return InvalidError(
        f"the setting MAINSTEM_HUB cannot be used: {why}",
        fields={"hub": why},
        remedy="set it to memory, or to nats://user:password@host:4222?option=value (docs/hub.md)",
    )


def _options(url: SplitResult) -> dict[str, str]:
    if url.path not in ("", "/") or url.fragment:
        raise _wrong("behind the hosts only options may follow")
    found = parse_qs(url.query, keep_blank_values=True)
    unknown = sorted(set(found) - _OPTIONS)
    if unknown:
        raise _wrong(f"it has no option {unknown[0]}; there are {', '.join(sorted(_OPTIONS))}")
    return {name: values[-1] for name, values in found.items()}


def _server(host: str) -> str:
    try:
        parts = urlsplit(f"nats://{host}")
        port = parts.port or 4222
    except ValueError as exc:
        raise _wrong("a port is no number up to 65535") from exc
    if not parts.hostname:
        raise _wrong("a host is missing")
    name = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"nats://{name}:{port}"


def _file(options: dict[str, str], name: str) -> Path | None:
    if not options.get(name):
        return None
    path = Path(options[name]).expanduser()
    if not path.is_file():
        raise _wrong(f"{name} names a file that is not there")
    return path


def _namespace(text: str) -> str:
    if text and not _NAMESPACE.fullmatch(text):
        raise _wrong("namespace must be 1 to 32 letters, digits, - or _")
    return text


def _number(options: dict[str, str], name: str, least: int, most: int) -> int:
    text = options.get(name, str(least))
    if not text.isdecimal() or not least <= int(text) <= most:
        raise _wrong(f"{name} must be a number from {least:,} to {most:,}")
    return int(text)


def _age(text: str) -> float:
    found = _AGE.fullmatch(text)
    seconds = int(found[1]) * _SECONDS[found[2]] if found else 0
    if not _LEAST_AGE_S <= seconds <= _MOST_AGE_S:
        raise _wrong("max_age must be a number with s, m, h or d, like 6h, from 60s to 365d")
    return float(seconds)


def _choice(options: dict[str, str], name: str, values: dict[str, _T], *, default: str) -> _T:
    text = options.get(name, default).lower()
    if text not in values:
        raise _wrong(f"{name} must be one of {', '.join(values)}")
    return values[text]
