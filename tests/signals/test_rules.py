"""Rules: the shipped ten on values that do and just do not fire, and the way of a change from draft to rule."""

from __future__ import annotations

from copy import deepcopy
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest
from django.utils import translation

from expansion.audit.models import AuditEntry
from expansion.errors import DomainError
from expansion.users.models import Role, User
from signals import defaults, rules
from signals.compute import rules as masks
from signals.models import HealthModelVersion, Rule, RuleVersion

NOW = datetime(2026, 11, 20, 1, 0, tzinfo=UTC)
LATER = datetime(2026, 11, 21, 1, 0, tzinfo=UTC)
SHIPPED = {item["key"]: item["body"] for item in defaults.read("rules.yaml")}
NAN = float("nan")


def fires(key: str, *, days: dict[str, list[float]] | None = None, **values: float) -> bool:
    """Tell whether the shipped rule fires on the values; by default they were the same on each of the last 90 days."""
    frame = pd.DataFrame([values], index=pd.Index([1], name="customer_id"), dtype=float)
    daily = {term: np.array(days[term] if days else [value] * 90)[:, None] for term, value in values.items()}
    return len(masks.evaluate([masks.compile(SHIPPED[key])], frame, daily)) == 1


GOOD = {
    "seats_near_limit": {"seats_used_ratio": 0.9},
    "quota_80": {"quota_used_ratio": 0.8},
    "feature_burst": {"feature_burst_ratio": 3.0, "feature_burst_uses_7": 20},
    "wau_over": {"weekly_active_ratio": 0.8, "weekly_active_users": 10},
    "trial_started": {"open_trials": 1, "days_since_trial_started": 30},
    "complement_missing": {"missing_complements": 1, "health": 75, "weekly_active_ratio": 0.6, "days_since_first_paid": 180},
    "renewal_90": {"days_to_renewal": 90},
    "health_rise": {"health_change_30": 15, "health": 60},
    "usage_falling": {"usage_change_28": -0.3, "mrr": 1},
    "detractor": {"nps_detractors_90": 1},
}
JUST_NOT = {
    "seats_near_limit": [{"seats_used_ratio": 0.899}],
    "quota_80": [{"quota_used_ratio": 0.799}],
    "feature_burst": [{"feature_burst_ratio": 2.99}, {"feature_burst_uses_7": 19}, {"usage_change_28": -0.3}],
    "wau_over": [{"weekly_active_ratio": 0.799}, {"weekly_active_users": 9}],
    "trial_started": [{"open_trials": 0}, {"days_since_trial_started": 31}],
    "complement_missing": [
        {"missing_complements": 0}, {"health": 74}, {"weekly_active_ratio": 0.59}, {"days_since_first_paid": 179},
        {"open_p1_tickets": 1},
    ],
    "renewal_90": [{"days_to_renewal": 91}],
    "health_rise": [{"health_change_30": 14}, {"health": 59}, {"days_since_first_paid": 89}],
    "usage_falling": [{"usage_change_28": -0.299}, {"mrr": 0}],
    "detractor": [{"nps_detractors_90": 0}],
}  # fmt: skip


@pytest.mark.parametrize("key", SHIPPED)
def test_a_shipped_rule_fires_at_its_threshold(key):
    assert fires(key, **GOOD[key])


@pytest.mark.parametrize(("key", "less"), [(key, less) for key, cases in JUST_NOT.items() for less in cases])
def test_a_shipped_rule_does_not_fire_just_beside_it(key, less):
    assert not fires(key, **GOOD[key] | less)


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        pytest.param([0.5, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9], True, id="seven days in a row"),
        pytest.param([0.9, 0.9, 0.5, 0.9, 0.9, 0.9, 0.9, 0.9], False, id="five days in a row"),
        pytest.param([0.9, 0.9, 0.9, 0.9, NAN, 0.9, 0.9, 0.9], False, id="a day is not known"),
        pytest.param([0.9, 0.9, 0.9, 0.9, 0.9, 0.9], False, id="only six days are known"),
    ],
)
def test_seats_have_to_stay_near_the_limit_for_a_week(days, expected):
    assert fires("seats_near_limit", seats_used_ratio=0.9, days={"seats_used_ratio": days}) is expected


@pytest.mark.parametrize(("key", "term"), [(key, term) for key, values in GOOD.items() for term in values])
def test_a_shipped_rule_does_not_fire_on_missing_data(key, term):
    assert not fires(key, **GOOD[key] | {term: NAN})


@pytest.mark.parametrize("key", SHIPPED)
@pytest.mark.parametrize("language", ["ja", "en"])
def test_a_shipped_rule_is_in_order(key, language):
    with translation.override(language):
        assert rules.validate(SHIPPED[key]) == []
    assert rules.RuleBody.from_json(SHIPPED[key]).definition(language)


def test_a_body_survives_reading_and_writing():
    for body in SHIPPED.values():
        stored = rules.RuleBody.from_json(body).to_json()
        assert rules.RuleBody.from_json(stored).to_json() == stored
    assert rules.RuleBody.from_json(SHIPPED["quota_80"]).to_json()["when"][0][0]["sustained_days"] is None


def changed(key: str = "quota_80", **parts: object) -> dict:
    return deepcopy(SHIPPED[key]) | parts


def with_condition(**parts: object) -> dict:
    body = changed()
    body["when"][0][0] |= parts
    return body


FAULTS = {
    "no Japanese name": (changed(name_ja=" "), "name_ja", "Fill in the Japanese name."),
    "no English definition": (changed(definition_en=""), "definition_en", "Fill in the English definition."),
    "no condition": (changed(when=[]), "when", "Give at least one condition."),
    "8 for 80 %": (
        with_condition(threshold=8), "when.0.0.threshold", "Quota in use goes from 0% to 200%; 800% can never be right.",
    ),
    "an unknown term": (
        with_condition(term="mood"), "when.0.0.term", "“mood” is no measure that is known here; choose one from the list.",
    ),
    "an unknown operator": (
        with_condition(op="="), "when.0.0.op", "Choose how to compare: at least, more than, at most or less than.",
    ),
    "too many days": (
        with_condition(sustained_days=91), "when.0.0.sustained_days", "Give 2 to 90 days in a row, or leave it empty.",
    ),
    "an unknown play": (changed(play_kind="gift"), "play_kind", "Choose the kind of play from the list."),
    "an unknown band": (
        changed(scope={"bands": ["fine"]}), "scope.bands", "“fine” is not known here; choose from the list.",
    ),
    "no time to start": (changed(sla_business_days=0), "sla_business_days", "Give 1 to 60 business days to start."),
    "a negative cool-down": (changed(cooldown_days=-1), "cooldown_days", "Give 0 to 730 days between two alerts."),
}  # fmt: skip


@pytest.mark.parametrize(("body", "place", "said"), FAULTS.values(), ids=FAULTS)
def test_a_fault_is_named_in_words_with_its_place(body, place, said):
    with translation.override("en"):
        (problem,) = rules.validate(body)
    assert (problem.place, str(problem)) == (place, said)


def test_conditions_that_exclude_each_other_are_refused():
    body = changed("renewal_90")
    body["when"][0].append(body["when"][0][0] | {"key": "ahead", "op": ">", "threshold": 90})
    with translation.override("en"):
        (problem,) = rules.validate(body)
    assert str(problem) == "No customer can ever meet the conditions on Days to renewal: they exclude each other."


@pytest.mark.parametrize(
    "broken", [{}, {"when": [[{}]]}, changed(when=[[{"key": "a", "term": "arr", "op": ">=", "threshold": "many"}]])]
)
def test_what_is_no_rule_at_all_is_one_problem(broken):
    assert len(rules.validate(broken)) == 1


def test_more_than_ten_conditions_are_refused():
    many = [{"key": f"k{n}", "term": "arr", "op": ">=", "threshold": n} for n in range(11)]
    assert [p.place for p in rules.validate(changed(when=[many]))] == ["when"]


@pytest.mark.parametrize(
    ("op", "language", "words"),
    [
        (">=", "en", "budget freeze applies"), ("<", "en", "budget freeze does not apply"),
        (">=", "ja", "予算凍結中に当てはまる"), ("<", "ja", "予算凍結中に当てはまらない"),
    ],
)  # fmt: skip
def test_a_yes_or_no_is_told_without_a_number(op, language, words):
    assert rules.condition_words(rules.Condition("k", "budget_freeze", op, 1.0), language) == words


def test_a_rule_is_a_sentence_in_english():
    assert rules.sentence(SHIPPED["feature_burst"], "en") == (
        "When burst on one feature is at least 3.0× and uses of the bursting feature in 7 days is at least 20 a week, "
        "raise an alert (Upsell) for the CS owner and ask them to start within 2 business days. "
        "Except when change in use over 28 days is at most −30%. At most once per account every 30 days."
    )


def test_a_rule_is_a_sentence_in_japanese():
    assert rules.sentence(SHIPPED["seats_near_limit"], "ja") == (
        "席の使用率が90%以上の日が7日連続のとき、CS担当にアラート(アップセル)を出し、3営業日以内の着手を求めます。"
        "同じ取引先には30日に1回までです。"
    )


@pytest.fixture
def admin(db: None) -> User:
    return User.objects.create_user("ono@example.jp", "secret-secret", name="大野", role=Role.ADMIN)


@pytest.fixture
def other(db: None) -> User:
    return User.objects.create_user("mori@example.jp", "secret-secret", name="森", role=Role.ADMIN)


@pytest.fixture
def rule(db: None) -> Rule:
    defaults.load(NOW)
    return Rule.objects.get(key="quota_80")


def states(rule: Rule) -> list[tuple[int, str]]:
    return list(rule.versions.order_by("number").values_list("number", "state"))


def test_shipping_twice_changes_nothing(rule):
    assert (Rule.objects.count(), HealthModelVersion.objects.count()) == (10, 1)
    assert defaults.load(LATER) == 0
    assert states(rule) == [(1, "published")]


def test_a_newer_shipped_rule_replaces_only_what_nobody_edited(rule, admin):
    newer = with_condition(threshold=0.7)
    ship = {"family": "capacity", "group": "depth", "position": 1, "now": LATER}
    assert rules.ship("quota_80", body=newer, **ship) is True
    assert states(rule) == [(1, "retired"), (2, "published")]
    rules.save_draft(rule, with_condition(threshold=0.75), by=admin, now=LATER)
    rules.publish(rule, reason="月初の増加を除く", by=admin, now=LATER)
    assert rules.ship("quota_80", body=with_condition(threshold=0.6), **ship) is False
    assert rules.find_published(rule).body["when"][0][0]["threshold"] == 0.75


def test_a_draft_becomes_the_rule_with_a_reason(rule, admin):
    rules.save_draft(rule, with_condition(threshold=0.82), by=admin, now=NOW)
    rules.save_draft(rule, with_condition(threshold=0.83), by=admin, now=NOW)
    version = rules.publish(rule, reason="月初の一時的な増加を除くため", by=admin, now=LATER)
    assert states(rule) == [(1, "retired"), (2, "published")]
    assert (version.number, version.reason, version.published_by, version.published_at) == (
        2,
        "月初の一時的な増加を除くため",
        admin,
        LATER,
    )
    entry = AuditEntry.objects.get(verb="rule.published")
    assert (entry.by, entry.before["when"][0][0]["threshold"], entry.after["when"][0][0]["threshold"]) == (admin, 0.8, 0.83)
    assert [v.number for v in rules.published() if v.rule_id == rule.pk] == [2]


@pytest.mark.parametrize(
    ("body", "reason", "said"),
    [
        pytest.param(None, "理由", "There is no draft to publish", id="no draft"),
        pytest.param(SHIPPED["quota_80"], "理由", "does not differ", id="nothing changed"),
        pytest.param(with_condition(threshold=0.82), " ", "Say why", id="no reason"),
        pytest.param(with_condition(threshold=8), "理由", "can never be right", id="a faulty draft"),
    ],
)
def test_publishing_is_refused_in_words_and_changes_nothing(rule, admin, body, reason, said):
    if body is not None:
        rules.save_draft(rule, body, by=admin, now=NOW)
    before = states(rule)
    with translation.override("en"), pytest.raises(DomainError, match=said):
        rules.publish(rule, reason=reason, by=admin, now=LATER)
    assert states(rule) == before
    assert not AuditEntry.objects.exists()


def test_only_one_person_edits_a_rule_at_a_time(rule, admin, other):
    rules.save_draft(rule, with_condition(threshold=0.82), by=admin, now=NOW)
    with translation.override("en"), pytest.raises(rules.DraftOfAnother, match="大野 has a draft"):
        rules.save_draft(rule, with_condition(threshold=0.9), by=other, now=NOW)
    taken = rules.save_draft(rule, with_condition(threshold=0.9), by=other, now=NOW, take_over=True)
    assert (taken.edited_by, taken.number) == (other, 2)


def test_restoring_makes_a_new_version_and_leaves_the_draft_behind_it(rule, admin):
    rules.save_draft(rule, with_condition(threshold=0.82), by=admin, now=NOW)
    rules.publish(rule, reason="一度目", by=admin, now=NOW)
    rules.save_draft(rule, with_condition(threshold=0.9), by=admin, now=NOW)
    restored = rules.restore(rule, 1, reason="元に戻す", by=admin, now=LATER)
    assert (restored.number, restored.restores, restored.body["when"][0][0]["threshold"]) == (3, 1, 0.8)
    assert states(rule) == [(1, "retired"), (2, "retired"), (3, "published"), (4, "draft")]
    rules.discard_draft(rule, by=admin, now=LATER)
    rules.save_draft(rule, with_condition(threshold=0.95), by=admin, now=LATER)
    assert states(rule)[-1] == (4, "draft")
    with pytest.raises(DomainError):
        rules.restore(rule, 3, reason="公開中", by=admin, now=LATER)


def test_a_rule_is_switched_off_and_on_with_a_reason(rule, admin):
    rules.set_on(rule, False, reason="季節外れ", by=admin, now=NOW)
    assert "quota_80" not in {version.rule.key for version in rules.published()}
    with pytest.raises(DomainError):
        rules.set_on(rule, False, reason="もう一度", by=admin, now=NOW)
    rules.set_on(rule, True, reason="再開", by=admin, now=LATER)
    assert RuleVersion.objects.filter(rule=rule).count() == 1
    assert list(AuditEntry.objects.order_by("id").values_list("verb", flat=True)) == ["rule.switched_off", "rule.switched_on"]
