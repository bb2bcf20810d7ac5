"""Dates: months, windows, business days.  Every interval is half-open."""

from __future__ import annotations

import calendar
from datetime import date, timedelta

import jpholiday


def add_months(day: date, months: int) -> date:
    """Move by whole months; a day that the month lacks becomes its last one."""
    index = day.year * 12 + day.month - 1 + months
    year, month = divmod(index, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def month_start(day: date) -> date:
    return day.replace(day=1)


def month_end(day: date) -> date:
    return day.replace(day=calendar.monthrange(day.year, day.month)[1])


def month_ends(first: date, last: date) -> list[date]:
    """Return the last days of the months from the month of first to the month of last."""
    ends, day = [], month_start(first)
    while day <= last:
        ends.append(month_end(day))
        day = add_months(day, 1)
    return ends


def months_before(as_of: date, months: int) -> tuple[date, date]:
    """Return [as_of + 1 − months, as_of + 1): the window of that many months that ends with as_of."""
    end = as_of + timedelta(days=1)
    return add_months(end, -months), end


def days_before(as_of: date, days: int) -> tuple[date, date]:
    """Return the half-open window of that many days that ends with as_of."""
    end = as_of + timedelta(days=1)
    return end - timedelta(days=days), end


def is_business_day(day: date) -> bool:
    """Tell whether Japanese offices work: no weekend, no national holiday, not the turn of the year (29 December to 3 January)."""
    is_year_end = (day.month == 12 and day.day >= 29) or (day.month == 1 and day.day <= 3)
    return day.weekday() < 5 and not is_year_end and not jpholiday.is_holiday(day)


def add_business_days(day: date, days: int) -> date:
    """Move forward by that many business days; zero means the day itself or the next business day."""
    while not is_business_day(day):
        day += timedelta(days=1)
    for _ in range(days):
        day += timedelta(days=1)
        while not is_business_day(day):
            day += timedelta(days=1)
    return day
