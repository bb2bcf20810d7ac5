"""The columns of the frames that the revenue computations take and give.

A day is an int64, the number of days since 1970-01-01, so that a hundred thousand
periods are compared as integers.  Money is int64 hundredths of its currency.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Mapping

# A day that never comes: the end of what has no end, the date of what has not happened.
NEVER = 2_147_483_647
# A day before all others: the trial end of a line without a trial.
ALWAYS = -2_147_483_647
NO_LINE = -1

Columns = dict[str, str]

# One row per period of a contract line.
LINES: Columns = {
    "line": "int64",  # the id of the row; rows made later have a higher one
    "chain": "int64",  # the same number for the periods of one (source, line_id)
    "customer_id": "int64",
    "product_id": "int64",
    "currency": "int64",  # a number that stands for the currency
    "starts": "int64",  # first day
    "ends": "int64",  # exclusive end as given, NEVER when open
    "renews": "int64",  # NEVER when not given
    "cancelled": "int64",  # day of notice, NEVER when none was given
    "trial_until": "int64",  # first day that is not free, ALWAYS without a trial, NEVER while no end of it is known
    "paused": "int64",  # first paused day, NEVER without a pause
    "resumed": "int64",  # first day after the pause, NEVER while it lasts
    "mrr_cents": "int64",
    "quantity": "float64",  # NaN when not given
    "billing_months": "int64",
    "discount_percent": "float64",  # NaN when not given
}

# One row per product that a line may name.
PRODUCTS: Columns = {"product_id": "int64", "kind": "str", "family": "str"}

# One row per stretch of days [begins, until) over which a period of a line counts with its MRR.
STRETCHES: Columns = {
    "line": "int64",
    "customer_id": "int64",
    "currency": "int64",
    "begins": "int64",
    "until": "int64",  # NEVER when open
    "mrr_cents": "int64",
}

# One row per dated change of one customer's MRR on one line.
EVENTS: Columns = {
    "customer_id": "int64",
    "on": "int64",
    "change_cents": "int64",
    "currency": "int64",
    "cause": "str",
    "line": "int64",  # the line that changed: the new one, or the one that ended
    "product_id": "int64",
    "before_line": "int64",  # what paid the day before, NO_LINE when nothing did
    "after_line": "int64",  # what pays from this day, NO_LINE when nothing does
}

# One row per customer and month in which the month-end MRR changed.
MOVEMENTS: Columns = {
    "customer_id": "int64",
    "month": "int64",  # year × 12 + month − 1
    "before_cents": "int64",
    "after_cents": "int64",
    "category": "str",
}

NEW, REACTIVATION, EXPANSION, CONTRACTION, CHURN = "new", "reactivation", "expansion", "contraction", "churn"


def empty(columns: Mapping[str, str]) -> pd.DataFrame:
    return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in columns.items()})


def shaped(frame: pd.DataFrame, columns: Mapping[str, str]) -> pd.DataFrame:
    """Return the frame with exactly these columns and types; a missing column or a broken value raises."""
    return frame.loc[:, list(columns)].astype(dict(columns))


def day_number(day: date) -> int:
    return day.toordinal() - _EPOCH


def day_of(number: int) -> date:
    return date(1970, 1, 1) + timedelta(days=int(number))


def month_number(day: date) -> int:
    return day.year * 12 + day.month - 1


def first_of_month(month: int) -> date:
    return date(month // 12, month % 12 + 1, 1)


def months_of(days: np.ndarray) -> np.ndarray:
    """Return the month number of each day number; no day may be NEVER."""
    return days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64) + _EPOCH_MONTH


def last_day_of(months: np.ndarray) -> np.ndarray:
    """Return the day number of the last day of each month."""
    following = (months - _EPOCH_MONTH + 1).astype("datetime64[M]")
    return following.astype("datetime64[D]").astype(np.int64) - 1


_EPOCH = date(1970, 1, 1).toordinal()
_EPOCH_MONTH = 1970 * 12
