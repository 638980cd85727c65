"""axe-core on every screen, in both themes: nothing serious."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

SCREENS = (
    "/", "/connections", "/connections/new", "/streams", "/streams/new", "/explorer", "/sql", "/settings",
    "/settings?tab=keys", "/settings?tab=about", "/no/such/page",
)  # fmt: skip


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", SCREENS)
def test_a_screen_has_no_serious_finding(page: Page, axe: Callable[[Page], list[str]], path: str, scheme: str) -> None:
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light", reduced_motion="reduce")
    page.goto(path)
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    page.wait_for_load_state("networkidle")
    assert axe(page) == []


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
