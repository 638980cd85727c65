"""axe-core on every screen, in both themes: nothing serious; and nothing wider than a phone."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect

from mainstem.model.connection import ConnectionSettings
from tests.api.conftest import Server
from tests.web.stock import SCREENS, stocked

LOADING = re.compile("^Loading")
# Once the page has heard that its window is smaller.
_FITS = "innerWidth === 360 && (main => main.scrollWidth <= main.clientWidth)(document.querySelector('main'))"


@pytest.fixture(scope="module")
def stock(
    web_server: Server, mariadb_server: ConnectionSettings, postgres18_server: ConnectionSettings
) -> Iterator[dict[str, str]]:
    with stocked(web_server, mariadb_server, postgres18_server) as found:
        yield found


@pytest.mark.parametrize("path", SCREENS)
def test_a_screen_has_no_serious_finding_takes_no_markup_and_fits_into_a_phone(
    page: Page, axe: Callable[[Page], list[str]], stock: dict[str, str], path: str
) -> None:
    page.emulate_media(color_scheme="light", reduced_motion="reduce")
    page.goto(path.format_map(stock))
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    expect(page.get_by_text(LOADING)).to_have_count(0)
    found = {"light": axe(page)}
    page.emulate_media(color_scheme="dark")
    found["dark"] = axe(page)
    assert found == {"light": [], "dark": []}
    assert page.evaluate("document.querySelectorAll('img[src=x], main script').length") == 0
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.set_viewport_size({"width": 360, "height": 740})
    page.wait_for_function(_FITS)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_signing_in_has_no_serious_finding(stranger: Page, axe: Callable[[Page], list[str]], scheme: str) -> None:
    stranger.emulate_media(color_scheme="dark" if scheme == "dark" else "light", reduced_motion="reduce")
    stranger.goto("/signin")
    expect(stranger.get_by_role("heading", level=1)).to_be_visible()
    assert axe(stranger) == []


def test_the_palette_and_the_shortcuts_have_no_serious_finding(page: Page, axe: Callable[[Page], list[str]]) -> None:
    page.goto("/")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    page.keyboard.press("Control+k")
    expect(page.get_by_role("combobox")).to_be_focused()
    assert axe(page) == []
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    assert axe(page) == []
