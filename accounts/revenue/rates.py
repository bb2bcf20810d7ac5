"""Amounts of one currency in another at a constant rate, exact to the hundredth."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal

_SCALE = 100_000_000


def converted(cents: np.ndarray, currency: np.ndarray, rates: Mapping[int, Decimal]) -> np.ndarray:
    """Return the amounts times the rate of their currency, each rounded half away from zero.

    cents     int64 hundredths
    currency  the number of the currency of each amount; every one must have a rate
    rates     number of a currency → rate with up to eight decimals
    """
    made = np.array(cents, dtype=np.int64)
    for number in np.unique(currency):
        rate = int((rates[int(number)] * _SCALE).to_integral_value())
        if rate != _SCALE:
            rows = currency == number
            made[rows] = _times(made[rows], rate)
    return made


def _times(cents: np.ndarray, rate: int) -> np.ndarray:
    """Multiply by rate / 10⁸ without leaving int64: the fraction is multiplied in two halves."""
    whole, fraction = divmod(rate, _SCALE)
    size = np.abs(cents)
    high, low = size // 1_000_000, size % 1_000_000
    carried = high * fraction
    part = carried // 100 + (carried % 100 * 1_000_000 + low * fraction + _SCALE // 2) // _SCALE
    return np.asarray(np.sign(cents) * (size * whole + part), dtype=np.int64)
