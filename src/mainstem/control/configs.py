"""Saved stream configs: checked in whichever shape they come, kept and answered in that shape."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from mainstem.contract.store import ConfigRecord, StateStore
from mainstem.control.clock import now_us
from mainstem.control.config_body import as_sent, read_config
from mainstem.control.connections import Connections
from mainstem.control.options import definition_of
from mainstem.control.validation import invalid
from mainstem.engine.conversion import Endpoint
from mainstem.errors import NotFoundError
from mainstem.model.config import StreamDefinition
from mainstem.model.ids import CONFIG, is_id, new_id

SUFFIX_CHARACTERS = 5
MAX_NAME = 255


class Configs:
    """The saved configs of a store."""

    def __init__(self, store: StateStore, connections: Connections) -> None:
        self._store = store
        self._connections = connections

    def all(self) -> list[ConfigRecord]:
        """All of them, oldest first."""
        return self._store.configs()

    def get(self, config_id: str) -> ConfigRecord:
        """One; `NotFoundError` if there is none."""
        record = self._store.config(config_id) if is_id(config_id) else None
        if record is None:
            shown = config_id if is_id(config_id) else "of that id"
            raise NotFoundError(f"there is no stream config {shown}", remedy="GET /stream-configs lists them")
        return record

    def create(self, data: Mapping[str, Any]) -> ConfigRecord:
        """Save a new one. Its name gets the last five characters of its id, so that equal names can be told apart."""
        config_id = new_id(CONFIG)
        definition, body = self._read(data)
        name = str(body.get("name") or f"{definition.mode}_stream")[: MAX_NAME - SUFFIX_CHARACTERS - 1]
        name = f"{name}_{config_id[-SUFFIX_CHARACTERS:]}"
        record = self._record(config_id, name, definition, body)
        self._store.add_config(record)
        return record

    def update(self, config_id: str, data: Mapping[str, Any]) -> ConfigRecord:
        """Replace a config whole; a missing name is kept."""
        before = self.get(config_id)
        definition, body = self._read(data)
        record = self._record(config_id, str(body.get("name") or before.name)[:MAX_NAME], definition, body)
        self._store.put_config(replace(record, created_us=before.created_us))
        return self.get(config_id)

    def clone(self, config_id: str) -> ConfigRecord:
        """A copy with a new id and name."""
        return self.create({**self.get(config_id).body, "name": f"{self.get(config_id).name} copy"})

    def delete(self, config_id: str) -> None:
        """Forget one; its streams and their history stay."""
        self.get(config_id)
        self._store.delete_config(config_id)

    def definition(self, body: Mapping[str, Any]) -> StreamDefinition:
        """What a stored body means."""
        return definition_of(body, sql_dialect=self._sql_dialect(_source_id(body)))

    def endpoints(self, definition: StreamDefinition) -> tuple[Endpoint, Endpoint]:
        """Both sides of a stream; `NotFoundError` when a connection is gone."""
        source = self._connections.endpoint(
            definition.source_id, database=definition.source_database, schema=definition.source_schema
        )
        return source, self._connections.endpoint(definition.target_id, database=definition.target_database)

    def _sql_dialect(self, connection_id: str) -> str:
        record = self._connections.get(connection_id)
        return self._connections.registry.find(record.type).dialect.sql_name

    def _read(self, data: Mapping[str, Any]) -> tuple[StreamDefinition, dict[str, Any]]:
        body = as_sent(read_config(data))
        source_id = _source_id(body)
        problems = {}
        for field, connection_id in (("source", source_id), ("target", _target_id(body))):
            try:
                self._connections.get(connection_id)
            except NotFoundError as exc:
                problems[field] = exc.message if connection_id else "is required: the id of a connection"
        if problems:
            raise invalid(problems, "GET /connections lists the connections")
        definition = definition_of(body, sql_dialect=self._sql_dialect(source_id))
        source, target = self.endpoints(definition)
        schema = definition.options.target_schema or target.schema
        here, there = source.settings, target.settings
        if (here.type, here.host, here.port, here.database, source.schema) == (
            there.type, there.host, there.port, there.database, schema,
        ):  # fmt: skip
            raise invalid({"target": "is the same place as the source"}, "choose another database or schema")
        return definition, body

    def _record(self, config_id: str, name: str, definition: StreamDefinition, body: dict[str, Any]) -> ConfigRecord:
        return ConfigRecord(
            config_id, now_us(), name, definition.mode, definition.source_id, definition.target_id, body
        )


def _source_id(body: Mapping[str, Any]) -> str:
    source = body.get("source")
    if isinstance(source, Mapping):
        connections = source.get("connections") or [{}]
        return str(connections[0].get("connectionId", ""))
    return str(source or "")


def _target_id(body: Mapping[str, Any]) -> str:
    target = body.get("target")
    return str(target.get("id", "")) if isinstance(target, Mapping) else str(target or "")
