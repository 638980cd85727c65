from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote

import pytest
from typer.main import get_command

from mainstem.cli.app import COMMANDS, make_app
from mainstem.cli.exits import ExitCode
from mainstem.cli.streamfile import StreamFile
from mainstem.contract.registry import Registry
from mainstem.errors import ConnectReason
from mainstem.model.run import ChangeOptions, Mode, RunOptions, RunState, SchemaPolicy, WriteMode
from mainstem.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_FINDING = re.compile(r'"((?:my|maria|pg|tgt|append|upsert|key|where|names)\.[a-z_]+)"')


def _page(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def _anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ +(.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    broken = []
    for link in _LINK.findall(page.read_text(encoding="utf-8")):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = unquote(link).partition("#")
        target = page.parent / path if path else page
        if not target.exists() or (anchor and anchor not in _anchors(target)):
            broken.append(link)
    assert broken == []


def test_every_page_is_in_the_index() -> None:
    index = _page("docs/index.md")
    pages = {page.name for page in (ROOT / "docs").glob("*.md")} - {"index.md"}
    assert {name for name in pages if f"({name})" not in index} == set()


def test_the_settings_are_those_of_the_code() -> None:
    rows = dict(re.findall(r"^\| `(MAINSTEM_\w+)` \| .* \| (.*) \|$", _page("docs/configuration.md"), re.MULTILINE))
    assert set(rows) == {f"MAINSTEM_{name.upper()}" for name in Settings.model_fields}
    for name, field in Settings.model_fields.items():
        default = next(iter(field.default), None) if isinstance(field.default, list) else field.default
        told = "none" if default is None else f"`{default}`"
        assert rows[f"MAINSTEM_{name.upper()}"] == told


def test_every_finding_is_explained() -> None:
    found = {check for source in (ROOT / "src").rglob("*.py") for check in _FINDING.findall(source.read_text("utf-8"))}
    explained = set(re.findall(r"^\| `([a-z]+\.[a-z_]+)` \|", _page("docs/troubleshooting.md"), re.MULTILINE))
    assert found
    assert explained == found


def test_every_reason_of_a_failed_connection_is_explained() -> None:
    page = _page("docs/troubleshooting.md")
    assert [reason.value for reason in ConnectReason if f"| `{reason.value}` |" not in page] == []


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_in_the_page(command: str) -> None:
    found = get_command(make_app(command)).commands[command]  # type: ignore[attr-defined]
    lines = [text for text in _page("docs/cli.md").splitlines() if text.startswith(f"| `mainstem {command}")]
    assert lines
    assert [name for name in getattr(found, "commands", {}) if name not in "".join(lines)] == []


@pytest.mark.parametrize("command", ["copy", "replicate"])
def test_every_option_is_in_the_page(command: str) -> None:
    page = _page("docs/cli.md")
    options = get_command(make_app(command)).commands[command].params  # type: ignore[attr-defined]
    told = [option for option in options if option.name != "help" and option.opts[0].startswith("--")]
    assert [
        option.name
        for option in told
        if not any(f"`{spelling}" in page for spelling in (*option.opts, *option.secondary_opts))
    ] == []


def test_every_exit_code_is_in_the_page() -> None:
    numbers = re.findall(r"^\| (\d+) \|", _page("docs/cli.md"), re.MULTILINE)
    assert sorted(map(int, numbers)) == sorted(code.value for code in ExitCode)


def test_every_policy_mode_and_state_is_explained() -> None:
    page = _page("docs/streams.md")
    assert [word for word in (*SchemaPolicy, *WriteMode) if f"- `{word.value}`:" not in page] == []
    assert [state for state in RunState if state.value not in page] == []


def test_the_example_is_a_valid_stream_file() -> None:
    example = ROOT / "docs/examples/stream.yaml"
    source, target, options, warnings = StreamFile(example).resolve(Registry.installed())
    assert (source.spec.name, target.spec.name, warnings) == ("mysql", "postgresql", ())
    assert [table.name for table in options.tables] == ["customer", "orders", "orders_2024"]
    assert options != RunOptions()


def test_the_example_of_a_replication_is_valid() -> None:
    _, _, options, warnings = StreamFile(ROOT / "docs/examples/replicate.yaml").resolve(Registry.installed())
    assert (options.mode, warnings) == (Mode.CDC, ())
    assert options.changes != ChangeOptions()
