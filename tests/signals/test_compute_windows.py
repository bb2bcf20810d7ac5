"""Usage windows: exact values in sight, and equal to a slow obvious Python on random data."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from signals import loading
from signals.compute import windows

NAN = np.nan


def inputs(counters=None, gauges=None, *, feed=None, seats=10.0, quotas=None, activity=None, working=None, slots=1):
    """Put single columns of days (the last one is the business date) into the shape of the store."""
    counters, gauges = counters or {}, gauges or {}

    def block(columns, days):
        made = np.full((days, len(columns), slots), NAN, dtype=np.float32)
        for place, values in enumerate(columns.values()):
            values = np.asarray(values, dtype=np.float32).reshape(len(values), -1)
            made[days - len(values) :, place] = values
        return made

    stored = block(counters, windows.COUNTER_DAYS)
    fed = ~np.isnan(stored).all(axis=2) if feed is None else feed
    return windows.UsageInputs(
        counters=stored, counter_keys=tuple(counters), feed=fed,
        working=np.ones(len(stored), dtype=bool) if working is None else working,
        gauges=block(gauges, windows.GAUGE_DAYS), gauge_keys=tuple(gauges),
        activity=activity, seats=np.full(slots, seats),
        quotas={key: np.full(slots, limit) for key, limit in (quotas or {}).items()},
    )  # fmt: skip


def terms(*args, **kwargs):
    return {key: values[0] for key, values in windows.usage_terms(inputs(*args, **kwargs)).items()}


def test_sums_reach_back_seven_twenty_eight_and_ninety_one_days():
    found = terms({"feature.a": np.arange(98)})
    assert (found["usage_7"], found["usage_28"], found["usage_91"]) == (
        sum(range(91, 98)),
        sum(range(70, 98)),
        sum(range(7, 98)),
    )


def test_a_day_without_feed_is_left_out_of_means_and_a_day_with_feed_but_no_row_is_zero():
    days = np.full(98, 2.0)
    days[-28:-14] = NAN
    dead = np.isnan(days)[:, None]
    fed = terms({"feature.a": days}, feed=np.ones((98, 1), dtype=bool))
    out = terms({"feature.a": days}, feed=~dead)
    assert (fed["usage_28"], fed["usage_change_28"]) == (28, -0.5)
    assert (out["usage_28"], out["usage_change_28"]) == (28, 0.0)


@pytest.mark.parametrize(
    ("used_since", "change"),
    [
        pytest.param(98, 0.0, id="used all along"),
        pytest.param(57, 0.0, id="used one day before the base"),
        pytest.param(56, NAN, id="began with the base: a ramp-up"),
        pytest.param(28, NAN, id="no base at all"),
    ],
)
def test_change_needs_use_before_its_base(used_since, change):
    days = np.where(np.arange(98) >= 98 - used_since, 1.0, NAN)
    assert terms({"feature.a": days}, feed=np.ones((98, 1), dtype=bool))["usage_change_28"] == pytest.approx(change, nan_ok=True)


def test_only_features_count_as_use_where_features_are_named():
    found = terms({"feature.a": np.ones(98), "logins": np.full(98, 50.0), "exports": np.full(98, 3.0)})
    assert (found["usage_7"], found["logins_28"], found["csv_exports_28"]) == (7, 1400, 84)
    assert terms({"clicks": np.ones(98)})["usage_7"] == 7


def burst(base, week, *, since=98):
    days = np.where(np.arange(98) >= 98 - since, float(base), 0.0)
    days[-7:] = week
    return terms({"feature.quiet": np.ones(98), "feature.csv": days})


def test_the_feature_that_grew_most_is_named_with_its_growth():
    found = burst(2, 6)
    assert (found["feature_burst_ratio"], found["feature_burst_uses_7"], found["burst_metric_key"]) == (3.0, 42, 1)


def test_a_feature_hardly_used_before_is_measured_against_once_a_week():
    days = np.zeros(98)
    days[0], days[-7:] = 1, 2
    assert terms({"feature.a": days}, feed=np.ones((98, 1), dtype=bool))["feature_burst_ratio"] == pytest.approx(10)


def test_a_feature_that_began_lately_is_no_burst():
    assert burst(2, 20, since=57)["burst_metric_key"] == 1
    assert burst(2, 20, since=56)["burst_metric_key"] == 0


def test_fewer_than_seven_uses_are_no_burst():
    days = np.zeros(98)
    days[0], days[-3:] = 1, 2
    assert np.isnan(terms({"feature.a": days}, feed=np.ones((98, 1), dtype=bool))["feature_burst_ratio"])


@pytest.mark.parametrize(("ago", "held"), [(0, 4.0), (13, 4.0), (14, NAN)])
def test_a_gauge_holds_its_last_value_for_fourteen_days(ago, held):
    days = np.full(30, NAN)
    days[-1 - ago] = 4
    assert terms(gauges={"seats_used": days})["seats_used"] == pytest.approx(held, nan_ok=True)


def test_seats_are_compared_with_the_contract_of_today():
    used = np.concatenate([np.full(80, 5.0), np.arange(6, 10), np.full(21, 9.0)])
    found = terms(gauges={"seats_used": used}, seats=10.0)
    assert (found["seats_used_ratio"], found["seats_left"], found["seats_full_days"]) == (0.9, 1, 22)
    # four more in 28 days: one more in seven
    assert found["days_to_seat_limit"] == 7
    none = terms(gauges={"seats_used": used}, seats=NAN)
    assert np.isnan([none["seats_used_ratio"], none["seats_full_days"], none["days_to_seat_limit"]]).all()


def test_the_tightest_quota_counts_whether_measured_or_summed():
    found = terms(
        {"api_calls": np.full(98, 10.0)}, {"storage_gb": np.full(40, 30.0)}, quotas={"api_calls": 350.0, "storage_gb": 100.0}
    )
    assert (found["quota_used_ratio"], found["storage_used_ratio"], found["quota_metric_key"]) == (0.8, 0.3, 0)
    assert terms(gauges={"storage_gb": np.full(40, 30.0)}, quotas={})["quota_metric_key"] == -1


def test_nothing_at_all_is_missing_everywhere():
    found = terms()
    known = {key for key, value in found.items() if not np.isnan(value)}
    assert known == {"quota_metric_key", "burst_metric_key"}


def test_days_in_use_join_features_and_activity():
    activity = np.zeros((28, 1), dtype=bool)
    activity[[0, 27]] = True
    days = np.zeros(98)
    days[-3] = 5
    found = terms({"feature.a": days}, feed=np.ones((98, 1), dtype=bool), activity=activity)
    assert (found["active_days_28"], found["usage_recency_days"]) == (3, 0)


def test_daily_series_end_with_the_value_of_the_day():
    given = inputs(
        {"api_calls": np.full(98, 10.0)}, {"seats_used": np.arange(105.0)}, seats=200.0, quotas={"api_calls": 560.0}, slots=1
    )
    series = windows.daily_terms(given, days=3)
    assert series["seats_used_ratio"][:, 0].tolist() == [0.51, 0.515, 0.52]
    assert series["quota_used_ratio"][:, 0].tolist() == [0.5, 0.5, 0.5]
    now = windows.usage_terms(given)
    for term in ("seats_used", "seats_used_ratio", "seats_left", "quota_used_ratio"):
        assert series[term][-1] == pytest.approx(now[term], nan_ok=True)


def slow(values, fed, working, gauge, seats):
    """One slot at a time, day by day, as the definitions read."""
    n = len(values)
    day = [(0.0 if np.isnan(v) else float(v)) if f else None for v, f in zip(values, fed, strict=True)]
    on = [v for v, w in zip(day, working, strict=True) if v is not None and w]
    off = [v for v, w in zip(day, working, strict=True) if v is not None and not w]
    weight = 0.0
    if on and off:
        mean_on, mean_off = sum(on) / len(on), sum(off) / len(off)
        weight = min(mean_off / mean_on, 1.0) if mean_on > 0 else float(mean_off > 0)

    def total(start, stop):
        inside = [(v, w) for v, w in zip(day[n - stop : n - start], working[n - stop : n - start], strict=True) if v is not None]
        return sum(v for v, _ in inside), sum(1.0 if w else weight for _, w in inside)

    def feed_days(start, stop):
        return sum(bool(f) for f in fed[n - stop : n - start])

    held = None
    for ago in range(14):
        if not np.isnan(gauge[-1 - ago]):
            held = float(gauge[-1 - ago])
            break
    (week, week_days), (month, month_days), (before, before_days) = total(0, 7), total(0, 28), total(28, 56)
    (base, base_days), (early, _) = total(7, 98), total(56, 98)
    worked = sum(1 for w in working[-28:] if w)
    made = {
        "usage_7": week if any(fed[-7:]) else NAN,
        "usage_28": month if any(fed[-28:]) else NAN,
        "usage_91": total(0, 91)[0] if any(fed[-91:]) else NAN,
        "usage_change_28": NAN,
        "feature_burst_ratio": NAN,
        "active_days_28": float(sum(1 for v in day[-28:] if v)) if any(fed[-28:]) else NAN,
        "active_days_ratio": min(sum(1 for v in day[-28:] if v) / worked, 1.0) if any(fed[-28:]) else NAN,
        "seats_used_ratio": NAN if held is None else held / seats,
    }
    if feed_days(0, 28) >= 7 and feed_days(28, 56) >= 7 and before > 0 and early > 0 and month_days and before_days:
        made["usage_change_28"] = month / month_days / (before / before_days) - 1
    if feed_days(0, 7) and feed_days(7, 98) >= 28 and week >= 7 and early > 0 and week_days >= 2 and base_days:
        made["feature_burst_ratio"] = week / week_days / max(base / base_days, 1 / 5)
    return made


@pytest.mark.parametrize("seed", range(12))
def test_all_slots_at_once_equal_one_by_one(seed):
    rng = np.random.default_rng(seed)
    slots = 25
    values = rng.poisson(rng.choice([0.05, 1, 5]), (98, slots)).astype(np.float32)
    values[rng.random(values.shape) < 0.4] = NAN
    values[: rng.integers(0, 98)] = NAN
    fed = (rng.random(98) < rng.choice([0.3, 0.9, 1.0])) | ~np.isnan(values).all(axis=1)
    gauge = rng.integers(0, 12, (105, slots)).astype(np.float32)
    gauge[rng.random(gauge.shape) < 0.93] = NAN
    working = rng.random(98) < 0.65
    quiet = rng.random((98, slots)) < rng.random(slots)
    values[~working[:, None] & quiet] = NAN
    given = inputs({"feature.a": values}, {"seats_used": gauge}, feed=fed[:, None], working=working, slots=slots)
    before = given.counters.copy(), given.gauges.copy()
    found = windows.usage_terms(given)
    for slot in range(slots):
        for term, expected in slow(values[:, slot], fed, working, gauge[:, slot], 10.0).items():
            assert found[term][slot] == pytest.approx(expected, nan_ok=True), (term, slot)
    np.testing.assert_array_equal(given.counters, before[0])
    np.testing.assert_array_equal(given.gauges, before[1])


def test_no_slot_depends_on_its_neighbours():
    rng = np.random.default_rng(1)
    values = rng.normal(5, 3, (98, 40)).astype(np.float32)
    gauge = rng.normal(5, 3, (105, 40)).astype(np.float32)
    whole = windows.usage_terms(inputs({"feature.a": values}, {"seats_used": gauge}, slots=40))
    order = rng.permutation(40)
    mixed = windows.usage_terms(inputs({"feature.a": values[:, order]}, {"seats_used": gauge[:, order]}, slots=40))
    alone = windows.usage_terms(inputs({"feature.a": values[:, [7]]}, {"seats_used": gauge[:, [7]]}, slots=1))
    for term, found in whole.items():
        np.testing.assert_array_equal(mixed[term], found[order])
        np.testing.assert_array_equal(alone[term], found[[7]])


def test_no_slots_give_empty_terms():
    found = windows.usage_terms(inputs({"feature.a": np.zeros((98, 0))}, {"seats_used": np.zeros((105, 0))}, slots=0))
    assert {values.shape for values in found.values()} == {(0,)}


def test_a_holiday_week_is_no_fall_for_an_office_and_none_for_a_hotel():
    working = np.tile([True] * 5 + [False] * 2, 14)
    working[-12:-5] = False  # a week of holidays within the last 28 days
    office = np.where(working, 10.0, 0.0)
    hotel = np.full(98, 10.0)
    given = inputs({"feature.a": np.stack([office, hotel], axis=1)}, working=working, slots=2)
    found = windows.usage_terms(given)
    assert found["usage_change_28"].tolist() == pytest.approx([0.0, 0.0])
    assert found["feature_burst_ratio"].tolist() == pytest.approx([1.0, 1.0])
    assert found["active_days_28"].tolist() == [15, 28]
    assert found["active_days_ratio"].tolist() == [1.0, 1.0]


def test_a_week_without_two_working_days_is_no_burst():
    working = np.tile([True] * 5 + [False] * 2, 14)
    working[-6:] = False
    office = np.where(working, 10.0, 0.0)
    assert np.isnan(windows.usage_terms(inputs({"feature.a": office}, working=working))["feature_burst_ratio"][0])


@pytest.mark.parametrize(
    ("day", "days"),
    [
        pytest.param("2026-06-30", 7, id="an ordinary week"),
        pytest.param("2026-05-06", 13, id="the end of Golden Week"),
        pytest.param("2026-01-03", 13, id="New Year"),
    ],
)
def test_a_week_of_holidays_reaches_further_back(day, days):
    assert loading.days_of_a_week(date.fromisoformat(day)) == days
