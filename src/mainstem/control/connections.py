"""Saved connections: make, change, copy, forget, and turn into settings that a connector can use."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from mainstem.contract.registry import Registry
from mainstem.contract.spec import ConnectorSpec
from mainstem.contract.store import ConfigRecord, ConnectionRecord, StateStore, StreamRecord
from mainstem.contract.tls import check_ssl
from mainstem.control.clock import now_us
from mainstem.control.connection_body import SSL_FILES, ConnectionBody, SslBody, read_body, settings_of, ssl_files
from mainstem.control.secrets import SecretBox
from mainstem.control.states import ACTIVE
from mainstem.control.validation import invalid
from mainstem.engine.conversion import Endpoint
from mainstem.errors import ConflictError, NotFoundError
from mainstem.model.connection import ConnectionSettings, SslMode, SslSettings
from mainstem.model.ids import CONNECTION, is_id, new_id
from mainstem.model.run import RunState

_MASKED = re.compile(r"[*•]{4,}")
_USING = (RunState.RUNNING, RunState.PAUSED)


class Connections:
    """The saved connections of a store. Secrets are sealed before they are stored and opened only for a connector."""

    def __init__(self, store: StateStore, box: SecretBox, registry: Registry) -> None:
        self._store = store
        self._box = box
        self.registry = registry

    def all(self) -> list[ConnectionRecord]:
        """All of them, oldest first."""
        return self._store.connections()

    def get(self, connection_id: str) -> ConnectionRecord:
        """One; `NotFoundError` if there is none."""
        record = self._store.connection(connection_id) if is_id(connection_id) else None
        if record is None:
            raise _unknown(connection_id)
        return record

    def create(self, data: Mapping[str, Any]) -> ConnectionRecord:
        """Save a new one; names need not be unique. `InvalidError` names every field that is wrong."""
        body = read_body(data, self.registry, required=("name", "type", "host", "username"))
        spec = self.registry.find(body.type or "")
        empty = ConnectionRecord(new_id(CONNECTION), now_us(), "", "", "", "", spec.default_port, "", "", "", "")
        record = self._merge(empty, body, password=body.password or "")
        self._store.add_connection(record)
        return record

    def update(self, connection_id: str, data: Mapping[str, Any]) -> ConnectionRecord:
        """Replace the members that are given. A missing, empty or masked password keeps the stored one."""
        changed = self._changed(self.get(connection_id), data)
        if not self._store.put_connection(changed):
            raise _unknown(connection_id)
        return changed

    def tried(self, data: Mapping[str, Any]) -> ConnectionSettings:
        """The settings that unsaved data stand for; with the ``id`` of a saved one, what is absent is taken from that.

        Raises:
            InvalidError: naming every field that is wrong; `NotFoundError` for an id that is none.
        """
        if not data.get("id"):
            return settings_of(data, self.registry)
        record = self.get(str(data["id"]))
        return self.settings(self._changed(record, data))

    def uses(self, connection_id: str) -> tuple[list[ConfigRecord], list[StreamRecord]]:
        """What names a connection: configs, and streams that are active."""
        self.get(connection_id)
        configs = [item for item in self._store.configs() if connection_id in (item.source_id, item.target_id)]
        streams = self._store.streams(states=ACTIVE)
        return configs, [item for item in streams if connection_id in (item.source_id, item.target_id)]

    def clone(self, connection_id: str) -> ConnectionRecord:
        """A copy with its secrets, a new id, and ``copy`` after its name."""
        record = self.get(connection_id)
        copy_id = new_id(CONNECTION)
        sealed = {
            field: self._box.seal(self._box.open(text, record.id, field), copy_id, field)
            for field, text in record.secrets.items()
        }
        copy = replace(record, id=copy_id, created_us=now_us(), name=f"{record.name} copy"[:255], secrets=sealed)
        self._store.add_connection(copy)
        return copy

    def delete(self, connection_id: str) -> None:
        """Forget one; `ConflictError` while a stream uses it. Configs that name it stay, and cannot start."""
        self.get(connection_id)
        self._check_unused({connection_id})
        if not self._store.delete_connection(connection_id):
            raise _unknown(connection_id)

    def delete_all(self) -> int:
        """Forget all of them, or none if a stream uses one; returns how many there were."""
        ids = {record.id for record in self.all()}
        self._check_unused(ids)
        return sum(self._store.delete_connection(connection_id) for connection_id in ids)

    def settings(self, record: ConnectionRecord) -> ConnectionSettings:
        """What a connector needs, secrets opened."""
        opened = {field: self._box.open(text, record.id, field) for field, text in record.secrets.items()}
        mode = SslMode(record.ssl_mode) if record.ssl_mode else SslMode.DISABLED
        return ConnectionSettings(
            type=record.type,
            host=record.host,
            port=record.port,
            username=record.username,
            password=opened.get("password", b"").decode(),
            database=record.database,
            schema=record.schema,
            ssl=SslSettings(mode, *(opened.get(f"ssl.{name}", b"") for name in SSL_FILES)),
            name=record.name,
        )

    def endpoint(self, connection_id: str, *, database: str = "", schema: str = "") -> Endpoint:
        """A system to run on, with another database or schema than the saved one if given."""

        def fresh() -> ConnectionSettings:
            settings = self.settings(self.get(connection_id))
            return replace(settings, database=database or settings.database, schema=schema or settings.schema)

        settings = fresh()
        return Endpoint(self.registry.find(settings.type), settings, fresh)

    def _changed(self, record: ConnectionRecord, data: Mapping[str, Any]) -> ConnectionRecord:
        body = read_body(data, self.registry)
        password = body.password if body.password and not _MASKED.fullmatch(body.password) else None
        return self._merge(record, body, password=password)

    def _merge(self, record: ConnectionRecord, body: ConnectionBody, password: str | None) -> ConnectionRecord:
        spec = self.registry.find(body.type or record.type)
        ssl_mode, secrets = self._merge_ssl(record, body)
        if password is not None:
            secrets.pop("password", None)
        if password:
            secrets["password"] = self._box.seal(password.encode(), record.id, "password")
        merged = ConnectionRecord(
            id=record.id,
            created_us=record.created_us,
            name=body.name if body.name is not None else record.name,
            type=spec.name,
            flavor=_flavor(spec, body.type) if body.type else record.flavor,
            host=body.host if body.host is not None else record.host,
            port=body.port or self._port(record, spec),
            username=body.username if body.username is not None else record.username,
            database=body.database if body.database is not None else record.database,
            schema=_schema(record, body, spec),
            ssl_mode=ssl_mode,
            secrets=secrets,
            read_only=record.read_only if body.read_only is None else body.read_only,
        )
        problems = check_ssl(self.settings(merged).ssl)  # what was stored before and what came now go together
        if problems:
            raise invalid(problems)
        return merged

    def _port(self, record: ConnectionRecord, spec: ConnectorSpec) -> int:
        """The stored port, unless it was the default of another type."""
        if record.type in {"", spec.name} or record.port != self.registry.find(record.type).default_port:
            return record.port
        return spec.default_port

    def _merge_ssl(self, record: ConnectionRecord, body: ConnectionBody) -> tuple[str, dict[str, str]]:
        """Absent or empty files stay; null takes one away, and ``ssl: null`` all of it."""
        secrets = dict(record.secrets)
        if "ssl" not in body.model_fields_set:
            return record.ssl_mode, secrets
        ssl = body.ssl or SslBody(mode=SslMode.DISABLED, ca=None, client_cert=None, client_key=None)
        for name, file in ssl_files(ssl).items():
            field = f"ssl.{name}"
            if isinstance(file, bytes):
                secrets[field] = self._box.seal(file, record.id, field)
            elif file is None and name in ssl.model_fields_set:
                secrets.pop(field, None)
        return (ssl.mode.value if "mode" in ssl.model_fields_set or not record.ssl_mode else record.ssl_mode), secrets

    def _check_unused(self, ids: set[str]) -> None:
        using = [s for s in self._store.streams(states=_USING) if {s.source_id, s.target_id} & ids]
        if using:
            names = ", ".join(stream.id for stream in using[:10])
            raise ConflictError(
                f"the connection is in use by {names}",
                remedy="stop the stream first",
                field="stream_state",
                stream=names,
            )


def _flavor(spec: ConnectorSpec, sent: str) -> str:
    name = sent.strip().lower()
    return name if name in spec.flavors else ""


def _schema(record: ConnectionRecord, body: ConnectionBody, spec: ConnectorSpec) -> str:
    if not spec.has_schemas:
        return ""
    if body.schema_ is not None:
        return body.schema_ or spec.default_schema
    return record.schema or spec.default_schema


def _unknown(connection_id: str) -> NotFoundError:
    shown = connection_id if is_id(connection_id) else "of that id"
    return NotFoundError(f"there is no connection {shown}", remedy="GET /connections lists them")
