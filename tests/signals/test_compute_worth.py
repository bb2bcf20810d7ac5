"""What an alert may be worth, how it ranks, and how values read."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from signals.compute import amounts, priority
from signals.terms import EDITABLE, MISSING, TERMS, UNITS, format_value

NAN = np.nan


def expected(kind, **terms):
    row = amounts.expected(kind, pd.DataFrame({k: [float(v)] for k, v in terms.items()}, index=[1])).loc[1]
    return tuple(None if math.isnan(v) else v / 100 for v in (row["low_cents"], row["high_cents"]))


@pytest.mark.parametrize(
    ("kind", "terms", "range_"),
    [
        # 47 of 50 in use: 53 seats make it 89 %, 59 make it 80 %
        pytest.param("seats", {"seats": 50, "seats_used": 47, "seat_price_year": 24_000}, (72_000, 216_000), id="seats"),
        pytest.param("seats", {"seats": 50, "seats_used": 10, "seat_price_year": 24_000}, (24_000, 24_000), id="one seat at least"),
        pytest.param("seats", {"seats": 50, "seats_used": NAN, "seat_price_year": 24_000}, (None, None), id="use not known"),
        pytest.param("next_plan", {"next_plan_gain_year": 500_000}, (450_000, 500_000), id="next plan"),
        pytest.param("next_plan", {"next_plan_gain_year": -1}, (None, None), id="the next plan costs no more"),
        pytest.param("capacity", {"capacity_price_year": 72_000, "capacity_units": 3}, (72_000, 216_000), id="capacity"),
        pytest.param("product", {"offer_low_year": 300_000, "offer_high_year": 420_000}, (300_000, 420_000), id="related product"),
        pytest.param("renewal", {"renewing_arr": 480_000, "arr": 540_000}, (480_000, 480_000), id="renewal"),
        pytest.param("keep", {"arr": 540_000}, (540_000, 540_000), id="keep"),
        pytest.param("lower_plan", {"lower_plan_loss_year": 100_000}, (-100_000, -100_000), id="a cheaper plan"),
        pytest.param("none", {"arr": 540_000}, (None, None), id="none"),
    ],
)
def test_amounts(kind, terms, range_):
    assert expected(kind, **terms) == range_


ALERT = {
    "amount": 1_560_000.0, "deals": 19, "similar": 41, "is_renewal": True, "days": 78.0, "signals": 4, "nps_latest": 9.0,
    "is_excellent": True, "cautions": 1, "is_stopped": False,
}  # fmt: skip


def rank(p95=4_000_000.0, **changes):
    row = ALERT | changes
    return priority.rank(pd.DataFrame([row]), amount_p95=p95).loc[0].to_dict()


def test_the_parts_add_up_to_the_rank():
    found = rank()
    amount = math.floor(35 * math.log(1 + 15.6) / math.log(1 + 40) + 0.5)
    likelihood = math.floor(30 * (19 / 41) / 0.5 + 0.5)
    assert found == {
        "amount": amount, "likelihood": likelihood, "timing": 19, "overlap": 15, "relationship": 5, "cautions": -2,
        "priority": amount + likelihood + 19 + 15 + 5 - 2,
    }  # fmt: skip
    assert (amount, likelihood) == (26, 28)


@pytest.mark.parametrize(
    ("changes", "part", "points"),
    [
        ({"amount": NAN}, "amount", 0), ({"amount": 9e9}, "amount", 35), ({"amount": -5.0}, "amount", 0),
        ({"deals": 0, "similar": 0}, "likelihood", 0), ({"deals": 30, "similar": 40}, "likelihood", 30),
        ({"days": 75.0}, "timing", 20), ({"days": 150.0}, "timing", 0), ({"days": 200.0}, "timing", 0),
        ({"days": 0.0}, "timing", 0),
        ({"is_renewal": False, "days": 0.0}, "timing", 20), ({"is_renewal": False, "days": 15.0}, "timing", 10),
        ({"is_renewal": False, "days": 45.0}, "timing", 0), ({"days": NAN}, "timing", 0),
        ({"signals": 1}, "overlap", 0), ({"signals": 2}, "overlap", 5), ({"signals": 9}, "overlap", 15),
        ({"nps_latest": 8.0}, "relationship", 0), ({"is_excellent": False}, "relationship", 0),
        ({"nps_latest": NAN}, "relationship", 0),
        ({"cautions": 3}, "cautions", -6), ({"is_stopped": True, "cautions": 0}, "cautions", -15),
    ],
)  # fmt: skip
def test_each_part(changes, part, points):
    assert rank(**changes)[part] == points


def test_the_rank_stays_between_nought_and_a_hundred():
    assert rank(amount=9e9, deals=50, similar=50, days=75.0, cautions=0)["priority"] == 100
    assert rank(amount=NAN, deals=0, days=200.0, signals=1, nps_latest=NAN, is_stopped=True)["priority"] == 0
    assert rank(p95=0.0)["amount"] == 0


def test_each_part_tells_the_fact_behind_it():
    row = ALERT | {f"{k}_points": v for k, v in rank().items()}
    told = {
        fact["key"]: (fact["points"], fact["max"], fact["fact_ja"], fact["fact_en"]) for fact in priority.facts(row, currency="JPY")
    }
    assert told == {
        "amount": (26, 35, "年156万円", "¥1.56M a year"),
        "likelihood": (28, 30, "似たアラート41件中19件が商談化", "19 of 41 similar alerts became deals"),
        "timing": (19, 20, "更新まで78日", "78 days to the renewal"),
        "overlap": (15, 15, "サイン4件が同時", "4 signals at once"),
        "relationship": (5, 5, "NPS 9・ヘルスは極めて良好", "NPS 9, health excellent"),
        "cautions": (-2, 0, "注意点1件", "1 caution"),
    }


@pytest.mark.parametrize(
    ("term", "value", "ja", "en"),
    [
        ("seats_used_ratio", 0.855, "86%", "86%"), ("usage_change_28", -0.224, "−22%", "−22%"),
        ("usage_change_28", 0.31, "+31%", "+31%"),
        ("feature_weekly_uses", 12.4, "週12回", "12 a week"), ("feature_weekly_uses", 2.5, "週2.5回", "2.5 a week"),
        ("days_to_renewal", 78, "78日", "78 days"), ("days_to_renewal", 1, "1日", "1 day"), ("mrr", 1_234_567, "123万円", "¥1.23M"),
        ("health", 88, "88点", "88"), ("health_change_30", 14, "+14", "+14"), ("health_change_30", -3, "−3", "−3"),
        ("feature_burst_ratio", 4.22, "4.2倍", "4.2×"), ("auto_renew", 1, "あり", "yes"), ("budget_freeze", 0, "なし", "no"),
        ("nps_latest", 9, "9", "9"), ("satisfaction_90", 4.333, "4.3", "4.3"), ("seats", 120, "120席", "120"),
        ("weekly_active_users", 1234, "1,234名", "1,234"), ("nps", -20, "−20", "−20"), ("seats_left", NAN, "—", "—"),
        ("mrr", None, "—", "—"),
    ],
)  # fmt: skip
def test_values_read_as_people_say_them(term, value, ja, en):
    assert (format_value(term, value, "ja"), format_value(term, value, "en")) == (ja, en)


def test_every_term_is_told_in_both_languages():
    for key, term in TERMS.items():
        assert key == term.key
        assert term.unit in UNITS
        assert term.missing in MISSING
        assert term.dtype in {"f4", "f8"}
        assert all((term.name_ja, term.name_en, term.definition_ja, term.definition_en)), key
        if term.unit in {"money", "ratio", "change"}:
            assert term.dtype == "f8", key
    assert set(EDITABLE) == {key for key, term in TERMS.items() if not term.is_internal}
