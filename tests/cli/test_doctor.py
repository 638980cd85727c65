from __future__ import annotations

from dataclasses import replace

from mainstem.cli.doctor import roles
from mainstem.cli.endpoints import endpoint
from mainstem.contract.inspector import Role
from mainstem.contract.registry import Registry
from mainstem.engine.conversion import Endpoint
from tests.cli.conftest import Pair, mainstem


def test_roles_follow_the_order_unless_told() -> None:
    registry = Registry.installed()
    mysql = endpoint("mysql://u@h/db", registry)
    postgres = endpoint("postgresql://u@h/db", registry)
    assert roles([mysql, postgres], None) == [Role.SOURCE, Role.TARGET]
    assert roles([mysql], None) == [Role.SOURCE]
    only_target = Endpoint(replace(postgres.spec, source=None), postgres.settings)
    assert roles([only_target], None) == [Role.TARGET]
    assert roles([mysql, postgres], Role.SOURCE) == [Role.SOURCE, Role.SOURCE]


def test_two_good_systems_are_0(pair: Pair) -> None:
    done = mainstem("doctor", *pair.urls)
    assert done.code == 0, done.out + done.err
    assert "as source" in done.out
    assert "as target" in done.out


def test_a_target_that_has_rows_already_is_told_with_its_tables_and_what_to_do(pair: Pair) -> None:
    assert mainstem("copy", *pair.urls, "--quiet").code == 0
    finding = next(
        item
        for item in mainstem("doctor", *pair.urls, "--json").document["systems"][1]["findings"]
        if item["check"] == "tgt.not_empty"
    )
    assert "customer, purchase" in finding["message"]
    assert "writeMode" in finding["remedy"]


def test_as_json_each_system_has_its_findings(pair: Pair) -> None:
    document = mainstem("doctor", *pair.urls, "--json").document
    assert document["ok"] is True
    assert [system["role"] for system in document["systems"]] == ["source", "target"]
    assert document["systems"][0]["server"]["flavor"] == "mariadb"


def test_a_system_out_of_reach_is_3_and_the_other_is_looked_at_all_the_same(pair: Pair) -> None:
    done = mainstem("doctor", "mysql://root:x@127.0.0.1:9/db", pair.urls[1])
    assert done.code == 3
    assert "refused" in done.out
    assert "as target" in done.out
