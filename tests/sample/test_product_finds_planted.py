"""The nights of the sample company: every shipped rule finds whom it must find, and leaves the others alone."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from django.db.models import Count

from accounts.models import Customer, MrrEvent
from accounts.sample import behaviours, loading
from accounts.sample.company import Company
from signals import defaults, nightly
from signals.models import Alert, Run

pytestmark = [pytest.mark.django_db, pytest.mark.slow]

NOW = datetime(2026, 11, 21, 0, 0, tzinfo=UTC)
AS_OF = date(2026, 11, 20)
GIVEN = Company(customers=400, months=13, reps=5, seed=1, as_of=AS_OF)
NIGHTS = [AS_OF - timedelta(days=2), AS_OF - timedelta(days=1), AS_OF]
PLANTED = behaviours.planted(GIVEN.customers, GIVEN.seed, AS_OF)
RULES = [
    "seats_near_limit", "quota_80", "feature_burst", "wau_over", "trial_started", "complement_missing", "renewal_90",
    "usage_falling", "detractor",
]  # fmt: skip
# Health moves by itself a little: of 400 customers so many may rise by 15 points without being planted.
MOST_UNPLANTED_RISES = 4


@pytest.fixture(scope="module")
def nights(django_db_setup, django_db_blocker):
    """Load the sample and run its last three nights once for the module; undone at its end."""
    from django.db import connection, transaction

    class Undo(Exception):
        pass

    with django_db_blocker.unblock():
        try:
            with transaction.atomic():
                loading.load(GIVEN, now=NOW)
                defaults.load(NOW)
                for day in NIGHTS:
                    nightly.run(day, now=NOW)
                connection.check_constraints()  # once, not at the end of each test
                yield
                raise Undo
        except Undo:
            pass


def on_card(rule: str) -> set[str]:
    """Return the customers with an open alert of the rule whose condition still holds."""
    alerts = Alert.objects.open().filter(rule__key=rule, condition_ended_on=None)
    return set(alerts.values_list("customer__customer_id", flat=True))


def guards_of(behaviour: str) -> list[tuple[bool, set[str]]]:
    alerts = Alert.objects.leading().filter(customer__customer_id__in=PLANTED[behaviour])
    return [(alert.is_stopped, {guard["key"] for guard in alert.guard}) for alert in alerts]


@pytest.mark.parametrize("rule", RULES)
def test_rule_fires_for_exactly_the_planted(nights, rule: str):
    assert on_card(rule) == set(behaviours.expected(rule, GIVEN.customers, GIVEN.seed, AS_OF))


def test_health_rise_fires_for_the_planted_and_hardly_anybody_else(nights):
    planted, found = set(PLANTED["health_rise"]), on_card("health_rise")
    assert planted <= found
    assert len(found - planted) <= MOST_UNPLANTED_RISES


@pytest.mark.parametrize("behaviour", ["seasonal", "reorganisation", "discount_expiry"])
def test_what_no_rule_is_about_raises_no_alert(nights, behaviour: str):
    assert not Alert.objects.filter(customer__customer_id__in=PLANTED[behaviour]).exists()


def test_nobody_who_left_is_on_a_card(nights):
    parts, _turns = behaviours.cast(GIVEN.customers, GIVEN.seed)
    gone = [behaviours.customer_id(number) for number, part in enumerate(parts) if part == behaviours.GONE]
    assert len(gone) == 28
    assert not Alert.objects.open().filter(customer__customer_id__in=gone).exists()


def test_a_morning_of_a_rep_is_about_a_dozen_cards(nights):
    cards = dict(Alert.objects.leading().values_list("owner__name").annotate(Count("id")))
    assert cards.pop(None) == 2
    assert set(cards) == {"田中 優", "佐藤 彩", "鈴木 大輔", "高橋 美咲", "伊藤 健"}
    assert all(10 <= count <= 15 for count in cards.values())


def test_each_of_the_last_nights_brings_something_new(nights):
    raised = {run.business_date: run.alerts_raised for run in Run.objects.all()}
    assert raised[NIGHTS[0]] > 40
    assert 1 <= raised[NIGHTS[1]] <= 10
    assert 1 <= raised[NIGHTS[2]] <= 10


@pytest.mark.parametrize(
    ("behaviour", "guard"),
    [
        pytest.param("open_escalation", "open_ticket", id="an escalated ticket is open"),
        pytest.param("asked_too_often", "offers_in_30_days", id="three proposals in thirty days"),
        pytest.param("recent_refusal", "recent_refusal", id="the same play was declined three weeks ago"),
        pytest.param("budget_freeze", "budget_freeze", id="the budget is frozen"),
    ],
)
def test_guarded_plays_are_stopped(nights, behaviour: str, guard: str):
    found = guards_of(behaviour)
    assert len(found) == 2
    assert all(stopped and guard in keys for stopped, keys in found)


def test_a_star_is_one_card_with_three_signals(nights):
    for who in sorted(set(PLANTED["feature_burst"]) & set(PLANTED["renewal_due"])):
        alerts = Alert.objects.open().filter(customer__customer_id=who)
        assert {alert.rule.key for alert in alerts} == {"quota_80", "feature_burst", "renewal_90"}
        assert [alert.rule.key for alert in alerts if alert.is_lead] == ["renewal_90"]


def test_ended_discounts_are_expansion_of_that_cause(nights):
    for who in PLANTED["discount_expiry"]:
        customer = Customer.objects.get(customer_id=who)
        (event,) = MrrEvent.objects.filter(customer=customer, on__gt=AS_OF - timedelta(days=30), cause="discount")
        assert event.change > 0
