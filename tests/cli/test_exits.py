from __future__ import annotations

import json
from typing import Any

import pytest
from typer.main import get_command

from mainstem.cli.app import COMMANDS, make_app, wanted_command
from mainstem.cli.exits import ExitCode, exit_code_of, exit_code_of_run
from mainstem.cli.main import main
from mainstem.errors import ConnectReason
from tests.cli.conftest import mainstem


@pytest.mark.parametrize(
    ("code", "exit_code"),
    [
        *((reason.value, 3) for reason in ConnectReason),
        ("unauthorized", 3),
        ("invalid_data", 2),
        ("not_found", 2),
        ("plan", 2),
        ("conflict", 4),
        ("schema_conflict", 4),
        ("preflight", 5),
        ("connection_lost", 1),
        ("row_refused", 1),
        ("something new", 1),
    ],
)
def test_each_error_has_its_exit_code(code: str, exit_code: int) -> None:
    assert exit_code_of(code) == exit_code


@pytest.mark.parametrize(
    ("state", "exit_code"),
    [("FINISHED", 0), ("TIME_LIMIT_REACHED", 0), ("EVENT_LIMIT_REACHED", 0), ("STOPPED", 130), ("FAILED", 1)],
)
def test_each_end_of_a_run_has_its_exit_code(state: str, exit_code: int) -> None:
    assert exit_code_of_run(state, "data", "connection_lost" if state == "FAILED" else "") == exit_code


@pytest.mark.parametrize(("stage", "exit_code"), [("planning", 2), ("finishing", 1)])
def test_a_planned_run_never_fails_by_usage(stage: str, exit_code: int) -> None:
    assert exit_code_of_run("FAILED", stage, "plan") == exit_code


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["copy"],
        ["copy", "mysql://u@h/db"],
        ["copy", "mysql://u@h/db", "postgresql://u@h/db", "--jobs", "0"],
        ["copy", "mysql://u@h/db", "postgresql://u@h/db", "--type", "total"],
        ["copy", "mysql://u@h/db", "postgresql://u@h/db", "--schema-policy", "whatever"],
        ["copy", "oracle://u@h/db", "postgresql://u@h/db"],
        ["copy", "mysql://u:${NOT_SET_ANYWHERE}@h/db", "postgresql://u@h/db"],
        ["run", "/no/such/file.yaml"],
        ["doctor"],
    ],
)
def test_wrong_usage_is_2_and_says_why(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == ExitCode.USAGE
    assert capsys.readouterr().err


def _json(capsys: pytest.CaptureFixture[str]) -> Any:
    captured = capsys.readouterr()
    assert captured.err == ""
    return json.loads(captured.out)


def test_with_json_wrong_usage_is_one_document_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["copy", "mysql://u@h/db", "--json"]) == ExitCode.USAGE
    assert _json(capsys)["status"] == "error"


def test_with_json_an_error_has_code_and_remedy(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["copy", "oracle://u@h/db", "postgresql://u@h/db", "--json"]) == ExitCode.USAGE
    document = _json(capsys)
    assert document["code"] == "invalid_data"
    assert "mysql" in document["remedy"]


def test_no_server_is_3(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["streams", "list", "--url", "http://127.0.0.1:9", "--json"]) == ExitCode.UNREACHABLE
    assert "mainstem serve" in _json(capsys)["remedy"]


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == ExitCode.OK
    assert capsys.readouterr().out.startswith("mainstem ")


@pytest.mark.parametrize("command", ["copy", "run", "doctor", "serve", "key", "connections", "configs", "streams"])
def test_every_command_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "--help"]) == ExitCode.OK
    assert command in capsys.readouterr().out


def test_the_list_of_commands_says_what_each_command_says_of_itself() -> None:
    for name, command in COMMANDS.items():
        own = get_command(make_app(name)).commands[name].help or ""  # type: ignore[attr-defined]
        assert own.splitlines()[0] == command.help


@pytest.mark.parametrize(
    ("arguments", "environment", "wanted"),
    [
        (["copy", "a"], {}, "copy"),
        (["--version"], {}, ""),
        ([], {"_MAINSTEM_COMPLETE": "complete_bash", "COMP_WORDS": "mainstem copy --sch"}, "copy"),
        ([], {"_MAINSTEM_COMPLETE": "complete_zsh", "_TYPER_COMPLETE_ARGS": "mainstem streams st"}, "streams"),
    ],
)
def test_only_the_wanted_command_is_loaded(arguments: list[str], environment: dict[str, str], wanted: str) -> None:
    assert wanted_command(arguments, environment) == wanted


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_a_completion_script(shell: str) -> None:
    done = mainstem(_MAINSTEM_COMPLETE=f"source_{shell}")
    assert done.code == 0, done.err
    assert f"complete_{shell}" in done.out


def test_the_shell_is_told_options_and_subcommands() -> None:
    for line, position, expected in (("mainstem str", "1", "streams"), ("mainstem copy --write", "2", "--write-mode"),
                                     ("mainstem streams pa", "2", "pause")):  # fmt: skip
        done = mainstem(_MAINSTEM_COMPLETE="complete_bash", COMP_WORDS=line, COMP_CWORD=position)
        assert done.out.split() == [expected]


def test_a_wrong_server_url_is_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["streams", "list", "--url", "nonsense", "--json"]) == ExitCode.USAGE
    assert "not a server's URL" in _json(capsys)["error"]
