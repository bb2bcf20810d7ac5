"""The frame in a real browser: log-in, languages, keys, palette, and what axe finds."""

from __future__ import annotations

import pytest

PASSWORD = "kizashi-test-1"


@pytest.fixture
def admin(transactional_db):
    from expansion.users.models import Team, User

    team = Team.objects.create(key="east", name="東日本")
    fields = {"name": "管理 太郎", "role": "admin", "scope": "all", "team": team}
    return User.objects.create_user("admin@example.jp", PASSWORD, **fields)


@pytest.fixture
def customers(admin):
    from accounts.models import Customer

    for slot, (name, kana) in enumerate(
        [("ミナト精機", "ミナトセイキ"), ("湊物流", "ミナトブツリュウ"), ("青葉薬品", "アオバヤクヒン")]
    ):
        Customer.objects.create(customer_id=f"C-{slot}", slot=slot, name=name, name_kana=kana, owner=admin)


@pytest.mark.parametrize("colours", ["light", "dark"])
@pytest.mark.parametrize(("language", "width", "height"), [("ja-JP", 1440, 900), ("en-GB", 1024, 768), ("ja-JP", 390, 844)])
def test_the_frame_is_accessible_and_fits(visit, admin, language, width, height, colours):
    browser = visit(language, width=width, height=height, colours=colours)
    page = browser.page
    page.goto("/auth/login/")
    assert browser.axe() == []
    browser.sign_in(admin)
    for address in ("/me/", "/definitions/people/", f"/definitions/people/{admin.pk}/"):
        page.goto(address)
        assert browser.axe() == []
        assert page.evaluate("document.documentElement.scrollWidth") == width
    page.goto("/me/")
    page.keyboard.press("?")
    assert page.locator("#keys").is_visible()
    assert browser.axe() == []
    page.keyboard.press("Escape")
    page.click(".whobtn")
    assert page.locator("#p-person").is_visible()
    assert browser.axe() == []


def test_a_person_logs_in_and_out_with_the_keyboard_alone(visit, admin):
    page = visit("ja-JP").page
    page.goto("/me/?from=mail")
    page.keyboard.type("admin@example.jp")
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/me/?from=mail")
    page.locator(".whobtn").focus()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="ログアウト").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/auth/login/")


def test_the_language_switch_returns_to_an_address_that_was_pushed(visit, admin):
    browser = visit("ja-JP")
    browser.sign_in(admin)
    page = browser.page
    page.goto("/me/")
    page.evaluate("history.pushState(null, '', '/me/?tab=keys')")
    page.click("button[value=en]")
    page.wait_for_url("**/me/?tab=keys")
    assert page.locator("html").get_attribute("lang") == "en"
    assert page.get_by_role("heading", name="Your settings").is_visible()


@pytest.mark.parametrize("words", ["minato", "みなと", "ミナト"])
def test_the_palette_finds_customers_in_any_script(visit, admin, customers, words):
    browser = visit("ja-JP")
    browser.sign_in(admin)
    page = browser.page
    page.goto("/me/")
    page.keyboard.press("Control+k")
    page.keyboard.insert_text(words)
    page.locator("#palette-found b").first.wait_for()
    assert page.locator("#palette-found b").all_inner_texts() == ["ミナト精機", "湊物流"]
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    assert "湊物流" in page.evaluate("document.activeElement.textContent")


def test_the_palette_waits_for_the_end_of_a_conversion(visit, admin, customers):
    browser = visit("ja-JP")
    browser.sign_in(admin)
    page = browser.page
    page.goto("/me/")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/search/" in request.url else None)
    page.keyboard.press("Control+k")
    page.evaluate(
        """() => {
            const field = document.getElementById("palette-q");
            field.dispatchEvent(new CompositionEvent("compositionstart", {bubbles: true}));
            field.value = "みな";
            field.dispatchEvent(new InputEvent("input", {bubbles: true, isComposing: true}));
        }"""
    )
    page.wait_for_timeout(400)
    assert asked == []
    page.evaluate(
        """() => {
            const field = document.getElementById("palette-q");
            field.value = "湊";
            field.value = "湊物";
            field.dispatchEvent(new CompositionEvent("compositionend", {bubbles: true}));
        }"""
    )
    page.locator("#palette-found b").first.wait_for()
    assert page.locator("#palette-found b").all_inner_texts() == ["湊物流"]


def test_single_keys_are_off_while_typing_composing_or_when_switched_off(visit, admin):
    browser = visit("en-GB")
    browser.sign_in(admin)
    page = browser.page
    page.goto("/me/")
    page.evaluate("window.hits = []; void kizashi.keys.add({keys: 'j', label: 'Next alert', run: () => window.hits.push('j')})")
    page.keyboard.press("j")
    assert page.evaluate("window.hits") == ["j"]
    page.locator("#id_old_password").focus()
    page.keyboard.press("j")
    assert page.evaluate("window.hits") == ["j"]
    page.evaluate("document.activeElement.blur()")
    page.evaluate("document.dispatchEvent(new KeyboardEvent('keydown', {key: 'j', isComposing: true, bubbles: true}))")
    page.evaluate("document.dispatchEvent(new KeyboardEvent('keydown', {key: 'j', keyCode: 229, bubbles: true}))")
    page.keyboard.press("Control+j")
    assert page.evaluate("window.hits") == ["j"]
    page.keyboard.press("?")
    assert page.locator("#keys-list dd").all_inner_texts() == [
        "Search and commands", "This list", "Go to Triage", "Go to Metrics", "Next alert",
    ]  # fmt: skip
    page.keyboard.press("j")
    assert page.evaluate("window.hits") == ["j"]
    with page.expect_response("**/me/keys/") as saved:
        page.uncheck("#single-keys")
    assert saved.value.status == 204
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    assert page.evaluate("window.hits") == ["j"]
    page.reload()
    assert page.locator("html").get_attribute("data-keys") == "off"
    page.keyboard.press("Control+k")
    assert page.locator("#palette").is_visible()


def test_a_swap_after_the_session_ended_says_so_and_leaves_the_page(visit, admin):
    browser = visit("ja-JP")
    browser.sign_in(admin)
    page = browser.page
    page.goto("/me/")
    page.context.clear_cookies(name="sessionid")
    page.keyboard.press("?")
    page.uncheck("#single-keys")
    page.locator(".toast.bad").wait_for()
    assert "ログアウトされました" in page.locator(".toast.bad").inner_text()
    assert page.locator(".toast.bad a").get_attribute("href") == "/auth/login/"
    browser.allow("401")


def test_dark_is_a_choice_of_the_person_whatever_the_system_says(visit, admin):
    browser = visit("en-GB", colours="light")
    browser.sign_in(admin)
    page = browser.page
    page.goto("/me/")
    page.select_option("#id_theme", "dark")
    page.get_by_role("button", name="Save").first.click()
    page.locator(".toast").wait_for()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(14, 20, 18)"
    assert browser.axe() == []


def test_the_api_pages_work_under_the_strict_policy(visit, admin):
    browser = visit("en-GB")
    browser.sign_in(admin)
    browser.page.goto("/api/docs/")
    browser.page.get_by_role("heading", name="Kizashi API").wait_for()
