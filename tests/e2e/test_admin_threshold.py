"""The admin in a real browser: change a threshold, see who is concerned, publish with a reason, find it in the history."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from expansion.users.models import Role
from signals.models import RuleVersion
from tests.definitions import quotas

pytestmark = pytest.mark.django_db(transaction=True)
WORDS = {
    "ja": {
        "publish": "公開…",
        "confirm": "公開する",
        "told": "公開しました",
        "start": "新たに発火",
        "restore": "戻す",
        "back": "新しい版として公開しました",
    },
    "en": {
        "publish": "Publish…",
        "confirm": "Publish",
        "told": "Published",
        "start": "Start",
        "restore": "Restore",
        "back": "in force again",
    },
}


@pytest.mark.parametrize("language", ["ja", "en"])
def test_a_threshold_is_changed_previewed_published_and_restored(language: str, visit: Callable):
    words = WORDS[language]
    people = quotas.make_people(language)
    quotas.write(people)
    admin = visit("ja-JP" if language == "ja" else "en-GB")
    admin.sign_in(people[Role.ADMIN])
    page = admin.page
    page.goto("/definitions/signals/quota_80/")
    assert admin.axe() == []

    page.fill("input[name='when.0.0.threshold']", "75")
    page.wait_for_selector("#rule-side .big:has-text('3')")
    page.wait_for_selector("#rule-side >> text=取引先 C-3")
    assert page.locator("#rule-side label", has_text=words["start"]).locator(".num").inner_text() == "1"
    assert page.input_value("input[name='when.0.0.threshold']") == "75"
    assert admin.axe() == []

    page.click(f"button:has-text('{words['publish']}')")
    page.fill("#publish-reason", "早めに気づくため")
    page.click(f"#publish button.pri:has-text('{words['confirm']}')")
    page.wait_for_selector(f"#toasts >> text={words['told']}")
    assert page.locator("ol.his2 li").first.inner_text().startswith("v2")
    assert "早めに気づくため" in page.locator("ol.his2 li").first.inner_text()

    page.goto("/definitions/log/")
    assert page.locator("table.log tbody tr").first.inner_text().count("早めに気づくため") == 1

    page.goto("/definitions/signals/quota_80/")
    page.locator("ol.his2 li", has_text="v1").locator("button").click()
    page.fill("#restore-reason", "件数が多すぎた")
    page.click("#restore button.pri")
    page.wait_for_selector(f"#toasts >> text={words['back']}")
    published = RuleVersion.objects.get(rule__key="quota_80", state="published")
    assert (published.number, published.restores, published.body["when"][0][0]["threshold"]) == (3, 1, 0.8)


def test_the_rule_is_edited_with_the_keyboard_alone(visit: Callable):
    people = quotas.make_people("en")
    quotas.write(people)
    admin = visit("en-GB")
    admin.sign_in(people[Role.ADMIN])
    page = admin.page
    page.goto("/definitions/signals/quota_80/")
    page.locator("input[name='when.0.0.threshold']").focus()
    page.keyboard.press("Control+A")
    page.keyboard.type("90")
    page.wait_for_selector("button[data-open=publish]")
    page.locator("button[data-open=publish]").focus()
    page.keyboard.press("Enter")
    page.keyboard.type("fewer alerts")
    page.keyboard.press("Enter")
    page.wait_for_selector("#toasts >> text=Published")
    assert RuleVersion.objects.get(rule__key="quota_80", state="published").body["when"][0][0]["threshold"] == 0.9
