"""`StateStore`: what the control plane remembers. It never sees a secret in the clear, and never decides anything.

All methods block, may be called from any thread, and are one transaction each. Times are UTC microseconds since 1970.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from mainstem.contract.fleet import Lease
from mainstem.model.event import Event
from mainstem.model.run import RunState


@dataclass(frozen=True, slots=True)
class ConnectionRecord:
    """A saved connection.

    Attributes:
        type: the connector's canonical name; ``flavor``: the alias that was sent instead, or empty.
        ssl_mode: empty when no ``ssl`` member was ever sent.
        read_only: SQL that users write must change nothing there.
        secrets: field (``password``, ``ssl.ca``, ``ssl.client_cert``, ``ssl.client_key``) to ciphertext.
    """

    id: str
    created_us: int
    name: str
    type: str
    flavor: str
    host: str
    port: int
    username: str
    database: str
    schema: str
    ssl_mode: str
    secrets: dict[str, str] = field(default_factory=dict, repr=False)
    read_only: bool = False


@dataclass(frozen=True, slots=True)
class ConfigRecord:
    """A saved stream config; ``body`` is what the user sent, checked, in the shape that was sent."""

    id: str
    created_us: int
    name: str
    mode: str
    source_id: str
    target_id: str
    body: dict[str, Any]


@dataclass(frozen=True, slots=True)
class StreamRecord:
    """One run of a config.

    Attributes:
        body: the config's body as it was at the start; a resume uses it even if the config has changed since.
        progress: `model.run.Progress` as JSON, as last saved.
        message: what a reader of the list should know (why it is paused), or empty.
    """

    id: str
    created_us: int
    config_id: str
    config_name: str
    mode: str
    source_id: str
    target_id: str
    body: dict[str, Any]
    state: RunState
    progress: dict[str, Any] = field(default_factory=dict)
    error: str = ""
    error_code: str = ""
    remedy: str = ""
    message: str = ""
    started_us: int = 0
    finished_us: int = 0


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line of a stream's log; ``number`` grows with each line of the store."""

    number: int
    stream_id: str
    event: Event


@dataclass(frozen=True, slots=True)
class ApiKeyRecord:
    """An API key, of which only the SHA-256 of its text and its last four characters are kept; 0 is "not revoked"."""

    id: str
    created_us: int
    name: str
    digest: str = field(repr=False)
    last_four: str
    revoked_us: int = 0


@dataclass(frozen=True, slots=True)
class QueryRecord:
    """SQL that a user ran.

    Attributes:
        number: grows with each; 0 before it is saved.
        status: ``ok``, ``failed``, ``cancelled`` or ``timeout``.
        rows: how many were returned, or changed.
    """

    at_us: int
    connection_id: str
    connection_name: str
    database: str
    query: str = field(repr=False)
    status: str
    error: str
    duration_ms: int
    rows: int
    number: int = 0


@dataclass(frozen=True, slots=True)
class Voucher:
    """Something that is good once, for a while, on any server of the store: a sign-in ticket, a file asked for.

    Attributes:
        value: what the taker gets; sealed by the writer where it may hold a secret.
    """

    kind: str
    id: str
    value: str = field(repr=False)


class StateStore(Protocol):
    """Where connections, configs, streams, logs, keys and a few settings live."""

    @property
    def away(self) -> tuple[type[Exception], ...]:
        """What all methods raise while the store cannot be reached; what was to be written may be there or not."""
        ...

    @property
    def is_shared(self) -> bool:
        """Whether several servers may use this store at once."""
        ...

    def claim(self) -> None:
        """Be a server of this store until `close` or the end of the process.

        `ConflictError` if another one has it to itself.
        """
        ...

    def close(self) -> None:
        """Let go of everything."""
        ...

    def ready(self) -> None:
        """Raise unless the store answers."""
        ...

    def add_connection(self, record: ConnectionRecord) -> None:
        """Save a new connection."""
        ...

    def connections(self) -> list[ConnectionRecord]:
        """All of them, oldest first."""
        ...

    def connection(self, connection_id: str) -> ConnectionRecord | None:
        """One, or None."""
        ...

    def put_connection(self, record: ConnectionRecord) -> bool:
        """Replace the one of the same id; False if there is none."""
        ...

    def delete_connection(self, connection_id: str) -> bool:
        """Forget one; False if there is none."""
        ...

    def add_config(self, record: ConfigRecord) -> None:
        """Save a new config."""
        ...

    def configs(self) -> list[ConfigRecord]:
        """All of them, oldest first."""
        ...

    def config(self, config_id: str) -> ConfigRecord | None:
        """One, or None."""
        ...

    def put_config(self, record: ConfigRecord) -> bool:
        """Replace the one of the same id; False if there is none."""
        ...

    def delete_config(self, config_id: str) -> bool:
        """Forget one; its streams stay. False if there is none."""
        ...

    def add_stream(self, record: StreamRecord) -> None:
        """Save a new stream."""
        ...

    def streams(self, *, config_id: str = "", states: Sequence[RunState] = ()) -> list[StreamRecord]:
        """Streams, newest first; of one config or in some states only if given."""
        ...

    def stream(self, stream_id: str) -> StreamRecord | None:
        """One, or None."""
        ...

    def put_stream(self, record: StreamRecord, lease: Lease | None = None) -> bool:
        """Replace the one of the same id; False if there is none, or another has taken over the lease that is named."""
        ...

    def save_progress(self, stream_id: str, progress: dict[str, Any], lease: Lease | None = None) -> bool:
        """Replace only the progress; False as with `put_stream`."""
        ...

    def newest_streams(self) -> list[tuple[StreamRecord, int]]:
        """The newest stream of each config, with how many the config has; newest first."""
        ...

    def save_timeline(self, stream_id: str, timeline: dict[str, Any]) -> None:
        """Replace what is kept of a stream's course over time (`control.timeline`)."""
        ...

    def timeline(self, stream_id: str) -> dict[str, Any]:
        """What was saved last; empty if nothing was."""
        ...

    def delete_stream(self, stream_id: str) -> bool:
        """Forget one with its log and timeline; False if there is none."""
        ...

    def append_logs(self, lines: Sequence[tuple[str, Event]], *, keep: int, keep_troubles: int = 0) -> None:
        """Add (stream id, event) pairs; of each stream named, the newest ``keep`` lines stay.

        So do the newest ``keep_troubles`` warnings and errors, however many other lines came after them.
        """
        ...

    def logs(
        self,
        stream_id: str,
        *,
        levels: Sequence[str] = (),
        limit: int = 1000,
        after: int | None = None,
        before: int | None = None,
    ) -> list[LogLine]:
        """Lines of a stream (of all for an empty id), oldest first; of some levels only if given.

        The newest of all (or of those whose number is below ``before``); with ``after``, the oldest above that number.
        """
        ...

    def log_begin(self, stream_id: str, keep: int) -> int:
        """The number from which on there are ``keep`` lines of a stream; 0 when it has fewer, and all are there."""
        ...

    def log_end(self) -> int:
        """The number of the newest line of all; 0 when there is none. A line that comes later has a higher one."""
        ...

    def add_key(self, record: ApiKeyRecord) -> None:
        """Save a new API key."""
        ...

    def api_keys(self) -> list[ApiKeyRecord]:
        """All of them, revoked ones too, oldest first."""
        ...

    def revoke_key(self, key_id: str, at_us: int) -> bool:
        """Mark one as revoked; False if there is none that still counts."""
        ...

    def add_query(self, record: QueryRecord, *, keep: int) -> None:
        """Save what a user ran; only the newest ``keep`` stay."""
        ...

    def queries(
        self, *, search: str = "", connection_id: str = "", limit: int = 100, before: int | None = None
    ) -> list[QueryRecord]:
        """What users ran, newest first; only that with a text in it, of a connection, or before a number, if given."""
        ...

    def clear_queries(self) -> int:
        """Forget what users ran; returns how much there was."""
        ...

    def set_setting(self, name: str, value: str) -> None:
        """Save a setting in place of what was there."""
        ...

    def setting(self, name: str) -> str | None:
        """A small value of the server's own, or None."""
        ...

    def setdefault(self, name: str, value: str) -> str:
        """Save a setting unless it is there; returns what is there now."""
        ...

    def add_voucher(self, voucher: Voucher, *, lasts_s: float, most: int) -> None:
        """Save one, good for so many seconds, in place of that of its kind and id.

        Of its kind, the newest ``most`` that are still good stay.
        """
        ...

    def vouchers(self, kind: str) -> list[Voucher]:
        """All of a kind that are good, oldest first."""
        ...

    def voucher(self, kind: str, voucher_id: str) -> Voucher | None:
        """One, which stays; None when there is none that is good."""
        ...

    def take_voucher(self, kind: str, voucher_id: str) -> Voucher | None:
        """One, which is gone by it: of all who ask for it, on whichever server, one gets it, and only if it is good."""
        ...
