"""A rep's morning in a real browser: the keyboard alone, both languages, two people on one card, and no word lost."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest

from tests.triage import desks

expect = pytest.importorskip("playwright.sync_api").expect
CARDS = 12


@pytest.fixture
def desk(transactional_db):
    from expansion import clock

    return desks.make(now=clock.now(), today=clock.today())


@pytest.fixture
def morning(desk):
    """Twelve cards, the first one with the highest rank."""
    from accounts.models import Contact

    made = []
    for number in range(CARDS):
        customer = desk.customer(f"取引先{number:02}")
        Contact.objects.create(
            customer=customer, external_id=f"p{number}", name="高橋 恵一", role="decision_maker", email="t@example.jp"
        )
        key = ("seats_near_limit", "quota_80", "renewal_90", "usage_falling")[number % 4]
        made.append(desk.alert(customer, key, priority=90 - number))
    return made


@pytest.fixture
def come(visit, desk):
    """Return a function that opens the screen as somebody; requests under way are over before the tables are emptied."""
    opened = []

    def arrive(address: str = "/triage/", *, who=None, language: str = "ja-JP", **size):
        browser = visit(language, **size)
        browser.sign_in(who or desk.owner)
        opened.append(browser.page)
        browser.page.goto(address)
        return browser

    yield arrive
    for page in opened:
        page.wait_for_load_state("networkidle")


def until(condition, *, seconds: float = 15) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.05)


def shown(page) -> int:
    return int(page.locator("#detail [data-alert]").first.get_attribute("data-alert"))


def wait_for_card(page, alert) -> None:
    page.wait_for_selector(f'#detail .ep[data-alert="{alert.pk}"]')


def log(page, result: str) -> None:
    page.keyboard.press("r")
    page.keyboard.press(result)
    page.keyboard.press("Control+Enter")


@pytest.mark.parametrize("language", ["ja-JP", "en-GB"])
def test_twelve_cards_with_the_keyboard_alone(come, morning, language):
    from playbooks.models import Outcome

    page = come(language=language).page
    wait_for_card(page, morning[0])
    page.keyboard.press("j")
    wait_for_card(page, morning[1])
    page.keyboard.press("k")
    wait_for_card(page, morning[0])
    for number, alert in enumerate(morning):
        wait_for_card(page, alert)
        result = "1235"[number % 4]
        log(page, result)
        if number < CARDS - 1:
            below = str(morning[number + 1].pk)
            until(lambda below=below: page.evaluate("document.activeElement.closest('.qc')?.dataset.id") == below)
    until(lambda: Outcome.objects.count() == CARDS)
    expect(page.locator("#rows .qc")).to_have_count(6)
    expect(page.locator("#toasts")).to_contain_text("取引先11")
    results = list(Outcome.objects.order_by("id").values_list("alert_id", "result"))
    assert results == [(alert.pk, ("opened", "won", "thinking", "no_reply")[number % 4]) for number, alert in enumerate(morning)]
    # htmx moved the address along; the document was never loaded again.
    assert page.evaluate("performance.getEntriesByType('navigation').length") == 1
    page.keyboard.press("z")
    expect(page.locator("#toasts")).to_contain_text("元に戻しました" if language == "ja-JP" else "Undone")
    assert Outcome.objects.effective().count() == CARDS - 1


def test_undo_brings_the_row_back_to_its_place_with_the_focus(come, morning):
    browser = come("/triage/")
    page = browser.page
    page.keyboard.press("j")
    wait_for_card(page, morning[1])
    log(page, "1")
    wait_for_card(page, morning[2])
    page.keyboard.press("z")
    wait_for_card(page, morning[1])
    order = page.evaluate("[...document.querySelectorAll('#rows .qc')].map((row) => Number(row.dataset.id))")
    assert order == [alert.pk for alert in morning]
    assert page.evaluate("document.activeElement.closest('.qc').dataset.id") == str(morning[1].pk)


def test_two_people_on_one_card_both_keep_their_words(come, desk, morning):
    from playbooks.models import Outcome

    address = f"/triage/{morning[0].pk}/?view=team"
    first, second = come(address), come(address, who=desk.colleague, language="en-GB")
    second.page.keyboard.press("3")
    second.page.fill("#om", "check again in December")
    second.page.keyboard.press("Control+Enter")
    wait_for_card(second.page, morning[1])
    page = first.page
    page.keyboard.press("1")
    page.fill("#om", "部長は前向き")
    page.keyboard.press("Control+Enter")
    page.wait_for_selector(".conflict")
    assert "佐藤 花さんが先に記録しました" in page.inner_text(".conflict")
    assert "check again in December" in page.inner_text(".conflict")
    assert page.input_value("#om") == "部長は前向き"
    assert first.axe() == []
    page.click('button[value="both"]')
    expect(page.locator("#toasts")).to_contain_text("経緯に併記しました")
    first.allow("409")
    assert list(Outcome.objects.order_by("id").values_list("result", "is_side_note", "note")) == [
        ("thinking", False, "check again in December"),
        ("opened", True, "部長は前向き"),
    ]


def test_nothing_typed_is_lost_without_connection_after_a_reload_or_a_log_in(come, desk, morning):
    from django.contrib.sessions.models import Session

    from playbooks.models import Outcome

    browser = come(f"/triage/{morning[0].pk}/")
    page = browser.page
    page.keyboard.press("4")
    page.fill("#om", "予算は来期")
    page.context.set_offline(True)
    page.keyboard.press("Control+Enter")
    page.wait_for_selector("[data-offline]:not([hidden])")
    assert "保存できませんでした" in page.inner_text("[data-offline]")
    page.context.set_offline(False)
    page.reload()
    assert page.input_value("#om") == "予算は来期"
    assert page.locator('input[value="declined"]').is_checked()
    Session.objects.all().delete()
    page.keyboard.press("Control+Enter")
    expect(page.locator("#toasts")).to_contain_text("ログアウト")
    assert page.input_value("#om") == "予算は来期"
    browser.sign_in(desk.owner)
    page.check('input[name="reason"][value="budget"]', force=True)
    page.keyboard.press("Control+Enter")
    wait_for_card(page, morning[1])
    assert Outcome.objects.get().note == "予算は来期"
    page.goto(f"/triage/{morning[0].pk}/")
    assert page.locator("[data-outcome-form]").count() == 0
    for text in (
        "ERR_INTERNET_DISCONNECTED",
        "401",
        "htmx:sendError",
        "htmx:responseError",
        "htmx:afterRequest",
        "Response Status Error Code",
    ):
        browser.allow(text)


def test_letters_are_letters_while_typing_and_composing(come, morning):
    browser = come(f"/triage/{morning[0].pk}/")
    page = browser.page
    page.keyboard.press("1")
    page.focus("#om")
    page.keyboard.type("jxhat 4")
    assert page.input_value("#om") == "jxhat 4"
    assert shown(page) == morning[0].pk
    page.locator("#ah").focus()
    page.evaluate(
        "document.activeElement.dispatchEvent(new KeyboardEvent('keydown', {key: 'j', isComposing: true, bubbles: true}))"
    )
    page.evaluate(
        "document.activeElement.dispatchEvent(new KeyboardEvent('keydown', {key: 'Process', keyCode: 229, bubbles: true}))"
    )
    assert shown(page) == morning[0].pk
    assert page.locator("[popover]:popover-open").count() == 0


def test_snooze_assign_and_bulk_by_key(come, desk, morning):
    from signals.models import Alert

    browser = come("/triage/")
    page = browser.page
    page.keyboard.press("h")
    page.keyboard.press("1")
    wait_for_card(page, morning[1])
    assert Alert.objects.get(pk=morning[0].pk).state == "waiting"
    page.keyboard.press("a")
    page.wait_for_selector("#p-assign li")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    wait_for_card(page, morning[2])
    assert Alert.objects.get(pk=morning[1].pk).owner == desk.colleague
    page.keyboard.press("x")
    page.keyboard.press("j")
    wait_for_card(page, morning[3])
    page.keyboard.press("j")
    wait_for_card(page, morning[4])
    page.keyboard.press("Shift+X")
    assert page.inner_text("[data-n]") == "3"
    page.keyboard.press("h")
    page.keyboard.press("2")
    expect(page.locator("#toasts")).to_contain_text("3件")
    assert Alert.objects.filter(state="waiting").count() == 4
    assert page.locator("[data-bulk]").is_hidden()


@pytest.mark.parametrize("colours", ["light", "dark"])
@pytest.mark.parametrize(("language", "width", "height"), [("ja-JP", 1440, 900), ("en-GB", 1024, 768), ("ja-JP", 390, 844)])
def test_axe_finds_nothing_in_any_state(come, morning, language, width, height, colours):
    browser = come(f"/triage/{morning[0].pk}/", language=language, width=width, height=height, colours=colours)
    page = browser.page
    found = {}

    def look(state: str) -> None:
        found[state] = browser.axe()

    page.wait_for_selector(".near:not([hx-get])")
    look("card")
    assert page.evaluate("document.documentElement.scrollWidth") == width
    for popover in ("p-health", "p-nps", "p-arr", "p-snooze", "p-assign"):
        page.evaluate(f"document.getElementById('{popover}').showPopover()")
        if popover == "p-assign":
            page.wait_for_selector("#p-assign li")
        look(popover)
        page.evaluate(f"document.getElementById('{popover}').hidePopover()")
    page.evaluate("kizashi.open('handover')")
    page.wait_for_selector("#handover select")
    look("hand over")
    page.keyboard.press("Escape")
    for step in range(4):
        page.evaluate(f"document.querySelectorAll('.steps details')[{step}].open = true")
        look(f"step {step + 1}")
    page.keyboard.press("4")
    look("declined")
    page.evaluate("document.querySelector('[data-outcome-form]').requestSubmit()")
    page.wait_for_selector("#e-reason")
    look("an error")
    page.goto("/triage/")
    for popover in ("p-filter", "p-sort", "p-sum"):
        page.evaluate(f"document.getElementById('{popover}').showPopover()")
        look(popover)
        page.evaluate(f"document.getElementById('{popover}').hidePopover()")
    page.evaluate("document.querySelector('.ck input').click()")
    look("bulk")
    for address in ("?view=done", "?view=snoozed", "?play=downsell"):
        page.goto(f"/triage/{address}")
        look(address)
    assert {state: complaints for state, complaints in found.items() if complaints} == {}
    browser.allow("422")


def test_a_viewer_reads_the_same_screen(come, desk, morning):
    browser = come(f"/triage/{morning[0].pk}/?view=team", who=desk.viewer, language="en-GB")
    assert browser.axe() == []
    assert browser.page.locator("[data-outcome-form], #p-snooze, #handover").count() == 0
    browser.page.keyboard.press("j")
    wait_for_card(browser.page, morning[1])


def test_on_a_phone_the_list_and_the_card_take_turns(come, morning):
    page = come(width=390, height=844).page
    assert page.locator(".qp").is_visible()
    assert page.locator(".ep").is_hidden()
    page.click(f"#row-{morning[0].pk} .qa")
    page.wait_for_selector(".ep", state="visible")
    page.wait_for_load_state("networkidle")
    assert page.locator(".qp").is_hidden()
    page.click("#outcome summary")
    page.click('label:has(input[value="opened"])')
    page.click(".save")
    wait_for_card(page, morning[1])
    page.click("[data-back]")
    assert page.locator(".qp").is_visible()
    assert page.locator(f"#row-{morning[0].pk}").count() == 0


def test_new_cards_wait_behind_a_line_and_acts_of_others_are_told(come, desk, morning):
    from expansion import clock
    from signals import alerts

    browser = come()
    page = browser.page
    page.clock.install()
    page.reload()
    fresh = desk.alert(desk.customer("新着の取引先"), priority=99)
    alerts.snooze(morning[3], until=clock.now() + timedelta(days=1), reason="own", by=desk.colleague, now=clock.now())
    page.clock.fast_forward(31_000)
    expect(page.locator("#live")).to_contain_text("新着 1件を表示")
    expect(page.locator(f"#row-{morning[3].pk}")).to_contain_text("佐藤 花さんが保留しました")
    assert page.locator(f"#row-{fresh.pk}").count() == 0
    assert shown(page) == morning[0].pk
    page.click("#live a")
    expect(page.locator(f"#row-{fresh.pk}")).to_be_visible()
    assert page.locator(f"#row-{morning[3].pk}").count() == 0
    assert shown(page) == morning[0].pk
