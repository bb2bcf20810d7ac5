"""What an alert may be worth in a year: a range from what the customer has, uses and would pay.

Everything is in the reporting currency, as float64 hundredths; NaN where the catalogue or the
contract does not tell.  A range, not a promise: the quote is made by a person.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

KINDS = ("seats", "next_plan", "capacity", "product", "renewal", "keep", "lower_plan", "none")
NEEDED_TERMS = (
    "seats", "seats_used", "seat_price_year", "next_plan_gain_year", "lower_plan_loss_year", "capacity_price_year",
    "capacity_units", "offer_low_year", "offer_high_year", "renewing_arr", "arr",
)  # fmt: skip
_ROOMY, _SNUG = 0.8, 0.9  # share of the seats in use that an offer of seats brings back
_WITH_DISCOUNT = 0.9


def expected(kind: str, features: pd.DataFrame) -> pd.DataFrame:
    """Return low_cents and high_cents a year per customer, and quantity (seats or units after the play).

    seats      seats until 90 % (low) or 80 % (high) of them are in use, at the price paid today
    next_plan  difference to the next plan, at up to 10 % discount (low) or at the list price (high)
    capacity   one unit (low) or as many as bring use back to 80 % (high)
    product    the lower and upper quartile of what others pay for the related product
    renewal    the yearly revenue that renews;  keep  all of it
    lower_plan what the next lower plan would cost less (negative)
    """
    nothing = np.full(len(features), np.nan)
    low, high, quantity = nothing, nothing, nothing
    match kind:
        case "seats":
            low_seats, high_seats = (_seats_for(features, share) for share in (_SNUG, _ROOMY))
            price = _column(features, "seat_price_year")
            low, high = low_seats * price, high_seats * price
            quantity = _column(features, "seats") + high_seats
        case "next_plan":
            high = _positive(_column(features, "next_plan_gain_year"))
            low, quantity = high * _WITH_DISCOUNT, _column(features, "seats")
        case "capacity":
            price = _column(features, "capacity_price_year")
            quantity = np.maximum(_column(features, "capacity_units"), 1.0)
            low, high = price, price * quantity
        case "product":
            low, high = _column(features, "offer_low_year"), _column(features, "offer_high_year")
        case "renewal":
            low = high = _positive(_column(features, "renewing_arr"))
        case "keep":
            low = high = _positive(_column(features, "arr"))
        case "lower_plan":
            low = high = -_positive(_column(features, "lower_plan_loss_year"))
    return pd.DataFrame(
        {"low_cents": _cents(low), "high_cents": _cents(high), "quantity": quantity}, index=features.index, dtype=np.float64
    )


def _seats_for(features: pd.DataFrame, share: float) -> NDArray[np.float64]:
    """Return how many more seats bring use down to the share, at least one."""
    wanted = np.ceil(_column(features, "seats_used") / share - 1e-9)
    return np.maximum(wanted - _column(features, "seats"), 1.0)


def _column(features: pd.DataFrame, term: str) -> NDArray[np.float64]:
    return features[term].to_numpy(np.float64) if term in features.columns else np.full(len(features), np.nan)


def _positive(amount: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(amount > 0, amount, np.nan)


def _cents(amount: NDArray[np.float64]) -> NDArray[np.float64]:
    """Round to whole hundredths, half away from zero."""
    return np.copysign(np.floor(np.abs(amount) * 100 + 0.5), amount)
