"""Balances on given days, and movements from month end to month end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from accounts.revenue.frames import (
    CHURN,
    CONTRACTION,
    EXPANSION,
    MOVEMENTS,
    NEVER,
    NEW,
    REACTIVATION,
    empty,
    last_day_of,
    months_of,
    shaped,
)  # fmt: skip

if TYPE_CHECKING:
    from collections.abc import Sequence

_MONTH_BITS = 18  # month numbers up to the year 9999


def balances(stretches: pd.DataFrame, days: Sequence[int]) -> pd.DataFrame:
    """Return each customer's MRR at the close of each day, in hundredths.

    A stretch counts on the days begins ≤ day < until.  A customer with nothing but credits has 0.

    stretches  columns STRETCHES, in one currency
    days       day numbers, ascending, none twice
    returns    indexed by customer_id, ascending, one int64 column per day; customers without a stretch are absent
    """
    asked = np.asarray(days, dtype=np.int64)
    customers, place = np.unique(stretches["customer_id"].to_numpy(), return_inverse=True)
    steps = np.zeros((len(customers), len(asked) + 1), dtype=np.int64)
    cents = stretches["mrr_cents"].to_numpy()
    np.add.at(steps, (place, np.searchsorted(asked, stretches["begins"].to_numpy())), cents)
    np.subtract.at(steps, (place, np.searchsorted(asked, stretches["until"].to_numpy())), cents)
    index = pd.Index(customers, name="customer_id", dtype="int64")
    return pd.DataFrame(np.maximum(np.cumsum(steps, axis=1)[:, :-1], 0), index=index, columns=pd.Index(asked, dtype="int64"))


def movements(stretches: pd.DataFrame) -> pd.DataFrame:
    """Return one row per customer and month whose month-end MRR differs from the month before, over all history.

    Two steps per stretch, netted per customer and month, and one cumulative sum cut at the
    customers: the cost follows contract changes, not customers × months.  What begins and
    ends inside one month leaves no row.

    stretches  columns STRETCHES, in one currency
    returns    columns MOVEMENTS, ordered by customer and month
    """
    if stretches.empty:
        return empty(MOVEMENTS)
    customers, cents = stretches["customer_id"].to_numpy(), stretches["mrr_cents"].to_numpy()
    until = stretches["until"].to_numpy()
    ended = until != NEVER
    moments = np.concatenate([
        (customers << _MONTH_BITS) + months_of(stretches["begins"].to_numpy()),
        (customers[ended] << _MONTH_BITS) + months_of(until[ended]),
    ])  # fmt: skip
    steps = np.concatenate([cents, -cents[ended]])
    order = np.argsort(moments, kind="stable")
    moments, steps = moments[order], steps[order]
    firsts = np.flatnonzero(np.diff(moments, prepend=-1))
    moments, steps = moments[firsts], np.add.reduceat(steps, firsts)
    moments, steps = moments[steps != 0], steps[steps != 0]
    if not len(moments):
        return empty(MOVEMENTS)

    customer = moments >> _MONTH_BITS
    is_first = np.diff(customer, prepend=-1) != 0
    segment = np.cumsum(is_first) - 1
    total = np.cumsum(steps)
    balance = total - (total - steps)[is_first][segment]
    # Credits alone are no negative customer.
    before, after = np.maximum(balance - steps, 0), np.maximum(balance, 0)
    # Whether the customer paid at an earlier month end: counted within its segment.
    paid = np.cumsum(after > 0) - (after > 0)
    had_paid = paid - paid[is_first][segment] > 0
    category = np.select(
        [(before == 0) & ~had_paid, before == 0, after == 0, after > before],
        [NEW, REACTIVATION, CHURN, EXPANSION],
        CONTRACTION,
    )
    made = pd.DataFrame({
        "customer_id": customer, "month": moments & ((1 << _MONTH_BITS) - 1),
        "before_cents": before, "after_cents": after, "category": category,
    })  # fmt: skip
    return shaped(made[before != after], MOVEMENTS).reset_index(drop=True)


def first_paid(stretches: pd.DataFrame) -> pd.Series:
    """Return the first month end (day number) at which each customer ever paid; customers who never did are absent."""
    rows = movements(stretches)
    new = rows[rows["category"] == NEW]
    return pd.Series(last_day_of(new["month"].to_numpy()), index=pd.Index(new["customer_id"], name="customer_id"), dtype="int64")
