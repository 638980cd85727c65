"""Asks live systems: ping, databases, schemas, tables, structure. Nothing is kept."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from mainstem.contract.inspector import DatabaseInfo, Inspector, ServerInfo, TableSize
from mainstem.contract.registry import Registry
from mainstem.control.hiding import hide
from mainstem.control.validation import invalid
from mainstem.engine.endpoint import Endpoint
from mainstem.engine.present import present
from mainstem.errors import ConnectError, ConnectReason, MainstemError
from mainstem.model.connection import ConnectionSettings
from mainstem.model.run import RunOptions, TableSelection
from mainstem.model.schema import Catalog, Column, Table

PING_DEADLINE_S = 5.0
_CONNECT_S = 4  # the connector's own bound, shorter, so that its better message wins
_MAX_NAME = 255
Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class PingResult:
    """What a ping found: ``info`` when it went well, else the error's text, code and remedy."""

    info: ServerInfo | None = None
    error: str = ""
    code: str = ""
    remedy: str = ""


class Systems:
    """Questions to the systems behind connections; every call opens a connection and closes it."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def open(self, settings: ConnectionSettings) -> Inspector:
        """An inspector; raises `ConnectError`. Leave its context to close it."""
        return self._registry.find(settings.type).inspector(settings)

    def ping(self, settings: ConnectionSettings) -> PingResult:
        """Log in and ask for a trivial answer, within `PING_DEADLINE_S`; never raises `MainstemError`."""
        quick = replace(settings, connect_timeout_s=_CONNECT_S)

        def ask() -> ServerInfo:
            with self.open(quick) as inspector:
                return inspector.ping()

        try:
            return PingResult(info=within(PING_DEADLINE_S, ask))
        except MainstemError as exc:
            return PingResult(error=hide(exc.message, settings), code=exc.code, remedy=hide(exc.remedy, settings))

    def databases(self, settings: ConnectionSettings, *, include_system: bool = False) -> list[DatabaseInfo]:
        """Databases that the login may see."""
        with self.open(settings) as inspector:
            return inspector.databases(include_system=include_system)

    def create_database(self, settings: ConnectionSettings, name: str) -> None:
        """Make a database. The connection's own may not exist yet, so the server's default one is entered."""
        with self.open(replace(settings, database="")) as inspector:
            inspector.create_database(_name(name))

    def schemas(self, settings: ConnectionSettings, database: str = "") -> list[str]:
        """Schemas of a database."""
        with self.open(replace(settings, database=database or settings.database)) as inspector:
            return inspector.schemas()

    def create_schema(self, settings: ConnectionSettings, name: str, database: str = "") -> None:
        """Make a schema; `InvalidError` where the system has none."""
        spec = self._registry.find(settings.type)
        if not spec.has_schemas:
            raise invalid({"type": f"{spec.title} has no schemas inside a database"}, "create a database instead")
        with self.open(replace(settings, database=database or settings.database)) as inspector:
            inspector.create_schema(_name(name))

    def place(self, settings: ConnectionSettings, *, database: str = "", schema: str = "") -> ConnectionSettings:
        """The same system with another database or schema, where one is named."""
        return replace(settings, database=database or settings.database, schema=schema or settings.schema)

    def own_schema(self, settings: ConnectionSettings) -> str:
        """Where a name without a schema is looked for."""
        return Endpoint(self._registry.find(settings.type), settings).schema

    def sizes(self, settings: ConnectionSettings, schemas: Sequence[str] = ()) -> list[TableSize]:
        """Tables of the schemas (none: the connection's own) with estimates of their size."""
        if schemas and not self._registry.find(settings.type).has_schemas:
            raise invalid({"schemas": "this system has no schemas inside a database"}, "leave it out")
        with self.open(settings) as inspector:
            return inspector.sizes(schemas)

    def table(self, settings: ConnectionSettings, name: str) -> Table:
        """A table (or a view, which is read like one) by the name that a config gives it; `NotFoundError`."""
        end = Endpoint(self._registry.find(settings.type), settings)
        with self.open(settings) as inspector:
            found = present(inspector, end, RunOptions(tables=(TableSelection(name),))).get(name)
            return inspector.catalog([found]).tables[0]

    def tables(self, settings: ConnectionSettings, *, database: str = "", schema: str = "") -> list[str]:
        """Names of base tables; ``schema.table`` for those outside the connector's default schema."""
        spec = self._registry.find(settings.type)
        with self.open(self.place(settings, database=database, schema=schema)) as inspector:
            found = inspector.tables()
        if not spec.has_schemas:
            return [table.name for table in found]
        return [table.name if table.schema == spec.default_schema else str(table) for table in found]

    def query_columns(self, settings: ConnectionSettings, query: str, *, database: str = "") -> tuple[Column, ...]:
        """Columns that a SELECT would return; `InvalidError` if it isn't one SELECT."""
        with self.open(self.place(settings, database=database)) as inspector:
            return inspector.query_columns(query)

    def catalog(self, settings: ConnectionSettings, *, database: str = "", schema: str = "") -> Catalog:
        """The structure of a database or schema."""
        with self.open(self.place(settings, database=database, schema=schema)) as inspector:
            return inspector.catalog()


def within(seconds: float, work: Callable[[], Answer]) -> Answer:
    """The result of ``work``, run aside; `ConnectError` when it isn't there in time.

    What runs late ends by the driver's own timeouts; nobody waits for it.
    """
    answers: list[Answer] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            answers.append(work())
        except BaseException as exc:
            errors.append(exc)

    thread = threading.Thread(target=run, name="bounded", daemon=True)
    thread.start()
    thread.join(seconds)
    if errors:
        raise errors[0]
    if answers:
        return answers[0]
    raise ConnectError(
        f"no answer within {seconds:.0f} s",
        reason=ConnectReason.TIMEOUT,
        remedy="check host, port and firewall; the server may be overloaded",
    )


def _name(name: str) -> str:
    text = name.strip()
    if not text or len(text) > _MAX_NAME or "\0" in text or "\n" in text:
        raise invalid({"name": "must be one line of 1 to 255 characters"})
    return text
