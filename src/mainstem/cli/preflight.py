"""Asks systems what would stand in the way of a run, and prints the findings."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.text import Text

from mainstem.contract.inspector import Finding, Role, ServerInfo
from mainstem.engine.conversion import Endpoint
from mainstem.errors import MainstemError
from mainstem.model.plan import Severity
from mainstem.model.run import RunOptions

_MARKS = {
    Severity.ERROR: ("✗", "bold red"),
    Severity.WARNING: ("!", "yellow"),
    Severity.INFO: ("·", "dim"),
}


@dataclass(frozen=True, slots=True)
class Checked:
    """What was learned about one system in one role.

    Attributes:
        failure: why nothing could be learned (no connection, no permission), or None.
    """

    label: str
    role: Role
    findings: tuple[Finding, ...] = ()
    server: ServerInfo | None = None
    failure: MainstemError | None = None

    @property
    def failed(self) -> bool:
        """Whether a run would fail because of it."""
        return self.failure is not None or any(finding.severity is Severity.ERROR for finding in self.findings)


def examine(endpoint: Endpoint, role: Role, options: RunOptions) -> Checked:
    """Ping and preflight; an unreachable system is an answer, not an error."""
    label = endpoint.settings.label
    try:
        with endpoint.spec.inspector(endpoint.settings) as inspector:
            server = inspector.ping()
            found = inspector.preflight(role, options)
    except MainstemError as error:
        return Checked(label, role, failure=error)
    worst_first = sorted(found, key=lambda finding: tuple(_MARKS).index(finding.severity))
    return Checked(label, role, tuple(worst_first), server)


def print_findings(console: Console, systems: Iterable[Checked]) -> None:
    """A block per system: what it is, then each finding with its remedy."""
    for system in systems:
        if not system.findings and system.server is None and system.failure is None:
            continue
        console.print(Text.assemble((system.label, "bold"), f"  as {system.role}"))
        if system.server is not None:
            server = system.server
            tls = f", {server.tls}" if server.tls else ""
            console.print(Text(f"  {server.flavor} {server.version}, {server.round_trip_ms:.1f} ms{tls}", style="dim"))
        if system.failure is not None:
            failure = system.failure
            print_finding(console, Finding(failure.code, Severity.ERROR, failure.message, failure.remedy))
        for finding in system.findings:
            print_finding(console, finding)
        if not system.failed and not system.findings:
            console.print(Text.assemble("  ", ("✓", "green"), " nothing stands in the way"))


def print_finding(console: Console, finding: Finding, prefix: str = "") -> None:
    """One line, and one for the remedy."""
    mark, style = _MARKS[finding.severity]
    console.print(Text.assemble("  ", (mark, style), f" {prefix}", (finding.check, "bold"), f"  {finding.message}"))
    if finding.remedy:
        console.print(Text.assemble("      ", ("try: ", "green"), finding.remedy))


def document_of(systems: Iterable[Checked]) -> list[dict[str, Any]]:
    """The same as JSON."""
    return [
        {
            "connection": system.label,
            "role": system.role.value,
            "server": None
            if system.server is None
            else {
                "flavor": system.server.flavor,
                "version": system.server.version,
                "roundTripMs": system.server.round_trip_ms,
                "tls": system.server.tls,
            },
            "findings": [
                {"check": item.check, "severity": item.severity.value, "message": item.message, "remedy": item.remedy}
                for item in (
                    *((_as_finding(system.failure),) if system.failure is not None else ()),
                    *system.findings,
                )
            ],
        }
        for system in systems
    ]


def _as_finding(failure: MainstemError) -> Finding:
    return Finding(failure.code, Severity.ERROR, failure.message, failure.remedy)
