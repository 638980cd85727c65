from __future__ import annotations

from pathlib import Path

import pytest
import typer

from mainstem.cli.streamfile import StreamFile, unknown_members
from mainstem.contract.registry import Registry
from mainstem.errors import InvalidError
from mainstem.model.run import Mode, SchemaPolicy, WriteMode
from tests.cli.conftest import Pair, mainstem

REGISTRY = Registry.installed()
ENDS = "source: mysql://u:p@h/db\ntarget: postgresql://u:p@h/db\n"


def _file(folder: Path, text: str) -> Path:
    path = folder / "stream.yaml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("text", "where"),
    [
        (ENDS + "limits:\n  elapsedTime: -1\n", ":4: limits.elapsedTime"),
        (ENDS + "limits:\n  elapsedTime: soon\n", ":4: limits.elapsedTime"),
        (ENDS + "tables:\n- name: a\n- {}\n", ":5: tables[1].name"),
        (ENDS + "wirteMode: append\n", ":3: wirteMode"),
        (ENDS + "tables:\n- name: a\n  qurey: SELECT 1\n", ":5: tables[0].qurey"),
        (ENDS + "mode: sync\n", ":3: mode"),
        ("source: mysql://u@h/db\n", ":1: target"),
        ("target: postgresql://u@h/db\nsource: oracle://u@h/db\n", ":2: source"),
        ("target: postgresql://u@h/db\nsource:\n  url: 7\n", ":3: source.url"),
        (ENDS.replace("mysql://u:p@h/db", "${NOT_SET_ANYWHERE}"), ":1: source"),
        ("- 1\n", "document"),
    ],
)
def test_an_error_names_the_path_and_the_line(tmp_path: Path, text: str, where: str) -> None:
    with pytest.raises(InvalidError) as caught:
        StreamFile(_file(tmp_path, text)).resolve(REGISTRY)
    assert any(where in field for field in caught.value.fields), caught.value.fields


def test_a_file_that_is_not_yaml_is_told_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(InvalidError, match=r"stream.yaml:2: not YAML"):
        StreamFile(_file(tmp_path, "a: 1\n  b: [\n"))


def test_the_flat_shape_is_that_of_the_api(tmp_path: Path) -> None:
    text = ENDS + "tables:\n- name: a\nschemaPolicy: drop_and_recreate\nlimits: {numberOfEvents: 7}\n"
    source, target, options, warnings = StreamFile(_file(tmp_path, text)).resolve(REGISTRY)
    assert (source.spec.name, target.spec.name) == ("mysql", "postgresql")
    assert [table.name for table in options.tables] == ["a"]
    assert (options.schema_policy, options.max_rows, warnings) == (SchemaPolicy.DROP_AND_RECREATE, 7, ())


def test_the_nested_shape_is_that_of_the_api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TARGET_URL", "postgresql://u:p@h/db")
    text = (
        "source:\n  url: mysql://u:p@h/db\n  connections:\n  - database: other\n    tables: [{name: a}]\n"
        "target:\n  url: ${TARGET_URL}\n  spec:\n    db: {schema: moved, writeMode: upsert}\n"
    )
    source, target, options, _ = StreamFile(_file(tmp_path, text)).resolve(REGISTRY)
    assert source.settings.database == "other"
    assert target.settings.host == "h"
    assert (options.target_schema, options.write_mode) == ("moved", WriteMode.UPSERT)


def test_unknown_members_are_found_at_any_depth() -> None:
    sent = {"a": 1, "b": {"c": 2, "x": 3}, "d": [{"e": 4}, {"y": 5}]}
    assert unknown_members(sent, {"a": 1, "b": {"c": 2}, "d": [{"e": 4}, {}]}) == ["b.x", "d[1].y"]


def test_run_does_what_the_file_says(tmp_path: Path, pair: Pair) -> None:
    source, target = pair.urls
    path = _file(tmp_path, f"source: {source}\ntarget: ${{TARGET_URL}}\ntables:\n- name: customer\n")
    done = mainstem("run", str(path), "--json", TARGET_URL=target)
    assert done.code == 0, done.out + done.err
    assert done.document["total"]["rowsWritten"] == 200
    assert pair.postgres("SELECT count(*) FROM customer") == [(200,)]


def test_run_tells_a_wrong_member_and_ends_with_2(tmp_path: Path) -> None:
    done = mainstem("run", str(_file(tmp_path, ENDS + "jobs: many\n")))
    assert done.code == 2
    assert "stream.yaml:3: jobs" in done.err


@pytest.mark.parametrize(
    ("text", "given", "called"), [("", "", ""), ("name: shop-2\n", "", "shop-2"), ("name: shop\n", "other", "other")]
)
def test_a_replication_is_called_as_asked_or_as_the_file_is(tmp_path: Path, text: str, given: str, called: str) -> None:
    path = tmp_path / "stream.yaml"
    path.write_text(ENDS + "mode: cdc\n" + text)
    assert StreamFile(path).checked_id(given) == called


def test_a_name_that_no_stream_can_have_is_named_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "stream.yaml"
    path.write_text(ENDS + "name: my shop\nmode: cdc\n")
    with pytest.raises(InvalidError) as caught:
        StreamFile(path).checked_id("")
    assert list(caught.value.fields) == [f"{path}:3: name"]


def test_a_copy_has_no_name_and_a_replication_may_be_resumed_by_its_own(tmp_path: Path) -> None:
    path = tmp_path / "stream.yaml"
    path.write_text(ENDS)
    described = StreamFile(path)
    assert described.run_id(Mode.CONVERT, "", "stream_1") == "stream_1"
    assert described.run_id(Mode.CDC, "", "shop") == "shop"
    with pytest.raises(typer.BadParameter, match="is for mode cdc"):
        described.run_id(Mode.CONVERT, "shop", "")
