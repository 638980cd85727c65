"""What a stream config means once its shape no longer matters."""

from __future__ import annotations

from dataclasses import dataclass

from mainstem.model.run import RunOptions

REPLICATION_RETRY_S = 86_400.0
"""For how long a replication tries a lost connection again when nobody says: alerts tell of it long before."""


@dataclass(frozen=True, slots=True)
class StreamDefinition:
    """Source, target and options of a stream.

    Attributes:
        mode: as sent (``convert``, ``load``, ``migrate``, all of which mean convert, or ``cdc``).
        source_id, target_id: connection ids; empty when the config names none.
        source_database, source_schema, target_database: used instead of the connection's own, if not empty.
        warnings: what was bent to fit.
    """

    mode: str
    source_id: str
    target_id: str
    options: RunOptions
    source_database: str = ""
    source_schema: str = ""
    target_database: str = ""
    warnings: tuple[str, ...] = ()
