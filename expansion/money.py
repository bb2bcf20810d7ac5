"""Money as Decimal with a currency; int64 hundredths inside frames (ADR-0004)."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

HUNDREDTH = Decimal("0.01")
ZERO = Decimal("0.00")
# ISO 4217 minor units that are not two.
_MINOR_UNITS = {
    "BHD": 3, "BIF": 0, "CLP": 0, "DJF": 0, "GNF": 0, "IQD": 3, "ISK": 0, "JOD": 3, "JPY": 0, "KMF": 0, "KRW": 0,
    "KWD": 3, "LYD": 3, "OMR": 3, "PYG": 0, "RWF": 0, "TND": 3, "UGX": 0, "VND": 0, "VUV": 0, "XAF": 0, "XOF": 0, "XPF": 0,
}  # fmt: skip


def minor_units(currency: str) -> int:
    """Return the decimals in which the currency is invoiced (ISO 4217)."""
    return _MINOR_UNITS.get(currency, 2)


def round_half_up(amount: Decimal, places: int = 2) -> Decimal:
    """Round half away from zero, as invoices do."""
    return amount.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP)


def mrr_of(amount: Decimal, billing_months: int) -> Decimal:
    """Return the monthly recurring revenue of one line: the price of a billing period by its months, two decimals."""
    return round_half_up(amount / billing_months)


def arr_of(amount: Decimal, billing_months: int) -> Decimal:
    """Return the yearly recurring revenue of one line, rounded once; never MRR × 12."""
    return round_half_up(amount * 12 / billing_months)


def to_cents(amount: Decimal) -> int:
    return int(round_half_up(amount) * 100)


def from_cents(cents: int) -> Decimal:
    return Decimal(int(cents)) * HUNDREDTH
