"""What EXPLAIN says, as a tree.

Source: PostgreSQL manual, "EXPLAIN", FORMAT JSON.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from mainstem.connectors.postgres.console import PostgresConsole
from mainstem.contract.console import Console, Plan, PlanNode, RefusedError
from mainstem.contract.effects import Effect, Statement

_OWN = {
    "Node Type", "Plans", "Plan Rows", "Total Cost", "Actual Rows", "Actual Loops", "Actual Total Time", "Join Type",
    "Relation Name", "Alias", "Index Name", "Schema", "Parallel Aware", "Async Capable", "Parent Relationship",
    "Startup Cost", "Plan Width", "Operation", "Actual Startup Time",
}  # fmt: skip
_SHOWN_AT_ZERO = {"Rows Removed by Filter"}


def explain(console: Console, statement: Statement, *, analyze: bool, as_text: bool) -> Plan:
    """See `contract.console.ConsoleKit.explain`."""
    options = ["FORMAT TEXT" if as_text else "FORMAT JSON", *(["ANALYZE", "BUFFERS"] if analyze else [])]
    prefix = f"EXPLAIN ({', '.join(options)}) "
    asked = replace(statement, text=prefix + statement.text)
    undo = analyze and statement.effect is not Effect.READ and isinstance(console, PostgresConsole)
    try:
        if undo:
            _run(console, "BEGIN", statement)
        [result] = console.execute(asked)
        lines = [(row[0] or b"").decode() for row in result]
    except RefusedError as exc:
        at = exc.refusal.position
        raise RefusedError(replace(exc.refusal, position=None if at is None else max(0, at - len(prefix)))) from exc
    finally:
        if undo:
            _run(console, "ROLLBACK", statement)
    if as_text:
        return Plan("\n".join(lines), None)
    found = json.loads("\n".join(lines))
    return Plan(json.dumps(found, indent=2, ensure_ascii=False), tree(found[0]))


def _run(console: Console, sql: str, like: Statement) -> None:
    for result in console.execute(replace(like, text=sql)):
        list(result)


def tree(found: Mapping[str, Any]) -> PlanNode:
    """The tree of one statement's plan; the times that are told beside it are its root's facts."""
    root = _node(found["Plan"])
    times = [(name, _ms(found[name])) for name in ("Planning Time", "Execution Time") if name in found]
    return replace(root, facts=(*times, *root.facts))


def _node(plan: Mapping[str, Any]) -> PlanNode:
    loops = plan.get("Actual Loops")
    return PlanNode(
        _title(plan),
        tuple(
            (name, _shown(value))
            for name, value in plan.items()
            if name not in _OWN and (value or name in _SHOWN_AT_ZERO) and not isinstance(value, dict)
        ),
        plan.get("Plan Rows"),
        plan.get("Total Cost"),
        loops,
        None if loops is None else plan.get("Actual Rows", 0) * loops,
        None if loops is None or "Actual Total Time" not in plan else plan["Actual Total Time"] * loops,
        tuple(_node(child) for child in plan.get("Plans", ())),
    )


def _title(plan: Mapping[str, Any]) -> str:
    title = str(plan.get("Operation") or plan["Node Type"])
    join = plan.get("Join Type")
    if join and join != "Inner":
        title = f"{title} ({join})"
    if "Index Name" in plan:
        title += f" using {plan['Index Name']}"
    name = plan.get("Relation Name") or plan.get("CTE Name") or plan.get("Function Name")
    if name:
        title += f" on {name}"
    alias = plan.get("Alias")
    return f"{title} {alias}" if alias and alias != name else title


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(_shown(item) for item in value if not isinstance(item, dict))
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)


def _ms(value: Any) -> str:
    return f"{float(value):.3f} ms"
