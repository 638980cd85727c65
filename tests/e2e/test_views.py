"""Views: the same rows from both servers, the order in which they are made, and what is said of those that aren't."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from mainstem.model.run import RunOptions, RunState, SchemaPolicy, StructureOptions, TableSelection
from tests.e2e.conftest import Pair

TABLES = (
    "CREATE TABLE maker (id INT PRIMARY KEY, name VARCHAR(40) NOT NULL, country CHAR(2))",
    "CREATE TABLE item (id INT PRIMARY KEY AUTO_INCREMENT, maker_id INT, name VARCHAR(40) NOT NULL,"
    " price DECIMAL(10,2), active TINYINT(1) NOT NULL DEFAULT 1, kind ENUM('a','b','c'), made DATE, `Mixed Case` INT,"
    " FOREIGN KEY (maker_id) REFERENCES maker (id))",
    "INSERT INTO maker VALUES (1, 'Ätna', 'IT'), (2, 'Brocken', 'DE'), (3, 'Chimborazo', NULL)",
    "INSERT INTO item (maker_id, name, price, active, kind, made, `Mixed Case`) VALUES"
    " (1, 'anvil', 10.50, 1, 'a', '2024-02-29', 1), (1, 'bolt', 0.25, 0, 'b', '2023-12-31', 2),"
    " (2, 'crane', 99.99, 1, 'a', NULL, NULL), (NULL, 'drill', NULL, 1, NULL, '2024-01-01', 4)",
)

VIEWS = {
    "joined": "SELECT i.id AS ID, CONCAT(m.name, ': ', i.name) AS `full name`, IF(i.active, 'yes', 'no') AS sold"
    " FROM item i JOIN maker m ON m.id = i.maker_id",
    "unaliased": "SELECT item.id, maker.name FROM item LEFT JOIN maker ON maker.id = item.maker_id WHERE item.active",
    "comma": "SELECT a.id AS a, b.id AS b, c.id AS c FROM item a, maker b JOIN maker c ON c.id = b.id",
    "grouped_by_key": "SELECT m.id, m.name, m.country, COUNT(i.id) AS n, SUM(i.price) AS total,"
    " GROUP_CONCAT(i.name ORDER BY i.name SEPARATOR '|') AS names"
    " FROM maker m LEFT JOIN item i ON i.maker_id = m.id GROUP BY m.id",
    "having_alias": "SELECT maker_id, COUNT(*) AS n FROM item GROUP BY maker_id HAVING n > 1",
    "grouped_by_alias": "SELECT YEAR(made) AS y, COUNT(*) AS n FROM item GROUP BY y ORDER BY n DESC, y",
    "derived": "SELECT d.m AS m, d.top * 2 AS twice FROM (SELECT maker_id AS m, MAX(price) AS top FROM item"
    " GROUP BY maker_id) d WHERE d.top IS NOT NULL",
    "correlated": "SELECT m.name, (SELECT COUNT(*) FROM item i WHERE i.maker_id = m.id) AS n FROM maker m"
    " WHERE EXISTS (SELECT 1 FROM item i WHERE i.maker_id = m.id AND i.price > 1)",
    "united": "SELECT id, name FROM maker UNION ALL SELECT id, name FROM item",
    "with_cte": "WITH cheap (i, n) AS (SELECT id, name FROM item WHERE price < 50) SELECT cheap.i, cheap.n FROM cheap",
    "counting": "WITH RECURSIVE c AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM c WHERE n < 5) SELECT n FROM c",
    "mixed": "SELECT `Mixed Case`, made + INTERVAL 1 MONTH AS later FROM item WHERE made >= '2024-01-01'",
    "ranked": "SELECT id, ROW_NUMBER() OVER (PARTITION BY maker_id ORDER BY price DESC) AS place FROM item",
    "enums": "SELECT id, CASE kind WHEN 'a' THEN 'first' ELSE COALESCE(kind, 'none') END AS said FROM item",
    "a_view_on_one": "SELECT j.`full name` AS label, j.sold FROM joined j WHERE j.sold = 'yes'",
}


def rows_of(rows: list[tuple[object, ...]]) -> list[str]:
    """Rows in an order of their own, numbers without the zeros at their end."""
    return sorted(repr([_plain(value) for value in row]) for row in rows)


def _plain(value: object) -> str | None:
    if isinstance(value, (int, Decimal)):
        return format(Decimal(value).normalize(), "f")
    return None if value is None else str(value)


def make(pair: Pair, views: dict[str, str]) -> None:
    pair.mysql(*TABLES, *(f"CREATE VIEW {name} AS {query}" for name, query in views.items()))


def test_views_give_the_same_rows_on_both_servers(pair: Pair) -> None:
    make(pair, VIEWS)
    progress = pair.conversion().run()
    assert (progress.state, progress.error) == (RunState.FINISHED, "")
    assert [item for item in progress.report if "view" in item.code] == []
    for name in VIEWS:
        assert rows_of(pair.postgres(f'SELECT * FROM "{name}"')) == rows_of(pair.mysql(f"SELECT * FROM {name}")), name


def test_a_view_is_made_after_those_that_it_uses(pair: Pair) -> None:
    """By name the first would come first."""
    make(pair, {"z1": "SELECT id FROM item", "y2": "SELECT id FROM z1", "a3": "SELECT y2.id, z1.id AS j FROM y2, z1"})
    assert pair.conversion().run().state is RunState.FINISHED
    assert pair.postgres("SELECT count(*) FROM a3") == [(16,)]


def test_what_a_view_allows_to_be_written_comes_along(pair: Pair) -> None:
    make(pair, {})
    pair.mysql("CREATE SQL SECURITY INVOKER VIEW cheap AS SELECT * FROM item WHERE price < 5 WITH LOCAL CHECK OPTION")
    progress = pair.conversion().run()
    assert [(item.code, item.object) for item in progress.report if "view" in item.code] == [
        ("view_security", "public.cheap")
    ]
    assert pair.postgres("SELECT check_option FROM information_schema.views WHERE table_name = 'cheap'") == [("LOCAL",)]


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("SELECT SOUNDEX(name) AS s FROM item", "soundex"),
        ("SELECT maker_id, COUNT(*) AS n FROM item GROUP BY maker_id WITH ROLLUP", "rollup"),
        ("SELECT user FROM mysql.user", "mysql.user"),
        ("SELECT b.id FROM broken b", "it uses"),
    ],
)
def test_a_view_that_cannot_be_said_is_reported_and_the_rest_is_made(pair: Pair, query: str, reason: str) -> None:
    make(pair, {"broken": "SELECT SOUNDEX(name) AS id FROM item", "fine": "SELECT id FROM item", "lost": query})
    progress = pair.conversion().run()
    assert progress.state is RunState.FINISHED
    (item,) = (item for item in progress.report if item.object.endswith(".lost"))
    assert item.code == "view_left_out"
    assert reason in item.message.lower()
    assert item.remedy
    assert pair.postgres("SELECT count(*) FROM fine") == [(4,)]


def test_a_view_that_the_target_refuses_is_reported_and_the_rest_is_made(pair: Pair) -> None:
    """A name twice is one of what only the target finds."""
    make(pair, {"fine": "SELECT id FROM item", "good": "SELECT id, name FROM maker"})
    pair.postgres("CREATE VIEW good AS SELECT 1 AS one")
    progress = pair.conversion(RunOptions(schema_policy=SchemaPolicy.FAIL_IF_EXISTS)).run()
    assert progress.state is RunState.FINISHED
    assert [item.object for item in progress.report if item.code == "views_failed"] == ["public.good"]
    assert pair.postgres("SELECT count(*) FROM fine") == [(4,)]


def test_a_view_of_tables_that_are_not_selected_is_left_out_and_said(pair: Pair) -> None:
    make(pair, {"items": "SELECT id FROM item", "makers": "SELECT name FROM maker"})
    progress = pair.conversion(RunOptions(tables=(TableSelection("maker"),))).run()
    assert progress.state is RunState.FINISHED
    assert pair.postgres("SELECT count(*) FROM makers") == [(3,)]
    assert [item.object.split(".")[-1] for item in progress.report if item.code == "view_left_out"] == ["items"]


def test_no_views_are_made_when_they_are_not_wanted(pair: Pair) -> None:
    make(pair, {"items": "SELECT id FROM item"})
    pair.conversion(RunOptions(structure=replace(StructureOptions(), views=False))).run()
    assert pair.postgres("SELECT count(*) FROM pg_views WHERE schemaname = 'public'") == [(0,)]


def test_views_are_dropped_and_made_anew_with_their_tables(pair: Pair) -> None:
    make(pair, {"items": "SELECT id FROM item"})
    pair.conversion().run()
    again = pair.conversion(RunOptions(schema_policy=SchemaPolicy.DROP_AND_RECREATE)).run()
    assert (again.state, again.error) == (RunState.FINISHED, "")
    assert pair.postgres("SELECT count(*) FROM items") == [(4,)]
