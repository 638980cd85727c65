"""DDL of procedures, functions and events without DEFINER, and with their database's name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from mainstem.connectors.mysql import catalog, inspector
from mainstem.connectors.mysql.client import connect
from mainstem.connectors.mysql.inspector import MysqlInspector
from mainstem.connectors.mysql.objects import without_definer
from mainstem.model.connection import ConnectionSettings
from mainstem.model.names import TableId


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        ("CREATE DEFINER=`root`@`%` PROCEDURE `p`(IN a INT)\nSELECT 1", "CREATE PROCEDURE `s`.`p`(IN a INT)\nSELECT 1"),
        ("CREATE DEFINER=`a user`@`10.0.0.%` FUNCTION `p`() RETURNS int RETURN 1",
         "CREATE FUNCTION `s`.`p`() RETURNS int RETURN 1"),
        ('CREATE DEFINER="root"@"127.0.0.1" PROCEDURE "p"() SELECT "a"', 'CREATE PROCEDURE `s`.`p`() SELECT "a"'),
        ("CREATE DEFINER=`a_role` EVENT `p` ON SCHEDULE EVERY 1 DAY DO SELECT 1",
         "CREATE EVENT `s`.`p` ON SCHEDULE EVERY 1 DAY DO SELECT 1"),
        ("CREATE DEFINER=`root`@`%` AGGREGATE FUNCTION `p`(x INT) RETURNS int RETURN 1",
         "CREATE AGGREGATE FUNCTION `s`.`p`(x INT) RETURNS int RETURN 1"),
        ("CREATE PROCEDURE `p`() SELECT 'CREATE DEFINER=`x`@`y` PROCEDURE `p`'",
         "CREATE PROCEDURE `s`.`p`() SELECT 'CREATE DEFINER=`x`@`y` PROCEDURE `p`'"),
    ],
)  # fmt: skip
def test_the_head_alone_changes(shown: str, expected: str) -> None:
    assert without_definer(shown, TableId("s", "p")) == expected


def test_what_others_drop_while_it_is_read_is_not_there(
    mysql_db: ConnectionSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    drops = {"next_not_cached_value": "DROP SEQUENCE s", "SHOW CREATE PROCEDURE": "DROP PROCEDURE p",
             "SHOW CREATE EVENT": "DROP EVENT e"}  # fmt: skip
    with connect(mysql_db) as connection, connection.cursor() as cursor:
        for statement in ("TABLE t (id INT)", "SEQUENCE s", "PROCEDURE p() SELECT 1",
                          "EVENT e ON SCHEDULE EVERY 1 DAY DISABLE DO SELECT 1"):  # fmt: skip
            cursor.execute(f"CREATE {statement}")
        rows = catalog._rows

        def dropping(reads: Any, query: str, parameters: Sequence[object] = ()) -> list[dict[str, Any]]:
            for of in [of for of in drops if of in query]:
                cursor.execute(drops.pop(of))
            return rows(reads, query, parameters)

        monkeypatch.setattr(catalog, "_rows", dropping)
        monkeypatch.setattr(inspector, "_AGAIN_S", 0.0)
        with MysqlInspector(mysql_db) as reads:
            found = reads.catalog()
    assert not drops
    assert [table.id.name for table in found.tables] == ["t"]
    assert (found.sequences, found.objects) == ((), ())
