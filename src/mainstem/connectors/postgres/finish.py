"""What a table needs once its rows are in: counters, ON UPDATE triggers, comments, statistics."""

from __future__ import annotations

from collections.abc import Iterable

from mainstem.connectors.postgres.keys import Names
from mainstem.connectors.postgres.literals import dollar_quoted, string
from mainstem.connectors.postgres.own import set_next
from mainstem.contract.dialect import Rendered, TargetType
from mainstem.ddl.naming import shorten
from mainstem.model.names import TableId
from mainstem.model.plan import Phase, Statement
from mainstem.model.schema import Column, Table, TableKind

_MAX_NAME_BYTES = 63
_MAXIMUM = {"smallint": 2**15 - 1, "integer": 2**31 - 1, "bigint": 2**63 - 1}


def finish_table(names: Names, table: Table, types: dict[str, TargetType]) -> Rendered:
    """Phases SEQUENCES, VIEWS (triggers), COMMENTS and ANALYZE."""
    statements = [
        *_counters(names, table, types),
        *_on_update(names, table),
        *_comments(names, table),
    ]
    if table.kind is not TableKind.PARTITION:  # analysed with the whole
        sql = f"ANALYZE {names.qualified(table.id)}"
        statements.append(Statement(Phase.ANALYZE, sql, str(table.id), table.id, optional=True))
    return Rendered(tuple(statements))


def _counters(names: Names, table: Table, types: dict[str, TargetType]) -> Iterable[Statement]:
    """The next value is the source's, or one past the highest copied: rows may have come in after it was read."""
    qualified = names.qualified(table.id)
    for column in table.columns:
        maximum = _MAXIMUM.get(types[column.name].sql)
        if not column.identity or maximum is None or table.kind is TableKind.PARTITION:
            continue
        counter = column.counter
        if counter is not None and (counter.increment != 1 or counter.next_value > counter.maximum):
            yield Statement(Phase.SEQUENCES, set_next(names, counter), f"{table.id}.{column.name}", table.id)
            continue
        beginning = (counter.next_value if counter else table.identity_next) or 1
        maximum = counter.maximum if counter else maximum
        quoted = names.quote(column.name)
        following = f"(SELECT COALESCE(max({quoted}), 0)::numeric + 1 FROM {qualified})"
        value = f"LEAST(GREATEST({following}, {beginning}), {maximum})::bigint"
        sequence = f"pg_get_serial_sequence({string(qualified)}, {string(column.name)})"
        yield Statement(Phase.SEQUENCES, f"SELECT setval({sequence}, {value}, false)", f"{table.id}.{column.name}",
                        table.id)  # fmt: skip


def _on_update(names: Names, table: Table) -> Iterable[Statement]:
    """A trigger that sets the columns to now when a row changes and they themselves are not changed by hand."""
    touched = [column for column in table.columns if column.on_update and column.generated is None]
    if not touched:
        return
    plain = [names.quote(column.name) for column in table.columns if column.generated is None]
    trigger = TableId(table.id.schema, f"{table.id.name}_on_update")
    function = f"{names.quote(table.id.schema)}.{names.quote(_function_name(touched))}"
    body = "\nBEGIN\n" + "".join(_touch(names, column) for column in touched) + "  RETURN NEW;\nEND\n"
    yield Statement(
        Phase.VIEWS,
        f"CREATE OR REPLACE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql AS {dollar_quoted(body)}",
        str(trigger),
        table.id,
        optional=True,
    )
    # Only plain columns: generated ones are not known before the write. As text: some types (json) have no equality.
    old, new = (f"ROW({', '.join(f'{row}.{name}' for name in plain)})::text" for row in ("OLD", "NEW"))
    yield Statement(
        Phase.VIEWS,
        f"CREATE TRIGGER {names.quote('mainstem_on_update')} BEFORE UPDATE ON {names.qualified(table.id)}"
        f" FOR EACH ROW WHEN ({old} IS DISTINCT FROM {new}) EXECUTE FUNCTION {function}()",
        str(trigger),
        table.id,
        optional=True,
    )


def _touch(names: Names, column: Column) -> str:
    name = names.quote(column.name)
    return f"  IF NEW.{name} IS NOT DISTINCT FROM OLD.{name} THEN\n    NEW.{name} := CURRENT_TIMESTAMP;\n  END IF;\n"


def _function_name(columns: list[Column]) -> str:
    """One function for each set of columns; tables with the same set share it."""
    return shorten("mainstem_touch_" + "_".join(sorted(column.name for column in columns)), _MAX_NAME_BYTES)


def _comments(names: Names, table: Table) -> Iterable[Statement]:
    qualified = names.qualified(table.id)
    commented = [(f"TABLE {qualified}", table.comment, str(table.id))]
    commented += [
        (f"COLUMN {qualified}.{names.quote(column.name)}", column.comment, f"{table.id}.{column.name}")
        for column in table.columns
    ]
    for target, comment, object_ in commented:
        text = comment.replace("\0", "")
        if text:
            sql = f"COMMENT ON {target} IS {string(text)}"
            yield Statement(Phase.COMMENTS, sql, object_, table.id, optional=True)
