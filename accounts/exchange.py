"""Amounts of other currencies in the reporting currency: a fixed rate from a day on, never a market rate of each day."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from django.conf import settings
from django.utils.translation import gettext as _

from accounts.models import FxRate
from expansion.errors import DomainError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import date


class MissingRate(DomainError):
    """A currency is in use that nobody gave a rate for."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """All rates, read once.  ``rates`` maps a currency to its days and rates, ascending."""

    reporting: str
    rates: Mapping[str, tuple[tuple[date, Decimal], ...]]

    def on(self, day: date, currencies: Iterable[str]) -> dict[str, Decimal]:
        """Return how much of the reporting currency one unit of each currency is worth: the newest rate valid on the day.

        Every figure of one report uses the rates of one day, so that exchange rates move nothing in it.
        """
        return {currency: self._rate(currency, day) for currency in currencies}

    def _rate(self, currency: str, day: date) -> Decimal:
        if currency == self.reporting:
            return Decimal(1)
        known = self.rates.get(currency, ())
        at = bisect_right(known, day, key=lambda rate: rate[0])
        if not at:
            raise MissingRate(
                _(
                    "There is no exchange rate from %(currency)s to %(reporting)s valid on %(day)s. "
                    "Import one with the dataset fx_rates (valid_from, currency, rate)."
                )
                % {"currency": currency, "reporting": self.reporting, "day": day.isoformat()}
            )
        return known[at - 1][1]


def read() -> Exchange:
    """Return the rates as they are now."""
    rates: dict[str, list[tuple[date, Decimal]]] = {}
    for currency, day, rate in FxRate.objects.order_by("valid_from").values_list("currency", "valid_from", "rate"):
        rates.setdefault(currency, []).append((day, rate))
    return Exchange(reporting=settings.REPORTING_CURRENCY, rates={currency: tuple(known) for currency, known in rates.items()})
