"""What EXPLAIN says, as a tree.

Source: MySQL manual, "EXPLAIN"; MariaDB manual, "EXPLAIN FORMAT=JSON", "ANALYZE FORMAT=JSON".
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from mainstem.connectors.mysql import client
from mainstem.connectors.mysql.console import MysqlConsole
from mainstem.contract.console import Console, Plan, PlanNode, RefusedError
from mainstem.contract.effects import Effect, Statement
from mainstem.errors import InvalidError

_OWN = {
    "rows",
    "rows_examined_per_scan",
    "r_rows",
    "r_loops",
    "r_total_time_ms",
    "r_table_time_ms",
    "r_other_time_ms",
    "table_name",
    "access_type",
}
_FLAT = {"cost_info", "r_engine_stats"}
_PREFIX = {
    # (flavour is MariaDB, analyze, as text)
    (True, False, False): "EXPLAIN FORMAT=JSON ",
    (True, False, True): "EXPLAIN EXTENDED ",
    (True, True, False): "ANALYZE FORMAT=JSON ",
    (True, True, True): "ANALYZE ",
    (False, False, False): "EXPLAIN FORMAT=JSON ",
    (False, False, True): "EXPLAIN FORMAT=TREE ",
    (False, True, False): "EXPLAIN ANALYZE ",
    (False, True, True): "EXPLAIN ANALYZE ",
}
_ACCESS = {
    "ALL": "Full scan", "index": "Index scan", "range": "Range scan", "ref": "Lookup", "eq_ref": "Unique lookup",
    "const": "One row", "system": "One row", "fulltext": "Full-text search", "ref_or_null": "Lookup, or NULL",
    "index_merge": "Several indexes",
}  # fmt: skip


def explain(console: Console, statement: Statement, *, analyze: bool, as_text: bool) -> Plan:
    """See `contract.console.ConsoleKit.explain`. Only what reads can be analyzed: not every engine undoes changes."""
    if analyze and statement.effect is not Effect.READ:
        raise InvalidError(
            "the statement would be run, and not every storage engine can undo what it changes",
            fields={"analyze": "is only possible for statements that read"},
            remedy="explain it without analyze",
        )
    mariadb = isinstance(console, MysqlConsole) and client.flavor(console.connection) == "mariadb"
    prefix = _PREFIX[mariadb, analyze, as_text]
    try:
        [result] = console.execute(replace(statement, text=prefix + statement.text))
        rows = [[(cell or b"NULL").decode("utf-8", "replace") for cell in row] for row in result]
    except RefusedError as exc:
        at = exc.refusal.position
        raise RefusedError(replace(exc.refusal, position=None if at is None else max(0, at - len(prefix)))) from exc
    text = rows[0][0] if len(result.names) == 1 else _grid([list(result.names), *rows])
    found = None if as_text or not text.startswith("{") else json.loads(text)
    return Plan(text, None if found is None else tree(found))


def tree(found: Mapping[str, Any]) -> PlanNode:
    """The tree of a plan; where there is one block, that is the root."""
    top = _node("statement", found)
    return top.children[0] if len(top.children) == 1 and not top.facts else top


def _node(name: str, value: Mapping[str, Any]) -> PlanNode:
    loops = value.get("r_loops")
    rows = value.get("r_rows")
    return PlanNode(
        _title(name, value),
        tuple(_facts(value)),
        value.get("rows", value.get("rows_examined_per_scan")),
        _number(value.get("cost", value.get("cost_info", {}).get("query_cost"))),
        loops,
        None if rows is None else rows * (loops or 1),
        _measured_ms(value),
        tuple(_children(value)),
    )


def _measured_ms(value: Mapping[str, Any]) -> float | None:
    if "r_total_time_ms" in value:
        return _number(value["r_total_time_ms"])
    parts = [value[name] for name in ("r_table_time_ms", "r_other_time_ms") if name in value]
    return float(sum(parts)) if parts else None


def _title(name: str, value: Mapping[str, Any]) -> str:
    if "table_name" in value:
        access = str(value.get("access_type", ""))
        return f"{_ACCESS.get(access, access)} on {value['table_name']}".strip()
    title = name.replace("_", " ").capitalize()
    return f"{title} {value['select_id']}" if "select_id" in value else title


def _children(value: Mapping[str, Any]) -> Iterator[PlanNode]:
    for name, part in value.items():
        parts = part if isinstance(part, list) else [part]
        if name not in _FLAT:
            yield from (_node(name, one) for one in parts if isinstance(one, dict))


def _facts(value: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, part in value.items():
        if name in _FLAT and isinstance(part, dict):
            yield from _facts(part)
        elif isinstance(part, list):
            plain = [str(one) for one in part if not isinstance(one, dict | list)]
            if plain:
                yield name.replace("_", " "), ", ".join(plain)
        elif not isinstance(part, dict) and name not in _OWN and part is not None:
            yield name.replace("_", " "), ("yes" if part else "no") if isinstance(part, bool) else str(part)


def _number(value: Any) -> float | None:
    return None if value is None else float(value)


def _grid(rows: list[list[str]]) -> str:
    widths = [max(len(row[number]) for row in rows) for number in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )
