"""What the report says of types that become others: one item a table and kind of change. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from mainstem.connectors.mysql.traits import Traits
from mainstem.model.plan import ReportItem, Severity
from mainstem.model.schema import Table

_REMARKS: dict[str, tuple[Severity, str, str]] = {
    "numeric_limited": (
        Severity.INFO,
        "numeric without precision becomes decimal(65,30); a value with more digits is refused, not rounded",
        "override the type with longtext where values have more than 35 digits before or 30 after the point",
    ),
    "numeric_as_text": (
        Severity.WARNING,
        "decimal holds 65 digits, 30 of them after the point; the column is kept as text",
        "override the type with decimal(65,30) where the values fit",
    ),
    "kept_as_text": (
        Severity.INFO,
        "there is no such type here; the column is kept as the text that PostgreSQL writes",
        "override the type where another one fits the values",
    ),
    "citext": (
        Severity.INFO,
        "the text compares without case in the source and with case here",
        "give the column a collation that ends in _ci afterwards",
    ),
    "enum_as_text": (
        Severity.INFO,
        "ENUM cannot hold these labels (spaces at the end, length); the column is kept as text",
        "add a check of its values where it matters",
    ),
    "json_parsed": (
        Severity.WARNING,
        "JSON is kept parsed here: of equal keys the last stays, and numbers are rounded to a double's digits",
        "override the type with longtext where the text must stay as it is",
    ),
    "own_type_replaced": (Severity.INFO, "this server does not have the type; another holds the same values", ""),
    "bits_as_bytes": (Severity.INFO, "BIT holds 64 bits; longer bit strings are kept as bytes, right-aligned", ""),
    "zone_as_utc": (
        Severity.INFO,
        "there is no time with time zone here (TIMESTAMP ends in 2038); the column holds the moment in UTC",
        "read it as UTC",
    ),
}


def type_remarks(table: Table, codes: Mapping[str, str]) -> Iterable[ReportItem]:
    """The items for a table's columns.

    Args:
        codes: column → code of what changes with its type.
    """
    for code in dict.fromkeys(codes.values()):
        severity, message, remedy = _REMARKS[code]
        names = [name for name, other in codes.items() if other == code]
        yield ReportItem(severity, code, str(table.id), f"{message}: {', '.join(names)}", remedy)


def padded(table: Table, traits: Traits) -> ReportItem:
    """The server's exact collation is not quite exact."""
    return ReportItem(
        Severity.WARNING,
        "collation_pads",
        str(table.id),
        f"{traits.exact_collation} disregards spaces at the end when it compares text, also in unique keys",
        "use MySQL 8.0.17 or newer",
    )


def collations(table: Table, replaced: Mapping[str, str]) -> Iterable[ReportItem]:
    """Collations that this server does not have."""
    if replaced:
        pairs = ", ".join(f"{name} becomes {other or 'the default'}" for name, other in replaced.items())
        yield ReportItem(
            Severity.WARNING,
            "collation_replaced",
            str(table.id),
            f"the server does not have these collations; text may compare and sort otherwise: {pairs}",
            "choose a collation of the server's afterwards",
        )
