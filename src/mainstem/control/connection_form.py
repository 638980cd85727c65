"""What a form for a connection asks, drawn from the model that checks connections and from the connector's spec."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from pydantic import BaseModel

from mainstem.contract.spec import ConnectorSpec
from mainstem.control.connection_body import SSL_FILES, ConnectionBody, SslBody
from mainstem.model.connection import SslMode


class Input(StrEnum):
    """How a value is asked for."""

    TEXT = "text"
    NUMBER = "number"
    PASSWORD = "password"  # noqa: S105
    DATABASE = "database"
    SCHEMA = "schema"
    CHOICE = "choice"
    FILE = "file"
    FLAG = "flag"


@dataclass(frozen=True, slots=True)
class Choice:
    """One of the values that a field can have."""

    value: str
    label: str
    help: str


@dataclass(frozen=True, slots=True)
class FormField:
    """One value that is asked for.

    Attributes:
        name: its path in the body, ``ssl.ca``.
        default: what an absent member means, as text.
    """

    name: str
    label: str
    input: Input
    help: str = ""
    required: bool = False
    default: str = ""
    choices: tuple[Choice, ...] = ()


_INPUTS = {
    "name": Input.TEXT,
    "host": Input.TEXT,
    "port": Input.NUMBER,
    "username": Input.TEXT,
    "password": Input.PASSWORD,
    "database": Input.DATABASE,
    "schema_": Input.SCHEMA,
    "read_only": Input.FLAG,
}
_REQUIRED = ("name", "host", "username")
_MODES = {
    SslMode.DISABLED: ("No TLS", "Nothing is encrypted: for this machine, or a network that you trust."),
    SslMode.REQUIRE: ("Encrypt", "Encrypted, and the server's certificate is not looked at."),
    SslMode.VERIFY_CA: ("Encrypt and check the CA", "The certificate must be signed by a CA that is trusted."),
    SslMode.VERIFY_FULL: (
        "Encrypt and check CA and host",
        "The certificate must be the host's, too: the safe choice.",
    ),
}


def fields_of(spec: ConnectorSpec) -> list[FormField]:
    """The fields of a connector, in the order in which they are asked for."""
    return [*_plain(spec), _mode(), *(_field(SslBody, name, f"ssl.{name}", Input.FILE) for name in SSL_FILES)]


def _plain(spec: ConnectorSpec) -> Iterator[FormField]:
    defaults = {"port": str(spec.default_port), "schema_": spec.default_schema, "read_only": "false"}
    for member, how in _INPUTS.items():
        if how is Input.SCHEMA and not spec.has_schemas:
            continue
        name = ConnectionBody.model_fields[member].alias or member
        yield _field(ConnectionBody, member, name, how, default=defaults.get(member, ""))


def _mode() -> FormField:
    choices = tuple(Choice(mode.value, *told) for mode, told in _MODES.items())
    return _field(SslBody, "mode", "ssl.mode", Input.CHOICE, default=SslMode.DISABLED.value, choices=choices)


def _field(
    model: type[BaseModel], member: str, name: str, how: Input, *, default: str = "", choices: tuple[Choice, ...] = ()
) -> FormField:
    info = model.model_fields[member]
    return FormField(name, info.title or member, how, info.description or "", member in _REQUIRED, default, choices)
