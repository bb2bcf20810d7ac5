"""How much Japanese offices work on each day: weekends, holidays, year's end, Obon, the closings of March and September."""

from __future__ import annotations

from datetime import date, timedelta
from functools import lru_cache

import numpy as np

from expansion.periods import is_business_day, month_end

_BY_WEEKDAY = (1.04, 1.02, 1.02, 1.0, 0.93)


def days(first: date, last: date) -> list[date]:
    """Return the days from first to last, both included."""
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]


def office(day: date) -> float:
    """Return how much an office does on the day, about 1 on a working day and 0 when it is closed."""
    if not is_business_day(day):
        return 0.0
    busy = _BY_WEEKDAY[day.weekday()]
    if (day.month, day.day) >= (8, 13) and (day.month, day.day) <= (8, 15):
        busy *= 0.75
    if (month_end(day) - day).days < 3:
        busy *= 1.03
    return busy


def counter(day: date) -> float:
    """Return the same for those who also work at weekends (shops, hospitals, drivers)."""
    return 0.35 if _is_year_end(day) else office(day) or 0.3


def closing(day: date) -> float:
    """Return 0…1: how near the day is to the closing of March or September."""
    return max(_bell(day, 3, 20), _bell(day, 9, 20))


def _bell(day: date, month: int, top: int) -> float:
    away = min(abs((day - date(year, month, top)).days) for year in (day.year - 1, day.year, day.year + 1))
    return float(np.exp(-((away / 24) ** 2)))


def _is_year_end(day: date) -> bool:
    return (day.month, day.day) >= (12, 29) or (day.month, day.day) <= (1, 3)


@lru_cache(maxsize=200)
def curves(first: date, last: date) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return (office, counter, closing) for each day from first to last."""
    span = days(first, last)
    return (np.array([office(d) for d in span]), np.array([counter(d) for d in span]), np.array([closing(d) for d in span]))
