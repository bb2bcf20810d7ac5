"""NRR, GRR and their kin: the customers who paid at the start, compared with themselves at the end."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from accounts.revenue.frames import CHURN, CONTRACTION, EXPANSION, NEW, REACTIVATION


@dataclass(frozen=True, slots=True)
class Cohort:
    """Sums in hundredths over the customers of a scope between the closes of two days, each customer netted.

    start + new + reactivation + expansion − contraction − churn = end, to the hundredth.
    """

    start_cents: int
    end_cents: int
    retained_cents: int
    kept_cents: int
    new_cents: int
    reactivation_cents: int
    expansion_cents: int
    contraction_cents: int
    churn_cents: int
    start_customers: int
    churned_customers: int


def categories(start: pd.Series, end: pd.Series, *, first_paid: pd.Series, from_day: int) -> pd.Series:
    """Return what became of each customer between two closes; empty text where nothing changed.

    A customer who did not pay at the start comes back (reactivation) if it paid at a month
    end before it, and is new otherwise.

    start, end  MRR in hundredths, never below 0, same index (customer_id)
    first_paid  from ``months.first_paid``, over all history
    """
    was, now = start.to_numpy() > 0, end.to_numpy() > 0
    had_paid = first_paid.reindex(start.index).to_numpy() < from_day  # NaN, never paid, compares false
    made = np.select(
        [was & ~now, was & (end > start).to_numpy(), was & (end < start).to_numpy(), now & ~was & had_paid, now & ~was],
        [CHURN, EXPANSION, CONTRACTION, REACTIVATION, NEW],
        "",
    )
    return pd.Series(made, index=start.index, dtype="str", name="category")


def summed(start: pd.Series, end: pd.Series, category: pd.Series) -> Cohort:
    """Sum the customers of one scope up."""
    base = start > 0
    change = end - start
    by = change.groupby(category).sum()
    return Cohort(
        start_cents=int(start.sum()), end_cents=int(end.sum()),
        retained_cents=int(end[base].sum()), kept_cents=int(np.minimum(start, end)[base].sum()),
        new_cents=int(by.get(NEW, 0)), reactivation_cents=int(by.get(REACTIVATION, 0)), expansion_cents=int(by.get(EXPANSION, 0)),
        contraction_cents=-int(by.get(CONTRACTION, 0)), churn_cents=-int(by.get(CHURN, 0)),
        start_customers=int(base.sum()), churned_customers=int((category == CHURN).sum()),
    )  # fmt: skip
