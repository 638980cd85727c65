"""The command line and the YAML of a config, read by the command line's own code, mean what the config means."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mainstem.cli import app, copying, replicating, streamfile
from mainstem.cli.convert import Job
from mainstem.contract.registry import Registry
from mainstem.control.command_line import flattened
from mainstem.control.configs import Understood
from mainstem.control.equivalents import Equivalents, equivalents, stream_name
from mainstem.control.options import definition_of
from mainstem.engine.endpoint import Endpoint
from mainstem.model.connection import ConnectionSettings, SslMode, SslSettings

REGISTRY = Registry.installed()
SOURCE = ConnectionSettings("mysql", "db.example", 3307, "a b", "se/cr?t", "sh op")
TARGET = ConnectionSettings("postgresql", "::1", 5432, "owner", "other", "new", "public")
ENDS = {"source": "conn_1", "target": "conn_2", "mode": "convert"}
LATER = {
    "mode": "load",
    "source": {"connections": [{"connectionId": "conn_1", "tables": [{"name": "orders"}]}]},
    "target": {"id": "conn_2", "spec": {"db": {"schemaPolicy": "drop_and_recreate"}}},
}
SAID = [
    ENDS,
    LATER,
    {**ENDS, "tables": [{"name": "a"}, {"name": "-b"}, {"name": "<img src=x>"}, {"name": "__proto__"}]},
    {**ENDS, "exclude": ["x y", "'; rm -rf /"], "denied": "skip", "jobs": 7, "skipData": True},
    {**ENDS, "schemaPolicy": "fail_if_exists", "writeMode": "fail_if_not_empty", "skipIndexCreation": True},
    {**ENDS, "tables": [{"name": "a", "target": "b", "renames": {"x": "y"}, "excludeColumns": ["z"], "where": "x"}]},
    {**ENDS, "where": {"a": "x = '1=1'"}, "renames": {"a": "b", "a.c": "d"}, "excludeColumns": ["a.e"]},
    {**ENDS, "typeOverrides": {"tinyint(1)": "smallint", "a.b": "numeric(10, 2)"}},
    {**ENDS, "rowErrors": {"policy": "quarantine", "limit": 5}, "zeroDates": "null", "nulText": "strip"},
    {**ENDS, "specialValues": "null", "limits": {"numberOfEvents": 10, "elapsedTime": 20}},
    {**ENDS, "mode": "cdc", "name": "my replica!"},
    {**ENDS, "mode": "cdc", "operations": ["insert", "delete"], "onChangeError": "quarantine", "softDelete": "gone"},
    {
        **ENDS, "mode": "cdc", "tables": [{"name": "a", "operations": ["update", "delete"]}, {"name": "b"}],
        "maxLagSeconds": 5, "maxSilenceSeconds": 0, "alertUrl": "https://hooks.example/x", "schemaChanges": "pause",
    },
    {**ENDS, "mode": "cdc", "schemaPolicy": "drop_and_recreate", "serverId": 77, "lockTimeoutSeconds": 5,
     "partitions": 3, "limits": {"elapsedTime": 3}},
    {**ENDS, "mode": "cdc", "position": "binlog.000002:154", "replicationSlotName": "s", "publicationName": "p"},
    {**ENDS, "mode": "cdc", "snapshot": "never", "operations": ["update"]},
]  # fmt: skip
UNSAID = {
    "orders: a query": {**ENDS, "tables": [{"name": "orders", "query": "SELECT 1 AS a"}]},
    "orders: chosen columns": {**ENDS, "tables": [{"name": "orders", "columns": ["id"]}]},
    "orders: without indexes": {**ENDS, "tables": [{"name": "orders", "skipIndexCreation": True}]},
    "structureOptions": {**ENDS, "structureOptions": {"views": False}},
    "dataBundleSize": {**ENDS, "dataBundleSize": 100},
    "memoryMb": {**ENDS, "memoryMb": 100},
    "retrySeconds": {**ENDS, "retrySeconds": 5},
    "a=b: a name or value that the shell's options would split": {**ENDS, "where": {"a=b": "x"}},
}


@pytest.fixture(autouse=True)
def _passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_PASSWORD", SOURCE.password)
    monkeypatch.setenv("TARGET_PASSWORD", TARGET.password)


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Job]]:
    """What the command line would carry out."""
    found: list[Job] = []
    for module in (copying, replicating, streamfile):
        monkeypatch.setattr(module, "carry_out", lambda job, _terminal: found.append(job))
    return found


def said(body: dict[str, Any], source: ConnectionSettings = SOURCE) -> tuple[Understood, Equivalents]:
    meant = Understood(
        body, definition_of(body, sql_dialect="mysql"), Endpoint(REGISTRY.find("mysql"), source),
        Endpoint(REGISTRY.find("postgresql"), TARGET),
    )  # fmt: skip
    return meant, equivalents(meant, "http://127.0.0.1:8020")


@pytest.mark.parametrize("body", SAID, ids=range(len(SAID)))
def test_the_command_line_means_what_the_config_means(body: dict[str, Any], jobs: list[Job]) -> None:
    meant, found = said(body)
    assert not found.needs_file
    assert app.run(shlex.split(found.command)[1:]) == 0
    [job] = jobs
    options, _ = flattened(meant.definition.options)
    assert job.options == replace(options, reporting_interval_s=0)
    assert (job.source.settings, job.target.settings) == (SOURCE, TARGET)
    assert job.resume == (stream_name(body) if body["mode"] == "cdc" else "")


@pytest.mark.parametrize("body", [*SAID, *UNSAID.values()], ids=range(len(SAID) + len(UNSAID)))
def test_the_yaml_means_what_the_config_means(body: dict[str, Any], jobs: list[Job], tmp_path: Path) -> None:
    meant, found = said(body)
    file = tmp_path / "stream.yaml"
    file.write_text(found.yaml, encoding="utf-8")
    assert app.run(["run", str(file)]) == 0
    [job] = jobs
    assert job.options == replace(meant.definition.options, reporting_interval_s=0)
    assert (job.source.settings, job.target.settings) == (SOURCE, TARGET)


@pytest.mark.parametrize("reason", UNSAID)
def test_what_no_option_can_say_needs_the_file(reason: str) -> None:
    _, found = said(UNSAID[reason])
    assert found.command == "mainstem run stream.yaml"
    assert found.reasons == (reason,)


def test_no_equivalent_holds_a_password_and_certificates_are_files_to_put_there() -> None:
    tls = replace(SOURCE, ssl=SslSettings(SslMode.VERIFY_CA, b"a certificate", b"", b"a key"))
    _, found = said(LATER, tls)
    texts = [found.command, found.yaml, *(call.curl for call in found.rest)]
    assert not any(secret in text for text in texts for secret in (SOURCE.password, TARGET.password, "a certificate"))
    assert found.files == ("source-ca.pem", "source-client-key.pem")
    assert found.variables == ("SOURCE_PASSWORD", "TARGET_PASSWORD")
    assert "sslrootcert=source-ca.pem" in found.command


def test_the_rest_calls_save_and_start() -> None:
    _, new = said(LATER)
    assert [(call.method, call.path) for call in new.rest] == [
        ("POST", "/api/v1/stream-configs"),
        ("POST", "/api/v1/stream-configs/{id}/start"),
    ]
    meant, _ = said(LATER)
    saved = equivalents(meant, "http://h", "config_1")
    assert [(call.method, call.path) for call in saved.rest] == [
        ("PUT", "/api/v1/stream-configs/config_1"),
        ("POST", "/api/v1/stream-configs/config_1/start"),
    ]
    assert saved.rest[0].body == LATER
