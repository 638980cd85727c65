"""The plan of a config that need not be saved: the DDL of both sides, what stands in the way, how long it may take."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median

from mainstem.contract.store import StateStore, StreamRecord
from mainstem.control import preflight
from mainstem.control.configs import Understood
from mainstem.control.plans import looked
from mainstem.control.preflight import RoleFinding
from mainstem.control.progress import from_json
from mainstem.ddl.plan import build_plan
from mainstem.engine.endpoint import Endpoint
from mainstem.errors import MainstemError, NotFoundError, PlanError, SchemaConflictError, StatementError
from mainstem.model.names import TableId
from mainstem.model.plan import MigrationPlan, Phase
from mainstem.model.run import Mode, RunOptions, RunState
from mainstem.model.schema import Catalog

DEFAULT_BYTES_PER_SECOND = 20_000_000
"""What is reckoned with while no run has been measured."""
_ENOUGH_BYTES = 10_000_000  # a smaller run says more of its start than of its speed
_ENOUGH_SECONDS = 0.5
_RUNS = 5
_OF_A_RUN = (Phase.SEQUENCES, Phase.ANALYZE)  # what is set and counted once rows are there, and no structure
_OBSTACLES = (PlanError, SchemaConflictError, NotFoundError, StatementError)


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a first copy may take.

    Attributes:
        row_bytes, index_bytes: what the selected tables take in the source, whole; about what they will take in the
            target.
        runs: how many earlier runs the speed was taken from; 0: it is `DEFAULT_BYTES_PER_SECOND`.
        same_pair: those were between the same two connections.
    """

    rows: int
    row_bytes: int
    index_bytes: int
    seconds: float
    bytes_per_second: float
    runs: int
    same_pair: bool


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a start would do.

    Attributes:
        plan: None where there can be none, for the reason that ``obstacle`` tells.
        source_sql: source table → its DDL as the source would write it.
        existing: those of the target tables that are there already.
    """

    findings: list[RoleFinding]
    plan: MigrationPlan | None
    obstacle: MainstemError | None
    source_sql: Mapping[TableId, str]
    existing: frozenset[TableId]
    estimate: Estimate | None


def outlook(store: StateStore, meant: Understood) -> Outlook:
    """Look at both sides; nothing is touched.

    Raises:
        ConnectError: a side cannot be reached.
        InvalidError: something that was named is not there, or a side cannot be what it should.
    """
    source, target, options = meant.source, meant.target, meant.definition.options
    findings = preflight.look(source, target, options)
    try:
        planned = looked(source, target, options)
    except _OBSTACLES as exc:
        return Outlook(findings, None, exc, {}, frozenset(), None)
    written = source_sql(source, planned.catalog)
    sizes = _index_bytes(source, options)
    estimate = _estimate(planned.plan, sizes, _speeds(store, meant))
    return Outlook(findings, planned.plan, None, written, frozenset(planned.existing), estimate)


def source_sql(source: Endpoint, catalog: Catalog) -> dict[TableId, str]:
    """The DDL of the source's tables: of a plan from the source to itself, which is never carried out.

    Tables are left out where no such plan can be made.
    """
    with source.spec.inspector(source.settings) as inspector:
        dialect = inspector.target_dialect()
    if dialect is None or not catalog.tables:
        return {}
    schema = source.schema if source.spec.has_schemas else ""
    schemas = tuple(dict.fromkeys(table.id.schema for table in catalog.tables)) if schema else ()
    try:
        own = build_plan(
            catalog, RunOptions(source_schemas=schemas), source.spec.dialect, dialect, source.schema,
            source_schema=schema, apart=bool(schema),
        )  # fmt: skip
    except MainstemError:
        return {}
    return written(replace(own, statements=tuple(item for item in own.statements if item.phase not in _OF_A_RUN)))


def written(plan: MigrationPlan) -> dict[TableId, str]:
    """Target table → its statements, as a script."""
    found: dict[TableId, list[str]] = {}
    for statement in plan.statements:
        if statement.table is not None:
            found.setdefault(statement.table, []).append(f"{statement.sql};")
    return {table: "\n".join(lines) for table, lines in found.items()}


def _index_bytes(source: Endpoint, options: RunOptions) -> dict[TableId, int]:
    with source.spec.inspector(source.settings) as inspector:
        sizes = inspector.sizes(options.source_schemas if source.spec.has_schemas else ())
    return {size.table: size.index_bytes for size in sizes}


def _estimate(plan: MigrationPlan, index_bytes: Mapping[TableId, int], found: tuple[Sequence[float], bool]) -> Estimate:
    speeds, same_pair = found
    row_bytes = sum(table.bytes_estimate for table in plan.tables)
    speed = median(speeds) if speeds else float(DEFAULT_BYTES_PER_SECOND)
    return Estimate(
        rows=sum(table.rows_estimate for table in plan.tables),
        row_bytes=row_bytes,
        index_bytes=sum(index_bytes.get(table.source, 0) for table in plan.tables),
        seconds=row_bytes / speed,
        bytes_per_second=speed,
        runs=len(speeds),
        same_pair=same_pair,
    )


def _speeds(store: StateStore, meant: Understood) -> tuple[list[float], bool]:
    """Bytes per second of the newest finished copies; those between the same two connections, if there are any."""
    ended = [item for item in store.streams(states=(RunState.FINISHED,)) if item.mode != Mode.CDC]
    ends = (meant.definition.source_id, meant.definition.target_id)
    pair = _measured(item for item in ended if (item.source_id, item.target_id) == ends)
    return (pair, True) if pair else (_measured(ended), False)


def _measured(records: Iterable[StreamRecord]) -> list[float]:
    found = []
    for record in records:
        progress = from_json(record.progress)
        if progress.bytes_read >= _ENOUGH_BYTES and progress.elapsed_s >= _ENOUGH_SECONDS:
            found.append(progress.bytes_read / progress.elapsed_s)
        if len(found) == _RUNS:
            break
    return found
