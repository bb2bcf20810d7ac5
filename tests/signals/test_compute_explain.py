"""Explanations, sparklines, and the commands and API that print scores."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client

from accounts import ledger, usage
from accounts.models import Customer, Metric, Order, Product
from expansion.users.models import User
from signals import defaults, explain, loading, scoring, series, snapshots, storing
from signals.models import HealthScore, Rule, RuleVersion
from signals.models.definitions import VersionState

pytestmark = pytest.mark.django_db

D = date(2026, 6, 30)
NOW = datetime(2026, 7, 1, tzinfo=UTC)
SEATS = {"key": "seats", "term": "seats_used_ratio", "op": ">=", "threshold": 0.9}


def ago(days):
    return D - timedelta(days=days)


@pytest.fixture
def customer():
    """A customer with 10 seats, of which 8 are in use since 20 days, that renews in 100 days."""
    from tests.signals.test_compute_night import line

    defaults.load(NOW)
    made = Customer.objects.create(customer_id="C0", slot=0, name="C0")
    plan = Product.objects.create(code="STD", name="Std", kind="plan", family="core", tier=1, list_price=1000)
    line(made, plan, amount=120_000, quantity=10, renews_on=ago(-100))
    ledger.rebuild()
    seats, report = (
        Metric.objects.create(key=k, kind=kind).pk for k, kind in (("seats_used", "gauge"), ("feature.report", "counter"))
    )
    rows = [(made.pk, seats, ago(n), 8.0 if n <= 20 else 4.0) for n in range(160)]
    rows += [(made.pk, report, ago(n), 1.0) for n in range(160)]
    frame = pd.DataFrame(rows, columns=["customer_id", "metric_id", "day", "value"]).astype({"metric_id": "int16"})
    usage.append(frame, batch_id=None)
    usage.rebuild_dirty_blocks(through=D)
    return made


def rule(key, when, *, unless=(), **more):
    made = Rule.objects.create(key=key, family=key)
    body = {
        "name_ja": key, "name_en": key, "definition_ja": "", "definition_en": "", "icon": "", "when": when, "unless": list(unless),
        "play_kind": "upsell", "playbook": "add_seats", "amount": {"kind": "none"},
    } | more  # fmt: skip
    RuleVersion.objects.create(rule=made, number=1, state=VersionState.PUBLISHED, body=body, edited_at=NOW, published_at=NOW)
    return made


def only(customer, key, day=D):
    (found,) = explain.explain(customer, business_date=day, rule_key=key)
    return found


def night(day=D):
    frame = loading.features(day, *snapshots.chunks()[0])
    storing.put_scores(day, scoring.score(frame, business_date=day, model=scoring.published_model()))
    storing.put_ranks(day, scoring.ranks(day))


def test_a_rule_that_is_short_of_its_threshold_says_by_how_much(customer):
    rule("seats", [[SEATS]])
    found = only(customer, "seats")
    assert (found.fires, found.unmet, found.distance) == (False, 1, pytest.approx(0.1 / 0.9))
    clause = found.nearest
    assert (clause.value, clause.gap, clause.gap_ja, clause.gap_en) == (0.8, pytest.approx(0.1), "あと1席", "1 seat short")
    assert (found.why_not_ja, found.why_not_en) == ("席の使用率:あと1席", "Seats in use, share: 1 seat short")


@pytest.mark.parametrize(
    ("clause", "gap_ja", "gap_en"),
    [
        pytest.param({"term": "days_to_renewal", "op": "<=", "threshold": 90}, "あと10日", "10 days away", id="days"),
        pytest.param({"term": "products_owned", "op": ">=", "threshold": 3}, "あと2製品", "2 away", id="a count"),
        pytest.param({"term": "usage_change_28", "op": ">=", "threshold": 0.2}, "あと20ポイント", "20 points away", id="a change"),
        pytest.param(
            {"term": "nps_latest", "op": "<=", "threshold": 6},
            "12か月以内の回答がない",
            "no answer in the last 12 months",
            id="a missing value",
        ),
        pytest.param(
            {"term": "seats_used_ratio", "op": ">=", "threshold": 0.75, "sustained_days": 30},
            "あと9日続けば",
            "9 days more in a row",
            id="not for long enough",
        ),
    ],
)
def test_gaps_are_told_in_the_unit_of_the_term(customer, clause, gap_ja, gap_en):
    rule("one", [[{"key": "it", **clause}]])
    nearest = only(customer, "one").nearest
    assert (nearest.gap_ja, nearest.gap_en) == (gap_ja, gap_en)


def test_a_rule_that_fires_has_no_distance_and_an_exception_is_named(customer):
    near = {**SEATS, "threshold": 0.7}
    rule("plain", [[near]])
    rule("stopped", [[near]], unless=[{"key": "late", "term": "days_to_renewal", "op": "<=", "threshold": 120}])
    rule("scoped", [[near]], scope={"plans": ["PRO"]})
    assert (only(customer, "plain").fires, only(customer, "plain").distance) == (True, 0.0)
    stopped = only(customer, "stopped")
    assert (stopped.fires, stopped.why_not_ja) == (False, "例外:更新までの日数")
    assert only(customer, "scoped").why_not_en == "the rule does not look at this account"


def test_the_nearest_of_several_groups_is_shown(customer):
    far = {"key": "far", "term": "days_to_renewal", "op": "<=", "threshold": 10}
    missing = {"key": "nps", "term": "nps_latest", "op": ">=", "threshold": 9}
    rule("groups", [[far], [SEATS, far], [SEATS], [missing]])
    found = only(customer, "groups")
    assert (found.nearest.key, found.unmet) == ("seats", 1)
    nearly = [one.rule for one in explain.nearly(explain.explain(customer, business_date=D), most=3)]
    assert nearly == ["health_rise", "seats_near_limit", "groups"]


def test_the_snapshot_and_the_customer_alone_are_explained_alike(customer):
    rule("seats", [[SEATS, {"key": "usage", "term": "usage_28", "op": ">=", "threshold": 30}]])
    alone = only(customer, "seats")
    night()
    assert only(customer, "seats") == alone


def test_explaining_the_snapshot_takes_three_statements(customer, django_assert_num_queries):
    night()
    with django_assert_num_queries(3):  # the rules, the values, the days of the rule that asks for seven
        explain.explain(customer, business_date=D)


def test_a_sparkline_reaches_back_before_the_first_night(customer, django_assert_num_queries):
    night()
    with django_assert_num_queries(2):
        found = series.weekly(customer.pk, ["seats_used_ratio", "usage_28", "days_to_renewal", "health", "nps"], until=D)
    assert found["seats_used_ratio"] == [0.4] * 9 + [0.8] * 3
    assert found["usage_28"] == [28.0] * 12
    assert found["days_to_renewal"] == [float(100 + 7 * n) for n in reversed(range(12))]
    assert found["nps"] == [None] * 12
    assert found["health"][:-1] == [None] * 11
    assert found["health"][-1] is not None
    assert series.series(customer.pk, "seats_used_ratio", until=D, weeks=2) == [0.8, 0.8]


def test_stored_weeks_win_over_reconstructed_ones(customer):
    night()
    snapshots.write(ago(7), pd.DataFrame({"slot": [0], "seats_used_ratio": [0.55]}))
    assert series.series(customer.pk, "seats_used_ratio", until=D, weeks=3) == [0.8, 0.55, 0.8]


def printed(*args):
    out = io.StringIO()
    call_command(*args, stdout=out)
    return out.getvalue()


def test_rfm_prints_the_same_before_and_after_the_night(customer):
    Order.objects.create(customer=customer, external_id="o", ordered_on=ago(5), amount="1234.50", currency="JPY")
    Customer.objects.create(customer_id="C1", slot=1, name="C1")
    fresh = printed("rfm", "--as-of", "2026-06-30", "--csv")
    rows = list(csv.reader(io.StringIO(fresh)))
    assert rows[0] == ["customer_id", "recency_days", "frequency", "monetary", "r", "f", "m", "segment"]
    assert rows[1] == ["C0", "5", "2", "1234.50", "5", "2", "3", "potential"]
    assert rows[2] == ["C1", "", "", "", "", "", "", ""]
    usage_lens = printed("rfm", "--as-of", "2026-06-30", "--lens", "usage", "--csv")
    assert usage_lens.splitlines()[1] == "C0,0,28,10000.00,5,5,3,champion"
    night()
    assert printed("rfm", "--as-of", "2026-06-30", "--csv") == fresh
    assert printed("rfm", "--as-of", "2026-06-30", "--lens", "usage", "--csv") == usage_lens
    assert json.loads(printed("rfm", "--as-of", "2026-06-30", "--json"))[0]["monetary"] == "1234.50"


def test_health_prints_the_same_before_and_after_the_night(customer):
    fresh = printed("health", "--as-of", "2026-06-30", "--csv")
    header, row = csv.reader(io.StringIO(fresh))
    told = dict(zip(header, row, strict=True))
    assert header[:4] == ["customer_id", "score", "band", "coverage"]
    assert (told["points.seats_used"], told["points.nps"], told["points.features"]) == ("83.3333", "", "100.0")
    # seats 0.8 of 0.3 … 0.9; trend 0 of −0.5 … 0.1; all features on 28 days
    assert told["score"] == str(int((30 * 83.3333 + 25 * 100 + 15 * 83.3333) / 70 + 0.5))
    assert told["coverage"] == str(round((30 * 0.4 + 25 + 15) / 100, 6))
    night()
    assert printed("health", "--as-of", "2026-06-30", "--csv") == fresh
    assert printed("health", "--as-of", "2026-06-30") == "excellent\t1\n"


def test_explain_prints_every_rule(customer):
    night()
    told = json.loads(printed("explain", "C0", "--json"))
    assert (told["customer_id"], told["date"], len(told["rules"])) == ("C0", "2026-06-30", 10)
    seats = next(one for one in told["rules"] if one["rule"] == "seats_near_limit")
    assert seats["fires"] is False
    assert {"key", "term", "value", "threshold", "gap", "holds", "group"} <= set(seats["conditions"][0])
    with pytest.raises(CommandError, match="There is no customer 'nobody'"):
        call_command("explain", "nobody")


def test_the_api_answers_what_the_commands_print(customer):
    night()
    User.objects.create_user("a@example.com", "pass word 123", name="A", role="viewer", scope="all")
    client = Client()
    assert client.get("/api/v1/health/").status_code in {401, 403}
    client.force_login(User.objects.get(email="a@example.com"))
    (row,) = client.get("/api/v1/health/").json()["results"]
    stored = HealthScore.objects.get()
    assert (row["customer_id"], row["score"], row["band"]) == ("C0", stored.score, stored.band)
    assert row["points"]["seats_used"] == 83.3333
    (row,) = client.get("/api/v1/rfm/?lens=usage&as_of=2026-06-30").json()["results"]
    assert (row["recency_days"], row["segment"]) == (0, "champion")
    assert client.get("/api/v1/rfm/?as_of=2026-06-29").json()["results"] == []
    assert client.get("/api/v1/rfm/?lens=x").status_code == 400
    User.objects.filter(email="a@example.com").update(scope="own")
    other = User.objects.create_user("b@example.com", "pass word 123", name="B")
    Customer.objects.update(owner=other)
    assert client.get("/api/v1/health/").json()["results"] == []


def test_values_of_one_customer_are_cut_out_of_the_blocks(customer):
    night()
    far = Customer.objects.create(customer_id="C9", slot=snapshots.BLOCK_SLOTS + 1, name="C9")
    found = snapshots.values_of(customer.slot, ["mrr", "seats_used_ratio", "nps"], [D, ago(1)])
    assert found.loc[D].tolist()[:2] == [10_000.0, 0.8]
    assert np.isnan(found.loc[D, "nps"])
    assert found.loc[ago(1)].isna().all()
    assert snapshots.values_of(far.slot, ["mrr"], [D])["mrr"].isna().all()
