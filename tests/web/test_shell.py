"""Getting in and around: sign-in, sidebar, palette, shortcuts, theme, an unknown address."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.api.conftest import KEY, Server
from tests.web.conftest import Watched

PAGES = {"Home": "/", "Connections": "/connections", "Streams": "/streams", "Explorer": "/explorer",
         "SQL console": "/sql", "Settings": "/settings"}  # fmt: skip


def _printed_link(server: Server) -> str:
    found = re.search(r"Web UI: (\S+)", server.log.read_text())
    assert found is not None
    return found[1]


def test_the_printed_link_signs_in_once(watched: Watched, web_server: Server) -> None:
    link = _printed_link(web_server)
    page = watched.context.new_page()
    page.goto(link)
    expect(page.get_by_role("heading", level=1, name="Home")).to_be_visible()
    expect(page).not_to_have_url(re.compile("ticket"))
    cookie = watched.context.cookies()[0]
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
    watched.context.clear_cookies()
    page.goto("about:blank")
    page.goto(link)
    expect(page.get_by_role("alert")).to_contain_text("has been used")


def test_an_api_key_signs_in_and_leads_to_where_one_wanted_to_go(stranger: Page) -> None:
    stranger.goto("/settings?tab=keys")
    field = stranger.get_by_label("API key")
    field.fill("wrong")
    field.press("Enter")
    expect(stranger.get_by_role("alert")).to_contain_text("the API key is wrong")
    field.fill(KEY)
    field.press("Enter")
    expect(stranger.get_by_role("heading", level=1, name="Settings")).to_be_visible()
    expect(stranger).to_have_url(re.compile(r"/settings\?tab=keys$"))


def test_signing_out_ends_the_session(page: Page, watched: Watched) -> None:
    page.goto("/")
    held = watched.context.cookies()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in to Mainstem")).to_be_visible()
    watched.context.add_cookies(held)
    page.goto("/")
    expect(page.get_by_role("heading", name="Sign in to Mainstem")).to_be_visible()


@pytest.mark.parametrize("name", PAGES)
def test_every_entry_of_the_sidebar_leads_to_its_page(page: Page, name: str) -> None:
    page.goto("/settings" if name == "Home" else "/")
    page.get_by_role("navigation", name="Main").get_by_role("link", name=name).click()
    expect(page.get_by_role("heading", level=1, name=name)).to_be_visible()
    expect(page).to_have_url(re.compile(rf"{PAGES[name]}$"))


def test_the_keyboard_leads_everywhere(page: Page) -> None:
    page.goto("/")
    expect(page.get_by_role("heading", level=1, name="Home")).to_be_visible()
    page.keyboard.press("g")
    page.keyboard.press("s")
    expect(page.get_by_role("heading", level=1, name="Streams")).to_be_visible()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("Control+k")
    expect(page.get_by_role("combobox")).to_be_focused()
    page.keyboard.type("sql con")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1, name="SQL console")).to_be_visible()


def test_a_chosen_theme_stays(page: Page) -> None:
    page.goto("/")
    page.get_by_role("button", name="Theme: system").click()
    page.get_by_role("button", name="Theme: light").click()
    for _ in range(2):
        expect(page.get_by_role("button", name="Theme: dark")).to_be_visible()
        expect(page.locator("html")).to_have_css("background-color", "rgb(15, 20, 23)")
        page.reload()


def test_an_unknown_address_is_told(page: Page) -> None:
    page.goto("/no/such/page")
    expect(page.get_by_role("heading", name="No such page")).to_be_visible()


def test_a_narrow_screen_has_the_sidebar_behind_a_button(page: Page) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    page.goto("/")
    page.get_by_role("button", name="Menu", exact=True).click()
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Streams").click()
    expect(page.get_by_role("heading", level=1, name="Streams")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
