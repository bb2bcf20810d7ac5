"""One night over a small book: facts in, features, scores, ranks and snapshot out."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from accounts import ledger, usage
from accounts.models import (
    ActivityDaily,
    Contact,
    ContractLine,
    Customer,
    Event,
    FxRate,
    Metric,
    NpsResponse,
    Order,
    Product,
    Ticket,
    Touch,
)  # fmt: skip
from signals import defaults, loading, scoring, snapshots, storing
from signals.models import FeatureBlock, HealthScore, RfmScore, Standing
from signals.terms import TERMS

pytestmark = pytest.mark.django_db

D = date(2026, 6, 30)
NOW = datetime(2026, 7, 1, tzinfo=UTC)


def ago(days):
    return D - timedelta(days=days)


def at(day, hour=12):
    return datetime(day.year, day.month, day.day, hour, tzinfo=UTC)


def line(customer, product, **fields):
    amount = Decimal(fields.pop("amount"))
    months = fields.pop("billing_months", 12)
    number = ContractLine.objects.count()
    defaults_ = {"line_id": f"L{number}", "starts_on": ago(400), "currency": "JPY", "billing_months": months}
    return ContractLine.objects.create(
        customer=customer, product=product, amount=amount, mrr=round(amount / months, 2), arr=round(amount * 12 / months, 2),
        **defaults_ | fields,
    )  # fmt: skip


@pytest.fixture
def book():
    """Two customers with everything, a third with nothing, a fourth that was merged into the first."""
    defaults.load(NOW)
    a, b, c = (Customer.objects.create(customer_id=f"C{i}", slot=i, name=f"C{i}") for i in range(3))
    Customer.objects.create(customer_id="C3", slot=3, name="C3", merged_into=a)
    return a, b, c


@pytest.fixture
def catalogue():
    plan = {"kind": "plan", "family": "core", "billing_months": 1}
    return {
        "lite": Product.objects.create(
            code="LITE", name="Lite", tier=1, list_price=1000, included_quota={"storage_gb": 50}, **plan
        ),
        "pro": Product.objects.create(code="PRO", name="Pro", tier=2, list_price=1500, complements=["SIGN"], **plan),
        "sign": Product.objects.create(code="SIGN", name="Sign", kind="product", list_price=30000),
        "cap": Product.objects.create(code="CAP", name="Cap", kind="capacity", list_price=5000, included_quota={"storage_gb": 10}),
    }


def features(day=D):
    return loading.features(day, 0, 10)


def test_a_customer_without_any_row_has_no_value_that_pretends_to_be_known(book):
    row = features().loc[book[2].pk]
    known = {key for key in loading.LOADED if not np.isnan(row[key])}
    assert known == {"mrr", "arr", "open_trials", "products_owned", "nps_answers", "contacts_7", "offers_30", "budget_freeze"}
    assert set(row[list(known)]) == {0.0}
    assert all(TERMS[key].missing == "never" for key in known)


def test_merged_customers_are_left_out(book):
    assert features()["slot"].tolist() == [0, 1, 2]


def test_contract_terms(book, catalogue):
    a, b, _ = book
    line(a, catalogue["lite"], amount=480_000, quantity=40, renews_on=ago(-78), notice_days=30, auto_renew=True)
    line(a, catalogue["cap"], amount=60_000, quantity=2, renews_on=ago(-200), starts_on=ago(10))
    line(b, catalogue["pro"], amount=100_000, billing_months=1, trial_ends_on=ago(-5), starts_on=ago(9))
    ledger.rebuild()
    frame = features()
    assert frame.loc[a.pk, ["mrr", "arr", "seats", "products_owned", "days_since_first_paid"]].tolist() == [
        45_000,
        540_000,
        40,
        2,
        400,
    ]
    assert frame.loc[a.pk, ["days_to_renewal", "days_to_notice", "auto_renew", "renewing_arr"]].tolist() == [78, 48, 1, 480_000]
    assert frame.loc[a.pk, ["plan_product", "next_plan_product"]].tolist() == [catalogue["lite"].pk, catalogue["pro"].pk]
    assert frame.loc[a.pk, ["next_plan_gain_year", "seat_price_year"]].tolist() == [40 * 18_000 - 480_000, 12_000]
    trial = frame.loc[b.pk]
    assert trial[["offer_product", "offer_low_year", "offer_high_year"]].tolist() == [catalogue["pro"].pk, 18_000, 18_000]
    assert trial[["mrr", "open_trials", "days_since_trial_started"]].tolist() == [0, 1, 9]
    assert trial[["seats", "days_since_first_paid", "days_to_renewal"]].isna().all()


def test_mrr_agrees_with_the_ledger_also_across_currencies(book, catalogue):
    a, b, _ = book
    FxRate.objects.create(currency="USD", valid_from=ago(500), rate=Decimal("151.237"))
    line(a, catalogue["pro"], amount="3333.33", currency="USD", quantity=3)
    line(a, catalogue["sign"], amount="777.77", currency="USD", paused_from=ago(3))
    line(b, catalogue["lite"], amount=99_999, ends_before=ago(-1))
    line(b, catalogue["lite"], amount=99_999, ends_before=ago(0))
    ledger.rebuild()
    expected = ledger.balances_frame(D).set_index("customer_id")["mrr_cents"] / 100
    found = features()["mrr"]
    assert found[found > 0].to_dict() == expected.to_dict()


def test_usage_terms_come_from_blocks_and_a_few_customers_from_rows_alike(book, catalogue):
    a, b, c = book
    line(a, catalogue["lite"], amount=480_000, quantity=10)
    line(b, catalogue["lite"], amount=480_000, quantity=10)
    ledger.rebuild()
    report, seats, storage = (
        Metric.objects.create(key=key, kind=kind).pk
        for key, kind in (("feature.report", "counter"), ("seats_used", "gauge"), ("storage_gb", "gauge"))
    )
    rows = [(a.pk, report, ago(n), 2.0) for n in range(7)]
    rows += [(a.pk, report, ago(n), 1.0) for n in range(7, 98, 2)]
    rows += [(a.pk, seats, ago(n), 9.0) for n in range(0, 20, 5)] + [(a.pk, storage, ago(3), 43.0)]
    rows += [(b.pk, report, ago(60), 5.0)]
    frame = pd.DataFrame(rows, columns=["customer_id", "metric_id", "day", "value"]).astype({"metric_id": "int16"})
    usage.append(frame, batch_id=None)
    usage.rebuild_dirty_blocks(through=D)
    from_rows = features()
    # days off count by how much they are used: 98 days, the base of which 47 had a feed
    working = loading.working_days(D, 98)
    fed = np.array([n < 7 or n % 2 == 1 or n == 60 for n in reversed(range(98))])
    used = np.array([2.0 if n < 7 else float(n % 2 == 1) for n in reversed(range(98))])
    weight = min(used[fed & ~working].mean() / used[fed & working].mean(), 1)
    week, base = ((fed[s] & working[s]).sum() + weight * (fed[s] & ~working[s]).sum() for s in (slice(-7, None), slice(None, -7)))
    row = from_rows.loc[a.pk]
    assert row[["usage_7", "usage_28", "active_days_28", "usage_recency_days"]].tolist() == [14, 14 + 11, 7 + 11, 0]
    assert row[["seats_used", "seats_used_ratio", "seats_left", "seats_full_days"]].tolist() == [9, 0.9, 1, 16]
    assert row[["quota_used_ratio", "storage_used_ratio", "quota_metric"]].tolist() == [0.86, 0.86, storage]
    assert row["feature_burst_ratio"] == pytest.approx(14 / week / (46 / base))
    assert row[["feature_burst_uses_7", "feature_burst_metric", "features_used_ratio"]].tolist() == [14, report, 1]
    assert row[["capacity_price_year", "capacity_units"]].tolist() == [5000 * 12, 1]
    assert from_rows.loc[b.pk, ["usage_7", "usage_28", "usage_91", "usage_recency_days"]].tolist() == [0, 0, 5, 60]
    assert from_rows.loc[c.pk, ["usage_7", "usage_91", "active_days_28"]].tolist() == [0, 0, 0]
    assert np.isnan(from_rows.loc[c.pk, "usage_recency_days"])
    for number in range(10, 20):
        Customer.objects.create(customer_id=f"C{number}", slot=number, name="x")
    from_blocks = loading.features(D, 0, 20).loc[from_rows.index]
    pd.testing.assert_frame_equal(from_blocks, from_rows)
    days = loading.daily(D, {"seats_used_ratio": 3, "nps": 3}, slot_from=0, slot_until=20)
    assert list(days) == ["seats_used_ratio"]
    assert days["seats_used_ratio"][:, 0].tolist() == [0.9, 0.9, 0.9]


def test_activity_terms(book):
    a, b, _ = book
    for user, days in (("u1", (0, 6)), ("u2", (7,)), ("u3", (28, 55)), ("u4", (56,))):
        for n in days:
            ActivityDaily.objects.create(customer=a, user_key=user, day=ago(n), events=3, minutes=10, department=user)
    row = features().loc[a.pk]
    assert row[["weekly_active_users", "active_users_28", "active_users_added_28"]].tolist() == [1, 2, 1]
    assert row[["departments_active_28", "login_minutes_28", "logins_28", "active_days_28"]].tolist() == [2, 30, 3, 3]
    assert row["usage_recency_days"] == 0
    assert features().loc[b.pk, ["weekly_active_users", "active_users_28"]].tolist() == [0, 0]


def test_voice_and_touches(book):
    a, b, _ = book
    chief = Contact.objects.create(customer=a, external_id="p1", name="x", role="decision_maker")
    Ticket.objects.create(customer=a, external_id="t1", opened_at=at(ago(2)), severity="p1", is_escalated=True, satisfaction=4)
    Ticket.objects.create(customer=a, external_id="t2", opened_at=at(ago(200)), closed_at=at(ago(-1)), status="closed")
    Ticket.objects.create(
        customer=a, external_id="t3", opened_at=at(ago(40)), closed_at=at(ago(39)), status="closed", satisfaction=5
    )
    Ticket.objects.create(customer=a, external_id="t4", opened_at=at(ago(-1)), severity="p1")
    for number, (contact, days, score) in enumerate([(chief, 10, 9), (chief, 50, 0), (None, 20, 3), (None, 365, 0), (None, -1, 0)]):
        NpsResponse.objects.create(customer=a, external_id=f"n{number}", contact=contact, responded_on=ago(days), score=score)
    for number, (kind, days, contact) in enumerate(
        [("meeting", 3, chief), ("proposal", 30, None), ("offer", 29, None), ("refusal", 70, None), ("call", -1, None)]
    ):
        Touch.objects.create(customer=a, external_id=f"x{number}", kind=kind, touched_at=at(ago(days), 3), contact=contact)
    Event.objects.create(
        customer=a, external_id="e1", kind="budget_freeze", occurred_at=at(ago(20)), detail={"until": ago(-1).isoformat()}
    )
    row = features().loc[a.pk]
    assert row[["open_tickets", "open_p1_tickets", "open_escalations", "tickets_28", "satisfaction_90"]].tolist() == [
        2,
        1,
        1,
        1,
        4.5,
    ]
    assert row[["nps", "nps_answers", "nps_latest", "nps_detractors_90"]].tolist() == [0, 2, 9, 1]
    assert row[["contacts_7", "offers_30", "days_since_touch", "days_since_executive_touch", "days_since_refusal"]].tolist() == [
        1,
        1,
        3,
        3,
        70,
    ]
    assert row["budget_freeze"] == 1
    other = features().loc[b.pk]
    assert other[["open_tickets", "open_p1_tickets"]].tolist() == [0, 0]
    assert features(ago(-2)).loc[a.pk, "budget_freeze"] == 0


def test_purchases_are_orders_and_contract_changes_but_no_renewals(book, catalogue):
    a, *_ = book
    line(a, catalogue["lite"], amount=120_000, line_id="X", starts_on=ago(500), ends_before=ago(135), quantity=10)
    line(a, catalogue["lite"], amount=120_000, line_id="X", starts_on=ago(135), ends_before=ago(50), quantity=10)
    line(a, catalogue["lite"], amount=240_000, line_id="X", starts_on=ago(50), quantity=20)
    ledger.rebuild()
    order = {"customer": a, "currency": "JPY"}
    Order.objects.create(external_id="o1", ordered_on=ago(10), amount=5000, kind="renewal", **order)
    Order.objects.create(external_id="o2", ordered_on=ago(90), amount=7000, **order)
    Order.objects.create(external_id="o3", ordered_on=ago(20), amount=-1000, **order)
    row = features().loc[a.pk]
    assert row[["purchase_recency_days", "purchase_tenure_days", "purchase_frequency", "purchase_monetary"]].tolist() == [
        50,
        500,
        3,
        126_000,
    ]


def test_a_night_is_stored_and_a_second_one_rewrites_nothing(book, catalogue):
    a, b, _ = book
    line(a, catalogue["lite"], amount=480_000, quantity=10, renews_on=ago(-78))
    line(b, catalogue["pro"], amount=480_000, quantity=10)
    ledger.rebuild()
    report, seats = (
        Metric.objects.create(key=k, kind=kind).pk for k, kind in (("feature.report", "counter"), ("seats_used", "gauge"))
    )
    rows = [(c.pk, report, ago(n), 1.0) for n in range(98) for c in (a, b)] + [(a.pk, seats, D, 9.0), (b.pk, seats, D, 3.0)]
    usage.append(
        pd.DataFrame(rows, columns=["customer_id", "metric_id", "day", "value"]).astype({"metric_id": "int16"}), batch_id=None
    )
    usage.rebuild_dirty_blocks(through=D)
    for user in range(8):
        ActivityDaily.objects.create(customer=a, user_key=str(user), day=D, events=1)

    def night():
        model = scoring.published_model()
        frame = loading.features(D, *snapshots.chunks()[0])
        storing.put_scores(D, scoring.score(frame, business_date=D, model=model))
        storing.put_ranks(D, scoring.ranks(D))

    night()
    score = HealthScore.objects.get(customer=a)
    # weekly users 0.8 → 100, trend 0 → 83.3; all features, 28 days; 9 of 10 seats; nothing else is known
    usage_group = (60 * 100 + 40 * (0.5 / 0.6 * 100)) / 100
    expected = (30 * usage_group + 25 * 100 + 15 * 100) / 70
    assert (score.score, score.band, score.coverage) == (round(expected), "excellent", 0.7)
    assert score.points == pytest.approx([100, 0.5 / 0.6 * 100, 100, 100, 100, None, None, None, None])
    standing = Standing.objects.get(customer=a)
    assert (standing.mrr, standing.plan_code, standing.renews_on, standing.seats_used) == (40_000, "LITE", ago(-78), 9)
    assert (standing.rfm_r, standing.rfm_f, standing.segment) == (5, 5, "champion")
    purchase = RfmScore.objects.get(customer=a, lens="purchase")
    assert (purchase.recency_days, purchase.frequency, purchase.monetary, purchase.r) == (400, 1, 0, 1)
    nobody = HealthScore.objects.get(customer=book[2])
    assert (nobody.score, nobody.band) == (None, "insufficient")
    read = snapshots.read(D, ["health", "seats_used_ratio", "rfm_usage_r", "plan_code", "band", "segment"])
    assert read.loc[a.pk].tolist() == [0, score.score, 0.9, 5, "LITE", "excellent", "champion"]
    assert read.loc[book[2].pk, ["plan_code", "band", "segment"]].tolist() == ["", "insufficient", ""]

    def versions():
        from django.db import connection

        with connection.cursor() as cursor:
            for table in ("signals_healthscore", "signals_rfmscore", "signals_standing", "signals_featureblock"):
                cursor.execute(f"SELECT xmin::text, ctid::text FROM {table} ORDER BY ctid")
                yield table, cursor.fetchall()

    before = dict(versions())
    night()
    assert dict(versions()) == before
    assert FeatureBlock.objects.filter(is_reconstructed=True).count() == 0


def test_a_backfill_leaves_the_standing_alone(book, catalogue):
    a, *_ = book
    line(a, catalogue["lite"], amount=480_000)
    ledger.rebuild()
    model = scoring.published_model()
    for day, newest in ((D, True), (ago(9), False)):
        storing.put_scores(day, scoring.score(loading.features(day, 0, 10), business_date=day, model=model), is_newest=newest)
        storing.put_ranks(day, scoring.ranks(day), is_newest=newest)
    assert Standing.objects.get(customer=a).as_of == D
    assert set(FeatureBlock.objects.filter(is_reconstructed=True).values_list("business_date", flat=True)) == {ago(9)}


def test_an_empty_chunk_is_fine(book):
    model = scoring.published_model()
    scored = scoring.score(loading.features(D, 8192, 16384), business_date=D, model=model)
    assert storing.put_scores(D, scored) == 0


def test_the_change_in_health_compares_with_the_snapshot_of_thirty_days_ago(book, catalogue):
    a, *_ = book
    model = scoring.published_model()
    frame = features()
    weak = frame.assign(weekly_active_ratio=0.45, usage_change_28=0.1, features_used_ratio=0.9, active_days_ratio=0.9)
    storing.put_scores(ago(30), scoring.score(weak, business_date=ago(30), model=model, with_trend=False), is_newest=False)
    strong = weak.assign(weekly_active_ratio=0.8)
    made = scoring.score(strong, business_date=D, model=model).features
    assert made.loc[a.pk, ["health", "health_change_30"]].tolist() == [100, 16]
    assert scoring.score(strong, business_date=ago(-90), model=model).features["health_change_30"].isna().all()
