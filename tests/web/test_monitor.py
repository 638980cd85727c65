"""Streams watched live: counters that follow the database, a failure that explains itself, moves by keyboard."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import httpx
import pytest
from playwright.sync_api import Page, expect

from mainstem.model.connection import ConnectionSettings
from tests.api.conftest import Server
from tests.api.drive import finish, make, mysql, postgres, run, start, wait_for
from tests.api.test_replications_live import streaming
from tests.web.conftest import Watched, sign_in

MARKUP = "<img src=x onerror=alert(1)>"


@pytest.fixture
def api(web_server: Server) -> Iterator[httpx.Client]:
    with web_server.client() as client:
        yield client


def shows(page: Page, table: str, *words: str) -> None:
    line = page.get_by_role("table", name="Tables").get_by_role("row").filter(has_text=table)
    for word in words:
        expect(line).to_contain_text(word)


@pytest.fixture
def replica(
    api: httpx.Client, mysql_db: ConnectionSettings, postgres_db: ConnectionSettings
) -> Iterator[tuple[str, ConnectionSettings, ConnectionSettings]]:
    """A stream of mode cdc that streams, with its source and target."""
    mysql(
        mysql_db,
        "CREATE TABLE orders (id INT PRIMARY KEY, v VARCHAR(20) NOT NULL)",
        "INSERT INTO orders SELECT seq, 'old' FROM seq_1_to_1000",
        f"CREATE TABLE `{MARKUP}` (id INT PRIMARY KEY)",
    )
    stream = streaming(api, mysql_db, postgres_db, onChangeError="quarantine", name="live")
    yield stream, mysql_db, postgres_db
    api.post(f"/streams/{stream}/stop")


Replica = tuple[str, ConnectionSettings, ConnectionSettings]


def test_the_page_follows_the_database_without_being_asked(page: Page, replica: Replica) -> None:
    stream, source, _ = replica
    page.goto(f"/streams/{stream}")
    shows(page, "orders", "Streaming", "1,000")
    expect(page.get_by_text(MARKUP)).to_be_visible()
    mysql(source, "INSERT INTO orders SELECT seq, 'new' FROM seq_1001_to_1200", "DELETE FROM orders WHERE id <= 50")
    shows(page, "orders", "250")
    expect(page.get_by_text("Changes applied").locator("..")).to_contain_text("250")
    expect(page.get_by_text("I 200 · U 0 · D 50")).to_be_visible()


def test_a_change_that_is_refused_waits_to_be_tried_again(page: Page, replica: Replica) -> None:
    stream, source, target = replica
    postgres(target, "ALTER TABLE orders ADD CONSTRAINT short CHECK (length(v) < 10)")
    mysql(source, "UPDATE orders SET v = 'far too long a text' WHERE id = 7")
    page.goto(f"/streams/{stream}?tab=aside")
    letters = page.get_by_role("table", name="Changes put aside")
    expect(letters).to_contain_text("id=7")
    expect(page.get_by_role("tab", name="Put aside 1")).to_be_visible()
    page.get_by_role("button", name="Try all again").click()
    expect(page.get_by_text("0 changes went in, 1 were refused again", exact=True)).to_be_visible()
    postgres(target, "ALTER TABLE orders DROP CONSTRAINT short")
    page.get_by_role("button", name="Try all again").click()
    expect(page.get_by_text("No change is put aside")).to_be_visible()
    assert postgres(target, "SELECT v FROM orders WHERE id = 7") == [("far too long a text",)]


def test_one_table_is_paused_and_copied_anew_from_its_drawer(page: Page, replica: Replica) -> None:
    stream, source, target = replica
    page.goto(f"/streams/{stream}")
    line = page.get_by_role("table", name="Tables").get_by_role("row").filter(has_text="orders")
    line.focus()
    page.keyboard.press("Enter")
    drawer = page.get_by_role("dialog")
    drawer.get_by_role("button", name="Pause this table").click()
    page.get_by_role("button", name="Pause", exact=True).last.click()
    expect(drawer.get_by_role("alert")).to_contain_text("paused on request")
    mysql(source, "INSERT INTO orders VALUES (5000, 'x')")
    drawer.get_by_role("button", name="Go on by a new copy").click()
    page.get_by_role("button", name="Copy anew", exact=True).last.click()
    expect(drawer.get_by_text("every change of the source is applied")).to_be_visible()
    wait_for(lambda: postgres(target, "SELECT count(*) FROM orders WHERE id = 5000") == [(1,)], "it did not arrive")


def test_a_stream_is_paused_resumed_and_stopped_by_keys_alone(page: Page, api: httpx.Client, replica: Replica) -> None:
    stream, source, target = replica
    page.goto(f"/streams/{stream}")
    state = page.get_by_role("main").locator("header").first
    expect(state).to_contain_text("Running")
    page.keyboard.press("p")
    expect(state).to_contain_text("Paused")
    expect(page.get_by_text("meanwhile the source's log is kept").first).to_be_visible()
    mysql(source, "INSERT INTO orders VALUES (6000, 'x')")
    page.keyboard.press("p")
    expect(state).to_contain_text("Running")
    wait_for(lambda: postgres(target, "SELECT count(*) FROM orders WHERE id = 6000") == [(1,)], "it did not go on")
    page.keyboard.press("Shift+S")
    question = page.get_by_role("dialog")
    expect(question).to_contain_text("for good")
    page.keyboard.press("Tab")
    question.get_by_role("button", name="Stop for good").press("Enter")
    expect(state).to_contain_text("Stopped")
    assert api.get(f"/streams/{stream}").json()["status"] == "STOPPED"


def test_a_cut_over_is_checked_from_the_page(page: Page, replica: Replica) -> None:
    stream, _, _ = replica
    page.goto(f"/streams/{stream}?tab=cutover")
    page.get_by_label("Quiet for").fill("0.5")
    page.get_by_role("button", name="Check, and set the counters").click()
    expect(page.get_by_role("heading", name="It is safe to move the writers")).to_be_visible()
    counts = page.get_by_role("table", name="Rows on both sides")
    expect(counts.get_by_role("row").filter(has_text="orders")).to_contain_text("1,000")


def test_a_reader_that_goes_away_and_comes_back_finds_no_gap_in_the_log(
    page: Page, watched: Watched, api: httpx.Client, replica: Replica
) -> None:
    stream, _, _ = replica
    page.route("**/assets/Palette*", lambda route: route.abort())  # what is fetched ahead of its time may not come
    with page.expect_event("requestfailed", lambda request: "/assets/Palette" in request.url):
        page.goto(f"/streams/{stream}?tab=log")
    log = page.get_by_role("log")
    expect(log).to_contain_text("READY -> RUNNING")
    watched.context.set_offline(True)
    for _ in range(3):
        api.post(f"/streams/{stream}/pause")
        api.post(f"/streams/{stream}/resume")
    watched.context.set_offline(False)
    api.post(f"/streams/{stream}/pause")
    page.get_by_label("Search the log").fill("->")
    expect(log.get_by_text("RUNNING -> PAUSED")).to_have_count(4)
    expect(log.get_by_text("PAUSED -> RUNNING")).to_have_count(3)


def test_a_stream_that_fails_says_why_and_what_helps(
    page: Page, api: httpx.Client, mysql_db: ConnectionSettings, postgres_db: ConnectionSettings
) -> None:
    mysql(
        mysql_db, "SET sql_mode = ''", "CREATE TABLE days (id INT PRIMARY KEY, d DATE)",
        "INSERT INTO days VALUES (1, '0000-00-00')", "CREATE TABLE fine (id INT PRIMARY KEY)",
    )  # fmt: skip
    failed = run(api, mysql_db, postgres_db, name="calendar")
    page.goto("/streams?state=attention")
    page.get_by_role("table", name="Streams").get_by_role("link", name=re.compile("^calendar")).click()
    expect(page).to_have_url(re.compile(failed["id"]))
    told = page.get_by_role("article").first
    expect(told).to_contain_text("Why: 1 of 2 tables failed")
    expect(told).to_contain_text("Fix: choose zeroDates: null or epoch")
    shows(page, "days", "Failed", "a date with a zero year")
    shows(page, "fine", "Finished")
    page.get_by_role("tab", name="Problems").click()
    expect(page.get_by_role("heading", name="Now")).to_be_visible()
    page.get_by_role("tab", name="Log").click()
    page.get_by_label("Level").select_option("error")
    expect(page.get_by_role("log")).to_contain_text("a date with a zero year")
    expect(page.get_by_role("log")).not_to_contain_text("READY -> RUNNING")
    expect(page).to_have_url(re.compile("log-level=error"))


def test_two_runs_are_compared_table_by_table(
    page: Page, api: httpx.Client, mysql_db: ConnectionSettings, postgres_db: ConnectionSettings
) -> None:
    mysql(mysql_db, "CREATE TABLE t (id INT PRIMARY KEY)", "INSERT INTO t SELECT seq FROM seq_1_to_10")
    config = make(api, mysql_db, postgres_db, schemaPolicy="drop_and_recreate", name="nightly")
    finish(api, start(api, config))
    mysql(mysql_db, "INSERT INTO t SELECT seq FROM seq_11_to_25")
    finish(api, start(api, config))
    page.goto(f"/configs/{config}/history")
    runs = page.get_by_role("table", name="Runs, newest first")
    expect(runs.get_by_role("checkbox")).to_have_count(2)
    for box in runs.get_by_role("checkbox").all():
        box.click()
        expect(box).to_be_checked()
    tables = page.get_by_role("table", name="Table by table")
    expect(tables.get_by_role("row").filter(has_text=".t")).to_contain_text("10 →25")
    expect(page).to_have_url(re.compile("left=.*right="))
    page.reload()
    expect(tables).to_be_visible()


def test_the_list_starts_clones_and_deletes(
    page: Page, api: httpx.Client, mysql_db: ConnectionSettings, postgres_db: ConnectionSettings
) -> None:
    mysql(mysql_db, "CREATE TABLE t (id INT PRIMARY KEY)")
    make(api, mysql_db, postgres_db, name="once")
    page.goto("/streams?search=once")
    page.get_by_role("button", name=re.compile("^Start once")).click()
    expect(page).to_have_url(re.compile("/streams/stream_"))
    expect(page.get_by_role("main").locator("header").first).to_contain_text("Finished")
    page.goto("/streams?search=once")
    page.get_by_role("button", name=re.compile("^More for once")).click()
    page.get_by_role("menuitem", name="Clone").click()
    # Of none but these, if this is the first test of its server.
    expect(page.get_by_role("status").filter(has_text=re.compile(r"^2 (of \d+ )?streams"))).to_be_visible()
    page.get_by_role("button", name=re.compile("^More for once")).last.click()
    page.get_by_role("menuitem", name="Delete config").click()
    expect(page.get_by_role("dialog")).to_contain_text("Nothing is changed in either database")
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_role("dialog")).to_have_count(0)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_monitor_can_be_used_by_everyone(
    watched: Watched, web_server: Server, replica: Replica, axe: Callable[[Page], list[str]], scheme: str
) -> None:
    stream, _, _ = replica
    sign_in(watched.context, web_server)
    page = watched.context.new_page()
    page.emulate_media(color_scheme="light" if scheme == "light" else "dark")
    for tab in ("", "log", "problems", "aside", "schema", "cutover", "config"):
        page.goto(f"/streams/{stream}?tab={tab}")
        expect(page.get_by_text("Behind the source").first).to_be_visible()
        assert axe(page) == [], tab
    page.goto("/streams")
    expect(page.get_by_role("table", name="Streams")).to_be_visible()
    assert axe(page) == []
    page.set_viewport_size({"width": 360, "height": 740})
    for path in (f"/streams/{stream}", "/streams"):
        page.goto(path)
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, path
