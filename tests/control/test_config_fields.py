"""Fields of both config shapes: what each stands for, and which are named when they are wrong."""

from __future__ import annotations

from typing import Any

import pytest

from mainstem.control.config_body import EarlyConfig, LaterConfig
from mainstem.control.configs import Configs
from mainstem.control.options import definition_of, options_of
from mainstem.errors import InvalidError, NotFoundError
from mainstem.model.run import RunOptions, SchemaPolicy, StructureOptions, TableSelection, WriteMode

WEIRD: list[Any] = [{}, [], [[]], {"": {}}, 1.5, -1, True, "\0", "x" * 300_000, [None], 10**30, {"a": [1]}]


def early(**members: Any) -> RunOptions:
    return options_of({"mode": "convert", **members}, sql_dialect="mysql")


def later(connection: dict[str, Any] | None = None, db: dict[str, Any] | None = None, **members: Any) -> RunOptions:
    source = {"connections": [{"connectionId": "a", **(connection or {})}], **members.pop("source", {})}
    body = {"mode": "load", "source": source, "target": {"id": "b", "spec": {"db": db or {}}}, **members}
    return options_of(body, sql_dialect="mysql")


def wrong_fields(**members: Any) -> dict[str, str]:
    with pytest.raises(InvalidError) as caught:
        early(**members)
    return caught.value.fields


def test_the_defaults_of_the_early_shape() -> None:
    options = early()
    assert options.structure == StructureOptions()
    assert (options.schema_policy, options.write_mode) == (SchemaPolicy.CREATE_MISSING, WriteMode.APPEND)
    assert (options.reporting_interval_s, options.max_rows, options.max_seconds) == (3, 0, 0)


def test_the_defaults_of_the_later_shape() -> None:
    options = later()
    assert (options.schema_policy, options.write_mode) == (SchemaPolicy.FAIL_IF_EXISTS, WriteMode.FAIL_IF_NOT_EMPTY)
    assert (options.structure, options.reporting_interval_s) == (StructureOptions(), 3)


def test_both_shapes_of_one_wish_are_one() -> None:
    assert early(
        tables=[{"name": "t", "skipIndexCreation": True}, {"name": "q", "query": "SELECT 1 AS a;"}],
        dataBundleSize=100, limits={"numberOfEvents": 5, "elapsedTime": 6}, reportingInterval=7,
        schemaPolicy="drop_and_recreate", writeMode="upsert",
    ) == later(
        {"tables": [{"name": "t", "skipIndexCreation": True}], "queries": [{"name": "q", "query": "SELECT 1 AS a"}]},
        {"schemaPolicy": "drop_and_recreate", "writeMode": "upsert"},
        source={"options": {"dataBundleSize": 100}}, limits={"numberOfEvents": 5, "elapsedTime": 6},
        reportingInterval=7,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("members", "seconds"),
    [
        ({}, 3),
        ({"reportingInterval": 0}, 0),
        ({"reportingIntervals": {"source": 5, "target": 2}}, 2),
        ({"reportingIntervals": {"source": 0, "target": 4}}, 4),
        ({"reportingIntervals": {"source": 0, "target": 0}}, 0),
        ({"reportingIntervals": {}, "reportingInterval": 9}, 9),
    ],
)
def test_the_reporting_interval_is_the_shorter_one_that_is_wanted(members: dict[str, Any], seconds: int) -> None:
    assert early(**members).reporting_interval_s == seconds


def test_older_names_mean_the_same() -> None:
    assert early(limits={"numberOfevents": 4}).max_rows == 4
    assert early(noCreateTables=True).structure == early(createStructure=False).structure
    assert early(noCreateIndexes=True).structure == early(skipIndexCreation=True).structure
    assert early(filter={"tables": [{"name": "t"}]}).tables == (TableSelection("t"),)
    assert early(structureOptions={"indexes": "disabled"}).structure.indexes is False
    assert early(structureOptions={"tables": "fail_if_exists"}).schema_policy is SchemaPolicy.FAIL_IF_EXISTS


@pytest.mark.parametrize("size", [10, 500, 1000, "250"])
def test_a_bundle_has_10_to_1000_rows(size: Any) -> None:
    assert early(dataBundleSize=size).batch_rows == int(size)


@pytest.mark.parametrize("size", [9, 1001, 0, -1, "x", 10.5, True])
def test_another_bundle_is_named(size: Any) -> None:
    assert list(wrong_fields(dataBundleSize=size)) == ["dataBundleSize"]


def test_the_later_shape_takes_any_bundle_with_a_warning() -> None:
    body = {
        "mode": "load",
        "source": {"connections": [{"connectionId": "a"}], "options": {"dataBundleSize": 5000}},
        "target": {"id": "b"},
    }
    definition = definition_of(body, sql_dialect="mysql")
    assert definition.options.batch_rows == 1000
    assert "5000" in definition.warnings[0]


@pytest.mark.parametrize(
    "query",
    [
        "DELETE FROM t", "SELECT 1; DROP TABLE t", "SELECT 1; -- x", "SELECT * FROM t INTO OUTFILE '/tmp/x'",
        "SELECT * INTO OUTFILE '/tmp/x' FROM t", "SELECT a INTO @x FROM t", "SELECT * FROM t FOR UPDATE",
        "SELECT * FROM t LOCK IN SHARE MODE", "SHOW TABLES", "CALL p()", "SET @a = 1", "/*!50000 DROP TABLE t */",
        "SELECT 1 /*! INTO OUTFILE '/tmp/x' */", "SELECT 1 /* open", "HANDLER t OPEN", "SELEC 1",
        "EXPLAIN SELECT 1", "WITH d AS (DELETE FROM t RETURNING *) SELECT * FROM d",
    ],
)  # fmt: skip
def test_what_is_not_one_select_is_refused_when_the_config_is_saved(query: str) -> None:
    assert "must be one SELECT" in wrong_fields(tables=[{"name": "q", "query": query}])["tables[0].query"]
    with pytest.raises(InvalidError) as caught:
        later({"queries": [{"name": "q", "query": query}]})
    assert list(caught.value.fields) == ["source.connections[0].queries[0].query"]


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM t", "select a from t where b = ';'", "SELECT 1 AS a -- said", "SELECT 1 AS a # said",
        "/* why */ SELECT 1 AS a", "WITH w AS (SELECT 1 AS a) SELECT a FROM w", "(SELECT 1 AS a) UNION (SELECT 2)",
        "SELECT * FROM t;", "SELECT * FROM t ;\n",
    ],
)  # fmt: skip
def test_one_select_is_taken_in_any_dress(query: str) -> None:
    assert not early(tables=[{"name": "q", "query": query}]).tables[0].query.endswith(";")


def test_an_empty_query_of_the_later_shape_is_named() -> None:
    with pytest.raises(InvalidError) as caught:
        later({"queries": [{"name": "q", "query": " "}]})
    assert caught.value.fields == {"source.connections[0].queries[0].query": "must not be empty"}


@pytest.mark.parametrize("mode", ["sync", "", 1, {}, [], None])
def test_other_modes_are_named(configs: Configs, source_id: str, target_id: str, mode: Any) -> None:
    with pytest.raises(InvalidError) as caught:
        configs.create({"source": source_id, "target": target_id, "mode": mode})
    assert list(caught.value.fields) == ["mode"]
    assert configs.all() == []


def refused(configs: Configs, body: dict[str, Any]) -> list[str]:
    """The fields that are wrong; none when the config is taken."""
    try:
        configs.create(body)
    except InvalidError as exc:
        return list(exc.fields) or [""]
    return []


@pytest.mark.parametrize("member", sorted({field.alias or name for name, field in EarlyConfig.model_fields.items()}))
def test_no_value_of_a_member_is_more_than_a_wrong_field(
    configs: Configs, source_id: str, target_id: str, member: str
) -> None:
    """Values of every type: taken, or named under the member; never another error."""
    for value in WEIRD:
        body = {"name": "n", "source": source_id, "target": target_id, "mode": "convert", member: value}
        named = [field for field in refused(configs, body) if not field.startswith((member, "source", "target"))]
        assert named == [], value


@pytest.mark.parametrize("member", sorted({field.alias or name for name, field in LaterConfig.model_fields.items()}))
def test_no_value_of_a_later_member_is_more_than_a_wrong_field(
    configs: Configs, source_id: str, target_id: str, member: str
) -> None:
    for value in WEIRD:
        body = {
            "mode": "load", "source": {"connections": [{"connectionId": source_id}]}, "target": {"id": target_id},
            member: value,
        }  # fmt: skip
        assert all(refused(configs, body)), value


def test_source_and_target_must_be_there_and_two_places(configs: Configs, source_id: str, target_id: str) -> None:
    for field, body in {
        "source": {"source": "conn_gone", "target": target_id},
        "target": {"source": source_id},
    }.items():
        with pytest.raises(InvalidError) as caught:
            configs.create({**body, "mode": "convert"})
        assert list(caught.value.fields) == [field]
    with pytest.raises(InvalidError, match="same place"):
        configs.create({"source": source_id, "target": source_id, "mode": "convert"})
    assert configs.all() == []


@pytest.mark.parametrize("other", ["LOCALHOST", "127.0.0.1", "127.0.0.2", "::1", "[::1]", "0.0.0.0", "localhost."])
def test_another_spelling_of_the_host_is_the_same_place(configs: Configs, source_id: str, other: str) -> None:
    ends = []
    for host in ("localhost", other):
        record = configs._connections.create(
            {"name": "n", "type": "mysql", "host": host, "port": 3306, "username": "u", "database": "shop"}
        )
        ends.append(record.id)
    with pytest.raises(InvalidError, match="same place"):
        configs.create({"source": ends[0], "target": ends[1], "mode": "convert"})


def test_a_name_gets_the_end_of_its_id_once(configs: Configs, source_id: str, target_id: str) -> None:
    body = {"name": "shop", "source": source_id, "target": target_id, "mode": "convert"}
    record = configs.create(body)
    assert record.name == f"shop_{record.id[-5:]}"
    assert configs.update(record.id, {**body, "name": record.name}).name == record.name
    assert configs.clone(record.id).name.startswith("shop_copy_")
    nameless = configs.create({**body, "name": "", "tables": [{"name": "a"}, {"name": "b"}]})
    assert nameless.name.startswith("mysql_to_postgresql_a_and_1_more_")
    with pytest.raises(NotFoundError):
        configs.get("config_id")


def test_wishes_of_both_shapes_are_one() -> None:
    table = {
        "name": "t", "target": "u", "renames": {"a": "b"}, "excludeColumns": ["c"], "where": "a > 1",
    }  # fmt: skip
    shared = {
        "renames": {"x": "y", "x.a": "b"}, "excludeColumns": ["x.c"], "where": {"x": " a > 1 "},
        "sourceSchemas": ["*"], "schemaNames": {"public": "shop"}, "specialValues": "NULL", "denied": "Skip",
        "schemaPolicy": "drop_and_recreate", "writeMode": "append",
    }  # fmt: skip
    db = {"schemaPolicy": "drop_and_recreate", "writeMode": "append"}
    flat = early(tables=[{**table, "columns": ["a", "d"]}], **shared)
    nested = later({"tables": [{**table, "selection": {"selectedColumns": ["a", "d"]}}]}, db, **shared)
    assert flat == nested
    assert flat.tables[0] == TableSelection(
        "t", columns=("a", "d"), where="a > 1", exclude_columns=("c",), target="u", renames={"a": "b"}
    )
    assert (flat.renames, flat.exclude_columns, flat.filters) == ({"x": "y", "x.a": "b"}, ("x.c",), {"x": "a > 1"})
    assert (flat.source_schemas, flat.schema_names) == (("*",), {"public": "shop"})
    assert (flat.special_values, flat.denied) == ("null", "skip")


def test_filters_and_a_condition_of_a_table_hold_both() -> None:
    selection = {"filters": [{"column": "a", "operator": ">", "value": 1}]}
    table = later({"tables": [{"name": "t", "where": "b OR c", "selection": selection}]}).tables[0]
    assert table.where == "(`a` > 1) AND (b OR c)"


@pytest.mark.parametrize(
    "condition",
    ["a > 1; DROP TABLE t", "1) OR (1", "a = 1 -- x", "a = 1 FOR UPDATE", "a = 1 LIMIT 2", "a =", "a > 1 ORDER BY a"],
)
def test_what_is_not_one_condition_is_refused_when_the_config_is_saved(condition: str) -> None:
    assert list(wrong_fields(where={"t": condition})) == ["where.t"]
    assert list(wrong_fields(tables=[{"name": "t", "where": condition}])) == ["tables[0].where"]


@pytest.mark.parametrize("member", ["columns", "excludeColumns", "where"])
def test_a_query_says_itself_what_it_returns(member: str) -> None:
    value = "a = 1" if member == "where" else ["a"]
    fields = wrong_fields(tables=[{"name": "q", "query": "SELECT 1 AS a", member: value}])
    assert list(fields) == [f"tables[0].{member}"]
