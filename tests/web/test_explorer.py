"""The explorer in a browser: changes that land in the database, conflicts, markup, pages, files, the diagram."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import Locator, Page, expect

from mainstem.connectors.mysql.client import connect as mysql_connect
from mainstem.connectors.postgres.client import connect as postgres_connect
from mainstem.model.connection import ConnectionSettings
from tests.api.conftest import Server, body

NASTY = "<img src=x onerror=alert(1)>"


@dataclass(frozen=True, slots=True)
class Shop:
    """A database with some tables, and the address of its pages."""

    settings: ConnectionSettings
    connection: str

    def url(self, table: str, more: str = "") -> str:
        schema = "public" if self.settings.type == "postgresql" else self.settings.database
        parts = (self.connection, self.settings.database, "table", schema, table)
        return "/explorer/" + "/".join(quote(part, safe="") for part in parts) + more

    def sql(self, statement: str) -> list[tuple[Any, ...]]:
        connect: Any = postgres_connect if self.settings.type == "postgresql" else mysql_connect
        with connect(self.settings) as connection, connection.cursor() as cursor:
            cursor.execute(statement)
            return list(cursor.fetchall()) if cursor.description else []


PEOPLE = "INSERT INTO people VALUES (1, 'Ada', NULL, NULL), (2, 'Bob', '', 'ab'), (3, 'Cid', 'x', NULL)"


@pytest.fixture
def shop(made: Shop) -> Shop:
    """Its people are the same for each test, whatever the one before has done to them."""
    made.sql("DELETE FROM people")
    made.sql(PEOPLE)
    return made


@pytest.fixture(scope="module", params=["postgresql", "mysql"])
def made(request: pytest.FixtureRequest, web_server: Server) -> Iterator[Shop]:
    postgres = request.param == "postgresql"
    server = request.getfixturevalue("postgres18_server" if postgres else "mariadb_server")
    admin = Shop(server, "")
    admin.sql("CREATE DATABASE explored_web")
    settings = replace(server, database="explored_web")
    with web_server.client() as api:
        connection = api.post("/connections", json=body(settings, f"Shop {request.param}")).json()["id"]
    found = Shop(settings, connection)
    _fill(found, '"' if postgres else "`", "bytea" if postgres else "blob")
    yield found
    admin.sql(f"DROP DATABASE explored_web{' WITH (FORCE)' if postgres else ''}")


def _fill(shop: Shop, mark: str, raw: str) -> None:
    postgres = shop.settings.type == "postgresql"
    many = "generate_series(1, 450) AS s(n)" if postgres else "(SELECT seq AS n FROM seq_1_to_450) AS s"
    for statement in (
        f"CREATE TABLE people (id INT PRIMARY KEY, name VARCHAR(60), note TEXT, raw {raw})",
        PEOPLE,
        "CREATE TABLE pets (id INT PRIMARY KEY, person_id INT, CONSTRAINT of_person FOREIGN KEY (person_id)"
        " REFERENCES people (id))",
        "CREATE TABLE many (id INT PRIMARY KEY, name VARCHAR(20))",
        f"INSERT INTO many SELECT n, concat('n', n) FROM {many}",
        f"CREATE TABLE {mark}{NASTY}{mark} (id INT PRIMARY KEY, {mark}__proto__{mark} TEXT, {mark}<b>x</b>{mark} TEXT)",
        f"INSERT INTO {mark}{NASTY}{mark} VALUES (1, '<script>alert(2)</script>', NULL)",
        "ANALYZE" if postgres else "ANALYZE TABLE many",
    ):
        shop.sql(statement)


def _cell(page: Page, row: int, column: int) -> Locator:
    """A cell by its row on the page and its column, both from 0."""
    return page.locator(
        f"[role=grid] [role=row][aria-rowindex='{row + 2}'] [role=gridcell][aria-colindex='{column + 2}']"
    )


def _type(page: Page, row: int, column: int, text: str) -> None:
    _cell(page, row, column).dblclick()
    editor = page.get_by_role("textbox", name=re.compile("New value of"))
    editor.fill(text)
    editor.press("Enter")


def _apply(page: Page) -> Locator:
    page.get_by_role("button", name=re.compile(r"^Review")).click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_label("SQL", exact=True)).to_contain_text(";")
    return dialog


def test_an_edit_an_insert_and_a_delete_land_in_the_database(page: Page, shop: Shop) -> None:
    page.goto(shop.url("people"))
    expect(_cell(page, 0, 1)).to_have_text("Ada")
    _type(page, 0, 1, "Ada it's <b>L</b>")
    _cell(page, 2, 1).click()
    page.get_by_role("button", name="Delete 1 row").click()
    page.get_by_role("button", name="Row", exact=True).click()
    _type(page, 0, 0, "9")
    _type(page, 0, 1, "Zoe")
    _cell(page, 1, 3).dblclick()
    typed = page.get_by_label("Bytes in hex")
    typed.fill("0x6")
    expect(page.get_by_role("alert")).to_contain_text("only one digit")
    typed.fill("0x 00 ff 61")
    page.get_by_role("button", name="Keep the change").click()
    waiting = page.get_by_role("status").filter(has_text="Not saved yet")
    expect(waiting).to_contain_text("1 row edited, 1 row new, 1 row to delete")
    page.reload()
    expect(waiting).to_contain_text("1 row edited, 1 row new, 1 row to delete (brought back")
    expect(_cell(page, 1, 3)).to_contain_text("0x00ff61")
    assert len(shop.sql("SELECT 1 FROM people")) == 3
    dialog = _apply(page)
    for part in ("UPDATE", "INSERT", "DELETE"):
        expect(dialog.get_by_label("SQL", exact=True)).to_contain_text(part)
    dialog.get_by_role("button", name="Apply, and delete 1 row").click()
    expect(dialog).to_be_hidden()
    expect(_cell(page, 2, 1)).to_have_text("Zoe")
    assert shop.sql("SELECT id, name, note, raw FROM people ORDER BY id") == [
        (1, "Ada it's <b>L</b>", None, b"\0\xffa"), (2, "Bob", "", b"ab"), (9, "Zoe", None, None),
    ]  # fmt: skip


def test_a_row_that_was_changed_meanwhile_is_told_and_left_alone(page: Page, shop: Shop) -> None:
    page.goto(
        shop.url("people", "?filter=" + quote(json.dumps({"all": [{"column": "id", "operator": "=", "value": "2"}]})))
    )
    expect(_cell(page, 0, 1)).to_have_text("Bob")
    _type(page, 0, 1, "Mine")
    shop.sql("UPDATE people SET name = 'Theirs' WHERE id = 2")
    dialog = _apply(page)
    dialog.get_by_role("button", name="Apply", exact=True).click()
    expect(dialog.get_by_role("alert")).to_contain_text("changed after it was read, in name")
    assert shop.sql("SELECT name FROM people WHERE id = 2") == [("Theirs",)]
    dialog.get_by_role("button", name="Load the rows again").click()
    page.get_by_role("button", name="Discard").click()
    page.get_by_role("dialog").get_by_role("button", name="Discard").click()
    expect(_cell(page, 0, 1)).to_have_text("Theirs")


def test_null_an_empty_text_and_bytes_are_told_apart_and_bytes_come_from_a_file(page: Page, shop: Shop) -> None:
    page.goto(shop.url("people", "?sort=" + quote('[["id",0]]')))
    expect(_cell(page, 0, 2)).to_have_text("NULL")
    expect(_cell(page, 1, 2)).to_have_text("empty")
    expect(_cell(page, 1, 3)).to_contain_text("0x6162")
    _cell(page, 1, 3).dblclick()
    expect(page.get_by_role("dialog")).to_contain_text("61 62")
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Take them from a file").click()
    chooser.value.set_files([{"name": "a.bin", "mimeType": "application/octet-stream", "buffer": b"\xfe" * 20_000}])
    expect(page.get_by_role("dialog")).to_contain_text("20,000 bytes of a.bin")
    page.get_by_role("button", name="Keep the change").click()
    _apply(page).get_by_role("button", name="Apply", exact=True).click()
    expect(_cell(page, 1, 3)).to_contain_text("19.5 KiB")
    assert shop.sql("SELECT raw FROM people WHERE id = 2") == [(b"\xfe" * 20_000,)]


def test_markup_in_names_and_values_is_text(page: Page, shop: Shop) -> None:
    page.goto(shop.url(NASTY))
    expect(page.get_by_role("heading", name=NASTY)).to_be_visible()
    expect(_cell(page, 0, 1)).to_have_text("<script>alert(2)</script>")
    expect(page.get_by_role("columnheader", name="<b>x</b>")).to_be_visible()
    _type(page, 0, 1, "</td><img src=x>")
    _apply(page).get_by_role("button", name="Apply", exact=True).click()
    expect(page.get_by_role("dialog")).to_be_hidden()
    expect(_cell(page, 0, 1)).to_have_text("</td><img src=x>")
    page.get_by_role("tab", name="Structure").click()
    expect(page.get_by_role("cell", name="__proto__")).to_be_visible()
    assert page.locator("img").count() == 0


def test_pages_filters_and_orders_are_in_the_address(page: Page, shop: Shop) -> None:
    page.goto(shop.url("many"))
    expect(page.get_by_text("Rows 1 to 100 of 450")).to_be_visible()
    page.get_by_role("button", name="Next page").click()
    expect(_cell(page, 0 + 100, 0)).to_have_text("101")
    page.get_by_role("button", name="Last page").click()
    expect(page.get_by_text("Rows 351 to 450 of 450")).to_be_visible()
    page.get_by_label("Page number").fill("3")
    page.get_by_label("Page number").press("Enter")
    expect(page.get_by_text("Rows 201 to 300 of 450")).to_be_visible()
    by_id = page.get_by_role("columnheader", name="id")
    for order in ("ascending", "descending"):
        by_id.get_by_role("button").click()
        expect(by_id).to_have_attribute("aria-sort", order)
    expect(_cell(page, 0, 0)).to_have_text("450")
    page.get_by_role("button", name="Filter").click()
    page.get_by_label("Operator of condition 1").select_option("<=")
    page.get_by_label("Value of condition 1").fill("7")
    page.get_by_role("button", name="Apply").click()
    expect(page.get_by_text("Rows 1 to 7 of 7")).to_be_visible()
    page.goto(page.url)
    expect(_cell(page, 0, 0)).to_have_text("7")
    page.get_by_label("Condition in SQL").fill("id = 1; drop table many")
    page.get_by_role("button", name="Apply").click()
    expect(page.get_by_role("alert").filter(has_text="the condition is refused")).to_be_visible()
    expect(page.get_by_label("Condition in SQL")).to_have_value("id = 1; drop table many")
    page.get_by_role("button", name="Without filter and order").click()
    expect(page.get_by_text("Rows 1 to 100 of 450")).to_be_visible()


def test_rows_are_saved_as_a_file(page: Page, shop: Shop, tmp_path: Path) -> None:
    page.goto(shop.url("many"))
    page.get_by_role("button", name="Export").click()
    with page.expect_download() as saved:
        page.get_by_role("menuitem", name="CSV, all rows").click()
    saved.value.save_as(tmp_path / "many.csv")
    lines = (tmp_path / "many.csv").read_text().splitlines()
    assert (lines[0], lines[-1], len(lines)) == ("id,name", "450,n450", 451)


def test_the_tree_is_searched_and_walked_by_keys(page: Page, shop: Shop) -> None:
    page.goto(shop.url("people"))
    tree = page.get_by_role("tree")
    expect(tree.get_by_role("treeitem", name="people")).to_have_attribute("aria-selected", "true")
    page.get_by_label("Search the tree").fill("pets")
    expect(tree.get_by_role("treeitem", name="pets")).to_be_visible()
    tree.focus()
    page.keyboard.press("End")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="pets")).to_be_visible()
    page.get_by_role("tab", name="Keys").click()
    expect(page.get_by_role("link", name="people (id)")).to_be_visible()
    page.get_by_role("tab", name="DDL").click()
    expect(page.get_by_label("DDL", exact=True).first).to_contain_text("of_person")
    page.get_by_role("tab", name="Statistics").click()
    expect(page.get_by_role("table", name="Figures of the columns")).to_contain_text("person_id")


def test_a_database_has_an_overview_and_a_diagram(page: Page, shop: Shop, tmp_path: Path) -> None:
    page.goto(f"/explorer/{shop.connection}/{shop.settings.database}")
    expect(page.get_by_role("table", name="Largest tables")).to_contain_text("many")
    page.get_by_role("tab", name="Diagram").click()
    expect(page.get_by_text("4 tables, 1 foreign key")).to_be_visible()
    with page.expect_download() as saved:
        page.get_by_role("button", name="SVG").click()
    saved.value.save_as(tmp_path / "shop.svg")
    svg = (tmp_path / "shop.svg").read_text()
    assert "people" in svg
    assert "<img" not in svg
    with page.expect_download() as saved:
        page.get_by_role("button", name="PNG").click()
    saved.value.save_as(tmp_path / "shop.png")
    assert (tmp_path / "shop.png").read_bytes().startswith(b"\x89PNG")


def test_nothing_serious_stands_in_the_way_of_a_screen_reader(
    page: Page, shop: Shop, axe: Callable[[Page], list[str]]
) -> None:
    for address in (shop.url("people"), shop.url("people", "?tab=structure"), shop.url("people", "?tab=statistics")):
        page.goto(address)
        expect(page.locator("[role=grid] [role=gridcell], [role=tabpanel] table").first).to_be_visible()
        assert axe(page) == []
    page.goto(f"/explorer/{shop.connection}/{shop.settings.database}?tab=diagram")
    expect(page.get_by_text("4 tables, 1 foreign key")).to_be_visible()
    assert axe(page) == []
