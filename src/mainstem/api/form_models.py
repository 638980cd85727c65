"""What forms are drawn from: connectors and their fields, connection strings, tables, what uses a connection."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from mainstem.control.connection_form import Input
from mainstem.model.run import RunState


class FormChoice(BaseModel):
    """One of the values that a field can have."""

    value: str
    label: str
    help: str


class FormField(BaseModel):
    """One value that a form asks for."""

    name: str = Field(description="its path in the body of POST /connections", examples=["ssl.mode"])
    label: str
    input: Input
    help: str
    required: bool
    default: str = Field(description="what an absent member means")
    choices: list[FormChoice]


class Connector(BaseModel):
    """A kind of system."""

    name: str = Field(description="the type of a connection", examples=["postgresql"])
    title: str
    aliases: list[str]
    flavors: list[str] = Field(description="those of the aliases that name a relative, such as mariadb")
    defaultPort: int
    hasSchemas: bool
    sqlDialect: str
    roles: list[Literal["source", "target", "log", "changes"]] = Field(
        description="can be read, be written, be followed in mode cdc, and be the target of that"
    )
    fields: list[FormField]


class UrlBody(BaseModel):
    """A connection string."""

    url: str = Field(max_length=8192, examples=["mysql://root:secret@127.0.0.1:3306/shop"])


class ParsedSsl(BaseModel):
    """TLS as the connection string asks for it."""

    mode: str


class ParsedUrl(BaseModel):
    """A connection string as members of a connection."""

    model_config = ConfigDict(populate_by_name=True)

    type: str
    host: str
    port: int
    username: str
    password: str
    database: str
    schema_name: str = Field(alias="schema")
    ssl: ParsedSsl
    files: dict[str, str] = Field(description="ca, client_cert, client_key: the paths that it names; not read here")


class UsingConfig(BaseModel):
    """A config that names a connection."""

    id: str
    name: str
    mode: str
    roles: list[Literal["source", "target"]]


class UsingStream(BaseModel):
    """A stream that is active on a connection, which cannot be deleted meanwhile."""

    id: str
    name: str
    status: RunState


class Uses(BaseModel):
    """What depends on a connection."""

    configs: list[UsingConfig]
    streams: list[UsingStream]


class SizedTable(BaseModel):
    """A table with what the catalog says of its size."""

    name: str = Field(description="as a config names it")
    schema_name: str = Field(alias="schema")
    table: str
    rows: int | None = Field(description="an estimate; null where the system has never counted")
    bytes: int
    indexBytes: int
    columns: int
    keyed: bool = Field(description="has a primary key, by which mode cdc tells rows apart")


class SizedTables(BaseModel):
    """Tables of a database or schema."""

    total: int
    filtered: int
    items: list[SizedTable]


class SourceColumn(BaseModel):
    """A column of a table that may be copied."""

    name: str
    type: str = Field(description="as the system itself writes it")
    nullable: bool
    key: bool
    generated: bool
    comment: str


class SourceColumns(BaseModel):
    """The columns of one table, or of a query."""

    name: str
    columns: list[SourceColumn]
