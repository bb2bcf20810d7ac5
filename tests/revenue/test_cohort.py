"""The closed cohort between two days, by hand; and other currencies at a constant rate."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.revenue import cohort, rates


def test_each_customer_is_netted_and_counted_once():
    start = pd.Series({1: 100, 2: 200, 3: 300, 4: 400, 5: 0, 6: 0, 7: 0, 8: 50})
    end = pd.Series({1: 150, 2: 120, 3: 0, 4: 400, 5: 70, 6: 60, 7: 0, 8: 50})
    first_paid = pd.Series({1: 10, 2: 10, 3: 10, 4: 10, 5: 200, 6: 90, 7: 20, 8: 10})
    category = cohort.categories(start, end, first_paid=first_paid, from_day=100)
    assert category.to_dict() == {1: "expansion", 2: "contraction", 3: "churn", 4: "", 5: "new", 6: "reactivation", 7: "", 8: ""}
    assert cohort.summed(start, end, category) == cohort.Cohort(
        start_cents=1050, end_cents=850, retained_cents=720, kept_cents=670, new_cents=70, reactivation_cents=60,
        expansion_cents=50, contraction_cents=80, churn_cents=300, start_customers=5, churned_customers=1,
    )  # fmt: skip


@pytest.mark.parametrize(("first_paid", "expected"), [
    pytest.param({1: 99}, "reactivation", id="paid at a month end before the start"),
    pytest.param({1: 100}, "new", id="the start itself is not before it"),
    pytest.param({1: 130}, "new", id="first paid inside the span"),
    pytest.param({}, "new", id="pays at the end of the span but at no month end yet"),
])  # fmt: skip
def test_who_comes_back_and_who_is_new(first_paid, expected):
    start, end = pd.Series({1: 0}), pd.Series({1: 10})
    category = cohort.categories(start, end, first_paid=pd.Series(first_paid, dtype="int64"), from_day=100)
    assert category.to_dict() == {1: expected}


def test_nobody():
    none = pd.Series(dtype="int64")
    category = cohort.categories(none, none, first_paid=none, from_day=100)
    assert cohort.summed(none, none, category) == cohort.Cohort(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)


@given(cents=st.integers(-9_000_000_000_000, 9_000_000_000_000), rate=st.decimals("0.00000001", "99999", places=8))
def test_conversion_is_exact_and_rounds_half_away_from_zero(cents, rate):
    made = rates.converted(np.array([cents, 7]), np.array([5, 0]), {5: rate, 0: Decimal(1)})
    assert made.tolist() == [int((Decimal(cents) * rate).to_integral_value(ROUND_HALF_UP)), 7]


def test_a_missing_rate_raises():
    with pytest.raises(KeyError):
        rates.converted(np.array([1]), np.array([5]), {})
