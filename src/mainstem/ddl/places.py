"""What is copied, and what each thing of it is called on the target."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from mainstem.contract.dialect import TargetDialect
from mainstem.ddl.overrides import explicit_name, refuse_taken, with_overrides
from mainstem.ddl.placement import Placement
from mainstem.ddl.selection import Selected, select
from mainstem.errors import InvalidError
from mainstem.model.names import TableId
from mainstem.model.run import RunOptions, TableSelection
from mainstem.model.schema import Catalog, Column, Table, TableKind
from mainstem.model.schema import Sequence as SchemaSequence


def choose(
    catalog: Catalog,
    options: RunOptions,
    queries: Mapping[str, tuple[Column, ...]],
    schema: str,
    *,
    own: bool,
) -> list[Selected]:
    """The tables and queries that the user wants, parents before children; with ``own`` their partitions too.

    A partition goes where its whole goes, and is selected as it is. Only PostgreSQL has tables without columns.
    """
    whole = [table for table in catalog.tables if table.kind is not TableKind.PARTITION]
    chosen = select(whole, options, schema)
    chosen += [Selected(_query_table(selection, queries), selection) for selection in options.tables if selection.query]
    refuse_doubles(str(selected.table.id) for selected in chosen)
    chosen = with_overrides(chosen, options)
    if not own:
        chosen = [selected for selected in chosen if selected.table.columns]
    else:
        chosen += _partitions(catalog, {selected.table.id: selected.selection for selected in chosen})
    return _in_order(chosen)


def _partitions(catalog: Catalog, wanted: dict[TableId, TableSelection]) -> list[Selected]:
    """The partitions of what is wanted, at any depth."""
    children: dict[TableId, list[Table]] = {}
    for table in catalog.tables:
        if table.partition_of is not None:
            children.setdefault(table.partition_of, []).append(table)
    found: list[Selected] = []
    waiting = list(wanted.items())
    while waiting:
        id_, selection = waiting.pop()
        for child in children.get(id_, ()):
            selected = replace(selection, name=child.id.name, target="")
            found.append(Selected(child, selected))
            waiting.append((child.id, selected))
    return sorted(found, key=lambda selected: selected.table.id)


def _in_order(chosen: Sequence[Selected]) -> list[Selected]:
    """Each table after those that it inherits from, is a part of, or has the row type of; else as they come."""
    by_id = {selected.table.id: selected for selected in chosen}
    done: dict[TableId, Selected] = {}
    for first in by_id:
        stack = [(first, False)]
        seen: set[TableId] = set()
        while stack:
            id_, ready = stack.pop()
            if ready:
                done.setdefault(id_, by_id[id_])
            elif id_ not in done and id_ not in seen:
                seen.add(id_)
                stack.append((id_, True))
                stack += [(other, False) for other in _before(by_id[id_].table) if other in by_id]
    return list(done.values())


def _before(table: Table) -> Iterable[TableId]:
    yield from table.parents
    if table.partition_of is not None:
        yield table.partition_of
    yield from (column.user_type for column in table.columns if column.user_type is not None)


def _query_table(selection: TableSelection, queries: Mapping[str, tuple[Column, ...]]) -> Table:
    """A query's result as a table: its columns, and nothing else."""
    columns = queries.get(selection.name, ())
    if not columns:
        raise InvalidError(
            f"the query for table {selection.name} returns no columns", fields={"tables": "a query without columns"}
        )
    refuse_doubles(column.name for column in columns)
    return Table(TableId("", selection.name), tuple(replace(column, identity=False) for column in columns))


def refuse_doubles(names: Iterable[str]) -> None:
    """`InvalidError` when a name is there twice."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise InvalidError(
                f"the name {name} occurs twice",
                fields={"tables": f"{name} occurs twice"},
                remedy="give one of the two another name",
            )
        seen.add(name)


def places(
    catalog: Catalog, chosen: Sequence[Selected], options: RunOptions, placement: Placement, *, own: bool
) -> dict[TableId, TableId]:
    """Source → target: tables, those of the source's own schema before others, then sequences and views."""
    found: dict[TableId, TableId] = {}
    _refuse_wished(chosen, placement)
    for item in chosen:
        if item.selection.target:
            wished = explicit_name(item.selection.target, placement.rules, str(item.table.id))
            found[item.table.id] = placement.reserve(item.table.id, wished)
    tables = sorted((item.table.id for item in chosen), key=lambda id_: id_.schema not in ("", placement.source_schema))
    rest = [sequence.id for sequence in _sequences(catalog, chosen, options, own=own)]
    rest += [view.id for view in catalog.views]
    for id_ in (*tables, *rest):
        if id_ not in found:
            found[id_] = placement.place(id_)
    return found


def _refuse_wished(chosen: Sequence[Selected], placement: Placement) -> None:
    """`InvalidError` for a name, given by the user, that another table would have too."""
    if not any(item.selection.target for item in chosen):
        return
    by_schema: dict[str, dict[str, str]] = {}
    for item in chosen:
        names = by_schema.setdefault(placement.schema(item.table.id.schema), {})
        names[str(item.table.id)] = item.selection.target or item.table.id.name
    for names in by_schema.values():
        refuse_taken(names, "tables", folds=placement.rules.folds_tables)


def _sequences(
    catalog: Catalog, chosen: Sequence[Selected], options: RunOptions, *, own: bool
) -> Iterable[SchemaSequence]:
    """The sequences to be made: all when the whole source is copied, else those that its tables use.

    One that counts for a column is made only where the source's kind of system does it so.
    """
    able = [sequence for sequence in catalog.sequences if own or sequence.owner is None]
    if not options.tables:
        return able
    tables = {item.table.id for item in chosen}
    texts = "\n".join(
        column.default.text for item in chosen for column in item.table.columns if column.default is not None
    )
    return [
        sequence
        for sequence in able
        if sequence.owner in tables or (sequence.owner is None and sequence.id.name in texts)
    ]


def relocated(
    catalog: Catalog,
    chosen: Sequence[Selected],
    found: Mapping[TableId, TableId],
    placement: Placement,
    target: TargetDialect,
) -> tuple[Catalog, list[Selected]]:
    """The same with texts that name what is on the target."""
    objects = {
        item.id: TableId(placement.schema(item.id.schema), item.id.name)
        for item in catalog.objects
        if item.kind != "extension"
    }
    names = {source: to for source, to in {**objects, **found}.items() if source.schema}
    if all(source == to for source, to in names.items()):
        return catalog, list(chosen)
    moved = target.relocate(catalog, names)
    tables = {table.id: table for table in moved.tables}
    return moved, [replace(selected, table=tables.get(selected.table.id, selected.table)) for selected in chosen]
