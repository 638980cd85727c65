"""Triggers, procedures, functions and events as their own DDL, for a target of the same kind.

Without DEFINER: whoever makes them on the target is it. `NativeObject.statements` are the SQL mode that it was made in,
and its CREATE statement, with names qualified by the source's database (see `relocate`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from mainstem.connectors.mysql.dialect import MysqlDialect
from mainstem.connectors.mysql.traits import Traits
from mainstem.contract.dialect import Rendered
from mainstem.model.names import TableId
from mainstem.model.plan import Phase, ReportItem, Severity, Statement
from mainstem.model.schema import NativeObject

Row = dict[str, Any]
Ask = Callable[[str, Sequence[object]], list[Row]]

_DIALECT = MysqlDialect()
_TRIGGERS = (
    "SELECT trigger_name AS name, event_object_table AS owner, action_timing, event_manipulation, action_statement,"
    " sql_mode FROM information_schema.triggers WHERE trigger_schema = %s"
    " ORDER BY event_object_table, event_manipulation, action_timing, action_order"
)
_ROUTINES = (
    "SELECT routine_name AS name, routine_type AS kind FROM information_schema.routines"
    " WHERE routine_schema = %s AND routine_type IN ('PROCEDURE', 'FUNCTION') ORDER BY routine_type, routine_name"
)
_EVENTS = "SELECT event_name AS name, 'EVENT' AS kind FROM information_schema.events WHERE event_schema = %s ORDER BY 1"
_NAME = r"(?:`(?:[^`]|``)*`|\"(?:[^\"]|\"\")*\"|[^\s`\"@(]+)"  # in double quotes where it was made with ANSI_QUOTES
_HEAD = re.compile(
    rf"CREATE\s+(?:DEFINER\s*=\s*{_NAME}(?:@{_NAME})?\s+)?(?P<kind>(?:AGGREGATE\s+)?\w+)\s+{_NAME}", re.I
)

_ENABLED = re.compile(r"(ON COMPLETION (?:NOT )?PRESERVE )ENABLE\b")
_MADE = re.compile(r"CREATE (?:AGGREGATE )?\w+ (`(?:[^`]|``)+`\.`(?:[^`]|``)+`)")


def read_objects(ask: Ask, database: str) -> list[NativeObject]:
    """All of a database's; one query more for each procedure, function and event."""
    triggers = [_trigger(database, row) for row in ask(_TRIGGERS, [database])]
    routines = [_shown(ask, database, row, Phase.SCHEMA) for row in ask(_ROUTINES, [database])]
    events = [_shown(ask, database, row, Phase.VIEWS) for row in ask(_EVENTS, [database])]
    return [*routines, *triggers, *events]


def _trigger(database: str, row: Row) -> NativeObject:
    table = TableId(database, row["owner"])
    sql = (
        f"CREATE TRIGGER {_DIALECT.qualified(TableId(database, row['name']))} {row['action_timing']}"
        f" {row['event_manipulation']} ON {_DIALECT.qualified(table)} FOR EACH ROW {row['action_statement']}"
    )
    return NativeObject("trigger", TableId(database, row["name"]), (row["sql_mode"], sql), Phase.VIEWS, table)


def _shown(ask: Ask, database: str, row: Row, phase: Phase) -> NativeObject:
    id_, kind = TableId(database, row["name"]), row["kind"].lower()
    shown = ask(f"SHOW CREATE {row['kind']} {_DIALECT.qualified(id_)}", [])[0]
    sql = shown[f"create {kind}"]
    return NativeObject(kind, id_, (shown["sql_mode"], without_definer(sql, id_)) if sql else (), phase)


def without_definer(sql: str, id_: TableId) -> str:
    """A CREATE statement as the server shows it, without its DEFINER and with its database's name."""
    return _HEAD.sub(lambda found: f"CREATE {found['kind']} {_DIALECT.qualified(id_)}", sql, count=1)


def create_object(item: NativeObject, traits: Traits, *, only_missing: bool) -> Rendered:
    """An object in the SQL mode that it was made in."""
    name = f"{item.kind} {item.id}"
    if not item.statements:
        hidden = ReportItem(
            Severity.WARNING, f"{item.kind}_left_out", str(item.id), "its body is hidden from this login",
            "grant the login of the source the right to see it (SHOW_ROUTINE, or SELECT on mysql.proc)",
        )  # fmt: skip
        return Rendered(report=(hidden,))
    mode, sql = item.statements
    if only_missing and traits.since(mariadb=(10, 1, 3), mysql=(8, 0, 29)):
        sql = sql.replace(f"CREATE {item.kind.upper()} ", f"CREATE {item.kind.upper()} IF NOT EXISTS ", 1)
    report = [_definer(item.id.schema)]
    if item.kind == "event":
        sql, enabled = _ENABLED.subn(r"\1DISABLE", sql, count=1)
        report += [_disabled(item.id)] * enabled
    texts = _in_mode(sql, mode, traits)
    statements = tuple(Statement(item.phase, text, name, optional=item.optional) for text in texts)
    return Rendered(statements, tuple(report))


def _in_mode(sql: str, mode: str, traits: Traits) -> tuple[str, ...]:
    if traits.mariadb:
        return (f"SET STATEMENT sql_mode = '{mode}' FOR {sql}",)
    return (
        f"SET @mainstem_sql_mode = @@SESSION.sql_mode, SESSION sql_mode = '{mode}'",
        sql,
        "SET SESSION sql_mode = IFNULL(@mainstem_sql_mode, @@SESSION.sql_mode)",
    )


def _definer(schema: str) -> ReportItem:
    return ReportItem(
        Severity.INFO,
        "definer_replaced",
        schema,
        "triggers, procedures, functions, events and views are made without DEFINER: they run with the rights of the"
        " login that made them",
        "make them anew as the user whose rights they need",
    )


def _disabled(event: TableId) -> ReportItem:
    return ReportItem(
        Severity.WARNING,
        "event_disabled",
        str(event),
        "the event is made, and disabled: as long as the source runs it too, it would change the copy by itself",
        "ALTER EVENT … ENABLE, once the target takes over",
    )


def drop_objects(items: Iterable[NativeObject]) -> Rendered:
    """Phase SCHEMA: remove procedures, functions and events; triggers go with their tables."""
    statements = []
    for item in items:
        found = _MADE.match(item.statements[1]) if item.statements and item.kind != "trigger" else None
        if found is not None:
            sql = f"DROP {item.kind.upper()} IF EXISTS {found[1]}"
            statements.append(Statement(Phase.SCHEMA, sql, f"{item.kind} {item.id}", optional=True))
    return Rendered(tuple(statements))
