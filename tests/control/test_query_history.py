"""What is kept of users' SQL holds no secret."""

from __future__ import annotations

import pytest

from mainstem.control.query_history import without_secrets


@pytest.mark.parametrize(
    ("query", "kept"),
    [
        ("SELECT 'a', \"b\"", "SELECT 'a', \"b\""),
        ("ALTER USER u PASSWORD 'hunter2'", "ALTER USER u PASSWORD '****'"),
        ("CREATE USER u IDENTIFIED BY 'hunter2' REQUIRE SSL", "CREATE USER u IDENTIFIED BY '****' REQUIRE SSL"),
        ('SET PASSWORD FOR u = "hunter2"', "SET PASSWORD FOR u = '****'"),
        ("ALTER ROLE r PASSWORD $x$hunter2$x$", "ALTER ROLE r PASSWORD '****'"),
        ("ALTER ROLE r PASSWORD 'hunter2\\', 'hunter2'", "ALTER ROLE r PASSWORD '****'"),
        ("ALTER ROLE r PASSWORD 'hunter2", "ALTER ROLE r PASSWORD '****'"),
        ("SELECT dblink('host=a password=hunter2')", "SELECT dblink('****')"),
        ("INSERT INTO u (n, password) VALUES ('a', 'hunter2')", "INSERT INTO u (n, password) VALUES ('****')"),
        ("SELECT 'postgresql://u:hunter2@h/d'", "SELECT 'postgresql://u:****@h/d'"),
    ],
)  # fmt: skip
def test_nothing_quoted_is_left_behind_a_word_that_announces_a_secret(query: str, kept: str) -> None:
    assert without_secrets(query) == kept
