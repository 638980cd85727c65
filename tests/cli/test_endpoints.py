from __future__ import annotations

import pytest

from mainstem.cli.endpoints import endpoint, expand
from mainstem.contract.registry import Registry
from mainstem.errors import InvalidError

REGISTRY = Registry.installed()


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("mysql://u@h/db", "mysql://u@h/db"),
        ("${URL}", "mysql://u:p@h/db"),
        ("mysql://u:${PW}@h/db", "mysql://u:p%40ss%2Fword@h/db"),
    ],
)
def test_references_are_taken_from_the_environment(text: str, expanded: str) -> None:
    assert expand(text, {"URL": "mysql://u:p@h/db", "PW": "p@ss/word"}) == expanded


def test_a_missing_variable_is_named() -> None:
    with pytest.raises(InvalidError, match="NOWHERE"):
        expand("${NOWHERE}", {})


@pytest.mark.parametrize(("text", "variable"), [("mysql://u@h/db", "MYSQL_PWD"), ("postgresql://u@h/db", "PGPASSWORD")])
def test_a_password_comes_from_the_usual_variable(text: str, variable: str) -> None:
    assert endpoint(text, REGISTRY, {variable: "p@ss"}).settings.password == "p@ss"


def test_a_password_in_the_url_wins_over_the_variable() -> None:
    assert endpoint("mysql://u:mine@h/db", REGISTRY, {"MYSQL_PWD": "other"}).settings.password == "mine"


def test_a_reference_may_hold_any_character() -> None:
    assert endpoint("mysql://u:${PW}@h/db", REGISTRY, {"PW": "p@s:s/w%rd"}).settings.password == "p@s:s/w%rd"
