"""Saved stream configs: checked in whichever shape they come, kept and answered in that shape."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from mainstem.contract.store import ConfigRecord, StateStore
from mainstem.control.clock import now_us
from mainstem.control.config_body import MODE_WORDS, as_sent, is_later, read_config
from mainstem.control.connections import Connections
from mainstem.control.options import definition_of
from mainstem.control.states import ACTIVE, StateConflict
from mainstem.control.validation import invalid
from mainstem.engine.conversion import Endpoint
from mainstem.engine.planner import check_roles
from mainstem.errors import InvalidError, NotFoundError
from mainstem.model.config import StreamDefinition
from mainstem.model.ids import CONFIG, is_id, new_id

SUFFIX_CHARACTERS = 5
MAX_NAME = 255


@dataclass(frozen=True, slots=True)
class Understood:
    """A config that is not saved: its known members in the shape that was sent, and what they mean."""

    body: dict[str, Any]
    definition: StreamDefinition
    source: Endpoint
    target: Endpoint


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
            raise _unknown(config_id)
        return record

    def create(self, data: Mapping[str, Any]) -> ConfigRecord:
        """Save a new one. Its name gets the last five characters of its id, so that equal names can be told apart."""
        record = self._made(new_id(CONFIG), now_us(), data, "")
        self._store.add_config(record)
        return record

    def update(self, config_id: str, data: Mapping[str, Any]) -> ConfigRecord:
        """Replace a config whole; a missing name is kept. Streams that were started before keep what they had."""
        before = self.get(config_id)
        record = self._made(config_id, before.created_us, data, before.name)
        if not self._store.put_config(record):
            raise _unknown(config_id)
        return record

    def understood(self, data: Mapping[str, Any]) -> Understood:
        """A config that is not saved, checked as a new one would be. Raises as `create`."""
        body = self._checked(data)
        return Understood(body, *self.resolve(body))

    def clone(self, config_id: str) -> ConfigRecord:
        """A copy with a new id and name."""
        record = self.get(config_id)
        copy_id = new_id(CONFIG)
        name = _suffixed(record.name.removesuffix(_suffix(record.id)) + "_copy", copy_id)
        copy = replace(record, id=copy_id, created_us=now_us(), name=name)
        self._store.add_config(copy)
        return copy

    def delete(self, config_id: str) -> None:
        """Forget one; its streams and their history stay. `ConflictError` while one of them is active."""
        self.get(config_id)
        active = self._store.streams(config_id=config_id, states=ACTIVE)
        if active:
            raise StateConflict(
                f"stream {active[0].id} of this config is {active[0].state}",
                remedy="stop it first",
                details={"field": "stream_state", "value": [stream.id for stream in active]},
            )
        if not self._store.delete_config(config_id):
            raise _unknown(config_id)

    def resolve(self, body: Mapping[str, Any]) -> tuple[StreamDefinition, Endpoint, Endpoint]:
        """What a stored body means, and both systems as their connections are now.

        Raises:
            NotFoundError: a connection is gone.
            InvalidError: a side cannot play its role, or both are the same place.
        """
        source_id = _source_id(body)
        definition = definition_of(body, sql_dialect=self._sql_dialect(source_id))
        source = self._connections.endpoint(
            source_id, database=definition.source_database, schema=definition.source_schema
        )
        target = self._connections.endpoint(
            definition.target_id, database=definition.target_database, schema=definition.options.target_schema
        )
        check_roles(source, target)
        return definition, source, target

    def _sql_dialect(self, connection_id: str) -> str:
        record = self._connections.get(connection_id)
        return self._connections.registry.find(record.type).dialect.sql_name

    def _made(self, config_id: str, created_us: int, data: Mapping[str, Any], old_name: str) -> ConfigRecord:
        """A record of checked data."""
        body = self._checked(data)
        definition, source, target = self.resolve(body)
        name = str(body.get("name") or "").strip() or old_name or _name_of(definition, source, target)
        return ConfigRecord(
            config_id, created_us, _suffixed(name, config_id), definition.mode, definition.source_id,
            definition.target_id, body,
        )  # fmt: skip

    def _checked(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """The known members of the data; every wrong field, and every connection that is not there, in one error."""
        problems: dict[str, str] = {}
        try:
            body = as_sent(read_config(data))
        except InvalidError as exc:
            body, problems = dict(data), dict(exc.fields)
        later = is_later(data)
        source, target = ("source.connections[0].connectionId", "target.id") if later else ("source", "target")
        ends = ((source, _source_id(body)), (target, _target_id(body)))
        for field, connection_id in ends:
            if not any(name == field or field.startswith(f"{name}.") for name in problems):
                problems |= self._missing(field, connection_id)
        if not body.get("mode"):
            problems.setdefault("mode", f"is required: {MODE_WORDS}")
        if problems:
            raise invalid(problems)
        return body

    def _missing(self, field: str, connection_id: str) -> dict[str, str]:
        if not connection_id:
            return {field: "is required: the id of a connection"}
        try:
            self._connections.get(connection_id)
        except NotFoundError as exc:
            return {field: exc.message}
        return {}


def _suffix(config_id: str) -> str:
    return f"_{config_id[-SUFFIX_CHARACTERS:]}"


def _suffixed(name: str, config_id: str) -> str:
    suffix = _suffix(config_id)
    return name if name.endswith(suffix) else name[: MAX_NAME - len(suffix)] + suffix


def _name_of(definition: StreamDefinition, source: Endpoint, target: Endpoint) -> str:
    tables = definition.options.tables
    first = f"_{tables[0].name}" if tables else ""
    more = f"_and_{len(tables) - 1}_more" if len(tables) > 1 else ""
    return f"{source.spec.name}_to_{target.spec.name}{first}{more}"


def _unknown(config_id: str) -> NotFoundError:
    shown = config_id if is_id(config_id) else "of that id"
    return NotFoundError(f"there is no stream config {shown}", remedy="GET /stream-configs lists them")


def _source_id(body: Mapping[str, Any]) -> str:
    source = body.get("source")
    if not isinstance(source, Mapping):
        return str(source or "")
    connections = source.get("connections")
    first = connections[0] if isinstance(connections, list) and connections else None
    return str(first.get("connectionId") or "") if isinstance(first, Mapping) else ""


def _target_id(body: Mapping[str, Any]) -> str:
    target = body.get("target")
    return str(target.get("id") or "") if isinstance(target, Mapping) else str(target or "")
