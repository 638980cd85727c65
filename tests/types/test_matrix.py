"""Every type, in every direction, through snapshot, log and query: what arrives, by the servers' own texts.

All in one file, so that one process has the matrix: it is copied once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from mainstem.model.run import RunState, TableSelection
from tests.types import parity as streams
from tests.types.cases import Case, Kind
from tests.types.matrix import (
    ASIDE,
    DIRECTIONS,
    NULL_ID,
    Copy,
    Direction,
    Matrix,
    ask,
    cases_between,
    convert,
    database,
    keyed_runs,
)
from tests.types.page import render
from tests.types.parity import Parity
from tests.types.render import texts

PAGE = Path(__file__).resolve().parents[2] / "docs" / "types.md"
pytestmark = pytest.mark.timeout(1800)  # one test copies all that there is, in every direction
Run = Callable[[str, bool], Mapping[str, Parity]]

# What the protocol does not tell: labels, a boolean's rows, a time's rows, that a text is JSON or an address.
_FAMILIES = {"clock": "span", "labels": "text", "label": "text", "json": "text", "boolean": "number", "inet": "uuid"}
_BIT = "bit_1"  # which the protocol does tell from a number

CELLS = [
    pytest.param(name, case, id=f"{name}-{case.name}")
    for name in DIRECTIONS
    for case in cases_between(*name.split("-"))
]

KEYED = [
    pytest.param(name, case, run, id=f"{name}-{case.name}-{run}")
    for name in DIRECTIONS
    for run in keyed_runs(name)
    for case in cases_between(*name.split("-"))
]


def _seen(direction: Direction, run: str, table: str) -> Copy:
    copy = direction.runs[run].copies[table]
    assert copy.error == ""
    return copy


def _texts(case: Case, copy: Copy, target: Kind) -> dict[int, str | None]:
    """The texts that the target should have, by row."""
    equal = {row: value.equal[target] for row, value in enumerate(case.values, 1) if target in value.equal}
    return copy.source | equal


def _refused(case: Case, target: Kind) -> dict[int, int]:
    return {number: number for number, value in enumerate(case.values, 1) if target in value.refused}


@pytest.mark.parametrize(("name", "case"), CELLS)
def test_a_type_becomes_what_the_table_says(matrix: Matrix, name: str, case: Case) -> None:
    direction = matrix.direction(name)
    copy = _seen(direction, "aside", f"v_{case.name}")
    assert copy.type == case.arrives_as(direction.source.kind, direction.target.kind, f"v_{case.name}", copy.own)


@pytest.mark.parametrize(("name", "case"), CELLS)
def test_every_value_arrives_or_is_put_aside(matrix: Matrix, name: str, case: Case) -> None:
    direction = matrix.direction(name)
    copy = _seen(direction, "aside", f"v_{case.name}")
    refused = _refused(case, direction.target.kind)
    texts = _texts(case, copy, direction.target.kind)
    wanted = {row: text for row, text in texts.items() if row not in refused}
    assert copy.target == wanted
    assert set(copy.source) == {NULL_ID, *range(1, len(case.values) + 1)}
    assert set(copy.reasons) == set(refused)
    for row, reason in copy.reasons.items():
        assert case.values[row - 1].refused[direction.target.kind].reason in reason
    assert copy.progress is not None
    counted = copy.progress.rows_read, copy.progress.rows_written, copy.progress.rows_rejected
    assert counted == (len(copy.source), len(wanted), len(refused))


@pytest.mark.parametrize(("name", "case"), CELLS)
def test_policies_let_rows_pass_and_count_them(matrix: Matrix, name: str, case: Case) -> None:
    """Also: the settings of servers, databases and roles change nothing."""
    direction = matrix.direction(name)
    copy = _seen(direction, "policies", f"v_{case.name}")
    wanted, counted = _texts(case, copy, direction.target.kind), dict[str, int]()
    for row in _refused(case, direction.target.kind):
        refusal = case.values[row - 1].refused[direction.target.kind]
        if refusal.counter:
            wanted[row] = refusal.becomes
            counted[f"v: {refusal.counter}"] = counted.get(f"v: {refusal.counter}", 0) + 1
        else:
            del wanted[row]
    assert copy.target == wanted
    assert copy.progress is not None
    assert copy.progress.coerced == counted


@pytest.mark.parametrize(("name", "case", "run"), KEYED)
def test_values_arrive_as_a_primary_key_and_chunk_by_chunk(matrix: Matrix, name: str, case: Case, run: str) -> None:
    direction = matrix.direction(name)
    copy = _seen(direction, run, f"k_{case.name}")
    refused = _refused(case, direction.target.kind)
    assert {row: text for row, text in copy.target.items() if row not in refused} == {
        row: text
        for row, text in _texts(case, copy, direction.target.kind).items()
        if row in copy.source and row not in refused
    }


@pytest.mark.parametrize(
    ("name", "policies"),
    [*((name, False) for name in streams.DIRECTIONS), ("mariadb-pg18", True), ("pg15-mariadb", True)],
)
def test_every_value_is_the_same_through_snapshot_and_log(parity: Run, name: str, policies: bool) -> None:
    found = parity(name, policies)
    assert {case: both.problems for case, both in found.items() if both.problems} == {}
    assert sum(len(both.inserted) for both in found.values()) > 100


def test_the_page_is_what_the_run_gives(matrix: Matrix, parity: Run) -> None:
    """If it is not: ``python -m tools.types_page`` writes it anew."""
    assert render(matrix, {name: parity(name, False) for name in streams.DIRECTIONS}) == PAGE.read_text("utf-8")


def test_every_value_arrives_by_a_query(matrix: Matrix) -> None:
    """Every type of MariaDB in the rows of a query, whose columns only the protocol describes."""
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
