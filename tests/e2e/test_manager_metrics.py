"""The manager in a real browser: read the figures, walk one down to its contract lines, with mouse and with keys."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from expansion.dashboards.models import Target
from tests.metrics import books

pytestmark = pytest.mark.django_db(transaction=True)
YEAR = "/metrics/?period=custom&from=2024-12-31&to=2025-12-31"
LINE = ".plot[data-chart=trend] .scatterlayer path.js-line"
LIGHT, DARK = "rgb(15, 90, 168)", "rgb(92, 157, 227)"
RENEWING = """
    customer owner line product starts     renews     mrr
    hana     aoi   h1   basic   2024-05-01 {soon}     900
    iris     ben   i1   pro     2024-05-01 {later}    700
"""


@pytest.fixture
def people() -> dict:
    from datetime import timedelta

    from expansion import clock

    made = books.make_people()
    day = clock.last_closed_day(clock.now())
    books.fill(books.BOOK, made)
    customers = books.fill(RENEWING.format(soon=day + timedelta(days=20), later=day + timedelta(days=100)), made)
    books.stand({customers["hana"]: "watch", customers["iris"]: "excellent", customers["acme"]: "healthy"}, as_of=f"{day}")
    return made


def drawn(page) -> None:
    page.wait_for_selector(".plot[data-chart=trend] .scatterlayer path")


@pytest.mark.parametrize(("language", "width", "height", "colours"), [
    ("ja", 1440, 900, "light"), ("en", 1440, 900, "dark"), ("en", 1024, 768, "light"), ("ja", 1024, 768, "dark"),
    ("ja", 390, 844, "light"), ("en", 390, 844, "dark"),
])  # fmt: skip
def test_the_page_has_no_finding_and_fits(people, visit: Callable, language: str, width: int, height: int, colours: str):
    people["max"].language = language
    people["max"].save()
    manager = visit("ja-JP" if language == "ja" else "en-GB", width=width, height=height, colours=colours)
    manager.sign_in(people["max"])
    page = manager.page
    page.goto(YEAR)
    drawn(page)
    assert manager.axe() == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    # Nobody could follow a chart without the table of the same numbers.
    page.locator(".astable summary").first.click()
    assert page.locator(".astable table").first.is_visible()
    page.locator("a.kv").first.click()
    page.wait_for_selector("#drill[open] .proof")
    assert manager.axe() == []
    page.keyboard.press("Escape")
    page.locator(".q").first.click()
    page.wait_for_selector("#d-nrr:popover-open")
    assert manager.axe() == []


def test_a_number_is_walked_down_to_its_contract_lines(people, visit: Callable):
    manager = visit("en-GB")
    people["max"].language = "en"
    people["max"].save()
    manager.sign_in(people["max"])
    page = manager.page
    page.goto(YEAR)
    drawn(page)
    page.locator("a.kv", has_text="Upsell rate").click()
    page.wait_for_selector("#drill[open]")
    assert page.locator("#drill h2").inner_text() == "Upsell +¥500 · 16.7% (1 of 6)"
    row = page.locator("#drill tbody tr").first
    assert "Acme" in row.inner_text()
    assert "Basic 10 → 15" in " ".join(row.inner_text().split())
    assert "The total, ¥500, matches the page." in page.locator("#drill .proof").inner_text()
    assert "/metrics/drill/upsell/" in page.url

    page.go_back()
    page.wait_for_selector("#drill:not([open])", state="attached")
    assert page.url.endswith(YEAR)
    # A bar of the chart opens as well.
    page.locator(".plot[data-chart=waterfall] .annotation-text", has_text="+500").click()
    page.wait_for_selector("#drill[open] h2:has-text('Upsell')")
    page.locator("#drill [data-close]").click()
    assert page.url.endswith(YEAR)

    page.select_option("#f-team", "west")
    page.wait_for_selector(".kv:has-text('77.0')")  # core 500, dash 800 and iris 700 became 0, 840 and 700
    assert "team=west" in page.url


def test_the_page_is_used_with_the_keyboard_alone(people, visit: Callable):
    manager = visit("ja-JP")
    manager.sign_in(people["max"])
    page = manager.page
    page.goto("/metrics/")
    drawn(page)
    figure = page.locator("a.kv").first
    figure.focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("#drill[open] .proof")
    page.keyboard.press("Escape")
    assert figure.evaluate("link => link === document.activeElement")
    page.locator(".goal").first.focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("#p-target-nrr:popover-open")
    page.locator("#t-nrr").focus()
    page.keyboard.type("85")
    page.keyboard.press("Enter")
    page.wait_for_selector(".goal:has-text('目標 85%')")
    assert Target.objects.get().metric == "nrr"
    drawn(page)


def test_what_renews_next_is_a_glyph_per_account(people, visit: Callable):
    manager = visit("en-GB")
    people["max"].language = "en"
    people["max"].save()
    manager.sign_in(people["max"])
    page = manager.page
    page.goto("/metrics/")
    rows = page.locator(".rn tbody tr")
    assert [rows.nth(at).locator(".u").count() for at in range(4)] == [1, 0, 0, 1]
    assert "1 account, ¥11K a year" in page.locator(".say").inner_text()
    page.locator(".say a").click()
    page.wait_for_selector("#drill[open] tbody tr:has-text('Hana')")
    assert page.locator("#drill tbody tr").count() == 1


def test_the_colours_follow_the_reader(people, visit: Callable):
    from playwright.sync_api import expect

    manager = visit("ja-JP")
    manager.sign_in(people["max"])
    page = manager.page
    page.goto(YEAR)
    drawn(page)
    expect(page.locator(LINE).first).to_have_css("stroke", LIGHT)
    page.emulate_media(color_scheme="dark")
    expect(page.locator(LINE).first).to_have_css("stroke", DARK)
    page.emulate_media(media="print", color_scheme="dark")
    expect(page.locator(LINE).first).to_have_css("stroke", LIGHT)
