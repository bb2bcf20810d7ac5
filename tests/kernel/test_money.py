"""Amounts are rounded half up, per line, in the decimals that each place asks for."""

from __future__ import annotations

from decimal import Decimal

import pytest

from expansion import money


@pytest.mark.parametrize(("amount", "places", "expected"), [
    ("0.005", 2, "0.01"), ("-0.005", 2, "-0.01"), ("2.675", 2, "2.68"), ("0.5", 0, "1"), ("1.5", 0, "2"),
    ("8333.333333", 2, "8333.33"),
])  # fmt: skip
def test_rounding_is_half_away_from_zero(amount: str, places: int, expected: str):
    assert money.round_half_up(Decimal(amount), places) == Decimal(expected)


@pytest.mark.parametrize(("amount", "months", "mrr", "arr"), [
    pytest.param("100000", 12, "8333.33", "100000", id="a year's price"),
    pytest.param("2000", 12, "166.67", "2000", id="the published example of 2,000 a year"),
    pytest.param("8333", 1, "8333", "99996", id="a month's price"),
    pytest.param("100", 3, "33.33", "400", id="a quarter's price: ARR is not MRR times twelve"),
])  # fmt: skip
def test_mrr_and_arr_are_each_rounded_once(amount: str, months: int, mrr: str, arr: str):
    assert money.mrr_of(Decimal(amount), months) == Decimal(mrr)
    assert money.arr_of(Decimal(amount), months) == Decimal(arr)


@pytest.mark.parametrize(("currency", "units"), [("JPY", 0), ("KRW", 0), ("USD", 2), ("KWD", 3), ("EUR", 2)])
def test_minor_units_follow_iso_4217(currency: str, units: int):
    assert money.minor_units(currency) == units


def test_cents_there_and_back():
    assert money.to_cents(Decimal("8333.333")) == 833_333
    assert money.from_cents(833_333) == Decimal("8333.33")
    assert money.to_cents(Decimal("-0.005")) == -1
