"""A migration plan as the ledger keeps it."""

from __future__ import annotations

import json
from dataclasses import asdict

from mainstem.model.plan import MigrationPlan


def plan_to_json(plan: MigrationPlan) -> str:
    """A plan as the ledger keeps it."""
    return json.dumps(asdict(plan))


def plan_from_json(text: str) -> MigrationPlan:
    """The plan that `plan_to_json` wrote. Its parser is loaded only here: a first start does without it."""
    from pydantic import TypeAdapter

    return TypeAdapter(MigrationPlan).validate_json(text)
