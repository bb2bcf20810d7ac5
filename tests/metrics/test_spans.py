"""What a word for a period means on a day."""

from __future__ import annotations

from datetime import date

import pytest

from expansion.dashboards import spans
from expansion.dashboards.spans import Period


def span(first, last):
    return Period(date.fromisoformat(first), date.fromisoformat(last))


@pytest.mark.parametrize(("preset", "as_of", "expected"), [
    ("12m", "2026-11-20", span("2025-11-20", "2026-11-20")),
    ("12m", "2026-02-28", span("2025-02-28", "2026-02-28")),
    ("12m", "2025-02-28", span("2024-02-29", "2025-02-28")),
    ("12m", "2024-02-29", span("2023-02-28", "2024-02-29")),
    ("month", "2026-11-20", span("2026-10-31", "2026-11-20")),
    ("month", "2026-11-30", span("2026-10-31", "2026-11-30")),
    ("last_month", "2026-11-20", span("2026-09-30", "2026-10-31")),
    ("quarter", "2026-11-20", span("2026-09-30", "2026-11-20")),
    ("quarter", "2026-10-01", span("2026-09-30", "2026-10-01")),
    ("last_quarter", "2026-11-20", span("2026-06-30", "2026-09-30")),
    ("last_quarter", "2026-02-03", span("2025-09-30", "2025-12-31")),
    ("year", "2026-11-20", span("2026-03-31", "2026-11-20")),
    ("year", "2026-03-31", span("2025-03-31", "2026-03-31")),
    ("last_year", "2026-11-20", span("2025-03-31", "2026-03-31")),
])  # fmt: skip
def test_presets_with_a_fiscal_year_from_april(preset, as_of, expected):
    assert spans.of_preset(preset, date.fromisoformat(as_of), fiscal_year_start=4) == expected


def test_a_fiscal_year_from_february_has_other_quarters():
    assert spans.of_preset("quarter", date(2026, 4, 30), fiscal_year_start=2) == span("2026-01-31", "2026-04-30")
    assert spans.of_preset("year", date(2026, 1, 15), fiscal_year_start=2) == span("2025-01-31", "2026-01-15")


@pytest.mark.parametrize(("period", "comparison", "preset", "expected"), [
    (span("2025-11-20", "2026-11-20"), "year_before", "12m", span("2024-11-20", "2025-11-20")),
    (span("2025-11-20", "2026-11-20"), "period_before", "12m", span("2024-11-20", "2025-11-20")),
    (span("2026-10-31", "2026-11-20"), "period_before", "month", span("2026-09-30", "2026-10-20")),
    (span("2026-10-31", "2026-11-30"), "period_before", "month", span("2026-09-30", "2026-10-31")),
    (span("2026-09-30", "2026-11-20"), "period_before", "quarter", span("2026-06-30", "2026-08-20")),
    (span("2026-09-30", "2026-11-20"), "year_before", "quarter", span("2025-09-30", "2025-11-20")),
    (span("2026-03-10", "2026-03-20"), "period_before", None, span("2026-02-28", "2026-03-10")),
    (span("2024-02-29", "2024-03-31"), "year_before", None, span("2023-02-28", "2023-03-31")),
    (span("2026-03-10", "2026-03-20"), "none", None, None),
])  # fmt: skip
def test_what_a_period_is_compared_with(period, comparison, preset, expected):
    assert spans.compared(period, comparison, preset=preset) == expected


def test_thirteen_points_the_last_is_the_day():
    days = spans.trend_days(date(2026, 11, 20))
    assert (days[0], days[-2], days[-1], len(days)) == (date(2025, 11, 30), date(2026, 10, 31), date(2026, 11, 20), 13)
    assert spans.trend_days(date(2026, 2, 28))[0] == date(2025, 2, 28)


def test_a_period_is_never_empty():
    with pytest.raises(ValueError, match="not before"):
        span("2026-01-01", "2026-01-01")
    assert span("2025-12-31", "2026-01-31").first_day == date(2026, 1, 1)
