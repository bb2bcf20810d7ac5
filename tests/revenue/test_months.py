"""Movements from month end to month end: every edge of the definitions by hand, and against a slow reading."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accounts.revenue import cohort, frames, months, service

CASES = [
    ("new, expansion, contraction, churn, reactivation", """
        customer line starts     ends       mrr
        1        a    2025-01-15 2025-03-10 100
        1        a    2025-03-10 2025-05-20 150
        1        a    2025-05-20 2025-07-01 120
        1        b    2025-09-30 2025-12-31 80
     """, ["2025-01 1 0→100 new", "2025-03 1 100→150 expansion", "2025-05 1 150→120 contraction", "2025-07 1 120→0 churn",
           "2025-09 1 0→80 reactivation", "2025-12 1 80→0 churn"]),
    ("up and down inside one month is netted", """
        customer line starts     ends       mrr
        1        a    2025-01-15 2025-03-10 100
        1        a    2025-03-10 2025-03-20 150
        1        a    2025-03-20 -          100
     """, ["2025-01 1 0→100 new"]),
    ("up twice in one month is one movement", """
        customer line starts     ends       mrr
        1        a    2025-01-15 -          100
        1        b    2025-03-10 -          20
        1        c    2025-03-12 -          30
     """, ["2025-01 1 0→100 new", "2025-03 1 100→150 expansion"]),
    ("new and gone in the same month is invisible", """
        customer line starts     ends       mrr
        1        a    2025-01-05 2025-01-28 100
     """, []),
    ("in-month churn does not count as paid before: the next start is still new", """
        customer line starts     ends       mrr
        1        a    2025-01-05 2025-01-28 100
        1        b    2025-04-02 -          100
     """, ["2025-04 1 0→100 new"]),
    ("one of several lines ends", """
        customer line starts     ends       mrr
        1        a    2025-01-05 -          100
        1        b    2025-01-05 2025-04-01 50
     """, ["2025-01 1 0→150 new", "2025-04 1 150→100 contraction"]),
    ("a line that ends after the last day of a month is churn of the next", """
        customer line starts     ends       mrr
        1        a    2025-01-05 2025-04-30 100
        2        b    2025-01-05 2025-05-01 100
     """, ["2025-01 1 0→100 new", "2025-04 1 100→0 churn", "2025-01 2 0→100 new", "2025-05 2 100→0 churn"]),
    ("a pause is churn, its end a reactivation", """
        customer line starts     paused     resumed    mrr
        1        a    2025-01-05 2025-03-10 2025-06-10 100
     """, ["2025-01 1 0→100 new", "2025-03 1 100→0 churn", "2025-06 1 0→100 reactivation"]),
    ("a pause within one month is invisible", """
        customer line starts     paused     resumed    mrr
        1        a    2025-01-05 2025-03-10 2025-03-31 100
     """, ["2025-01 1 0→100 new"]),
    ("a trial is nothing", """
        customer line starts     trial_ends mrr
        1        a    2025-01-05 2025-02-28 100
     """, ["2025-03 1 0→100 new"]),
    ("credits alone are nothing", """
        customer line starts     ends       mrr
        1        a    2025-01-05 2025-03-01 100
        1        b    2025-01-05 -          -20
     """, ["2025-01 1 0→80 new", "2025-03 1 80→0 churn"]),
    ("moving between two lines leaves no row", """
        customer line starts     ends       mrr
        1        a    2025-01-05 2025-06-10 100
        1        b    2025-06-20 -          100
     """, ["2025-01 1 0→100 new"]),
]  # fmt: skip


@pytest.mark.parametrize(("table", "expected"), [pytest.param(table, expected, id=name) for name, table, expected in CASES])
def test_movements(moves, table, expected):
    assert moves(table) == expected


def test_months_and_their_last_days():
    days = np.array([frames.day_number(day) for day in (date(2024, 2, 29), date(2024, 3, 1), date(1969, 12, 31))])
    assert frames.months_of(days).tolist() == [2024 * 12 + 1, 2024 * 12 + 2, 1969 * 12 + 11]
    ends = frames.last_day_of(frames.months_of(days))
    assert [str(frames.day_of(end)) for end in ends] == ["2024-02-29", "2024-03-31", "1969-12-31"]
    assert frames.month_number(date(2024, 2, 29)) == 2024 * 12 + 1


def test_empty_in_empty_out():
    none = frames.empty(frames.STRETCHES)
    assert months.movements(none).dtypes.astype(str).to_dict() == frames.MOVEMENTS
    assert months.balances(none, [1, 2]).shape == (0, 2)
    assert months.first_paid(none).empty


@pytest.mark.parametrize("seed", range(6))
def test_movements_equal_a_customer_month_spine(random_lines, seed):
    stretches = service.stretches(random_lines(np.random.default_rng(seed), 60))
    expected = []
    first, last = frames.month_number(date(2023, 12, 1)), frames.month_number(date(2027, 12, 1))
    for customer in sorted(set(stretches["customer_id"])):
        own, before, paid = stretches[stretches["customer_id"] == customer], 0, False
        for month in range(first, last):
            day = int(frames.last_day_of(np.array([month]))[0])
            after = max(0, sum(row.mrr_cents for row in own.itertuples() if row.begins <= day < row.until))
            if after != before:
                kind = "new" if not paid else "reactivation" if not before else "churn" if not after else None
                expected.append((customer, month, before, after, kind or ("expansion" if after > before else "contraction")))
            before, paid = after, paid or after > 0
    assert list(months.movements(stretches).itertuples(index=False, name=None)) == expected


lines_strategy = st.integers(0, 10_000).map(np.random.default_rng)


@given(rng=lines_strategy, size=st.integers(1, 60))
@settings(max_examples=60, deadline=None)
def test_opening_plus_movements_is_closing(random_lines_for_hypothesis, rng, size):
    """C11: per month, over all customers and for each."""
    stretches = service.stretches(random_lines_for_hypothesis(rng, size))
    rows = months.movements(stretches)
    asked = np.arange(frames.month_number(date(2023, 12, 1)), frames.month_number(date(2027, 6, 1)))
    ends = frames.last_day_of(asked)
    balances = months.balances(stretches, ends.tolist())
    for month, opening, closing in zip(asked[1:], ends[:-1], ends[1:], strict=True):
        moved = rows[rows["month"] == month].set_index("customer_id")
        change = (moved["after_cents"] - moved["before_cents"]).reindex(balances.index, fill_value=0)
        pd.testing.assert_series_equal(balances[opening] + change, balances[closing], check_names=False)


@given(rng=lines_strategy, size=st.integers(1, 60), span=st.tuples(st.integers(0, 600), st.integers(0, 600)))
@settings(max_examples=100, deadline=None)
def test_start_plus_movements_is_end_between_any_two_days(random_lines_for_hypothesis, rng, size, span):
    stretches = service.stretches(random_lines_for_hypothesis(rng, size))
    from_day = frames.day_number(date(2024, 1, 1)) + min(span)
    to_day = frames.day_number(date(2024, 1, 1)) + max(span) + 1
    table = months.balances(stretches, [from_day, to_day])
    start, end = table[from_day], table[to_day]
    category = cohort.categories(start, end, first_paid=months.first_paid(stretches), from_day=from_day)
    sums = cohort.summed(start, end, category)
    gained = sums.new_cents + sums.reactivation_cents + sums.expansion_cents
    assert sums.start_cents + gained - sums.contraction_cents - sums.churn_cents == sums.end_cents
    assert sums.retained_cents == sums.start_cents + sums.expansion_cents - sums.contraction_cents - sums.churn_cents
    assert sums.kept_cents == sums.start_cents - sums.contraction_cents - sums.churn_cents
    assert min(sums.expansion_cents, sums.contraction_cents, sums.churn_cents, sums.new_cents, sums.reactivation_cents) >= 0


@pytest.mark.parametrize("seed", range(3))
def test_row_order_is_irrelevant_and_input_unchanged(random_lines, seed):
    stretches = service.stretches(random_lines(np.random.default_rng(seed), 80))
    copy = stretches.copy(deep=True)
    mixed = stretches.sample(frac=1, random_state=seed)
    pd.testing.assert_frame_equal(months.movements(mixed), months.movements(stretches))
    pd.testing.assert_frame_equal(months.balances(mixed, [19_900, 20_100]), months.balances(stretches, [19_900, 20_100]))
    pd.testing.assert_frame_equal(stretches, copy)
