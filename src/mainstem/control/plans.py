"""What a start would do, by mode."""

from __future__ import annotations

from mainstem.engine.endpoint import Endpoint
from mainstem.engine.planner import Planned, look
from mainstem.model.plan import MigrationPlan
from mainstem.model.run import Mode, RunOptions


def plan_of(source: Endpoint, target: Endpoint, options: RunOptions) -> MigrationPlan:
    """The plan of `looked`."""
    return looked(source, target, options).plan


def looked(source: Endpoint, target: Endpoint, options: RunOptions) -> Planned:
    """The plan of a copy, or of a replication's first copy, with what it was made from. Raises as `planner.look`."""
    if options.mode is Mode.CDC:
        from mainstem.engine.handover import plan_options  # with all that a replication needs

        options = plan_options(options)
    return look(source, target, options)
