"""The span of days that figures are about, and the one they are compared with.  Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from expansion import periods

Preset = Literal["12m", "month", "last_month", "quarter", "last_quarter", "year", "last_year"]
Comparison = Literal["year_before", "period_before", "none"]

PRESETS: tuple[Preset, ...] = ("12m", "month", "last_month", "quarter", "last_quarter", "year", "last_year")
COMPARISONS: tuple[Comparison, ...] = ("year_before", "period_before", "none")
_MONTHS: dict[Preset, int] = {
    "12m": 12, "month": 1, "last_month": 1, "quarter": 3, "last_quarter": 3, "year": 12, "last_year": 12,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Period:
    """From the close of one day to the close of a later one: what happened in (from_day, to_day]."""

    from_day: date
    to_day: date

    def __post_init__(self) -> None:
        if self.from_day >= self.to_day:
            raise ValueError(f"{self.from_day} is not before {self.to_day}.")

    @property
    def first_day(self) -> date:
        return self.from_day + timedelta(days=1)


def shifted(day: date, months: int) -> date:
    """Move by whole months; the close of a month stays the close of a month."""
    moved = periods.add_months(day, months)
    return periods.month_end(moved) if day == periods.month_end(day) else moved


def trailing(to_day: date, *, months: int = 12) -> Period:
    """Return the months that end with the day."""
    return Period(shifted(to_day, -months), to_day)


def of_preset(preset: Preset, as_of: date, *, fiscal_year_start: int) -> Period:
    """Return the span that a word means on a day; a month, quarter or fiscal year that runs ends with the day."""
    if preset == "12m":
        return trailing(as_of)
    length = _MONTHS[preset]
    into = (as_of.month - fiscal_year_start) % 12 % length
    first = periods.add_months(periods.month_start(as_of), -into)
    if preset.startswith("last_"):
        return Period(periods.add_months(first, -length) - timedelta(days=1), first - timedelta(days=1))
    return Period(first - timedelta(days=1), as_of)


def compared(period: Period, comparison: Comparison, *, preset: Preset | None = None) -> Period | None:
    """Return the span to compare with: the same a year earlier, the one just before, or none.

    Just before means as many months earlier as the preset is long; for free dates, as many days.
    """
    if comparison == "none":
        return None
    if comparison == "period_before" and preset is None:
        return Period(period.from_day - (period.to_day - period.from_day), period.from_day)
    months = _MONTHS[preset] if comparison == "period_before" and preset is not None else 12
    return Period(shifted(period.from_day, -months), shifted(period.to_day, -months))


def trend_days(to_day: date, *, points: int = 13) -> list[date]:
    """Return the closes of the months before, and the day itself as the last point."""
    start = periods.month_start(to_day)
    return [periods.month_end(periods.add_months(start, -back)) for back in range(points - 1, 0, -1)] + [to_day]
