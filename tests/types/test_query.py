"""Every type of MariaDB in the rows of a query, whose columns only the protocol describes."""

from __future__ import annotations

from dataclasses import replace

from mainstem.model.run import RunState, TableSelection
from tests.types.cases import Kind
from tests.types.matrix import ASIDE, Matrix, ask, cases_between, convert, database
from tests.types.render import texts

# What the protocol does not tell: labels, a boolean's rows, a time's rows, that a text is JSON or an address.
_FAMILIES = {"clock": "span", "labels": "text", "label": "text", "json": "text", "boolean": "number", "inet": "uuid"}
_BIT = "bit_1"  # which the protocol does tell from a number


def test_every_value_arrives_by_a_query(matrix: Matrix) -> None:
    source, cases = matrix.source("mariadb"), cases_between("mariadb", "pg18")
    selection = tuple(TableSelection(f"q_{case.name}", query=f"SELECT id, v FROM v_{case.name}") for case in cases)
    with database(matrix.servers["pg18"]) as target:
        progress = convert(source.settings, target.settings, replace(ASIDE, tables=selection))
        assert (progress.state, progress.error) == (RunState.FINISHED, "")
        for case in cases:
            family = case.family if case.name == _BIT else _FAMILIES.get(case.family, case.family)
            pair = texts(family, Kind.MYSQL, Kind.POSTGRES)
            here = ask(source, f"v_{case.name}", pair.source, case.native)
            there = ask(target, f"q_{case.name}", pair.target, case.native)
            # What the narrower type refuses may fit the wider one (index 0 of an enum is an empty text).
            refused = {row for row, value in enumerate(case.values, 1) if Kind.POSTGRES in value.refused}
            assert {row for row in refused if row in there and there[row] != here[row]} == set(), case.name
            assert {row: text for row, text in here.items() if row not in refused} == {
                row: text for row, text in there.items() if row not in refused
            }, case.name
