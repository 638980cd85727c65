from __future__ import annotations

from dataclasses import replace

import pytest

from mainstem.cli.endpoints import check_roles, endpoint, expand
from mainstem.contract.registry import Registry
from mainstem.engine.conversion import Endpoint
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


@pytest.mark.parametrize(
    ("source", "target", "says"),
    [
        ("mysql://u:p@h", "postgresql://u:p@h/b", "source mysql://u@h:3306/ names no database"),
        ("mysql://u:p@h/a", "postgresql://u:p@h", "target postgresql://u@h:5432/ names no database"),
    ],
)
def test_ends_that_do_not_fit_are_refused_before_anything_is_asked(source: str, target: str, says: str) -> None:
    registry = Registry.installed()
    with pytest.raises(InvalidError, match=says):
        check_roles(endpoint(source, registry), endpoint(target, registry))


@pytest.mark.parametrize("side", ["source", "target"])
def test_a_system_that_cannot_play_its_role_is_refused(side: str) -> None:
    end = endpoint("postgresql://u:p@h/a", Registry.installed())
    unable = Endpoint(replace(end.spec, **{side: None}), end.settings)  # type: ignore[arg-type]
    with pytest.raises(InvalidError, match=f"PostgreSQL cannot be a {side}"):
        check_roles(*((unable, end) if side == "source" else (end, unable)))


def test_a_password_is_asked_for_on_a_terminal_and_nowhere_else(monkeypatch: pytest.MonkeyPatch) -> None:
    registry = Registry.installed()
    monkeypatch.setattr("mainstem.cli.endpoints.getpass", lambda prompt: f"typed at {prompt}")
    for at_terminal, password in ((True, "typed at Password for mysql://u@h:3306/d (Enter for none): "), (False, "")):
        monkeypatch.setattr("sys.stdin.isatty", lambda answer=at_terminal: answer, raising=False)
        monkeypatch.setattr("sys.stderr.isatty", lambda answer=at_terminal: answer, raising=False)
        assert endpoint("mysql://u@h/d", registry, {}).settings.password == password
        assert endpoint("mysql://u@h/d", registry, {"MYSQL_PWD": "set"}).settings.password == "set"
