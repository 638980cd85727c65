"""DDL of procedures, functions and events without DEFINER, and with their database's name."""

from __future__ import annotations

import pytest

from mainstem.connectors.mysql.objects import without_definer
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
