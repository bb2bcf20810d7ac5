"""The organisation's day: Tokyo, April."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from expansion import clock


@pytest.mark.parametrize(("instant", "day"), [
    pytest.param(datetime(2026, 11, 20, 14, 59, 59, tzinfo=UTC), date(2026, 11, 20), id="a second before midnight in Tokyo"),
    pytest.param(datetime(2026, 11, 20, 15, 0, tzinfo=UTC), date(2026, 11, 21), id="midnight in Tokyo"),
])  # fmt: skip
def test_the_day_turns_at_midnight_in_tokyo(instant: datetime, day: date):
    assert clock.day_of(instant) == day
    assert clock.start_of(day) <= instant


@pytest.mark.parametrize(("instant", "due"), [
    pytest.param(datetime(2026, 11, 20, 18, 59, tzinfo=UTC), date(2026, 11, 19), id="03:59 in Tokyo: the night has not begun"),
    pytest.param(datetime(2026, 11, 20, 19, 0, tzinfo=UTC), date(2026, 11, 20), id="04:00 in Tokyo: yesterday is due"),
])  # fmt: skip
def test_the_nightly_run_is_due_at_four(instant: datetime, due: date):
    assert clock.nightly_due(instant) == due


@pytest.mark.parametrize(("day", "year"), [(date(2026, 3, 31), 2025), (date(2026, 4, 1), 2026)])
def test_the_fiscal_year_begins_in_april(day: date, year: int):
    assert clock.fiscal_year(day) == year
    assert clock.fiscal_year_start(day) == date(year, 4, 1)
