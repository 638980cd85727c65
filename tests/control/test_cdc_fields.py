"""Mode cdc in both config shapes: what each field stands for, and which are named when they are out of place."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mainstem.control.options import options_of
from mainstem.errors import InvalidError
from mainstem.model.config import REPLICATION_RETRY_S
from mainstem.model.run import (
    ChangeErrorPolicy,
    ChangeOptions,
    Mode,
    RunOptions,
    SchemaChangePolicy,
    SchemaPolicy,
    SnapshotPolicy,
    WriteMode,
)

SOME = ("insert", "update")
LATER = "source.connections[0]"


def early(**members: Any) -> RunOptions:
    return options_of({"mode": "cdc", **members}, sql_dialect="mysql")


def later(connection: dict[str, Any] | None = None, db: dict[str, Any] | None = None, **members: Any) -> RunOptions:
    source = {"connections": [{"connectionId": "a", **(connection or {})}], **members.pop("source", {})}
    body = {"mode": "cdc", "source": source, "target": {"id": "b", "spec": {"db": db or {}}}, **members}
    return options_of(body, sql_dialect="mysql")


def wrong(read: Any, *arguments: Any, **members: Any) -> list[str]:
    with pytest.raises(InvalidError) as caught:
        read(*arguments, **members)
    return list(caught.value.fields)


@pytest.mark.parametrize("options", [early(), later(), early(operations=[]), early(mode=" CDC ")])
def test_both_shapes_have_the_same_defaults(options: RunOptions) -> None:
    assert (options.mode, options.changes) == (Mode.CDC, ChangeOptions())
    assert (options.schema_policy, options.write_mode) == (SchemaPolicy.CREATE_MISSING, WriteMode.UPSERT)
    assert options.retry_seconds == REPLICATION_RETRY_S


def test_the_members_that_both_shapes_share() -> None:
    own = {
        "snapshot": "Always", "softDelete": "gone_at", "onChangeError": "quarantine", "schemaChanges": "pause",
        "maxLagSeconds": 5, "maxSilenceSeconds": 0, "alertUrl": "https://hooks.example.com/a?b=c", "serverId": 4711,
        "retrySeconds": 7, "lockTimeoutSeconds": 0, "partitions": 4,
    }  # fmt: skip
    meant = ChangeOptions(
        snapshot=SnapshotPolicy.ALWAYS, soft_delete="gone_at", row_errors=ChangeErrorPolicy.QUARANTINE,
        schema_changes=SchemaChangePolicy.PAUSE, max_lag_s=5, max_silence_s=0,
        alert_url="https://hooks.example.com/a?b=c", server_id=4711, lock_timeout_s=0, partitions=4,
    )  # fmt: skip
    assert early(**own).changes == later(**own).changes == meant
    assert early(**own).retry_seconds == 7


def test_what_the_early_shape_says_in_its_own_words() -> None:
    options = early(
        operations=SOME, tables=[{"name": "a", "operations": ["DELETE"]}, {"name": "b", "operations": []}],
        replicationSlotName="s", publicationName="p", flavor="MariaDB", position="0-1-2, 1-1-7",
        limits={"numberOfEvents": 5, "elapsedTime": 6}, schemaPolicy="validate_existing", writeMode="upsert",
    )  # fmt: skip
    assert options.changes == ChangeOptions(
        snapshot=SnapshotPolicy.NEVER, position="0-1-2,1-1-7", operations=SOME,
        table_operations={"a": ("delete", "truncate")}, slot="s", publication="p",
    )  # fmt: skip
    assert (options.max_rows, options.max_seconds, options.schema_policy) == (5, 6, SchemaPolicy.VALIDATE)
    older = early(settings={"replicationSlotName": "s", "publicationName": "p", "flavor": "mysql"})
    assert older.changes == ChangeOptions(slot="s", publication="p")


def test_what_the_later_shape_says_in_its_own_words() -> None:
    asked = {"operations": SOME, "replicationSlot": "s", "publicationName": "p", "binlogPosition": "bin.1:4"}
    options = later({"tables": [{"name": "a", "operations": ["insert"]}]}, source={"options": asked})
    assert options.changes == ChangeOptions(
        snapshot=SnapshotPolicy.NEVER, position="bin.1:4", operations=SOME, table_operations={"a": ("insert",)},
        slot="s", publication="p",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("sent", "meant"),
    [
        (["insert", "update", "delete"], ("insert", "update", "delete", "truncate")),
        (["delete"], ("delete", "truncate")),
        (["insert", "Insert"], ("insert",)),
        (["truncate"], ("truncate",)),
    ],
)
def test_whoever_wants_deletes_wants_truncates(sent: list[str], meant: tuple[str, ...]) -> None:
    assert early(operations=sent).changes.operations == meant


def test_without_data_nothing_is_copied_first() -> None:
    for options in (early(skipData=True), later(db={"skipData": True}), early(skipData=True, snapshot="never")):
        assert (options.changes.snapshot, options.skip_data) == (SnapshotPolicy.NEVER, False)


def test_tables_that_are_dropped_are_copied() -> None:
    for options in (early(schemaPolicy="drop_and_recreate"), later(db={"schemaPolicy": "drop_and_recreate"})):
        assert options.changes.snapshot is SnapshotPolicy.ALWAYS


@pytest.mark.parametrize(
    ("fields", "members"),
    [
        (["schemaPolicy"], {"schemaPolicy": "drop_and_recreate", "snapshot": "auto"}),
        (["schemaPolicy"], {"schemaPolicy": "drop_and_recreate", "position": "0/1"}),
        (["where.t"], {"where": {"t": "a = 1"}}),
        (["tables[1].where"], {"tables": [{"name": "t"}, {"name": "u", "where": "a = 1"}]}),
        (["tables[0].query"], {"tables": [{"name": "t", "query": "SELECT 1 AS a"}]}),
        (["tables[0].query"], {"filter": {"tables": [{"name": "t", "query": "SELECT 1 AS a"}]}}),
        (["writeMode"], {"writeMode": "append"}),
        (["skipData"], {"skipData": True, "snapshot": "auto"}),
        (["position"], {"position": "0/1", "snapshot": "always"}),
        (["softDelete"], {"softDelete": "gone", "operations": ["insert"]}),
        (["snapshot"], {"snapshot": "sometimes"}),
        (["position"], {"position": " "}),
        (["serverId"], {"serverId": 0}),
        (["serverId"], {"serverId": 2**32}),
        (["maxLagSeconds"], {"maxLagSeconds": -1}),
        (["onChangeError"], {"onChangeError": "fail"}),
        (["operations[0]"], {"operations": ["upsert"]}),
        (["tables[0].operations[1]"], {"tables": [{"name": "t", "operations": ["insert", "x"]}]}),
        (["flavor"], {"flavor": "oracle"}),
        *((["alertUrl"], {"alertUrl": url}) for url in ("ftp://h/", "h", "http://", "http://u:p@h/", "file:///etc")),
    ],
)
def test_what_mode_cdc_does_not_have_is_named(fields: list[str], members: dict[str, Any]) -> None:
    assert wrong(early, **members) == fields


@pytest.mark.parametrize(
    ("fields", "connection", "db", "source"),
    [
        ([f"{LATER}.queries[0]"], {"queries": [{"name": "q", "query": "SELECT 1 AS a"}]}, {}, {}),
        (
            [f"{LATER}.tables[0].selection.filters"],
            {"tables": [{"name": "t", "selection": {"filters": [{"column": "a", "value": 1}]}}]}, {}, {},
        ),
        (["target.spec.db.writeMode"], {}, {"writeMode": "truncate_and_load"}, {}),
    ],
)  # fmt: skip
def test_the_later_shape_names_them_by_its_own_paths(
    fields: list[str], connection: dict[str, Any], db: dict[str, Any], source: dict[str, Any]
) -> None:
    assert wrong(later, connection, db, source=source) == fields


def test_two_positions_must_be_one() -> None:
    given = {"source": {"options": {"binlogPosition": "bin.1:4"}}}
    assert later(position="bin.1:4", **given).changes.position == "bin.1:4"
    assert wrong(later, position="bin.1:5", **given) == ["position"]


@pytest.mark.parametrize(
    "member",
    [
        {"snapshot": "auto"}, {"position": "0/1"}, {"softDelete": "gone"}, {"onChangeError": "quarantine"},
        {"schemaChanges": "apply"}, {"maxLagSeconds": 1}, {"maxSilenceSeconds": 1}, {"alertUrl": "http://h/"},
        {"serverId": 1}, {"lockTimeoutSeconds": 1}, {"partitions": 2},
    ],
)  # fmt: skip
def test_mode_convert_has_none_of_it(member: dict[str, Any]) -> None:
    assert wrong(early, mode="convert", **member) == list(member)
    assert wrong(later, mode="load", **member) == list(member)


def test_mode_convert_ignores_what_clients_leave_in_a_config() -> None:
    left = {"operations": SOME, "replicationSlotName": "s", "publicationName": "p", "flavor": "mysql"}
    assert early(mode="convert", **left) == early(mode="convert")
    assert replace(early(mode="convert"), retry_seconds=0) != replace(early(), retry_seconds=0)
