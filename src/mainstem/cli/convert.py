"""What ``copy``, ``replicate`` and ``run`` share: preflight, dry run, the run itself, its outcome."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

import typer

from mainstem import bootstrap
from mainstem.bootstrap.hubs import hubs_of_command
from mainstem.bootstrap.traces import traces_of_command
from mainstem.cli.argv import masked
from mainstem.cli.endpoints import check_roles
from mainstem.cli.exits import ExitCode, exit_code_of_run
from mainstem.cli.loading import loading
from mainstem.cli.local import run_to_end
from mainstem.cli.planview import print_plan
from mainstem.cli.preflight import print_finding
from mainstem.cli.progress import display
from mainstem.cli.report import print_run
from mainstem.cli.terminal import Terminal
from mainstem.cli.view import RunView, document_of
from mainstem.control import preflight
from mainstem.control.plans import plan_of
from mainstem.engine.endpoint import Endpoint
from mainstem.errors import InvalidError
from mainstem.model.event import Event
from mainstem.model.ids import STREAM, new_id
from mainstem.model.plan import Severity
from mainstem.model.run import Mode, RunOptions

_UNKNOWN_TABLE_REMEDY = "names are case-sensitive; --dry-run without a selection prints every table"


@dataclass(frozen=True, slots=True)
class Job:
    """One run that a user asked for.

    Attributes:
        resume: the id of the run to go on with, or empty; of a replication, which may also begin, its id.
        arguments: the command line as given, for the command that resumes.
        cutover_s: of a replication: once it streams, wait so long at most for a cut-over, then end; 0 is "stream on".
    """

    source: Endpoint
    target: Endpoint
    options: RunOptions
    arguments: Sequence[str] = ()
    resume: str = ""
    dry_run: bool = False
    look_first: bool = True
    quiet: bool = False
    cutover_s: float = 0.0


def carry_out(job: Job, terminal: Terminal) -> None:
    """Do it and print it; ends the command with the exit code that belongs to the outcome."""
    check_roles(job.source, job.target)
    if job.dry_run:
        print_plan(terminal, plan_of(job.source, job.target, job.options))
        return
    if job.options.mode is Mode.CDC:
        from mainstem.cli.replication import replicate  # with what sends alerts

        replicate(job, terminal)
        return
    if job.look_first and not job.resume:
        with loading():  # the drivers
            look_first(job, terminal)
    run_id = job.resume or new_id(STREAM)
    if not job.quiet:
        terminal.hint(f"{job.source.settings.label} → {job.target.settings.label}  ({run_id})")
    quiet = job.quiet or (terminal.json and not terminal.err.is_terminal)
    try:
        with hubs_of_command() as hubs, traces_of_command():
            conversion = bootstrap.conversion(run_id, job.source, job.target, job.options, _ignore, hubs=hubs)
            view = run_to_end(conversion, display(terminal.err, quiet=quiet), terminal)
    except KeyboardInterrupt:
        _say_how_to_resume(terminal, job, run_id)
        raise
    if terminal.json:
        terminal.document(document_of(view) | _resume_member(job, view))
    else:
        print_run(terminal, view)
    code = exit_code_of_run(view.state, view.stage, view.error_code)
    if _can_go_on(view):
        _say_how_to_resume(terminal, job, run_id)
    raise typer.Exit(code)


def _ignore(_: Event) -> None:
    """Events are for the server's log; here the progress says it all."""


def look_first(job: Job, terminal: Terminal) -> None:
    """Look at both sides; warnings are said, errors end the command."""
    try:
        found = preflight.look(job.source, job.target, job.options)
    except preflight.UnknownTableError as exc:
        raise InvalidError(exc.message, fields=exc.fields, remedy=_UNKNOWN_TABLE_REMEDY) from exc
    errors = [item for item in found if item.finding.severity is Severity.ERROR]
    if not terminal.json and not job.quiet:
        for item in errors or found:
            if item.finding.severity is not Severity.INFO:
                print_finding(terminal.err, item.finding, f"{item.role}: ")
    if errors:
        raise preflight.PreflightError(errors)


def resume_command(arguments: Sequence[str], run_id: str, option: str = "--resume") -> str:
    """The command that goes on with a run: as given, passwords masked, with the option that names it."""
    kept: list[str] = []
    skip = False
    for argument in masked(arguments):
        if not skip and argument != option and not argument.startswith(f"{option}="):
            kept.append(argument)
        skip = argument == option
    return shlex.join(["mainstem", *kept, option, run_id])


def _say_how_to_resume(terminal: Terminal, job: Job, run_id: str) -> None:
    if job.arguments:
        say_command(terminal, "To go on from here", resume_command(job.arguments, run_id))


def say_command(terminal: Terminal, text: str, command: str) -> None:
    """A command that a user may want next."""
    terminal.hint(f"{text}{' (put the password back for ***)' if '***' in command else ''}:", style="")
    terminal.hint(f"  {command}", style="bold")


def _resume_member(job: Job, view: RunView) -> dict[str, str]:
    return {"resume": resume_command(job.arguments, view.id)} if _can_go_on(view) and job.arguments else {}


def _can_go_on(view: RunView) -> bool:
    """Whether there is something to go on with: a run that failed while it was planned has left nothing."""
    unfinished = exit_code_of_run(view.state, view.stage, view.error_code) is not ExitCode.OK
    return unfinished and view.stage != "planning"
