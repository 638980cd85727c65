"""Triggers, procedures, functions and events as their own DDL, for a target of the same kind.

Without DEFINER: whoever makes them on the target is it. Names are qualified with the source's database (see
`relocate`); each is made in the SQL mode that it was made in.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from mainstem.connectors.mysql.dialect import MysqlDialect
from mainstem.model.names import TableId
from mainstem.model.plan import Phase
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
_HEAD = re.compile(r"CREATE\s+(?:DEFINER\s*=\s*\S+?`?@`?\S+\s+)?(?P<kind>(?:AGGREGATE\s+)?\w+)\s+`(?:[^`]|``)+`", re.I)


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
    return NativeObject("trigger", TableId(database, row["name"]), in_mode(sql, row["sql_mode"]), Phase.VIEWS, table)


def _shown(ask: Ask, database: str, row: Row, phase: Phase) -> NativeObject:
    id_ = TableId(database, row["name"])
    shown = ask(f"SHOW CREATE {row['kind']} {_DIALECT.qualified(id_)}", [])[0]
    sql = shown[f"create {row['kind'].lower()}"]
    kind = "event" if row["kind"] == "EVENT" else "routine"
    statements = in_mode(without_definer(sql, id_), shown["sql_mode"]) if sql else ()  # hidden from this login
    return NativeObject(kind, id_, statements, phase)


def without_definer(sql: str, id_: TableId) -> str:
    """A CREATE statement as the server shows it, without its DEFINER and with its database's name."""
    return _HEAD.sub(lambda found: f"CREATE {found['kind']} {_DIALECT.qualified(id_)}", sql, count=1)


def in_mode(sql: str, mode: str) -> tuple[str, ...]:
    """The statement between those that set its SQL mode and put back the session's."""
    return (
        f"SET @mainstem_sql_mode = @@SESSION.sql_mode, SESSION sql_mode = '{mode}'",
        sql,
        "SET SESSION sql_mode = IFNULL(@mainstem_sql_mode, @@SESSION.sql_mode)",
    )
