"""Every type, in every direction: what arrives, by the servers' own texts."""

from __future__ import annotations

import pytest

from tests.types.cases import Case, Kind
from tests.types.matrix import DIRECTIONS, NULL_ID, Copy, Direction, Matrix, cases_between, keyed_runs

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
