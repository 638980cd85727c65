"""MySQL to MySQL: SHOW CREATE of both sides is the same, and every byte is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

import pytest

from mainstem import bootstrap
from mainstem.model.connection import ConnectionSettings
from mainstem.model.plan import ReportItem
from mainstem.model.run import RunOptions, RunState
from tests.e2e.routes import End, Route

STRUCTURE = (
    "CREATE TABLE parent (id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT COMMENT 'the ''key'' \\\\ it',"
    " code VARCHAR(20) CHARACTER SET latin1 NOT NULL DEFAULT 'é', up INT DEFAULT -1, PRIMARY KEY (id),"
    " UNIQUE KEY code (code), KEY down (up DESC, code(5)))"
    " AUTO_INCREMENT = 77 DEFAULT CHARSET = latin1 COMMENT = 'line\n''two''' ROW_FORMAT = COMPRESSED"
    " KEY_BLOCK_SIZE = 8",
    "CREATE TABLE child (id INT PRIMARY KEY, parent_id BIGINT UNSIGNED, self INT,"
    " other VARCHAR(20) CHARACTER SET latin1, CONSTRAINT child FOREIGN KEY (parent_id) REFERENCES parent (id)"
    " ON DELETE CASCADE ON UPDATE SET NULL,"
    " CONSTRAINT loop_ FOREIGN KEY (self) REFERENCES child (id) ON DELETE NO ACTION,"
    " CONSTRAINT by_code FOREIGN KEY (other) REFERENCES parent (code))",
    "CREATE TABLE every (id INT, t1 TINYINT(1) DEFAULT 1, t2 TINYINT UNSIGNED ZEROFILL, de DECIMAL(65,30),"
    " f FLOAT(7,3), y YEAR, b BIT(7) DEFAULT b'101', vb VARBINARY(8) DEFAULT X'00ff0a275c', bi BINARY(3),"
    " e ENUM('a','ö','it''s',''),"
    " s SET('x','y z') DEFAULT 'x,y z', j JSON DEFAULT '{\"a\": 1}', ts TIMESTAMP NULL,"
    " up TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3),"
    " dt DATETIME(6) DEFAULT '0000-00-00 00:00:00', ti TIME(2), g GEOMETRY, p POINT NOT NULL, u UUID DEFAULT uuid(),"
    " i6 INET6, i4 INET4, tt TINYTEXT DEFAULT 'text \\\\ default', ex VARCHAR(9) DEFAULT (concat('a', 'b')),"
    " hid INT INVISIBLE DEFAULT 3, c CHAR(5) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin CHECK (c <> 'no'),"
    " total INT GENERATED ALWAYS AS (id * 2) STORED COMMENT 'sum', shown VARCHAR(9) AS (concat(id, '!')) VIRTUAL,"
    " low VARCHAR(20) CHARACTER SET ascii, k VARCHAR(40) CHARACTER SET sjis, PRIMARY KEY (id), SPATIAL KEY p (p),"
    " FULLTEXT KEY words (tt), KEY shown (shown), KEY off (y) IGNORED COMMENT 'not \"used\"',"
    " CONSTRAINT positive CHECK (id > 0 AND total < 1000)) DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_ci",
    "CREATE TABLE prefixed (t TEXT, n INT NOT NULL AUTO_INCREMENT, PRIMARY KEY (t(20)), UNIQUE KEY n (n))",
    "CREATE TABLE longs (id INT PRIMARY KEY, t LONGTEXT, UNIQUE KEY t (t))",
    "CREATE TABLE by_range (id INT, at DATE, PRIMARY KEY (id, at)) PARTITION BY RANGE (year(at))"
    " SUBPARTITION BY HASH (id) SUBPARTITIONS 2 (PARTITION p0 VALUES LESS THAN (2000) COMMENT 'PARTITION BY',"
    " PARTITION p1 VALUES LESS THAN MAXVALUE)",
    "CREATE TABLE by_list (c VARCHAR(5)) PARTITION BY LIST COLUMNS (c) (PARTITION a VALUES IN ('a', 'b'),"
    " PARTITION z VALUES IN ('z''', NULL))",
    "CREATE TABLE by_key (id INT PRIMARY KEY) PARTITION BY LINEAR KEY (id) PARTITIONS 3",
    "CREATE TABLE `odd ``name` (`select` INT PRIMARY KEY, `日本` INT, `a%b` INT, KEY `in dex` (`日本`))",
    "CREATE SEQUENCE counting START WITH 5 INCREMENT BY 5 MAXVALUE 1000 CACHE 10 CYCLE",
    "CREATE TABLE counted (id INT DEFAULT (NEXT VALUE FOR counting) PRIMARY KEY)",
    "CREATE TABLE log (what TEXT)",
    "CREATE FUNCTION twice(n INT) RETURNS INT DETERMINISTIC RETURN n * 2",
    "CREATE VIEW z_early AS SELECT p.id, p.code FROM parent p JOIN rich_s.child c ON c.parent_id = p.id",
    "CREATE ALGORITHM = MERGE SQL SECURITY INVOKER VIEW a_late AS SELECT twice(id) AS n, 'rich_s.parent' AS t"
    " FROM z_early WHERE id > 0 WITH LOCAL CHECK OPTION",
    "CREATE TRIGGER later BEFORE INSERT ON child FOR EACH ROW BEGIN"
    " INSERT INTO rich_s.log VALUES (concat('rich_s.log ', NEW.id)); SET NEW.self = NEW.id; END",
    "CREATE TRIGGER again BEFORE INSERT ON child FOR EACH ROW SET NEW.self = NEW.self",
    "CREATE PROCEDURE filling(IN n INT) COMMENT 'it''s' BEGIN DECLARE i INT DEFAULT 0; /* rich_s.log */"
    " WHILE i < n DO INSERT INTO `rich_s`.`log` VALUES (i); SET i = i + 1; END WHILE; END",
    "CREATE EVENT hourly ON SCHEDULE EVERY 1 HOUR STARTS '2030-01-01' DO DELETE FROM log",
    "CREATE EVENT nightly ON SCHEDULE EVERY 1 DAY STARTS '2030-01-01' DISABLE DO DELETE FROM log",
)  # fmt: skip
ROWS = (
    "INSERT INTO parent VALUES (1, 'a', 1), (2, 'ä', NULL)",
    "INSERT INTO child VALUES (1, 1, 1, 'a'), (2, 2, 1, 'ä')",
    "INSERT INTO every (id, p, g, tt, u) VALUES (1, POINT(1, 2), NULL, 'words', uuid())",
    "INSERT INTO every (id, p, e, low, k, bi) VALUES (2, POINT(0, 0), 'ö', CAST(X'41E9FF' AS CHAR CHARACTER SET ascii),"
    " CAST(X'5C81AD8790' AS CHAR CHARACTER SET sjis), X'00')",
    "INSERT INTO prefixed (t) VALUES ('a'), ('b')",
    "INSERT INTO longs VALUES (1, REPEAT('a', 5000)), (2, NULL)",
    "INSERT INTO by_range VALUES (1, '1999-01-01'), (2, '2020-01-01')",
    "INSERT INTO by_list VALUES ('a'), (NULL)",
    "INSERT INTO by_key VALUES (1), (2)",
    "INSERT INTO `odd ``name` VALUES (1, 2, 3)",
    "INSERT INTO counted VALUES (DEFAULT)",
    "DELETE FROM log",
)
TABLES = re.findall(r"CREATE TABLE (`(?:[^`]|``)+`|\w+)", "\n".join(STRUCTURE))


@pytest.fixture(scope="module")
def copied(mariadb_server: ConnectionSettings) -> Iterator[tuple[Route, list[ReportItem]]]:
    """The rich database, copied within one server."""
    ends = [End(replace(mariadb_server, database=f"rich_{side}")) for side in "st"]
    for end in ends:
        end.recreate(mariadb_server)
    ends[0].run("SET sql_mode = ''", *STRUCTURE, *ROWS)
    route = Route(*ends)
    progress = route.copy()
    yield route, list(progress.report)
    for end in ends:
        End(mariadb_server).run(f"DROP DATABASE {end.settings.database}")


def lines(end: End, kind: str, name: str) -> list[str]:
    """SHOW CREATE by its lines, in the order of the alphabet: that of indexes is not kept."""
    with_bytes = end.run("SET character_set_results = binary", f"SHOW CREATE {kind} {name}")[0][1]
    text = with_bytes.decode("latin-1") if isinstance(with_bytes, bytes) else with_bytes
    return sorted(line.rstrip(",") for line in text.split("\n"))


@pytest.mark.parametrize("table", TABLES)
def test_a_table_is_the_same(copied: tuple[Route, list[ReportItem]], table: str) -> None:
    route, _ = copied
    theirs = [line.replace("`rich_s`", "`rich_t`") for line in lines(route.source, "TABLE", table)]
    assert lines(route.target, "TABLE", table) == theirs


OBJECTS = (("TRIGGER", "later"), ("TRIGGER", "again"), ("PROCEDURE", "filling"), ("FUNCTION", "twice"),
           ("EVENT", "nightly"), ("VIEW", "a_late"), ("VIEW", "z_early"))  # fmt: skip


@pytest.mark.parametrize(("kind", "name"), OBJECTS)
def test_an_object_is_the_same_in_its_own_database(
    copied: tuple[Route, list[ReportItem]], kind: str, name: str
) -> None:
    route, _ = copied
    column = {"VIEW": 1, "EVENT": 3}.get(kind, 2)
    ours, theirs = (str(end.run(f"SHOW CREATE {kind} {name}")[0][column]) for end in (route.target, route.source))
    literal = re.compile(r"'[^']*'|/\*.*?\*/")
    assert literal.findall(ours) == literal.findall(theirs)
    plain = [
        literal.sub("?", text).replace("`", "").replace(end.settings.database + ".", "")
        for text, end in ((ours, route.target), (theirs, route.source))
    ]
    assert plain[0] == plain[1]
    assert "rich_s" not in literal.sub("?", ours)
    if kind in ("TRIGGER", "PROCEDURE", "FUNCTION", "EVENT"):
        assert [end.run(f"SHOW CREATE {kind} {name}")[0][1] for end in (route.target, route.source)] == ["", ""]


def test_an_event_that_runs_at_the_source_waits_in_the_copy(copied: tuple[Route, list[ReportItem]]) -> None:
    route, report = copied
    status = "SELECT status FROM information_schema.events WHERE event_schema = DATABASE() AND event_name = 'hourly'"
    assert (route.source.run(status), route.target.run(status)) == ([("ENABLED",)], [("DISABLED",)])
    assert [item.object for item in report if item.code == "event_disabled"] == ["rich_s.hourly"]


def test_objects_work_in_the_copy(copied: tuple[Route, list[ReportItem]]) -> None:
    route, _ = copied
    route.target.run("SET sql_mode = ''", "INSERT INTO child (id, parent_id) VALUES (9, 1)", "CALL filling(2)")
    assert route.target.run("SELECT what FROM log ORDER BY 1") == [("0",), ("1",), ("rich_s.log 9",)]
    assert route.source.run("SELECT count(*) FROM log") == [(0,)]
    assert route.target.run("SELECT n, t FROM a_late WHERE n = 2 LIMIT 1") == [(2, "rich_s.parent")]
    route.target.run("UPDATE child SET self = NULL WHERE id = 9", "DELETE FROM child WHERE id = 9", "DELETE FROM log")


def test_a_sequence_goes_on(copied: tuple[Route, list[ReportItem]]) -> None:
    route, _ = copied
    assert lines(route.target, "SEQUENCE", "counting") == lines(route.source, "SEQUENCE", "counting")
    following = "SELECT next_not_cached_value FROM counting"
    assert route.target.run(following) == route.source.run(following)


def test_every_byte_is_the_same_where_characters_have_no_unicode(copied: tuple[Route, list[ReportItem]]) -> None:
    route, _ = copied
    asked = "SELECT id, HEX(low), HEX(k), HEX(vb), HEX(bi), HEX(e), u FROM every ORDER BY id"
    assert route.target.run(asked) == route.source.run(asked)
    assert route.target.run("SELECT HEX(low), HEX(k) FROM every WHERE id = 2") == [("41E9FF", "5C81AD8790")]


def test_nothing_is_told_as_lost(copied: tuple[Route, list[ReportItem]]) -> None:
    _, report = copied
    expected = ("no_primary_key", "definer_replaced", "functions_moved", "event_disabled")
    assert [item for item in report if item.code not in expected] == []


def test_a_foreign_key_is_made_only_if_every_row_has_its_parent(mariadb_server: ConnectionSettings) -> None:
    ends = [End(replace(mariadb_server, database=f"orphans_{side}")) for side in "st"]
    for end in ends:
        end.recreate(mariadb_server)
    ends[0].run(
        "CREATE TABLE parent (a INT, b INT, PRIMARY KEY (a, b))",
        "CREATE TABLE child (id INT PRIMARY KEY, a INT, b INT, CONSTRAINT broken FOREIGN KEY (a, b)"
        " REFERENCES parent (a, b))",
        "CREATE TABLE other (id INT PRIMARY KEY, a INT, b INT, CONSTRAINT sound FOREIGN KEY (a, b)"
        " REFERENCES parent (a, b))",
        "INSERT INTO parent VALUES (1, 1)",
        "SET foreign_key_checks = 0",
        "INSERT INTO child VALUES (1, 1, 1), (2, 1, 2)",
        "INSERT INTO other VALUES (1, 1, 1), (2, NULL, 7), (3, 7, NULL)",
    )
    run = Route(*ends).conversion()
    progress = run.run()
    assert progress.state is RunState.FAILED
    assert "broken" in progress.error
    asked = (
        "SELECT constraint_name FROM information_schema.referential_constraints WHERE constraint_schema = DATABASE()"
    )
    assert ends[1].run(asked) == [("sound",)]
    ends[1].run("UPDATE child SET b = 1 WHERE id = 2")
    again = bootstrap.conversion(run.run_id, ends[0].endpoint, ends[1].endpoint, RunOptions(), lambda event: None)
    assert again.run().state is RunState.FINISHED
    assert sorted(ends[1].run(asked)) == [("broken",), ("sound",)]
    with pytest.raises(Exception, match="foreign key"):
        ends[1].run("INSERT INTO child VALUES (3, 9, 9)")
    for end in ends:
        End(mariadb_server).run(f"DROP DATABASE {end.settings.database}")


def test_a_period_is_told_of(mariadb_server: ConnectionSettings) -> None:
    """The server's catalog shows it as a check, and its key WITHOUT OVERLAPS as an ordinary one."""
    route = Route(*(End(replace(mariadb_server, database=f"period_{side}")) for side in "st"))
    for end in (route.source, route.target):
        end.recreate(mariadb_server)
    route.source.run(
        "CREATE TABLE booked (room INT, a DATE, b DATE, PERIOD FOR `st``ay` (a, b), UNIQUE (room, `st``ay` WITHOUT"
        " OVERLAPS))",
        "CREATE TABLE plain (a INT, b INT, CONSTRAINT rising CHECK (a < b))",
        "INSERT INTO booked VALUES (1, '2020-01-01', '2020-02-01')",
    )
    told = [(item.code, item.object) for item in route.copy().report if item.code.startswith("period")]
    assert told == [("period_left_out", "period_s.booked.st`ay")]
    End(mariadb_server).run("DROP DATABASE period_s", "DROP DATABASE period_t")
