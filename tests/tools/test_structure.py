from __future__ import annotations

from tools.structure import differences

BEFORE = {
    "table a": ("CREATE TABLE `a` (", "`id` smallint(5) unsigned NOT NULL", "KEY `by_id` (`id`)", ")"),
    "table b": ("CREATE TABLE `b` (", "`id` smallint(5) unsigned NOT NULL", ")"),
    "view v": ("CREATE VIEW `v` AS select 1",),
    "trigger t": ("TRIGGER t",),
}
AFTER = {
    "table a": ("CREATE TABLE `a` (", "`id` int(11) NOT NULL", "KEY `a_by_id` (`id`)", ")"),
    "table b": ("CREATE TABLE `b` (", "`id` int(11) NOT NULL", ")"),
    "view v": ("CREATE VIEW `v` AS (select 1)",),
}


def test_the_same_structure_has_no_differences() -> None:
    assert differences(BEFORE, BEFORE) == []


def test_equal_differences_are_counted_and_each_has_its_reason() -> None:
    found = {(item.before, item.after): item for item in differences(BEFORE, AFTER)}
    assert found.keys() == {
        ("smallint(5) unsigned", "int(11)"), ("KEY name", "KEY table_name"), ("the view's query", "another text"),
        ("trigger", ""),
    }  # fmt: skip
    assert found["smallint(5) unsigned", "int(11)"].count == 2
    assert found["smallint(5) unsigned", "int(11)"].example == "table a"
    assert all(item.reason for item in found.values())
