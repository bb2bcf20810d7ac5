"""The sentence form reads back what it shows, and its buttons change just what they say."""

from __future__ import annotations

import pytest
from django.http import QueryDict
from django.utils import translation

from expansion.dashboards import rule_form, rule_wording
from signals import terms
from signals.rules import RuleBody

BODY = {
    "name_ja": "席の上限が近い", "name_en": "Seats near the limit",
    "definition_ja": "席が足りない", "definition_en": "Short of seats",
    "icon": "seat",
    "when": [[
        {"key": "used", "term": "seats_used_ratio", "op": ">=", "threshold": 0.9, "sustained_days": None},
        {"key": "days", "term": "seats_full_days", "op": ">=", "threshold": 7.0, "sustained_days": None},
    ]],
    "unless": [], "scope": {"plans": [], "segments": [], "bands": []}, "play_kind": "upsell", "playbook": "add_seats",
    "owner_role": "cs", "sla_business_days": 3, "cooldown_days": 30,
    "severity": "high", "amount": {"kind": "seats"}, "auto_resolve": False,
}  # fmt: skip


def typed(**changes: str) -> QueryDict:
    """What the browser sends for BODY, with some fields typed over."""
    data = QueryDict(mutable=True)
    data.update({
        "when.0.0.key": "used", "when.0.0.term": "seats_used_ratio", "when.0.0.op": ">=", "when.0.0.threshold": "90",
        "when.0.1.key": "days", "when.0.1.term": "seats_full_days", "when.0.1.op": ">=", "when.0.1.threshold": "7",
        "playbook": "add_seats", "owner_role": "cs", "sla_business_days": "3", "cooldown_days": "30",
    })  # fmt: skip
    data.update({name.replace("__", "."): value for name, value in changes.items()})
    return data


def test_an_untouched_form_says_the_body_it_shows():
    assert rule_form.read(typed(), BODY) == (BODY, {})


@pytest.mark.parametrize(("text", "threshold"), [
    pytest.param("85", 0.85, id="a plain number of percent"),
    pytest.param("８５", 0.85, id="full-width digits"),
    pytest.param("82.5%", 0.825, id="a percent sign behind it"),
    pytest.param("1,000", 10.0, id="a thousands comma"),
])  # fmt: skip
def test_a_ratio_is_typed_in_percent(text: str, threshold: float):
    body, refused = rule_form.read(typed(when__0__0__threshold=text), BODY)
    assert (body["when"][0][0]["threshold"], refused) == (threshold, {})


def test_a_number_that_cannot_be_read_is_named_and_harms_nothing():
    with translation.override("en"):
        body, refused = rule_form.read(typed(sla_business_days="soon", when__0__0__threshold="lots"), BODY)
    assert body["sla_business_days"] == 3
    assert refused == {
        "when.0.0.threshold": "“lots” is no number. Write digits, such as 80.",
        "sla_business_days": "“soon” is no whole number. Write digits, such as 3.",
    }


@pytest.mark.parametrize(("action", "terms_after"), [
    pytest.param("and:0", [["seats_used_ratio", "seats_full_days", "usage_change_28"]], id="and adds to the group"),
    pytest.param("or", [["seats_used_ratio", "seats_full_days"], ["usage_change_28"]], id="or opens a group"),
    pytest.param("remove:when.0.0", [["seats_full_days"]], id="remove takes one condition out"),
])  # fmt: skip
def test_structural_buttons(action: str, terms_after: list[list[str]]):
    body = rule_form.rebuild(BODY, action)
    assert [[c["term"] for c in group] for group in body["when"]] == terms_after
    assert [c["term"] for c in BODY["when"][0]] == ["seats_used_ratio", "seats_full_days"]


def test_the_last_condition_cannot_be_taken_out():
    one = rule_form.rebuild(BODY, "remove:when.0.0")
    assert rule_form.rebuild(one, "remove:when.0.0")["when"] == one["when"]


def test_moving_the_threshold_touches_only_that_condition():
    body = rule_form.rebuild(BODY, "move:when.0.0:0.85")
    assert body == {**BODY, "when": [[{**BODY["when"][0][0], "threshold": 0.85}, BODY["when"][0][1]]]}


def test_two_new_conditions_get_names_of_their_own():
    body = rule_form.rebuild(rule_form.rebuild(BODY, "and:0"), "and:0")
    assert [c["key"] for c in body["when"][0]] == ["used", "days", "usage_change_28", "usage_change_28_2"]


@pytest.mark.parametrize("key", terms.EDITABLE)
def test_every_threshold_survives_being_shown_and_typed_back(key: str):
    term = terms.TERMS[key]
    for threshold in (0.0, 0.125, 0.9, 1.0, 3.0, 250.0):
        assert rule_wording.typed_threshold(term, rule_wording.shown_threshold(term, threshold)) == threshold


def test_differences_name_what_changed_from_and_to():
    after = RuleBody.from_json({**rule_form.rebuild(BODY, "move:when.0.0:0.85"), "sla_business_days": 5})
    with translation.override("en"):
        found = rule_wording.differences(RuleBody.from_json(BODY), after, language="en", playbooks={})
    assert [(d.label, d.before, d.after) for d in found] == [
        ("Condition", "seats in use, share is at least 90%", "seats in use, share is at least 85%"),
        ("Start within", "3 business days", "5 business days"),
    ]


@pytest.mark.parametrize("language", ["ja", "en"])
def test_sentences_keep_every_slot_in_both_languages(language: str):
    with translation.override(language):
        assert {p.slot for p in rule_wording.rule_parts() if p.slot} == {"conditions", "playbook", "owner", "sla"}
        assert {p.slot for p in rule_wording.condition_parts(is_sustained=True, is_flag=False) if p.slot} == {
            "term",
            "op",
            "threshold",
            "days",
        }
