"""The one place that knows the organisation's time zone and fiscal year.

Below an interface nobody asks for "now" or "today": it is handed down.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from django.conf import settings


def now() -> datetime:
    return datetime.now(UTC)


def day_of(instant: datetime) -> date:
    """Return the business day on which the instant falls for the organisation."""
    return instant.astimezone(settings.ORGANISATION_ZONE).date()


def today() -> date:
    return day_of(now())


def start_of(day: date) -> datetime:
    """Return the first instant of a business day, in UTC."""
    return datetime(day.year, day.month, day.day, tzinfo=settings.ORGANISATION_ZONE).astimezone(UTC)


def last_closed_day(instant: datetime) -> date:
    """Return the newest business day that is over: yesterday."""
    return day_of(instant) - timedelta(days=1)


def nightly_due(instant: datetime) -> date:
    """Return the newest business day whose nightly run should have started by the instant."""
    local = instant.astimezone(settings.ORGANISATION_ZONE)
    over = local.date() - timedelta(days=1)
    return over if (local.hour, local.minute) >= settings.NIGHTLY_AT else over - timedelta(days=1)


def fiscal_year(day: date) -> int:
    """Return the calendar year in which the fiscal year of the day begins (April by default)."""
    return day.year if day.month >= settings.FISCAL_YEAR_START else day.year - 1


def fiscal_year_start(day: date) -> date:
    return date(fiscal_year(day), settings.FISCAL_YEAR_START, 1)
