from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.console import Console

from mainstem.cli import figures
from mainstem.cli.convert import Job
from mainstem.cli.progress import Bars, Lines, display, fitting, time_left_s
from mainstem.cli.replication import say_what_next
from mainstem.cli.report import print_run, row_check
from mainstem.cli.terminal import Terminal
from mainstem.cli.view import RunView, Standing, TableView, document_of
from mainstem.contract.registry import Registry
from mainstem.engine.endpoint import Endpoint
from mainstem.model.connection import ConnectionSettings
from mainstem.model.names import TableId
from mainstem.model.plan import ReportItem, Severity
from mainstem.model.run import Rejected, RunOptions

ORDERS = TableView("orders", "copying", read=500, written=400, size=2048, estimate=1000, seconds=4.0)
VIEW = RunView("stream_1", "RUNNING", "data", 4.0, (ORDERS,))


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (1536, "1.5 KiB"), (5 * 1024**3, "5.0 GiB")]
)
def test_sizes_read_well(value: int, text: str) -> None:
    assert figures.size(value) == text


@pytest.mark.parametrize(("seconds", "text"), [(0.04, "0.0 s"), (59.94, "59.9 s"), (61, "1:01"), (3725, "1:02:05")])
def test_durations_read_well(seconds: float, text: str) -> None:
    assert figures.duration(seconds) == text


def test_tables_at_work_are_shown_before_those_that_have_ended() -> None:
    tables = tuple(
        TableView(f"t{number}", state)
        for number, state in enumerate(["finished", "finished", "copying", "pending", "indexing", "pending"])
    )
    shown, hidden = fitting(tables, 3)
    assert [table.name for table in shown] == ["t2", "t3", "t4"]
    assert hidden == 3


def test_what_is_left_is_told_by_the_present_rate() -> None:
    assert time_left_s(VIEW) == pytest.approx(4.0)
    assert time_left_s(replace(VIEW, stage="planning")) is None
    assert time_left_s(replace(VIEW, seconds=0.5)) is None


def test_outside_a_terminal_there_are_plain_lines_only() -> None:
    out = io.StringIO()
    console = Console(file=out, width=100)
    with display(console) as show:
        assert isinstance(show, Lines)
        show.update(VIEW)
        show.update(VIEW)
        show.update(replace(VIEW, tables=(replace(ORDERS, state="finished", read=1000, written=1000),)))
    assert out.getvalue() == "copying rows\n  orders: 1,000 rows in 4.0 s\n"


def test_on_a_terminal_each_table_has_a_bar() -> None:
    out = io.StringIO()
    console = Console(file=out, width=100, force_terminal=True, height=30)
    with display(console) as show:
        assert isinstance(show, Bars)
        show.update(VIEW)
    assert "orders" in out.getvalue()
    assert "50%" in out.getvalue()


def test_every_row_is_accounted_for_or_the_table_is_named() -> None:
    good = replace(ORDERS, state="finished", read=10, written=9, rejected=1)
    bad = replace(good, name="payment", rejected=0)
    assert "10 read = 9 written + 1 rejected" in row_check(replace(VIEW, state="FINISHED", tables=(good,))).plain
    assert "payment" in row_check(replace(VIEW, state="FINISHED", tables=(good, bad))).plain


def test_the_report_has_warnings_first_and_sums_up_notes(capsys: pytest.CaptureFixture[str]) -> None:
    notes = [ReportItem(Severity.INFO, "wide", f"shop.t{number}", f"gets wider: c{number}") for number in range(3)]
    warning = ReportItem(Severity.WARNING, "trigger_left_out", "shop.t.x", "triggers are not translated", "write it")
    rejected = (Rejected(TableId("public", "orders"), "id=7", "at", "no such date"),)
    view = replace(
        VIEW, state="FINISHED", tables=(replace(ORDERS, rejected=1),), report=(warning, *notes), rejected=rejected
    )
    print_run(Terminal(), view)
    out = capsys.readouterr().out
    assert out.index("triggers are not translated") < out.index("gets wider")
    assert out.count("gets wider") == 1
    assert "t0, t1, t2" in out
    assert "id=7" in out
    assert "no such date" in out


def test_a_run_as_json_has_totals_and_tables() -> None:
    document = document_of(VIEW)
    assert document["total"]["rowsRead"] == 500
    assert document["tables"][0]["rowsPerSecond"] == 100
    assert "error" not in document


CHANGED = TableView(
    "orders", "streaming", read=500, written=500, operations={"insert": 1200, "update": 30, "delete": 0, "truncate": 0},
    operation_rates={"insert": 100.0, "update": 2.5, "delete": 0.0}, letters=2,
)  # fmt: skip
PAUSED = TableView("customer", "paused", error="a column was renamed", remedy="re-sync it")
STANDING = Standing("bin.1:4", 0.04, 2048, 3, 1230, 5 * 1024**2)
STREAM = RunView("shop", "RUNNING", "streaming", 12.0, (CHANGED, PAUSED), standing=STANDING)


def test_a_replication_shows_lag_rates_and_what_needs_somebody() -> None:
    out = io.StringIO()
    with display(Console(file=out, width=200, force_terminal=True, height=30)) as show:
        show.update(STREAM)
    text = out.getvalue()
    for told in ("1,200", "streaming", "2 put aside", "a column was renamed", "re-sync it"):
        assert told in text
    assert "lag 40 ms, 3 transactions, 2.0 KiB" in text
    assert "100 insert/s, 2.5 update/s" in text
    assert "the source holds 5.0 MiB of log" in text


def test_a_replication_without_a_terminal_says_when_tables_begin_to_stream() -> None:
    out = io.StringIO()
    with display(Console(file=out, width=100)) as show:
        show.update(STREAM)
    assert out.getvalue().splitlines() == [
        "streaming changes", "  orders: streaming", "  customer: paused: a column was renamed",
    ]  # fmt: skip


def test_a_replication_that_has_ended_is_summed_up(capsys: pytest.CaptureFixture[str]) -> None:
    ended = replace(STREAM, state="STOPPED", standing=replace(STANDING, lag_s=0.0, lag_transactions=0))
    print_run(Terminal(), ended)
    text = capsys.readouterr().out
    assert "stopped  ·  12.0 s  ·  no lag  ·  1,230 transactions  ·  1,230 changes" in text
    assert "rows add up" not in text
    document = document_of(ended)
    assert document["changes"]["transactions"] == 1230
    assert document["tables"][0]["operations"]["insert"] == 1200
    assert document["tables"][0]["deadLetters"] == 2


def test_a_stream_that_cannot_go_on_is_not_told_how_to(capsys: pytest.CaptureFixture[str]) -> None:
    spec = Registry.installed().find("mysql")
    end = Endpoint(spec, ConnectionSettings("mysql", "h", 3306, "u", database="d"))
    job = Job(end, end, RunOptions(), arguments=("replicate", "--from", "mysql://h/d"))
    say_what_next(Terminal(), job, "shop")
    say_what_next(Terminal(), job, "shop", lost=True)
    told = capsys.readouterr().err.splitlines()
    assert (told[0], told[1].strip()) == ("To go on from here:", "mainstem replicate --from mysql://h/d --id shop")
    assert told[-2:] == ["To begin anew, first:", "  mainstem replicate --from mysql://h/d --id shop --forget"]
