"""Each guardrail: holds, just does not hold, and until when."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import count

import pytest

from accounts.models import Contact, ContractLine, Customer, Event, MrrEvent, NpsResponse, Product, Ticket, Touch
from signals import guardrails
from signals.guardrails import Guard
from signals.models import Standing

DAY = date(2026, 11, 20)
NOON = datetime(2026, 11, 20, 3, 0, tzinfo=UTC)
pytestmark = pytest.mark.django_db
numbers = count()


@pytest.fixture
def customer() -> Customer:
    return Customer.objects.create(customer_id="C-1", slot=0, name="ミナト精機")


def guards(customer: Customer, as_of: date = DAY) -> dict[str, date | None]:
    return {guard.key: guard.until for guard in guardrails.check([customer.pk], as_of).get(customer.pk, [])}


def touch(customer: Customer, kind: str, days_ago: int, **fields: object) -> Touch:
    at = NOON - timedelta(days=days_ago)
    return Touch.objects.create(customer=customer, external_id=str(next(numbers)), kind=kind, touched_at=at, **fields)


def line(customer: Customer, **fields: object) -> ContractLine:
    product, _ = Product.objects.get_or_create(code="std", defaults={"name": "Standard", "kind": "plan"})
    values = {"line_id": str(next(numbers)), "starts_on": DAY - timedelta(days=300), "mrr": 100, "arr": 1200, "currency": "JPY"}
    return ContractLine.objects.create(customer=customer, product=product, **values | fields)


def test_a_customer_about_whom_nothing_speaks_is_free(customer):
    assert guardrails.check([customer.pk], DAY) == {}
    assert guardrails.check([], DAY) == {}


@pytest.mark.parametrize(
    ("days_ago", "until"),
    [
        pytest.param([0, 10, 29], date(2026, 11, 21), id="three in 30 days: free when the oldest is 30 days old"),
        pytest.param([0, 10, 30], None, id="the oldest is 30 days old"),
        pytest.param([0, 10], None, id="two"),
        pytest.param([1, 2, 3, 29], date(2026, 12, 17), id="four: the second oldest has to go as well"),
    ],
)
def test_three_offers_in_30_days_stop_further_ones(customer, days_ago, until):
    for days in days_ago:
        touch(customer, "offer", days)
    assert guards(customer) == ({"offers_in_30_days": until} if until else {})


def test_withdrawn_offers_and_other_contacts_do_not_count(customer):
    touch(customer, "offer", 1)
    touch(customer, "proposal", 2)
    touch(customer, "offer", 3, withdrawn_at=NOON)
    touch(customer, "meeting", 3)
    assert guards(customer) == {}


@pytest.mark.parametrize(("days_ago", "expected"), [(6, {"same_person_in_7_days": date(2026, 11, 21)}), (7, {})])
def test_a_person_gets_one_offer_in_7_days(customer, days_ago, expected):
    person = Contact.objects.create(customer=customer, external_id="p", name="高橋 恵一")
    touch(customer, "offer", days_ago, contact=person)
    assert guards(customer) == expected


@pytest.mark.parametrize(
    ("days_ago", "until", "expected"),
    [
        pytest.param(89, None, {"recent_refusal": date(2026, 11, 21)}, id="89 days ago, no date given"),
        pytest.param(90, None, {}, id="90 days ago, no date given"),
        pytest.param(200, date(2026, 11, 21), {"recent_refusal": date(2026, 11, 21)}, id="the day before the date given"),
        pytest.param(1, date(2026, 11, 20), {}, id="the date given has come"),
        pytest.param(400, date.max, {"recent_refusal": None}, id="never again"),
    ],
)
def test_a_declined_play_is_not_offered_again_before_its_date(customer, days_ago, until, expected):
    touch(customer, "refusal", days_ago, play="higher_plan", until=until)
    assert guards(customer) == expected
    (found,) = guardrails.check([customer.pk], DAY).get(customer.pk, [None])
    if found is not None:
        assert found.stops("upsell", "higher_plan")
        assert not found.concerns("upsell", "add_seats")


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"renews_on": DAY + timedelta(days=14)}, {"contract_end": DAY + timedelta(days=14)}),
        ({"renews_on": DAY + timedelta(days=15)}, {}),
        ({"ends_before": DAY + timedelta(days=3)}, {"contract_end": DAY + timedelta(days=3)}),
        ({"service_until": DAY}, {}),
        (
            {"cancelled_on": DAY, "renews_on": DAY + timedelta(days=40), "service_until": DAY + timedelta(days=5)},
            {"contract_end": DAY + timedelta(days=5)},
        ),
        ({"ends_before": DAY + timedelta(days=3), "trial_ends_on": DAY + timedelta(days=2)}, {}),
        ({"renews_on": DAY + timedelta(days=3), "mrr": 0}, {}),
        ({}, {}),
    ],
    ids=[
        "14 days before",
        "15 days before",
        "ends without renewal",
        "has ended",
        "notice was given",
        "a trial",
        "free of charge",
        "open-ended",
    ],
)
def test_no_new_offer_in_the_last_14_days_of_a_contract(customer, fields, expected):
    line(customer, **fields)
    assert guards(customer) == expected


def test_a_contract_that_is_renewed_already_does_not_end(customer):
    line(customer, line_id="L", renews_on=DAY + timedelta(days=3), service_until=DAY + timedelta(days=3))
    line(customer, line_id="L", starts_on=DAY + timedelta(days=3))
    assert guards(customer) == {}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"severity": "p1"}, {"open_ticket": None}),
        ({"severity": "p3", "is_escalated": True}, {"open_ticket": None}),
        ({"severity": "p3"}, {}),
        ({"severity": "p1", "status": "closed"}, {}),
        ({"severity": "p1", "status": "closed", "closed_at": NOON}, {}),
        ({"severity": "p1", "status": "closed", "closed_at": NOON + timedelta(days=1)}, {"open_ticket": None}),
        ({"severity": "p1", "opened_at": NOON + timedelta(days=1)}, {}),
    ],
    ids=["p1", "escalated", "p3", "closed without a time", "closed that day", "closed the day after", "opened the day after"],
)
def test_an_open_critical_ticket_stops_offers(customer, fields, expected):
    Ticket.objects.create(customer=customer, external_id="t", **{"opened_at": NOON - timedelta(days=5)} | fields)
    assert guards(customer) == expected


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        pytest.param([(6, 89, "a")], {"detractor": date(2026, 11, 21)}, id="6 points, 89 days ago"),
        pytest.param([(6, 90, "a")], {}, id="90 days ago"),
        pytest.param([(7, 1, "a")], {}, id="7 points"),
        pytest.param([(2, 30, "a"), (9, 5, "a")], {}, id="the same person is content now"),
        pytest.param([(2, 30, "a"), (9, 5, "b")], {"detractor": date(2027, 1, 19)}, id="somebody else is content"),
    ],
)
def test_a_detractor_stops_offers_for_90_days(customer, answers, expected):
    for score, days_ago, person in answers:
        NpsResponse.objects.create(
            customer=customer,
            external_id=str(next(numbers)),
            respondent=person,
            score=score,
            responded_on=DAY - timedelta(days=days_ago),
        )
    assert guards(customer) == expected


@pytest.mark.parametrize(("days_ago", "expected"), [(0, date(2026, 12, 20)), (29, date(2026, 11, 21)), (30, None), (-1, None)])
def test_no_upsell_in_the_first_30_paid_days(customer, days_ago, expected):
    paid = line(customer)
    MrrEvent.objects.create(
        customer=customer,
        on=DAY - timedelta(days=days_ago),
        change=Decimal(100),
        currency="JPY",
        cause="start",
        line=paid,
        product=paid.product,
    )
    assert guards(customer) == ({"first_30_days": expected} if expected else {})


@pytest.mark.parametrize(
    ("days_ago", "detail", "expected"),
    [
        pytest.param(10, {"until": "2026-12-01"}, date(2026, 12, 1), id="with an end"),
        pytest.param(10, {"until": "2026-11-20"}, None, id="over"),
        pytest.param(10, {}, date(2027, 2, 8), id="without an end: 90 days"),
        pytest.param(10, {"until": "来期"}, date(2027, 2, 8), id="an end that is no date: 90 days"),
        pytest.param(-1, {}, None, id="noted later"),
    ],
)
def test_a_budget_freeze_stops_offers_until_its_end(customer, days_ago, detail, expected):
    Event.objects.create(
        customer=customer, external_id="e", kind="budget_freeze", occurred_at=NOON - timedelta(days=days_ago), detail=detail
    )
    assert guards(customer) == ({"budget_freeze": expected} if expected else {})


@pytest.mark.parametrize(
    ("band", "key", "stops"), [("watch", "band_watch", False), ("act_now", "band_act_now", True), ("healthy", None, False)]
)
def test_the_band_cautions_or_stops(customer, band, key, stops):
    Standing.objects.create(customer=customer, as_of=DAY, band=band, score=50, coverage=1, mrr=0, arr=0, currency="JPY")
    found = guardrails.check([customer.pk], DAY).get(customer.pk, [])
    assert [(guard.key, guard.stops("upsell", "add_seats")) for guard in found] == ([(key, stops)] if key else [])


@pytest.mark.parametrize(("opted_out", "expected"), [([True, True], {"no_consent": None}), ([True, False], {}), ([], {})])
def test_without_any_consent_no_mail_goes_out(customer, opted_out, expected):
    for index, value in enumerate(opted_out):
        Contact.objects.create(customer=customer, external_id=str(index), name="高橋", has_opted_out=value)
    assert guards(customer) == expected


@pytest.mark.parametrize(
    ("plays", "play_kind", "expected"),
    [
        ("all", "upsell", (True, True)), ("all", "renewal", (True, False)), ("all", "help", (True, False)),
        ("upsell", "cross_sell", (True, True)), ("upsell", "renewal", (False, False)),
        ("mail", "upsell", (True, False)), ("mail", "help", (True, False)),
    ],
)  # fmt: skip
def test_stops_hold_back_offers_only(plays, play_kind, expected):
    guard = Guard("k", "stop", "事実", "fact", None, plays)
    shown, is_stopped = guardrails.for_play([guard], play_kind=play_kind, playbook="add_seats")
    assert (bool(shown), is_stopped) == expected


def test_many_customers_cost_one_statement(customer, django_assert_num_queries):
    others = [Customer.objects.create(customer_id=f"N-{slot}", slot=slot, name="甲") for slot in range(1, 30)]
    for other in others:
        touch(other, "refusal", 3, play="add_seats")
    with django_assert_num_queries(1):
        found = guardrails.check([customer.pk, *(other.pk for other in others)], DAY)
    assert len(found) == 29
    (guard,) = found[others[0].pk]
    assert (guard.fact_ja, guard.fact_en) == (
        "11/17に見送り。次の提案は2/15以降", "Declined on 17 Nov; offer again from 15 Feb"
    )  # fmt: skip
    assert guard.to_json()["until"] == "2027-02-15"
