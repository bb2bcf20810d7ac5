"""The customer list and a customer's page in a real browser."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest


@pytest.fixture
def admin(transactional_db):
    from expansion.users.models import Team, User

    team = Team.objects.create(key="east", name="東日本")
    return User.objects.create_user("admin@example.jp", "kizashi-test-1", name="管理 太郎", role="admin", scope="all", team=team)


@pytest.fixture
def book(admin):
    """Sixty customers; the first has something of everything."""
    from accounts.models import ContractLine, Customer, Product
    from expansion import clock
    from signals.models import HealthModel, HealthModelVersion, HealthScore, Run, Standing

    day = date(2026, 11, 20)
    now = clock.now()
    Run.objects.create(business_date=day, state="done", queued_at=now, finished_at=now)
    plan = Product.objects.create(code="STD", name="スタンダード", name_en="Standard", kind="plan")
    version = HealthModelVersion.objects.create(
        model=HealthModel.objects.create(key="standard", is_default=True), number=1, state="published", edited_at=now,
        body={"groups": [{"measures": [{"key": "seats", "term": "seats_used_ratio", "name_ja": "席", "name_en": "Seats"}]}]},
    )  # fmt: skip
    for number in range(60):
        made = Customer.objects.create(
            customer_id=f"K-{number:02}", slot=number, name=f"会社{number:02}", name_kana=f"カイシャ{number:02}", owner=admin
        )
        band = "watch" if number % 10 == 3 else "healthy"
        Standing.objects.create(
            customer=made, as_of=day, band=band, score=50 if band == "watch" else 70, coverage=1, mrr=100, arr=1200, currency="JPY",
            plan_code="STD", seats=10, seats_used=number % 10, renews_on=date(2027, 4, 1),
        )  # fmt: skip
    first = Customer.objects.get(customer_id="K-00")
    HealthScore.objects.create(
        customer=first, business_date=day, score=70, band="healthy", coverage=1, points=[70.0], version=version
    )
    ContractLine.objects.create(
        customer=first, line_id="L1", product=plan, starts_on=date(2026, 4, 1), ends_before=date(2027, 4, 1), mrr=100, arr=1200,
        currency="JPY", quantity=10, notice_days=30, discount_percent=Decimal(5),
    )  # fmt: skip
    contact = first.contacts.create(external_id="P", name="高橋 恵一", email="t@example.jp", role="decision_maker")
    first.nps_responses.create(external_id="N", contact=contact, responded_on=day, score=3, comment="遅い")
    first.tickets.create(external_id="T", opened_at=now, severity="p1", theme="停止", is_escalated=True)
    first.departments.create(name="営業", headcount=9, as_of=day)
    for ago in range(25):
        first.touches.create(
            external_id=str(ago), touched_at=clock.start_of(date(2026, 10, 25 - ago)), kind="call", note=f"通話{ago}"
        )
    return first


@pytest.mark.parametrize("colours", ["light", "dark"])
@pytest.mark.parametrize(("language", "width", "height"), [("ja-JP", 1440, 900), ("en-GB", 1024, 768), ("ja-JP", 390, 844)])
def test_the_pages_are_accessible_and_fit(visit, admin, book, language, width, height, colours):
    browser = visit(language, width=width, height=height, colours=colours)
    browser.sign_in(admin)
    page = browser.page
    for address, popovers in {
        "/accounts/": ["p-columns"],
        "/accounts/?q=nobody": [],
        "/accounts/K-00/": ["p-health", "p-nps", "p-arr", "p-renewal"],
        "/accounts/K-01/": [],
    }.items():
        page.goto(address)
        assert browser.axe() == [], address
        assert page.evaluate("document.documentElement.scrollWidth") == width, address
        for name in popovers:
            page.locator(f"main [popovertarget={name}]").first.click()
            assert page.locator(f"#{name}").is_visible()
            assert browser.axe() == [], name
            page.keyboard.press("Escape")


def test_filters_narrow_the_list_without_a_reload_and_stay_in_the_address(visit, admin, book):
    browser = visit("ja-JP")
    browser.sign_in(admin)
    page = browser.page
    page.goto("/accounts/")
    page.evaluate("window.stays = true")
    page.get_by_label("注意が必要").check()
    page.wait_for_url("**/accounts/?band=watch")
    assert page.locator(".accs b").first.inner_text() == "6社"
    page.get_by_role("searchbox").fill("会社13")
    page.wait_for_url("**/accounts/?q=*&band=watch")
    assert page.locator(".cust tbody tr").count() == 1
    page.get_by_role("searchbox").fill("")
    page.locator(".cust tbody tr").nth(5).wait_for()
    page.get_by_role("columnheader", name="年額").get_by_role("link").click()
    page.wait_for_url("**sort=-arr**")
    assert page.locator("#cu-sort").input_value() == "-arr"
    assert page.evaluate("window.stays")
    page.reload()
    assert page.get_by_label("注意が必要").is_checked()
    assert page.locator(".cust tbody tr").count() == 6
    page.get_by_role("link", name="絞り込みを外す").click()
    page.wait_for_url("**/accounts/")
    assert page.locator(".accs b").first.inner_text() == "60社"


def test_pages_turn_both_ways_and_the_browser_goes_back(visit, admin, book):
    browser = visit("ja-JP")
    browser.sign_in(admin)
    page = browser.page
    page.goto("/accounts/")
    page.get_by_role("link", name="次へ").click()
    page.get_by_text("60社中 51〜60").wait_for()
    assert page.locator(".cust tbody tr").count() == 10
    page.go_back()
    page.get_by_text("60社中 1〜50").wait_for()
    page.go_forward()
    page.get_by_role("link", name="前へ").click()
    page.get_by_text("60社中 1〜50").wait_for()
    page.get_by_role("link", name="会社00").click()
    assert page.get_by_role("heading", name="会社00").is_visible()


def test_the_timeline_is_filtered_and_goes_on_in_place(visit, admin, book):
    browser = visit("ja-JP")
    browser.sign_in(admin)
    page = browser.page
    page.goto("/accounts/K-00/")
    page.evaluate("window.stays = true")
    page.get_by_role("button", name="さらに表示").click()
    page.get_by_text("通話24").wait_for()
    page.get_by_role("group", name="種類").get_by_text("契約").click()
    page.locator("#tl li").first.wait_for()
    page.wait_for_function("!document.querySelector('#tl').textContent.includes('通話')")
    assert "スタンダード" in page.locator("#tl").inner_text()
    assert page.evaluate("window.stays")
