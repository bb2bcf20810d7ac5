"""The figures, worked out by hand, and the same wherever they are asked for."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import fields
from datetime import date
from decimal import Decimal

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import FxRate
from expansion.dashboards import kpis, scopes
from expansion.dashboards.scopes import Scope
from expansion.dashboards.spans import Period
from signals.models import RfmScore

YEAR = Period(date(2024, 12, 31), date(2025, 12, 31))
ALL = Scope()


def command(*words, **options):
    out = io.StringIO()
    call_command(*words, stdout=out, **options)
    return out.getvalue()


def kpis_command(*words):
    return json.loads(command("kpis", *words, "--json"))


def test_a_year_by_hand(book):
    """Base: acme 1000, bolt 2000, core 500, dash 800.  Ends: 1800, 1200, 0, 840; echo came back, fuji is new."""
    assert kpis_command("--from", "2024-12-31", "--to", "2025-12-31") == {
        "from": "2024-12-31", "to": "2025-12-31", "start_mrr": "4300.00", "end_mrr": "4990.00", "retained_mrr": "3840.00",
        "nrr": "0.893023", "grr": "0.697674", "logo_retention": "0.750000", "start_customers": 4, "churned_customers": 1,
        "new": "700.00", "reactivation": "450.00", "expansion": "840.00", "contraction": "800.00", "churn": "500.00",
        "expansion_by_cause": {
            "plan": "0.00", "seats": "500.00", "capacity": "0.00", "addon": "0.00", "product": "300.00", "price": "40.00",
            "discount": "0.00", "term": "0.00", "renewal_down": "0.00", "pause": "0.00", "offset": "0.00",
        },
        "upsell_rate": "0.250000", "cross_sell_rate": "0.250000", "currency": "JPY",
        "nrr_with_reactivation": "0.997674", "nrr_of_price": "0.009302", "definitions_version": 1,
    }  # fmt: skip


def test_start_plus_movements_is_end(book):
    for period in (YEAR, Period(date(2025, 3, 5), date(2025, 3, 25)), Period(date(2023, 1, 1), date(2024, 6, 30))):
        f = kpis.retention(period, ALL)
        assert f.start_mrr + f.new + f.reactivation + f.expansion - f.contraction - f.churn == f.end_mrr
        assert sum(f.expansion_by_cause.values()) == f.expansion
        assert f.retained_mrr == f.start_mrr + f.expansion - f.contraction - f.churn


def test_a_base_of_nobody_has_no_rates(book):
    f = kpis.retention(Period(date(2023, 1, 1), date(2024, 6, 30)), ALL)
    assert (f.nrr, f.grr, f.logo_retention, f.upsell_rate, f.cross_sell_rate, f.has_base) == (None, None, None, None, None, False)
    assert (f.start_mrr, f.new, f.end_mrr) == (Decimal("0.00"), Decimal("4700.00"), Decimal("4700.00"))
    assert kpis_command("--from", "2023-01-01", "--to", "2024-06-30")["nrr"] is None


def test_an_empty_book(db):
    f = kpis.retention(YEAR, ALL)
    assert (f.start_mrr, f.end_mrr, f.nrr, f.start_customers) == (Decimal(0), Decimal(0), None, 0)
    assert kpis.movements(date(2025, 1, 1), date(2025, 12, 1), ALL) == []
    assert [point.nrr for point in kpis.trend(date(2025, 12, 31), ALL)] == [None] * 13
    assert [window.accounts for window in kpis.renewals(date(2025, 12, 31), ALL).windows] == [()] * 4


def test_events_count_from_the_day_after_from_until_to(book):
    assert kpis.retention(Period(date(2025, 5, 31), date(2025, 6, 1)), ALL).upsell_events == 1
    assert kpis.retention(Period(date(2025, 5, 30), date(2025, 5, 31)), ALL).upsell_events == 0
    assert kpis.retention(Period(date(2025, 6, 1), date(2025, 6, 2)), ALL).upsell_events == 0


def test_a_customer_that_lapsed_between_counts_at_both_ends(fill):
    fill("""
        customer owner line product starts     ends       mrr
        acme     aoi   a1   basic   2024-01-01 2025-03-01 1000
        acme     aoi   a2   basic   2025-06-01 -          1200
    """)
    f = kpis.retention(YEAR, ALL)
    assert (f.nrr, f.grr, f.churned_customers, f.expansion) == (Decimal("1.200000"), Decimal("1.000000"), 0, Decimal("200.00"))
    assert (f.upsell_events, f.offset) == (0, Decimal("200.00"))


def test_gross_causes_and_the_offset_reconcile(fill):
    fill("""
        customer owner line product starts     ends       qty mrr
        acme     aoi   a1   basic   2024-01-01 -          10  1000
        acme     aoi   a1   basic   2025-02-01 -          15  1500
        acme     aoi   a1   basic   2025-04-01 -          12  1200
        bolt     aoi   b1   basic   2024-01-01 -          10  1000
        bolt     aoi   b1   basic   2025-02-01 2025-05-01 12  1200
    """)
    f = kpis.retention(YEAR, ALL)
    assert (f.expansion, f.contraction, f.churn) == (Decimal("200.00"), Decimal("0.00"), Decimal("1000.00"))
    assert (f.expansion_by_cause["seats"], f.offset, f.upsold_customers) == (Decimal("700.00"), Decimal("-500.00"), 2)
    steps = [(step.key, step.amount, step.base) for step in kpis.waterfall(f)]
    assert steps == [
        ("start", 2000, 0), ("upsell", 700, 2000), ("cross_sell", 0, 2700), ("offset", -500, 2700), ("contraction", 0, 2200),
        ("churn", -1000, 2200), ("retained", 1200, 0), ("new", 0, 1200), ("end", 1200, 0),
    ]  # fmt: skip


def test_the_waterfall_ends_where_the_period_ends(book):
    f = kpis.retention(YEAR, ALL)
    assert [(step.key, step.amount, step.is_total) for step in kpis.waterfall(f)] == [
        ("start", 4300, True), ("upsell", 500, False), ("cross_sell", 300, False), ("other_gains", 40, False),
        ("contraction", -800, False), ("churn", -500, False), ("retained", 3840, True), ("reactivation", 450, False),
        ("new", 700, False), ("end", 4990, True),
    ]  # fmt: skip


def test_new_customers_sell_nothing(book):
    """fuji began in the span: what it buys later in it is no upsell of the base."""
    from accounts import ledger
    from accounts.models import ContractLine, Product

    line = ContractLine.objects.get(line_id="f1")
    ContractLine.objects.create(
        customer=line.customer, line_id="f2", product=Product.objects.get(code="board"), starts_on="2025-11-01",
        amount=100, mrr=100, arr=1200, currency="JPY",
    )  # fmt: skip
    ledger.rebuild()
    f = kpis.retention(YEAR, ALL)
    assert (f.cross_sell_events, f.new) == (1, Decimal("800.00"))


@pytest.mark.parametrize(("terms", "start", "end"), [
    pytest.param(["owner=aoi@example.jp"], "3000.00", "3000.00", id="owner"),
    pytest.param(["owner=AOI@example.jp"], "3000.00", "3000.00", id="owner, whatever the case"),
    pytest.param(["team=west"], "1300.00", "1540.00", id="team"),
    pytest.param(["customer=acme"], "1000.00", "1800.00", id="customer"),
    pytest.param(["team=east", "customer=acme"], "1000.00", "1800.00", id="both must hold"),
    pytest.param(["customer=acme", "customer=bolt"], "0.00", "0.00", id="repeated is and, not or"),
    pytest.param(["plan=basic"], "4300.00", "4290.00", id="plan at the end: bolt moved to it, core left on it"),
    pytest.param(["plan=pro"], "0.00", "700.00", id="plan at the end: only fuji"),
    pytest.param(["plan=pro", "team=east"], "0.00", "0.00", id="plan and team"),
])  # fmt: skip
def test_scope(book, terms, start, end):
    words = [word for term in terms for word in ("--scope", term)]
    told = kpis_command("--from", "2024-12-31", "--to", "2025-12-31", *words)
    assert (told["start_mrr"], told["end_mrr"]) == (start, end)


def test_scope_by_segment_is_that_of_the_newest_scores_by_the_end(book):
    for day, segment in (("2025-06-30", "loyal"), ("2025-12-30", "champion"), ("2026-01-05", "lost")):
        RfmScore.objects.create(customer=book["acme"], lens="usage", business_date=day, segment=segment)
    assert kpis.retention(YEAR, Scope(terms=(("segment", "champion"),))).start_customers == 1
    assert kpis.retention(YEAR, Scope(terms=(("segment", "loyal"),))).start_customers == 0
    assert kpis.retention(Period(date(2024, 6, 30), date(2025, 6, 30)), Scope(terms=(("segment", "loyal"),))).start_customers == 1


@pytest.mark.parametrize(("term", "said"), [
    ("colour=red", "colour=red"), ("owner", "owner"), ("team=", "team="), ("team=north", "north"),
    ("owner=nobody@example.jp", "nobody"),    ("plan=gold", "gold"), ("segment=vip", "vip"), ("customer=zz", "zz"),
])  # fmt: skip
def test_an_unknown_scope_is_refused_in_words(book, term, said):
    with pytest.raises(CommandError, match=said) as refusal:
        command("kpis", "--from", "2024-12-31", "--to", "2025-12-31", "--scope", term, "--json")
    assert refusal.value.returncode == 1


def test_wrong_usage_exits_with_2(book):
    with pytest.raises(CommandError) as refusal:
        command("kpis", "--from", "2025-12-31", "--to", "2025-12-31", "--json")
    assert refusal.value.returncode == 2
    with pytest.raises(CommandError) as refusal:
        command("movements", "--from", "2025-12", "--to", "2025-11")
    assert refusal.value.returncode == 2


@pytest.mark.parametrize(("name", "start_customers", "start"), [
    ("aoi", 2, "3000.00"), ("ben", 2, "1300.00"), ("emi", 2, "3000.00"), ("max", 4, "4300.00"), ("vic", 4, "4300.00"),
])  # fmt: skip
def test_everybody_sees_the_customers_of_their_scope(book, people, name, start_customers, start):
    f = kpis.retention(YEAR, Scope(user=people[name]))
    assert (f.start_customers, f.start_mrr) == (start_customers, Decimal(start))


def test_a_person_who_may_not_log_in_sees_nothing(book, people):
    people["max"].is_active = False
    assert kpis.retention(YEAR, Scope(user=people["max"])).start_customers == 0


def test_a_customer_out_of_sight_is_a_customer_that_does_not_exist(book, people):
    with pytest.raises(scopes.UnknownScope):
        kpis.retention(YEAR, Scope(terms=(("customer", "dash"),), user=people["aoi"]))


def test_movements(book):
    rows = list(csv.reader(io.StringIO(command("movements", "--from", "2025-01", "--to", "2025-12", "--csv"))))
    assert rows == [
        ["customer_id", "month", "mrr_before", "mrr_after", "change", "category"],
        ["acme", "2025-06", "1000.00", "1500.00", "500.00", "expansion"],
        ["acme", "2025-08", "1500.00", "1800.00", "300.00", "expansion"],
        ["bolt", "2025-09", "2000.00", "1200.00", "-800.00", "contraction"],
        ["core", "2025-05", "500.00", "0.00", "-500.00", "churn"],
        ["dash", "2025-10", "800.00", "840.00", "40.00", "expansion"],
        ["echo", "2025-07", "0.00", "450.00", "450.00", "reactivation"],
        ["fuji", "2025-07", "0.00", "700.00", "700.00", "new"],
    ]  # fmt: skip
    assert "acme\t2025-06\t1000.00\t1500.00\t500.00\texpansion" in command("movements", "--from", "2025-06", "--to", "2025-06")
    assert [row.customer_id for row in kpis.movements(date(2025, 1, 1), date(2025, 12, 1), Scope(terms=(("plan", "pro"),)))] == [
        "fuji"
    ]


def test_movements_of_a_month_are_the_figures_of_that_month(book):
    for month, from_day, to_day in (("2025-06", "2025-05-31", "2025-06-30"), ("2025-07", "2025-06-30", "2025-07-31"),
                                    ("2025-09", "2025-08-31", "2025-09-30"), ("2025-05", "2025-04-30", "2025-05-31")):  # fmt: skip
        first = date.fromisoformat(f"{month}-01")
        rows = kpis.movements(first, first, ALL)
        f = kpis.retention(Period(date.fromisoformat(from_day), date.fromisoformat(to_day)), ALL)
        for category in ("new", "reactivation", "expansion", "contraction", "churn"):
            assert sum((abs(row.change) for row in rows if row.category == category), Decimal(0)) == getattr(f, category)


def test_the_trend_ends_with_the_figures_of_the_last_twelve_months(book):
    points = kpis.trend(date(2025, 12, 31), ALL)
    assert [point.period.to_day for point in points[:2]] == [date(2024, 12, 31), date(2025, 1, 31)]
    assert len(points) == 13
    assert (points[-1].nrr, points[-1].grr) == (Decimal("0.893023"), Decimal("0.697674"))
    for point in points:
        f = kpis.retention(point.period, ALL)
        assert (f.nrr, f.grr) == (point.nrr, point.grr)


def test_exchange_rates_move_nothing(fill):
    fill("""
        customer owner line product currency starts     qty mrr
        acme     aoi   a1   basic   USD      2024-01-01 10  100.01
        acme     aoi   a1   basic   USD      2025-06-01 20  200.02
        bolt     aoi   b1   basic   JPY      2024-01-01 1   1000
    """)
    FxRate.objects.create(valid_from="2024-04-01", currency="USD", rate="150.25")
    FxRate.objects.create(valid_from="2025-04-01", currency="USD", rate="100.5")
    f = kpis.retention(YEAR, ALL)
    assert (f.start_mrr, f.end_mrr) == (Decimal("11051.01"), Decimal("21102.01"))
    assert (f.expansion, f.expansion_by_cause["seats"], f.offset) == (Decimal("10051.00"), Decimal("10051.01"), Decimal("-0.01"))
    earlier = kpis.retention(Period(date(2024, 12, 31), date(2025, 3, 31)), ALL)
    assert (earlier.start_mrr, earlier.end_mrr, earlier.nrr) == (Decimal("16026.50"), Decimal("16026.50"), Decimal("1.000000"))
    assert [point.nrr for point in kpis.trend(date(2025, 6, 30), ALL)][-2:] == [Decimal("1.000000"), Decimal("1.909510")]


def test_renewals_by_window_and_band(fill, standing):
    customers = fill("""
        customer owner line product starts     renews     mrr
        acme     aoi   a1   basic   2025-01-01 2026-01-10 100
        acme     aoi   a2   board   2025-01-01 2026-03-01 50
        bolt     aoi   b1   basic   2025-01-01 2026-01-30 200
        core     ben   c1   basic   2025-01-01 2026-01-31 300
        dash     ben   d1   basic   2025-01-01 2026-04-30 400
        echo     -     e1   basic   2025-01-01 2026-05-01 500
    """)
    standing({customers["acme"]: "healthy", customers["bolt"]: "act_now", customers["core"]: "watch"})
    found = kpis.renewals(date(2025, 12, 31), ALL)
    assert [(w.after_days, w.within_days, [a.band for a in w.accounts], w.arr, w.arr_at_risk) for w in found.windows] == [
        (0, 30, ["act_now", "healthy"], 3600, 2400), (30, 60, ["watch", "healthy"], 4200, 3600), (60, 90, [], 0, 0),
        (90, 120, ["insufficient"], 4800, 0),
    ]  # fmt: skip
    soon = found.within(60)
    assert (len(soon.accounts), soon.arr, soon.arr_at_risk, soon.at_risk) == (3, 7800, 6000, 2)
    assert found.windows[0].by_band == (("act_now", 1), ("watch", 0), ("healthy", 1), ("excellent", 0), ("insufficient", 0))
    mine = kpis.renewals(date(2025, 12, 31), Scope(terms=(("owner", "ben@example.jp"),)))
    assert [window.arr for window in mine.windows] == [0, 3600, 0, 4800]


def test_the_upsell_figures(book):
    told = kpis.upsell_json(kpis.retention(YEAR, ALL))
    assert told == {
        "from": "2024-12-31", "to": "2025-12-31", "start_customers": 4, "upsell_rate": "0.250000", "upsold_customers": 1,
        "cross_sell_rate": "0.250000", "cross_sold_customers": 1, "expansion_rate": "0.250000", "expanded_customers": 1,
        "upsell_events": 1, "upsell_mrr": "500.00", "upsell_unit_amount": "500.00", "upsells_per_customer": "0.250000",
        "upsells_per_upsold_customer": "1.000000", "cross_sell_events": 1, "cross_sell_mrr": "300.00", "currency": "JPY",
        "definitions_version": 1,
    }  # fmt: skip


def test_queries_do_not_grow_with_customers(fill):
    rows = "\n".join(f"k{n} aoi l{n} basic 2024-01-01 100\nk{n} aoi l{n} basic 2025-06-01 150" for n in range(50))
    fill("customer owner line product starts mrr\nacme aoi a1 basic 2024-01-01 100")
    with CaptureQueriesContext(connection) as one:
        kpis.retention(YEAR, Scope(terms=(("team", "east"), ("plan", "basic"))))
    fill(f"customer owner line product starts mrr\n{rows}")
    with CaptureQueriesContext(connection) as many:
        kpis.retention(YEAR, Scope(terms=(("team", "east"), ("plan", "basic"))))
    assert (len(one), len(many)) == (5, 5)


def test_figures_are_frozen():
    assert {field.name for field in fields(kpis.Retention)} >= {"nrr", "grr", "logo_retention", "retained_mrr", "offset"}
