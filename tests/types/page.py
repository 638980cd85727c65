"""docs/types.md out of a matrix: nothing in a cell but what was seen."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from tests.types.cases import Case, Kind, Refusal
from tests.types.matrix import DECODED, DIRECTIONS, TITLES, Copy, Direction, Matrix, cases_of
from tests.types.parity import Parity

_TITLES = {Kind.MYSQL: "From MySQL and MariaDB", Kind.POSTGRES: "From PostgreSQL"}
_COLLATION = "utf8mb4_nopad_bin"
_LACKS = "not run"
Parities = Mapping[str, Mapping[str, Parity]]
"""By direction and case: what a value is through the snapshot and through the log."""
_HEAD = """\
# Types

<!-- Written by `python -m tools.types_page` out of a run of tests/types, which fails where this page is not true. -->

What each type becomes, and whether its values arrive. Each line was copied with all of its values and a NULL, in every
direction that has a column. The servers themselves then wrote the values as text, and the texts were compared. Every
direction was copied twice, the second time with odd time zones, date styles and SQL modes on both sides; and where a
type can be a primary key, once more as one, in chunks of two rows.

- **exact**: the same values, in a type of the same range; in the very same type where none is named.
- **widened**: all values arrive, in a type that takes more, or that writes the same in another way.
- **equal**: the target writes the value in another way and takes both for equal.
- **by policy**: the value is refused unless a setting says what to make of it ([streams.md](streams.md)); the run
  counts each such value.
- **refused**: the target has nothing that holds the value. The run fails and says where, or with the policy
  `quarantine` puts the row aside; nothing of it arrives. `typeOverrides` can choose another type for the column.

The last column is of replications ({directions}): the same values came by INSERT and by UPDATE
through the source's log, and rows were found by DELETE with the value as their key. **same**: on the target all texts
were those of the copy, and the same rows were put aside.

Between two PostgreSQL servers rows pass undecoded where no column changes its type; one direction was copied decoded,
as where a column does. Texts of PostgreSQL compare on MariaDB as they did there, byte for byte: their collation is
`{collation}`. What decides about a type is in [schema.md](schema.md).

Servers of this run: {servers}. MySQL 8 was not run: its types are read and written by the
same code as MariaDB's, by MySQL's documentation.
"""


def render(matrix: Matrix, parities: Parities) -> str:
    """The whole page."""
    seen = [matrix.direction(name) for name in DIRECTIONS]
    servers = sorted({server.title for direction in seen for server in (direction.source, direction.target)})
    streams = ", ".join(map(_ends, parities))
    parts = [_HEAD.format(servers=", ".join(servers), collation=_COLLATION, directions=streams)]
    for source in Kind:
        directions = [direction for direction in seen if direction.source.kind is source]
        if directions:
            own = {direction.source.title for direction in directions}
            streams = {name: found for name, found in parities.items() if TITLES[name.split("-")[0]] in own}
            parts.append(f"## {_TITLES[source]}\n\n{_table(source, directions, streams)}")
    return "\n".join(parts)


def _table(source: Kind, directions: Sequence[Direction], parities: Parities) -> str:
    columns = {
        target: [direction for direction in directions if direction.target.kind is target]
        for target in Kind
        if any(direction.target.kind is target for direction in directions)
    }
    heads = ["type", "values", *(_head(source, targets) for targets in columns.values()), "through the log"]
    lines = [_line(heads), _line(["---"] * len(heads))]
    for case in cases_of(source):
        labels = "; ".join(_text(value.label) for value in case.values)
        cells = [_merged(case, targets) for targets in columns.values()]
        lines.append(_line([_text(case.title), labels, *cells, _parity(case, parities)]))
    return "\n".join(lines) + "\n"


def _head(source: Kind, directions: Sequence[Direction]) -> str:
    if any(direction.source.kind is direction.target.kind is Kind.POSTGRES for direction in directions):
        return ", ".join(_pair(direction) for direction in directions)
    return ", ".join(dict.fromkeys(direction.target.title for direction in directions))


def _pair(direction: Direction) -> str:
    decoded = " (decoded)" if direction.name in DECODED else ""
    return f"{direction.source.title} → {direction.target.title}{decoded}"


def _ends(name: str) -> str:
    return " → ".join(TITLES[end] for end in name.split("-"))


def _parity(case: Case, parities: Parities) -> str:
    ran = {name: found[case.name] for name, found in parities.items() if case.name in found}
    problems = [f"{_ends(name)}: {_text('; '.join(found.problems))}" for name, found in ran.items() if found.problems]
    if problems:
        return f"**differs**: {'<br>'.join(problems)}"
    if not ran:
        return f"{_LACKS}: a server lacks it"
    return "**same**" + (f"<br>{', '.join(map(_ends, ran))} alone" if len(ran) < len(parities) else "")


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _text(text: str) -> str:
    escaped = text.replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*")
    return escaped.replace("\n", "\\n").replace("\t", "\\t") or "empty"


def _merged(case: Case, directions: Sequence[Direction]) -> str:
    """One cell for several directions; each by itself where they differ."""
    cells = {_pair(direction): _cell(case, direction) for direction in directions}
    run = {pair: cell for pair, cell in cells.items() if cell != _LACKS}
    if len(set(run.values())) > 1:
        return "<br>".join(f"{pair}: {cell}" for pair, cell in cells.items())
    if not run:
        return f"{_LACKS}: a server lacks it"
    only = f"<br>{', '.join(run)} alone: the others lack it" if len(run) < len(cells) else ""
    return next(iter(run.values())) + only


def _cell(case: Case, direction: Direction) -> str:
    table = f"v_{case.name}"
    if table not in direction.runs["aside"].copies:
        return _LACKS
    aside, policies = (direction.runs[run].copies[table] for run in ("aside", "policies"))
    if not aside.type or aside.error:
        return f"**refused**: {aside.error or 'no such table'}"
    same = direction.source.kind is direction.target.kind
    word = "exact" if same or not case.other.widened else "widened"
    kept = same and aside.type == aside.own
    parts = [f"**{word}**" if kept else f"**{word}** `{_type(aside.type, table)}`"]
    wrong = [
        case.values[row - 1].label if row else "NULL"
        for row, text in aside.source.items()
        if row in aside.target and aside.target[row] != text and not _equal(case, row, direction)
    ]
    if wrong:
        parts.append(f"**wrong**: {', '.join(wrong)}")
    parts += [
        f"**equal**: {_text(value.label)} arrives as its equal"
        for row, value in enumerate(case.values, 1)
        if row in aside.target and _equal(case, row, direction)
    ]
    parts += _refused(case, direction, aside, policies)
    if case.other.note and not same:
        parts.append(case.other.note)
    return "<br>".join(parts)


def _type(text: str, table: str) -> str:
    return text.replace(table, "table").removesuffix(f" collate {_COLLATION}")


def _equal(case: Case, row: int, direction: Direction) -> bool:
    return row > 0 and direction.target.kind in case.values[row - 1].equal


def _refused(case: Case, direction: Direction, aside: Copy, policies: Copy) -> list[str]:
    """Refused values, together where the same is said of them."""
    groups: dict[tuple[str, str], list[str]] = {}
    for row in sorted(aside.reasons):
        value = case.values[row - 1]
        reason, refusal = _reason(aside.reasons[row]), value.refused.get(direction.target.kind)
        policy = _policy(refusal, policies.target[row]) if refusal and row in policies.target else ""
        groups.setdefault((reason, policy), []).append(_text(value.label))
    return [
        f"{'**by policy**' if policy else '**refused**'}: {'; '.join(labels)}: {reason}{policy}"
        for (reason, policy), labels in groups.items()
    ]


def _reason(told: str) -> str:
    for start in ("v", ": ", "column v holds ", "the target refused "):
        told = told.removeprefix(start)
    return told


def _policy(refusal: Refusal, became: str | None) -> str:
    return f"; {refusal.policy} makes it {'NULL' if became is None else 'the rest of the text'}"
