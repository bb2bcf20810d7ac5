"""Months, windows and business days."""

from __future__ import annotations

from datetime import date

import pytest

from expansion import periods


@pytest.mark.parametrize(("day", "months", "expected"), [
    pytest.param(date(2026, 1, 31), 1, date(2026, 2, 28), id="a day that the month lacks becomes its last"),
    pytest.param(date(2024, 1, 31), 1, date(2024, 2, 29), id="29 February in a leap year"),
    pytest.param(date(2024, 2, 29), 12, date(2025, 2, 28), id="a leap day a year on"),
    pytest.param(date(2026, 11, 15), 2, date(2027, 1, 15), id="over the turn of the year"),
    pytest.param(date(2026, 1, 15), -1, date(2025, 12, 15), id="back over the turn of the year"),
])  # fmt: skip
def test_adding_months(day: date, months: int, expected: date):
    assert periods.add_months(day, months) == expected


def test_a_window_of_months_ends_with_the_as_of_day():
    assert periods.months_before(date(2026, 6, 30), 12) == (date(2025, 7, 1), date(2026, 7, 1))


def test_a_window_of_days_counts_the_as_of_day():
    assert periods.days_before(date(2026, 6, 30), 7) == (date(2026, 6, 24), date(2026, 7, 1))


def test_month_ends_from_month_to_month():
    assert periods.month_ends(date(2025, 12, 31), date(2026, 2, 1)) == [date(2025, 12, 31), date(2026, 1, 31), date(2026, 2, 28)]


@pytest.mark.parametrize(("day", "is_open"), [
    pytest.param(date(2026, 11, 20), True, id="a plain Friday"),
    pytest.param(date(2026, 11, 21), False, id="a Saturday"),
    pytest.param(date(2026, 11, 23), False, id="Labour Thanksgiving Day"),
    pytest.param(date(2026, 12, 28), True, id="the last day of the office year"),
    pytest.param(date(2026, 12, 29), False, id="the turn of the year begins"),
    pytest.param(date(2025, 1, 3), False, id="the turn of the year ends"),
    pytest.param(date(2027, 1, 4), True, id="the first day of the office year"),
    pytest.param(date(2026, 9, 22), False, id="a day between two holidays"),
])  # fmt: skip
def test_japanese_business_days(day: date, is_open: bool):
    assert periods.is_business_day(day) is is_open


@pytest.mark.parametrize(("day", "days", "expected"), [
    pytest.param(date(2026, 11, 20), 3, date(2026, 11, 26), id="three days from Friday pass a weekend and a holiday"),
    pytest.param(date(2026, 11, 20), 1, date(2026, 11, 24), id="the next business day after a long weekend"),
    pytest.param(date(2026, 11, 21), 0, date(2026, 11, 24), id="no days from a Saturday is the next business day"),
    pytest.param(date(2026, 12, 28), 1, date(2027, 1, 4), id="over the turn of the year"),
])  # fmt: skip
def test_adding_business_days(day: date, days: int, expected: date):
    assert periods.add_business_days(day, days) == expected
