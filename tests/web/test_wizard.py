"""Connections and the stream wizard, from the first connection to rows that are compared by SQL."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
import trustme
from playwright.sync_api import Page, expect

from mainstem.model.connection import ConnectionSettings
from tests.api.conftest import Server, body
from tests.api.drive import fill, mysql, postgres, wait_for

ODD = "<img src=x onerror=alert(1)>"
NOWHERE = ConnectionSettings("mysql", "127.0.0.1", 1, "root", "nothing", "d")


@pytest.fixture
def api(web_server: Server) -> Iterator[httpx.Client]:
    with web_server.client() as client:
        yield client


def url_of(settings: ConnectionSettings) -> str:
    password = quote(settings.password, safe="")
    return f"{settings.type}://{settings.username}:{password}@{settings.host}:{settings.port}/{settings.database}"


def connect(page: Page, settings: ConnectionSettings, name: str) -> None:
    """Make a connection on the page for it, from a connection string."""
    page.get_by_label("Paste a connection string").fill(url_of(settings))
    page.get_by_role("button", name="Fill the form").click()
    expect(page.get_by_label("Host")).to_have_value(settings.host)
    page.get_by_label("Name").fill(name)
    page.get_by_role("button", name="Test", exact=True).click()
    expect(page.get_by_text("Connected to")).to_be_visible()
    page.get_by_role("button", name="Save").click()


def choose(page: Page, role: str, name: str) -> None:
    """Take a connection for a side, by its name."""
    select = page.get_by_label(f"{role} connection")
    select.select_option(select.locator("option", has_text=name).get_attribute("value"))


def to_plan(page: Page, source: str, target: str) -> None:
    """From the wizard's first step to its last, every table, no option changed."""
    page.goto("/streams/new")
    choose(page, "Source", source)
    choose(page, "Target", target)
    for _ in range(3):
        page.get_by_role("button", name="Next").click()


def save_both(api: httpx.Client, source: ConnectionSettings, target: ConnectionSettings) -> tuple[dict[str, Any], ...]:
    """Two connections with names of their own."""
    names = (f"from {source.database}", f"to {target.database}")
    both = zip((source, target), names, strict=True)
    return tuple(api.post("/connections", json=body(end, name)).json() for end, name in both)


def test_a_migration_from_the_first_connection_to_its_last_row(
    page: Page, mysql_db: ConnectionSettings, postgres_db: ConnectionSettings
) -> None:
    fill(mysql_db, 3_000)
    mysql(
        mysql_db, "CREATE TABLE notes (id INT PRIMARY KEY, t TEXT)", "INSERT INTO notes VALUES (1, 'Zoë ☕'), (2, NULL)"
    )
    source, target = f"shop {mysql_db.database}", f"new {postgres_db.database}"
    page.goto("/connections")
    page.get_by_role("link", name="New connection").first.click()
    connect(page, mysql_db, source)
    expect(page.get_by_role("link", name=source)).to_be_visible()
    page.goto("/streams/new")
    choose(page, "Source", source)
    page.get_by_role("link", name="New").last.click()  # the target is made on the way
    connect(page, postgres_db, target)
    expect(page.get_by_label("Target connection").locator("option:checked")).to_contain_text(target)
    expect(page.get_by_label("Source connection").locator("option:checked")).to_contain_text(source)
    page.get_by_role("button", name="Next").click()
    page.get_by_role("textbox", name=re.compile("^Name")).fill("move")
    page.get_by_role("button", name="Next").click()
    expect(page.get_by_text("2 of 2 tables")).to_be_visible()
    page.get_by_role("button", name="Next").click()
    expect(page.get_by_text("Time, about")).to_be_visible()
    page.get_by_text("DDL of both sides").click()
    expect(page.get_by_role("figure", name="DDL of the source")).to_contain_text("CREATE TABLE")
    expect(page.get_by_role("figure", name="DDL of the target")).to_contain_text("CREATE TABLE")
    page.get_by_role("button", name="Save and start").click()
    page.wait_for_url(re.compile(r"/streams/stream_"))
    ids = "SELECT count(*), sum(id) FROM products"

    def arrived() -> bool:
        there = postgres(postgres_db, "SELECT count(*) FROM pg_indexes WHERE indexname LIKE '%by_name%'")
        return there == [(1,)]

    wait_for(arrived, "the index is not there")
    assert [tuple(map(int, row)) for row in mysql(mysql_db, ids)] == [
        tuple(map(int, row)) for row in postgres(postgres_db, ids)
    ]
    assert postgres(postgres_db, "SELECT id, t FROM notes ORDER BY id") == [(1, "Zoë ☕"), (2, None)]


def test_a_connection_that_fails_says_why_and_what_to_do(page: Page) -> None:
    page.goto("/connections/new")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("is required").first).to_be_visible()
    page.get_by_label("Paste a connection string").fill("oracle://x@y/z")
    page.get_by_role("button", name="Fill the form").click()
    expect(page.get_by_text("unknown connection type")).to_be_visible()
    page.get_by_label("Paste a connection string").fill(url_of(NOWHERE))
    page.get_by_role("button", name="Fill the form").click()
    page.get_by_role("button", name="Test", exact=True).click()
    alert = page.get_by_role("alert").filter(has_text="Not connected")
    expect(alert).to_contain_text("connection refused")
    expect(alert).to_contain_text("Fix:")
    page.get_by_label("Port").fill("99999")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("must be a whole number from 1 to 65535")).to_be_visible()


def test_odd_names_go_through_the_wizard_as_they_are(
    page: Page, api: httpx.Client, mysql_db: ConnectionSettings, postgres_db: ConnectionSettings
) -> None:
    mysql(
        mysql_db,
        f"CREATE TABLE `{ODD}` (`__proto__` INT PRIMARY KEY, `constructor` VARCHAR(40), `<b>` INT)",
        f"INSERT INTO `{ODD}` VALUES (1, '<script>alert(1)</script>', 2)",
    )
    source, target = save_both(api, mysql_db, postgres_db)
    page.goto(f"/streams/new?source={source['id']}&target={target['id']}&step=tables")
    page.get_by_label("Only those that I choose").check()
    page.get_by_role("button", name=f"3 columns of {ODD}").click()
    page.get_by_label("Target name of __proto__").fill("valueOf")
    page.get_by_label("Target type of constructor").fill("text")
    page.get_by_role("checkbox", name="<b>").uncheck()
    page.get_by_label("Only rows that meet").fill("`__proto__` > 0")
    page.get_by_role("button", name="Done").click()
    page.reload()
    expect(page.get_by_text("−1 column")).to_be_visible()
    page.get_by_role("button", name="Next").click()
    expect(page.get_by_role("cell", name="valueOf integer")).to_be_visible()
    page.get_by_text("The same by REST").click()
    expect(page.get_by_role("figure", name="REST")).to_contain_text("__proto__")
    page.get_by_role("button", name="Save and start").click()
    page.wait_for_url(re.compile(r"/streams/stream_"))
    there = "SELECT column_name, data_type FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1"
    found = [("constructor", "text"), ("valueOf", "integer")]
    wait_for(lambda: postgres(postgres_db, there) == found, "the table is not there")
    rows = f'SELECT "valueOf", constructor FROM "{ODD}"'
    wait_for(lambda: postgres(postgres_db, rows) == [(1, "<script>alert(1)</script>")], "the row is not there")


def test_a_saved_config_is_changed_and_keeps_what_is_not_shown(
    page: Page, api: httpx.Client, mysql_db: ConnectionSettings, postgres_db: ConnectionSettings
) -> None:
    fill(mysql_db, 10)
    source, target = save_both(api, mysql_db, postgres_db)
    config = {
        "name": "early", "source": source["id"], "target": target["id"], "mode": "convert", "retrySeconds": 7,
        "tables": [{"name": "products", "target": "goods", "excludeColumns": ["name"]}, {"name": "gone"}],
    }  # fmt: skip
    saved = api.post("/stream-configs", json=config).json()
    page.goto(f"/streams/new?config={saved['id']}&step=options")
    expect(page.get_by_role("textbox", name=re.compile("^Name"))).to_have_value(saved["name"])
    expect(page.get_by_label("Rows in them")).to_have_value("append")
    page.get_by_text("Speed and limits").click()
    page.get_by_label("Connections to each side").fill("7")
    page.reload()
    page.get_by_text("Speed and limits").click()
    expect(page.get_by_label("Connections to each side")).to_have_value("7")
    page.get_by_role("button", name="Next").click()
    expect(page.get_by_text("→ goods")).to_be_visible()
    page.get_by_role("button", name="Take out of the selection").click()
    page.get_by_role("button", name="Back").click()
    page.get_by_role("button", name="Next").click()
    expect(page.get_by_text("1 of 1 table")).to_be_visible()
    page.get_by_role("button", name="Next").click()
    page.get_by_role("button", name="Save", exact=True).click()
    page.wait_for_url("**/streams")
    after = api.get(f"/stream-configs/{saved['id']}").json()
    assert (after["jobs"], after["retrySeconds"], after["renames"]) == (7, 7, {"products": "goods"})
    assert after["source"]["connections"] == [{"connectionId": source["id"], "tables": [{"name": "products"}]}]
    assert after["target"]["spec"]["db"] == {"schemaPolicy": "create_missing_only", "writeMode": "append"}
    plan = api.post("/stream-configs/plan", json=after).json()
    assert [(table["target"], len(table["columns"])) for table in plan["tables"]] == [("public.goods", 1)]


def test_what_stands_in_the_way_is_said_with_a_way_out(
    page: Page, api: httpx.Client, mysql_db: ConnectionSettings, postgres_db: ConnectionSettings
) -> None:
    fill(mysql_db, 10)
    postgres(postgres_db, "CREATE TABLE products (id bigint PRIMARY KEY, name text)")
    save_both(api, mysql_db, postgres_db)
    to_plan(page, f"from {mysql_db.database}", f"to {postgres_db.database}")
    expect(page.get_by_text("the target has tables of these names already")).to_be_visible()
    expect(page.get_by_role("button", name="Save and start")).to_be_disabled()
    page.get_by_role("button", name="Keep them, make the ones that are missing").click()
    expect(page.get_by_text("is there already")).to_be_visible()
    expect(page.get_by_role("button", name="Save and start")).to_be_enabled()


def test_a_thousand_tables_are_chosen_by_pattern_and_planned(
    page: Page, api: httpx.Client, mysql_db: ConnectionSettings, postgres_db: ConnectionSettings
) -> None:
    mysql(mysql_db, *(f"CREATE TABLE t_{number:04} (id INT PRIMARY KEY, v VARCHAR(9))" for number in range(1000)))
    source, target = save_both(api, mysql_db, postgres_db)
    page.goto(f"/streams/new?source={source['id']}&target={target['id']}&step=tables")
    expect(page.get_by_text("1,000 of 1,000 tables")).to_be_visible()
    rows = page.get_by_role("list", name="Tables").get_by_role("listitem")
    assert rows.count() < 100
    page.get_by_label("Only those that I choose").check()
    page.get_by_role("button", name="Leave out all").click()
    page.get_by_label("Pattern").fill("t_00*, !t_000?")
    page.get_by_role("button", name="Take these 90 tables").click()
    page.get_by_label("Pattern").fill("")
    expect(page.get_by_text("90 of 1,000 tables")).to_be_visible()
    page.get_by_label("Every table").check()
    page.get_by_role("button", name="Next").click()
    expect(page.get_by_role("list", name="Tables of the plan").get_by_role("listitem").first).to_be_visible(
        timeout=120_000
    )
    assert page.get_by_role("list", name="Tables of the plan").get_by_role("listitem").count() < 100


def test_a_query_is_previewed_and_becomes_a_table(
    page: Page, api: httpx.Client, mysql_db: ConnectionSettings, postgres_db: ConnectionSettings
) -> None:
    fill(mysql_db, 100)
    source, target = save_both(api, mysql_db, postgres_db)
    page.goto(f"/streams/new?source={source['id']}&target={target['id']}&step=tables")
    page.get_by_label("Only those that I choose").check()
    page.get_by_role("button", name="Leave out all").click()
    expect(page.get_by_role("button", name="Next")).to_be_disabled()
    page.get_by_role("button", name="Add a query").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Table on the target").fill("few")
    sql = dialog.get_by_label("SELECT, in the source's SQL")
    sql.fill("SELECT nothing FROM products")
    dialog.get_by_role("button", name="Preview").click()
    expect(dialog.get_by_role("alert")).to_contain_text("nothing")
    sql.fill("SELECT id AS number, name, NULL AS empty FROM products ORDER BY id")
    sql.press("Control+Enter")
    expect(dialog.get_by_text("20 rows, and more")).to_be_visible()
    expect(dialog.get_by_role("cell", name="p20", exact=True)).to_be_visible()
    expect(dialog.get_by_text("NULL", exact=True).first).to_be_visible()
    dialog.get_by_role("button", name="Keep").click()
    page.get_by_role("button", name="Next").click()
    expect(page.get_by_role("button", name="public.few")).to_be_visible()
    page.get_by_role("button", name="Save", exact=True).click()
    page.wait_for_url("**/streams")
    [saved] = [one for one in api.get("/stream-configs").json() if "few" in str(one["source"])]
    [query] = saved["source"]["connections"][0]["queries"]
    assert query["query"].startswith("SELECT id AS number")


def test_deleting_a_connection_names_what_depends_on_it(
    page: Page, api: httpx.Client, mysql_db: ConnectionSettings, postgres_db: ConnectionSettings
) -> None:
    fill(mysql_db, 10)
    source, target = save_both(api, mysql_db, postgres_db)
    config = {"name": "needs it", "source": source["id"], "target": target["id"], "mode": "convert"}
    saved = api.post("/stream-configs", json=config).json()
    page.goto(f"/connections?q={mysql_db.database}")
    page.get_by_role("button", name=f"Actions for {source['name']}").click()
    page.get_by_role("menuitem", name="Delete").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text(saved["name"])
    expect(dialog.get_by_role("button", name="Delete")).to_be_disabled()
    dialog.get_by_label(f"Type {source['name']}").fill(source["name"])
    dialog.get_by_role("button", name="Delete").click()
    expect(page.get_by_text("No connection fits the search")).to_be_visible()
    assert api.get(f"/connections/{source['id']}").status_code == 404


def test_a_certificate_is_read_in_the_browser_and_never_shown(page: Page, api: httpx.Client, tmp_path: Path) -> None:
    ca, wrong = tmp_path / "ca.pem", tmp_path / "photo.pem"
    trustme.CA().cert_pem.write_to_path(str(ca))
    wrong.write_bytes(b"\x89PNG")
    page.goto("/connections/new")
    page.get_by_label("Paste a connection string").fill(url_of(replace(NOWHERE, host="tls.example")))
    page.get_by_role("button", name="Fill the form").click()
    expect(page.get_by_label("Host")).to_have_value("tls.example")
    page.get_by_label("TLS").select_option("verify-ca")
    chooser = page.get_by_label(re.compile("^CA certificate"))
    chooser.set_input_files(wrong)
    expect(page.get_by_text("is no PEM file")).to_be_visible()
    chooser.set_input_files(ca)
    expect(page.get_by_text("ca.pem")).to_be_visible()
    page.get_by_role("button", name="Save").click()
    page.wait_for_url("**/connections")
    [saved] = [one for one in api.get("/connections").json() if one["host"] == "tls.example"]
    assert saved["ssl"] == {"mode": "verify-ca", "has_ca": True}
    page.goto(f"/connections/{saved['id']}")
    expect(page.get_by_text("A stored file is used")).to_be_visible()
    page.get_by_label("Name").fill("renamed")
    page.get_by_role("button", name="Save").click()
    page.wait_for_url("**/connections")
    after = api.get(f"/connections/{saved['id']}").json()
    assert (after["name"], after["ssl"]) == ("renamed", saved["ssl"])


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious(
    page: Page,
    api: httpx.Client,
    axe: Callable[[Page], list[str]],
    mysql_db: ConnectionSettings,
    postgres_db: ConnectionSettings,
    theme: Any,
) -> None:
    fill(mysql_db, 10)
    page.emulate_media(color_scheme=theme)
    source, target = save_both(api, mysql_db, postgres_db)
    wizard = f"/streams/new?source={source['id']}&target={target['id']}&step="
    for path, shown in (
        ("/connections", source["name"]),
        ("/connections?view=table", source["name"]),
        ("/connections/new", "Paste a connection string"),
        (f"/connections/{source['id']}", "Encryption"),
        (f"{wizard}ends", "Connected"),
        (f"{wizard}options", "Copy once"),
        (f"{wizard}tables", "1 of 1 table"),
        (f"{wizard}plan", "What changes on the way"),
    ):
        page.goto(path)
        expect(page.get_by_text(shown).first).to_be_visible()
        assert axe(page) == [], path
