"""A replication in this process, from its start to Ctrl-C, a limit or a cut-over, and what is printed of it."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import typer

from mainstem import bootstrap
from mainstem.bootstrap.hubs import hubs_of_command
from mainstem.bootstrap.traces import traces_of_command
from mainstem.cli.convert import Job, look_first, resume_command, say_command
from mainstem.cli.cutting import print_report
from mainstem.cli.exits import ExitCode, exit_code_of_run
from mainstem.cli.loading import loading
from mainstem.cli.local import run_to_end
from mainstem.cli.progress import display
from mainstem.cli.report import print_run
from mainstem.cli.terminal import Terminal
from mainstem.cli.view import RunView, document_of
from mainstem.control.alerts import AlertSender, Letter
from mainstem.control.cutover import report_json
from mainstem.control.hiding import hide
from mainstem.control.leftovers import is_known
from mainstem.engine.replication import Replication
from mainstem.errors import MainstemError, PositionLostError
from mainstem.model.cutover import CutoverReport
from mainstem.model.event import Category, Event, Level
from mainstem.model.ids import STREAM, new_id
from mainstem.model.run import Progress

_STYLES = {Level.WARN: "yellow", Level.ERROR: "red"}
_LOOK_S = 0.2
_START_ANEW = "the same command with --forget, and then with --snapshot always, which copies every table anew"


def replicate(job: Job, terminal: Terminal) -> None:
    """Do it and print it; ends the command with the exit code that belongs to the outcome."""
    stream_id = job.resume or new_id(STREAM)
    with loading():  # the drivers
        goes_on = bool(job.resume) and is_known(job.target, job.options, stream_id)
        if job.look_first and not goes_on:
            look_first(job, terminal)
    if not job.quiet:
        told = "going on with" if goes_on else "new stream"
        terminal.hint(f"{job.source.settings.label} → {job.target.settings.label}  ({told} {stream_id})")
    teller = Teller(job, terminal, stream_id)
    ends = None
    quiet = job.quiet or (terminal.json and not terminal.err.is_terminal)
    try:
        with hubs_of_command() as hubs, traces_of_command():
            run = bootstrap.replication(stream_id, job.source, job.target, job.options, teller.hear, hubs=hubs)
            ends = ThenCutOver(run, job.cutover_s) if job.cutover_s else None
            view = run_to_end(ends or run, display(terminal.err, quiet=quiet), terminal)
    except KeyboardInterrupt:
        say_what_next(terminal, job, stream_id)
        raise
    finally:
        teller.close()
    if view.error_code == PositionLostError.code:
        view = replace(view, remedy=_START_ANEW)
    _print(terminal, job, view, ends)
    raise typer.Exit(_exit_code(view, ends))


class Teller:
    """Says warnings and alerts beside the progress, and posts alerts to the webhook."""

    def __init__(self, job: Job, terminal: Terminal, stream_id: str) -> None:
        self._job, self._terminal, self._stream_id = job, terminal, stream_id
        self._sender = AlertSender(lambda _, text: self._say(text, Level.WARN))

    def hear(self, event: Event) -> None:
        """Take an event, from any thread."""
        text = hide(event.message, self._job.source.settings, self._job.target.settings)
        if event.category is Category.ALERT and self._job.options.changes.alert_url:
            self._sender.send(Letter(self._stream_id, self._stream_id, self._job.options.changes.alert_url, event))
        if event.category is Category.ALERT or event.level in _STYLES:
            self._say(text, event.level)

    def close(self) -> None:
        """Send what waits."""
        self._sender.close()

    def _say(self, text: str, level: Level) -> None:
        if not self._job.quiet:
            self._terminal.hint(text, style=_STYLES.get(level, ""))


class ThenCutOver:
    """A replication that ends by itself, once a cut-over has said whether it is safe to switch.

    Attributes:
        report: what it said; None when it did not come to that. ``problem``: why.
    """

    def __init__(self, run: Replication, deadline_s: float) -> None:
        self.run_id = run.run_id
        self.report: CutoverReport | None = None
        self.problem = ""
        self._run, self._deadline_s = run, deadline_s
        self._ended = threading.Event()

    def run(self) -> Progress:
        """Work to the end."""
        thread = threading.Thread(target=self._cut_over, name="cutover", daemon=True)
        thread.start()
        try:
            return self._run.run()
        finally:
            self._ended.set()
            thread.join()

    def stop(self) -> None:
        """End without a cut-over."""
        self._ended.set()
        self._run.stop()

    def progress(self) -> Progress:
        """How far it is."""
        return self._run.progress()

    def _cut_over(self) -> None:
        while self._run.progress().stage != "streaming":
            if self._ended.wait(_LOOK_S):
                return
        try:
            self.report = self._run.cutover(self._deadline_s)
        except MainstemError as exc:
            self.problem = exc.message
        finally:
            self._run.stop()


def _print(terminal: Terminal, job: Job, view: RunView, ends: ThenCutOver | None) -> None:
    report = ends.report if ends is not None else None
    if terminal.json:
        told: dict[str, Any] = {"cutover": report_json(report)} if report is not None else {}
        resume = {"resume": resume_command(job.arguments, view.id, "--id")} if job.arguments else {}
        terminal.document(document_of(view) | told | resume)
        return
    print_run(terminal, view)
    if report is not None:
        print_report(terminal, report_json(report))
    elif ends is not None and ends.problem:
        terminal.say(f"no cut-over: {ends.problem}", style="bold red")
    say_what_next(terminal, job, view.id, lost=view.error_code == PositionLostError.code)


def say_what_next(terminal: Terminal, job: Job, stream_id: str, *, lost: bool = False) -> None:
    """How to go on and how to end for good; the source keeps its log until one of them is done.

    Args:
        lost: its position is, so that it cannot go on.
    """
    if not job.arguments:
        return
    if lost:
        say_command(terminal, "To begin anew, first", f"{resume_command(job.arguments, stream_id, '--id')} --forget")
        return
    say_command(terminal, "To go on from here", resume_command(job.arguments, stream_id, "--id"))
    terminal.hint("A PostgreSQL source keeps its log until then. To end the stream for good, add --forget.")


def _exit_code(view: RunView, ends: ThenCutOver | None) -> ExitCode:
    """A replication that was stopped while it streamed has ended well; one with a cut-over when that is safe."""
    if ends is not None and view.state == "STOPPED":
        return ExitCode.OK if ends.report is not None and ends.report.safe else ExitCode.FAILED
    if view.state == "STOPPED" and view.standing is not None:
        return ExitCode.OK
    return exit_code_of_run(view.state, view.stage, view.error_code)
