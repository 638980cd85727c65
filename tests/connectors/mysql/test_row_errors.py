"""What errors and warnings of the server come to."""

from __future__ import annotations

import pymysql
import pytest

from mainstem.connectors.mysql.client import translate_error
from mainstem.connectors.mysql.errors import is_row_refusal, row_refusal, statement_error
from mainstem.connectors.mysql.outcome import row_error
from mainstem.errors import LostConnectionError, MainstemError, StatementError, TargetFullError, TransientError

SECRET = "s3cr3t at row 9"
REFUSALS = [
    (1264, "Out of range value for column 'a' at row 3", "a", 2, "a value outside the column's range"),
    (1366, f"Incorrect integer value: '{SECRET}' for column `d`.`t`.`a` at row 1", "a", 0, "a value that"),
    (1366, f"Incorrect integer value: '{SECRET}' for column 'a' at row 2", "a", 1, "a value that"),
    (1366, "Incorrect string value: '\\xF0\\x9F' for column `d`.`t`.`a b` at row 12", "a b", 11, "a value that"),
    (1048, "Column 'a' cannot be null", "a", None, "NULL in a column"),
    (1062, f"Duplicate entry '{SECRET}' for key 'PRIMARY'", None, None, "a key that another row has already [PRIMARY]"),
    (1062, "Duplicate entry 'x for key 'u'' for key 't.u'", None, None, "a key that another row has already [t.u]"),
    (1452, "Cannot add or update a child row: a foreign key constraint fails (`d`.`t`, CONSTRAINT `f` FOREIGN KEY (`p`)"
     " REFERENCES `p` (`id`))", None, None, "a reference to a row that is not there [f]"),
    (4025, "CONSTRAINT `c` failed for `d`.`t`", None, None, "values that a check does not allow [c]"),
    (3819, "Check constraint 'c' is violated.", None, None, "values that a check does not allow [c]"),
    (3140, f"Invalid JSON text: \"Invalid value.\" at position 1 in value '{SECRET}'", None, None, "no JSON"),
    (1644, SECRET, None, 8, "refused by a trigger"),
]  # fmt: skip


@pytest.mark.parametrize(("code", "text", "column", "row", "says"), REFUSALS)
def test_a_refusal_names_column_and_row_and_never_the_value(
    code: int, text: str, column: str | None, row: int | None, says: str
) -> None:
    assert is_row_refusal(code)
    error = row_refusal(code, text)
    assert (error.column, error.row) == (column, row)
    assert says in error.message
    assert "s3cr3t" not in str(error)
    assert says.partition(" [")[0] in statement_error(code, text).message
    assert "s3cr3t" not in str(statement_error(code, text))


@pytest.mark.parametrize(
    ("code", "text", "kind"),
    [
        (1205, "Lock wait timeout exceeded", TransientError),
        (1213, "Deadlock found", TransientError),
        (1021, "Disk full", TargetFullError),
        (1114, "The table 't' is full", TargetFullError),
        (3, 'Error writing file (Errcode: 28 "No space left on device")', TargetFullError),
        (2013, "Lost connection", LostConnectionError),
        (1927, "Connection was killed", LostConnectionError),
        (1290, "The MariaDB server is running with the --read-only option", TransientError),
        (1064, "You have an error in your SQL syntax", StatementError),
    ],
)
def test_other_errors_are_no_refusal_of_a_row(code: int, text: str, kind: type[MainstemError]) -> None:
    error = pymysql.OperationalError(code, text)
    assert row_error(error) is None
    assert isinstance(translate_error(error), kind)
