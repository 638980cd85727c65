"""A stream config as clients send it, in either shape: `EarlyConfig` (flat) and `LaterConfig` (nested).

Unknown members are ignored. What is stored and sent back is what was sent, as far as it is known here.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

from mainstem.control.validation import FilledLine, FilledText, Line, LongLine, Text, check
from mainstem.model.run import (
    MAX_PARTITIONS,
    ChangeErrorPolicy,
    DeniedPolicy,
    NulPolicy,
    RowErrorPolicy,
    SchemaChangePolicy,
    SchemaPolicy,
    SnapshotPolicy,
    SpecialValuePolicy,
    WriteMode,
    ZeroDatePolicy,
)

MAX_COUNT = 2**63 - 1
MAX_SECONDS = 10 * 365 * 86_400
MAX_TABLES = 10_000
MAX_SERVER_ID = 2**32 - 1
CONVERT = "convert"
CDC = "cdc"
MODE_WORDS = "convert (or load, or migrate), or cdc"
_MODES = frozenset({CONVERT, "load", "migrate", CDC})


class StructureWord(StrEnum):
    """The older way to say of one part of the structure what became ``schemaPolicy``."""

    CREATE = "create_if_not_exists"
    FAIL = "fail_if_exists"
    DISABLED = "disabled"


class Operation(StrEnum):
    """Kinds of change; mode convert reads rows only, and ignores them. DELETE means TRUNCATE too."""

    INSERT = "insert"
    UPDATE = "update"
    DELETE = "delete"
    TRUNCATE = "truncate"


class Flavor(StrEnum):
    """How older clients tell the system of a source; it is asked of the server itself."""

    MYSQL = "mysql"
    MARIADB = "mariadb"


def _mode(value: object) -> object:
    word = value.strip().lower() if isinstance(value, str) else value
    if not isinstance(word, str) or word not in _MODES:
        raise ValueError(f"must be {MODE_WORDS}")
    return word


def _folded(value: object) -> object:
    return value.strip().lower() if isinstance(value, str) else value


def _number(value: object) -> object:
    """Numbers may come as text, as forms send them; true and false are no numbers."""
    if isinstance(value, bool):
        raise ValueError("must be a whole number")
    return value


def _flag_or_word(value: object) -> object:
    word = _folded(value)
    if isinstance(word, bool):
        return word
    if isinstance(word, str) and word in set(StructureWord):
        return StructureWord(word)
    raise ValueError("must be true, false, create_if_not_exists, fail_if_exists or disabled")


def web_address(value: str) -> str:
    """The address as it is, if alerts can be sent there; else ValueError.

    A login in it would be shown to whoever reads the config.
    """
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must be a URL that begins with http:// or https://")
    if parts.username or parts.password:
        raise ValueError("must not hold a login")
    return value


Mode = Annotated[str, BeforeValidator(_mode)]
Count = Annotated[int, BeforeValidator(_number), Field(ge=0, le=MAX_COUNT)]
Seconds = Annotated[int, BeforeValidator(_number), Field(ge=0, le=MAX_SECONDS)]
Bundle = Annotated[int, BeforeValidator(_number), Field(ge=10, le=1000)]
AnyBundle = Annotated[int, BeforeValidator(_number), Field(ge=1, le=MAX_COUNT)]
Interval = Annotated[int, BeforeValidator(_number), Field(ge=0, le=86_400)]
Jobs = Annotated[int, BeforeValidator(_number), Field(ge=1, le=32)]
Partitions = Annotated[int, BeforeValidator(_number), Field(ge=1, le=MAX_PARTITIONS)]
Megabytes = Annotated[int, BeforeValidator(_number), Field(ge=1, le=65_536)]
Names = Annotated[list[FilledLine], Field(max_length=MAX_TABLES)]
LongNames = Annotated[list[LongLine], Field(max_length=MAX_TABLES)]
Renames = Annotated[dict[LongLine, FilledLine], Field(max_length=MAX_TABLES)]
Conditions = Annotated[dict[LongLine, FilledText], Field(max_length=MAX_TABLES)]
FlagOrWord = Annotated[bool | StructureWord, BeforeValidator(_flag_or_word)]
Policy = Annotated[SchemaPolicy, BeforeValidator(_folded)]
Writing = Annotated[WriteMode, BeforeValidator(_folded)]
Operations = list[Annotated[Operation, BeforeValidator(_folded)]]
ServerId = Annotated[int, BeforeValidator(_number), Field(ge=1, le=MAX_SERVER_ID)]
WebAddress = Annotated[Line, AfterValidator(web_address)]


class Part(BaseModel):
    """What all parts share: camelCase outside, unknown members ignored, absent and null mean the default."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="ignore")


def _with_examples(*examples: dict[str, Any]) -> ConfigDict:
    """What a model's description shows."""
    return ConfigDict(json_schema_extra={"examples": list(examples)})


class Limits(Part):
    """The run ends at whichever is reached first; 0 is unlimited."""

    number_of_events: Count | None = None
    number_of_events_v1: Count | None = Field(default=None, alias="numberOfevents")
    elapsed_time: Seconds | None = None

    @property
    def rows(self) -> int:
        """The limit of rows, in whichever spelling it came."""
        return self.number_of_events or self.number_of_events_v1 or 0


class RowErrors(Part):
    """What to do with rows that the target cannot hold, and how many may be put aside."""

    policy: Annotated[RowErrorPolicy, BeforeValidator(_folded)] | None = None
    limit: Count | None = None


class StructureParts(Part):
    """Parts of the structure that are made on the target."""

    tables: FlagOrWord | None = None
    indexes: FlagOrWord | None = None
    foreign_keys: FlagOrWord | None = None
    check_constraints: FlagOrWord | None = None
    views: FlagOrWord | None = None


class OfCdc(Part):
    """Members of both shapes that are Mainstem's own and mean something in mode cdc only."""

    snapshot: Annotated[SnapshotPolicy, BeforeValidator(_folded)] | None = None
    position: FilledText | None = None
    soft_delete: FilledLine | None = None
    on_change_error: Annotated[ChangeErrorPolicy, BeforeValidator(_folded)] | None = None
    schema_changes: Annotated[SchemaChangePolicy, BeforeValidator(_folded)] | None = None
    max_lag_seconds: Seconds | None = None
    max_silence_seconds: Seconds | None = None
    alert_url: WebAddress | None = None
    server_id: ServerId | None = None
    lock_timeout_seconds: Seconds | None = None
    partitions: Partitions | None = None


class Ours(OfCdc):
    """Members of both shapes that are Mainstem's own."""

    exclude: Names | None = None
    row_errors: RowErrors | None = None
    zero_dates: Annotated[ZeroDatePolicy, BeforeValidator(_folded)] | None = None
    nul_text: Annotated[NulPolicy, BeforeValidator(_folded)] | None = None
    special_values: Annotated[SpecialValuePolicy, BeforeValidator(_folded)] | None = None
    denied: Annotated[DeniedPolicy, BeforeValidator(_folded)] | None = None
    type_overrides: dict[FilledLine, FilledLine] | None = None
    renames: Renames | None = None
    exclude_columns: LongNames | None = None
    where: Conditions | None = None
    source_schemas: Names | None = None
    schema_names: Renames | None = None
    jobs: Jobs | None = None
    memory_mb: Megabytes | None = None
    retry_seconds: Seconds | None = None


class Wishes(Part):
    """What a table of the selection may have in both shapes.

    ``target`` is its name there, ``renames`` are those of columns, ``where`` is a condition in the source's SQL,
    ``operations`` are the changes that are applied in mode cdc (none: those of the whole stream).
    """

    name: FilledLine
    target: FilledLine | None = None
    renames: Renames | None = None
    exclude_columns: Names | None = None
    where: FilledText | None = None
    operations: Operations | None = None


class EarlyTable(Wishes):
    """A table of the selection; with ``query`` the name is the target table's."""

    query: Text | None = None
    columns: Names | None = None
    skip_index_creation: bool | None = None
    no_create_indexes: bool | None = None


class EarlyFilter(Part):
    """Where the oldest configs kept their tables."""

    tables: Annotated[list[EarlyTable], Field(max_length=MAX_TABLES)] | None = None


class ReportingIntervals(Part):
    """Seconds between progress lines; 0 is none."""

    source: Interval | None = None
    target: Interval | None = None


class EarlySettings(Part):
    """What the oldest configs say of the source's log."""

    replication_slot_name: FilledLine | None = None
    publication_name: FilledLine | None = None
    flavor: Annotated[Flavor, BeforeValidator(_folded)] | None = None


class EarlyConfig(Ours, EarlySettings):
    """The flat shape: ``source`` and ``target`` are connection ids."""

    model_config = _with_examples(
        {"name": "move", "source": "conn_…", "target": "conn_…", "mode": "convert", "tables": [{"name": "orders"}]},
        {
            "name": "replica", "source": "conn_…", "target": "conn_…", "mode": "cdc",
            "tables": [{"name": "orders", "operations": ["insert", "update"]}], "onChangeError": "quarantine",
            "maxLagSeconds": 60, "alertUrl": "https://hooks.example.com/mainstem",
        },
    )  # fmt: skip

    name: Line | None = None
    source: Line | None = None
    target: Line | None = None
    mode: Mode | None = None
    data_bundle_size: Bundle | None = None
    reporting_intervals: ReportingIntervals | None = None
    reporting_interval: Interval | None = None
    create_structure: bool | None = None
    skip_index_creation: bool | None = None
    no_create_tables: bool | None = None
    no_create_indexes: bool | None = None
    structure_options: StructureParts | None = None
    schema_policy: Policy | None = None
    write_mode: Writing | None = None
    skip_data: bool | None = None
    tables: Annotated[list[EarlyTable], Field(max_length=MAX_TABLES)] | None = None
    filter: EarlyFilter | None = None
    operations: Operations | None = None
    settings: EarlySettings | None = None
    limits: Limits | None = None


class Filter(Part):
    """A condition on one column; ``value`` is text, a number, or a list for IN and BETWEEN (see `filters`)."""

    id: Any = None
    column: FilledLine
    operator: Line = "="
    value: Any = None


class Sort(Part):
    """An order, which a copy of a whole table does not need."""

    column: Line | None = None
    direction: Line | None = None


class Selection(Part):
    """Columns and rows of a table that are wanted."""

    selected_columns: Names | None = None
    filters: Annotated[list[Filter], Field(max_length=1000)] | None = None
    sorts: list[Sort] | None = None
    limit: Count | None = None


class LaterTable(Wishes):
    """A table of the selection."""

    selection: Selection | None = None
    skip_index_creation: bool | None = None


class LaterQuery(Part):
    """A SELECT whose rows become the target table ``name``."""

    name: FilledLine
    query: FilledText


class LaterConnection(Part):
    """One source connection with what is read from it."""

    alias: Line | None = None
    connection_id: Line | None = None
    database: Line | None = None
    schema_name: Line | None = Field(default=None, alias="schema")
    tables: Annotated[list[LaterTable], Field(max_length=MAX_TABLES)] | None = None
    queries: Annotated[list[LaterQuery], Field(max_length=MAX_TABLES)] | None = None
    s3: dict[str, Any] | None = None
    files: dict[str, Any] | None = None


class SourceOptions(Part):
    """How the source is read."""

    data_bundle_size: AnyBundle | None = None
    operations: Operations | None = None
    replication_slot: FilledLine | None = None
    publication_name: FilledLine | None = None
    binlog_position: FilledText | None = None


class LaterSource(Part):
    """The sources; exactly one connection is supported."""

    connections: list[LaterConnection] = Field(min_length=1)
    options: SourceOptions | None = None


class DatabaseTarget(Part):
    """How a database is written."""

    database: Line | None = None
    schema_name: Line | None = Field(default=None, alias="schema")
    structure_options: StructureParts | None = None
    schema_policy: Policy | None = None
    write_mode: Writing | None = None
    skip_data: bool | None = None
    skip_index_creation: bool | None = None


class LaterSpec(Part):
    """What kind of target it is; only ``db`` is supported."""

    db: DatabaseTarget | None = None
    database: DatabaseTarget | None = None
    files: dict[str, Any] | None = None
    s3: dict[str, Any] | None = None
    gcs: dict[str, Any] | None = None
    azure: dict[str, Any] | None = None
    snowflake: dict[str, Any] | None = None


class LaterTarget(Part):
    """The target connection."""

    id: Line | None = None
    spec: LaterSpec | None = None


class LaterConfig(Ours):
    """The nested shape."""

    model_config = _with_examples(
        {
            "name": "replica", "mode": "cdc",
            "source": {
                "connections": [{"connectionId": "conn_…", "tables": [{"name": "orders"}]}],
                "options": {"operations": ["insert", "update", "delete"], "replicationSlot": "mine"},
            },
            "target": {"id": "conn_…", "spec": {"db": {"schema": "public", "schemaPolicy": "create_missing_only"}}},
        },
    )  # fmt: skip

    name: Line | None = None
    description: Text | None = None
    mode: Mode | None = None
    reporting_interval: Interval | None = None
    source: LaterSource
    target: LaterTarget
    limits: Limits | None = None


def is_later(data: Mapping[str, Any]) -> bool:
    """Whether a config is of the later shape: its source or target is an object."""
    return isinstance(data.get("source"), Mapping) or isinstance(data.get("target"), Mapping)


def read_config(data: Mapping[str, Any]) -> EarlyConfig | LaterConfig:
    """Check a config of either shape; `InvalidError` names every field that is wrong."""
    return check(LaterConfig, data) if is_later(data) else check(EarlyConfig, data)


def as_sent(config: EarlyConfig | LaterConfig) -> dict[str, Any]:
    """The members that were sent and are known, as JSON in the shape that was sent."""
    return config.model_dump(mode="json", by_alias=True, exclude_unset=True)
