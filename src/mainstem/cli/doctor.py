"""``mainstem doctor``: what stands in the way, each finding with its remedy."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Annotated

import typer

from mainstem.cli.endpoints import endpoint
from mainstem.cli.exits import ExitCode, exit_code_of
from mainstem.cli.preflight import Checked, document_of, examine, print_findings
from mainstem.cli.terminal import JsonFlag, Terminal
from mainstem.contract.inspector import Role
from mainstem.contract.registry import Registry
from mainstem.control.preflight import for_target, places_of
from mainstem.engine.conversion import Endpoint
from mainstem.errors import MainstemError
from mainstem.model.run import Mode, RunOptions, SchemaPolicy, WriteMode

_REPLICATION = RunOptions(mode=Mode.CDC, schema_policy=SchemaPolicy.CREATE_MISSING, write_mode=WriteMode.UPSERT)


def doctor(
    urls: Annotated[list[str], typer.Argument(metavar="URL...", help="Systems to look at; with two: source, target.")],
    role: Annotated[
        Role | None, typer.Option(help="What they are meant for. Default: the first is the source, others are targets.")
    ] = None,
    cdc: Annotated[bool, typer.Option("--cdc", help="Also what a replication needs: mode cdc.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Check whether systems are fit to be copied or replicated. Nothing is changed.

    Ends with 0 when nothing stands in the way, 5 when something does, 3 when a system can't be reached.
    """
    terminal = Terminal(as_json=as_json)
    registry = Registry.installed()
    endpoints = [endpoint(url, registry) for url in urls]
    wanted = roles(endpoints, role)
    options = _options(endpoints, wanted, _REPLICATION if cdc else RunOptions())
    systems = [examine(system, role, options[role]) for system, role in zip(endpoints, wanted, strict=True)]
    if as_json:
        terminal.document({"ok": not any(system.failed for system in systems), "systems": document_of(systems)})
    else:
        print_findings(terminal.out, systems)
    raise typer.Exit(_exit_code(systems))


def _options(endpoints: Sequence[Endpoint], wanted: Sequence[Role], plain: RunOptions) -> dict[Role, RunOptions]:
    """A target is asked about the tables that ``copy`` or ``replicate`` would bring from the first source."""
    options = {Role.SOURCE: plain, Role.TARGET: plain}
    if Role.SOURCE in wanted and Role.TARGET in wanted:
        source = endpoints[wanted.index(Role.SOURCE)]
        with suppress(MainstemError), source.spec.inspector(source.settings) as inspector:  # told by `examine`
            target = endpoints[wanted.index(Role.TARGET)]
            options[Role.TARGET] = for_target(plain, places_of(inspector.tables(), source, target, plain))
    return options


def roles(endpoints: Sequence[Endpoint], wanted: Role | None) -> list[Role]:
    """The role of each system: as told, or source first and targets after; one alone is what its connector can be."""
    if wanted is not None:
        return [wanted] * len(endpoints)
    if len(endpoints) == 1:
        return [Role.SOURCE if endpoints[0].spec.source is not None else Role.TARGET]
    return [Role.SOURCE] + [Role.TARGET] * (len(endpoints) - 1)


def _exit_code(systems: Sequence[Checked]) -> ExitCode:
    failures = [system.failure for system in systems if system.failure is not None]
    if failures:
        return exit_code_of(failures[0].code)
    return ExitCode.FINDINGS if any(system.failed for system in systems) else ExitCode.OK
