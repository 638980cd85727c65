"""The SQL console in a browser, against real databases."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from mainstem.model.connection import ConnectionSettings
from tests.api.conftest import Server, body

PROBE = "<img src=x onerror=\"alert('probe')\">"


class Console:
    """The console's page, as its reader uses it."""

    def __init__(self, page: Page, connection: str) -> None:
        self.page = page
        page.goto(f"/sql/{connection}")
        self.editor = page.get_by_role("textbox", name=re.compile("^SQL"))
        expect(self.editor).to_be_visible()

    def write(self, sql: str) -> None:
        self.editor.click()
        self.page.keyboard.press("Control+a")
        self.page.keyboard.press("Delete")
        self.page.keyboard.insert_text(sql)

    def run(self, sql: str, keys: str = "Shift+Enter") -> None:
        self.write(sql)
        self.page.keyboard.press(keys)

    def result(self, number: int) -> Locator:
        self.page.get_by_role("tab", name=f"Result {number}").click()
        return self.page.get_by_role("grid", name=f"Result {number}")


Open = Callable[[ConnectionSettings], Console]


@pytest.fixture
def console(page: Page, web_server: Server) -> Open:
    """Opens the console on a database."""

    def opened(settings: ConnectionSettings) -> Console:
        with web_server.client() as api:
            connection = api.post("/connections", json=body(settings, f"db {settings.type}")).json()["id"]
        return Console(page, connection)

    return opened


@pytest.fixture(params=["mysql_db", "postgres_db"])
def database(request: pytest.FixtureRequest) -> ConnectionSettings:
    settings: ConnectionSettings = request.getfixturevalue(request.param)
    return settings


def test_a_script_gives_several_results_and_its_error_is_marked(console: Open, database: ConnectionSettings) -> None:
    sql = console(database)
    sql.run("SELECT 1 AS one, NULL AS nothing, '' AS blank;\nSELECT 2 AS two;\nSELECT '🧀', nope;")
    expect(sql.page.get_by_role("alert")).to_contain_text("nope")
    expect(sql.page.locator(".cm-lintRange-error")).to_have_text("nope")
    expect(sql.page.get_by_role("list", name="Messages").get_by_role("listitem")).to_have_count(3)
    first = sql.result(1)
    expect(first.get_by_role("gridcell")).to_have_text(["1", "NULL", "empty"])
    expect(sql.result(2).get_by_role("gridcell")).to_have_text(["2"])


def test_one_statement_runs_where_the_cursor_is_or_what_is_selected(
    console: Open, database: ConnectionSettings
) -> None:
    sql = console(database)
    sql.write("SELECT 'first';\nSELECT 'second'")
    sql.page.keyboard.press("Control+Enter")
    expect(sql.result(1).get_by_role("gridcell")).to_have_text(["second"])
    sql.editor.press("Control+Home")
    sql.editor.press("Control+Enter")
    expect(sql.page.get_by_role("grid").get_by_role("gridcell")).to_have_text(["first"])


def test_a_query_that_sleeps_is_cancelled(console: Open, database: ConnectionSettings) -> None:
    sql = console(database)
    sql.run({"mysql": "SELECT SLEEP(60)", "postgresql": "SELECT pg_sleep(60)"}[database.type])
    sql.page.get_by_role("button", name="Cancel").click()
    expect(sql.page.get_by_role("alert")).to_contain_text("the query was cancelled")
    sql.run("SELECT 'alive'")
    expect(sql.result(1).get_by_role("gridcell")).to_have_text(["alive"])


def test_what_changes_data_is_asked_before_it_runs(console: Open, database: ConnectionSettings) -> None:
    sql = console(database)
    sql.run("CREATE TABLE t (a int); INSERT INTO t VALUES (1), (2)")
    sql.page.get_by_role("dialog").get_by_role("button", name="Run").click()
    expect(sql.page.get_by_role("list", name="Messages")).to_contain_text("2 affected")
    sql.run("DELETE FROM t")
    dialog = sql.page.get_by_role("dialog")
    expect(dialog).to_contain_text("deletes every row: it has no WHERE")
    dialog.get_by_role("button", name="Cancel").click()
    sql.run("SELECT count(*) FROM t")
    expect(sql.result(1).get_by_role("gridcell")).to_have_text(["2"])
    sql.run("DELETE FROM t")
    dialog.get_by_role("button", name="Run all the same").click()
    expect(sql.page.get_by_role("list", name="Messages")).to_contain_text("2 affected")
    sql.run("BEGIN; INSERT INTO t VALUES (3)")
    expect(dialog).to_contain_text("does not end the transaction")
    dialog.get_by_role("button", name="Run", exact=True).click()
    expect(sql.page.get_by_role("status").filter(has_text="Nothing of the open transaction was kept")).to_be_visible()


def test_a_read_only_connection_is_told_so_and_changes_nothing(console: Open, database: ConnectionSettings) -> None:
    sql = console(database)
    switch = sql.page.get_by_role("switch", name="Read-only")
    switch.click()
    expect(sql.page.get_by_text("Reads only")).to_be_visible()
    sql.run("CREATE TABLE t (a int)")
    expect(sql.page.get_by_role("alert")).to_contain_text("turn read-only off")
    switch.click()
    sql.page.get_by_role("dialog").get_by_role("button", name="Allow changes").click()
    expect(sql.page.get_by_text("Reads only")).to_be_hidden()


def test_what_was_run_is_found_in_the_history(console: Open, postgres_db: ConnectionSettings) -> None:
    sql = console(postgres_db)
    sql.run("SELECT 'remember me'")
    expect(sql.result(1).get_by_role("gridcell")).to_have_text(["remember me"])
    sql.run("SELECT 'another'")
    expect(sql.page.get_by_role("grid").get_by_role("gridcell")).to_have_text(["another"])
    sql.page.get_by_role("button", name="History").click()
    sql.page.get_by_role("searchbox", name="Search the history").fill("REMEMBER")
    found = sql.page.get_by_role("dialog").get_by_role("listitem")
    expect(found).to_have_count(1)
    found.get_by_role("button").click()
    expect(sql.editor).to_have_text("SELECT 'remember me'")


def test_a_whole_result_is_exported(console: Open, database: ConnectionSettings, tmp_path: Path) -> None:
    sql = console(database)
    many = "WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 900) SELECT i FROM n"
    sql.page.get_by_role("combobox", name="Most rows").select_option("100")
    sql.run(many)
    sql.result(1)
    expect(sql.page.get_by_text("The first 100 rows; there are more")).to_be_visible()
    sql.page.get_by_role("button", name="Export").click()
    with sql.page.expect_download() as download:
        sql.page.get_by_role("menuitem", name="All rows as JSON", exact=True).click()
    download.value.save_as(tmp_path / "rows.json")
    assert len(json.loads((tmp_path / "rows.json").read_text())) == 900


def test_tabs_and_their_text_outlive_a_reload(console: Open, postgres_db: ConnectionSettings) -> None:
    sql = console(postgres_db)
    sql.write("SELECT 'kept'")
    sql.page.get_by_role("button", name="New query").click()
    sql.write("SELECT 'too'")
    sql.page.reload()
    expect(sql.editor).to_have_text("SELECT 'too'")
    sql.page.get_by_role("button", name="Query 1", exact=True).click()
    expect(sql.editor).to_have_text("SELECT 'kept'")


def test_a_plan_is_a_tree(console: Open, database: ConnectionSettings) -> None:
    sql = console(database)
    sql.run("CREATE TABLE t (a int)")
    sql.page.get_by_role("dialog").get_by_role("button", name="Run").click()
    expect(sql.page.get_by_role("list", name="Messages")).to_be_visible()
    sql.write("SELECT * FROM t WHERE a > 5")
    sql.page.get_by_role("button", name="Explain").click()
    sql.page.get_by_role("menuitem", name="Explain and measure").click()
    expect(sql.page.get_by_role("list", name="Execution plan")).to_contain_text("on t")


def test_names_are_completed_and_sql_is_formatted(console: Open, database: ConnectionSettings) -> None:
    sql = console(database)
    sql.run("CREATE TABLE remarkable (a int)")
    sql.page.get_by_role("dialog").get_by_role("button", name="Run").click()
    expect(sql.page.get_by_role("list", name="Messages")).to_be_visible()
    sql.write("select * from ")
    sql.page.keyboard.type("remar")
    option = sql.page.get_by_role("option", name="remarkable")
    expect(option).to_be_visible()
    option.click()
    sql.page.get_by_role("button", name="Format").click()
    expect(sql.editor).to_have_text(re.compile(r"SELECT\s*\*\s*FROM\s*remarkable"))


def test_markup_in_names_cells_and_errors_is_text(console: Open, database: ConnectionSettings) -> None:
    """The page fixture fails on any dialog, and so on a probe that runs."""
    sql = console(database)
    quote = {"mysql": "`", "postgresql": '"'}[database.type]
    probe = PROBE.replace("'", "''")
    named = quote + PROBE.replace(quote, quote * 2) + quote
    sql.run(f"SELECT '{probe}' AS {named}, 1 AS {quote}__proto__{quote}")
    grid = sql.result(1)
    expect(grid.get_by_role("gridcell").first).to_have_text(PROBE)
    expect(grid.get_by_role("columnheader").first).to_contain_text("<img src=x")
    expect(grid.get_by_role("columnheader").last).to_contain_text("__proto__")
    grid.get_by_role("gridcell").first.dblclick()
    expect(sql.page.get_by_role("dialog")).to_contain_text(PROBE)
    sql.page.keyboard.press("Escape")
    sql.run(f"SELECT 1 AS a; SELECT * FROM {named}")
    expect(sql.page.get_by_role("alert")).to_contain_text("<img src=x")
    assert sql.page.locator("img[src=x]").count() == 0


def test_a_cell_of_50_mb_does_not_hold_the_page_up(console: Open, database: ConnectionSettings) -> None:
    sql = console(database)
    sql.run("SELECT 'small' AS a, repeat('x', 52428800) AS big" if database.type == "postgresql" else
            "SELECT 'small' AS a, CONCAT(REPEAT('x', 16000000), '') AS big")  # fmt: skip
    cells = sql.result(1).get_by_role("gridcell")
    expect(cells.last).to_contain_text("MiB)")
    cells.last.dblclick()
    expect(sql.page.get_by_role("dialog")).to_contain_text("only its beginning is here")
    assert sql.page.evaluate("document.body.innerText.length") < 200_000


def test_the_console_has_no_serious_accessibility_finding(
    console: Open, postgres_db: ConnectionSettings, axe: Callable[[Page], list[str]]
) -> None:
    sql = console(postgres_db)
    sql.run("SELECT 1 AS a, NULL AS b; SELECT nope")
    expect(sql.page.get_by_role("alert")).to_be_visible()
    for scheme in ("light", "dark"):
        # without motion: a colour on its way from one theme to the other has the contrast of neither
        sql.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
        assert axe(sql.page) == [], scheme
    sql.result(1)
    assert axe(sql.page) == []
    sql.page.get_by_role("button", name="History").click()
    expect(sql.page.get_by_role("dialog")).to_be_visible()
    assert axe(sql.page) == []
