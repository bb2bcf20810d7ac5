"""What each figure is called, what it means, and its formula with the numbers of the moment in it."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from expansion import formats
from expansion.dashboards.kpis import DEFINITIONS_VERSION, Renewals, Retention


@dataclass(frozen=True, slots=True)
class Meaning:
    """One sentence, the formula with numbers, and what else must be known; as the "?" beside a figure shows it."""

    key: str
    name: str
    sentence: str
    formula: str
    note: str = ""
    version: int = DEFINITIONS_VERSION


def names() -> dict[str, str]:
    """Return the name of every figure and bar."""
    return {
        "nrr": _("NRR"),
        "grr": _("GRR"),
        "logo": _("Logo retention"),
        "upsell": _("Upsell"),
        "upsell_rate": _("Upsell rate"),
        "cross_sell": _("Cross-sell"),
        "cross_sell_rate": _("Cross-sell rate"),
        "expansion": _("Expansion MRR"),
        "renewals": _("Renewals ≤ 90 days"),
        "start": pgettext("waterfall", "Start"),
        "other_gains": _("Price and terms"),
        "offset": _("Netted out"),
        "contraction": _("Contraction"),
        "churn": _("Churn"),
        "retained": pgettext("waterfall", "Existing"),
        "reactivation": _("Reactivation"),
        "new": pgettext("waterfall", "New"),
        "end": pgettext("waterfall", "End"),
    }


def meanings(f: Retention, due: Renewals | None, *, language: str) -> dict[str, Meaning]:
    """Return what every figure means, with the numbers of these figures in the formulas."""
    called = names()

    def money(amount: Decimal) -> str:
        return formats.money_short(amount, currency=f.currency, language=language)

    def signed(amount: Decimal) -> str:
        return f"{formats.MINUS if amount < 0 else '+'} {money(abs(amount))}"

    def counted(number: int) -> str:
        return formats.count(number, "customers", language=language)

    rates = {"share": formats.rate(f.nrr_of_price), "with_back": formats.rate(f.nrr_with_reactivation)}
    made = [
        Meaning(
            "nrr", called["nrr"],
            _("What the customers who paid at the start pay now, as a share of what they paid then. New customers are left out."),
            f"({money(f.start_mrr)} + {money(f.expansion)} − {money(f.contraction)} − {money(f.churn)}) ÷ {money(f.start_mrr)} = "
            f"{formats.rate(f.nrr)}",
            _(
                "Without tax; a cancellation counts on the day the service ends; a customer that lapsed and came back inside the "
                "period counts at both ends. With reactivated customers: %(with_back)s. Of which price changes: %(share)s."
            )
            % rates,
        ),
        Meaning(
            "grr", called["grr"],
            _("The share of the revenue at the start that is still there; growth is not counted."),
            f"({money(f.start_mrr)} − {money(f.contraction)} − {money(f.churn)}) ÷ {money(f.start_mrr)} = {formats.rate(f.grr)}",
            _("Point to point: what shrank and grew back inside the period is not lost."),
        ),
        Meaning(
            "logo", called["logo"],
            _("The share of the customers who paid at the start that still pay."),
            f"({counted(f.start_customers)} − {counted(f.churned_customers)}) ÷ {counted(f.start_customers)} = "
            f"{formats.rate(f.logo_retention)}",
        ),
        Meaning(
            "upsell", called["upsell_rate"],
            _("The share of the customers who paid at the start that took a higher plan, more seats, capacity or an add-on."),
            f"{counted(f.upsold_customers)} ÷ {counted(f.start_customers)} = {formats.rate(f.upsell_rate)}",
            _("Price rises and expired discounts never count. The share of proposals that were accepted is another figure."),
        ),
        Meaning(
            "cross_sell", called["cross_sell_rate"],
            _("The share of the customers who paid at the start that added another product."),
            f"{counted(f.cross_sold_customers)} ÷ {counted(f.start_customers)} = {formats.rate(f.cross_sell_rate)}",
        ),
        Meaning(
            "expansion", called["expansion"],
            _("The monthly revenue gained from customers who paid at the start, each customer netted over the period."),
            f"{money(f.upsell)} + {money(f.cross_sell)} + {money(f.other_gains)} {signed(f.offset)} = {money(f.expansion)}",
            _("Upsell, cross-sell and price are every gain; “netted out” is what the same customers lost again in the period."),
        ),
        Meaning(
            "waterfall", _("What moved NRR"),
            _("From the monthly revenue at the start to that at the end; the bars up to “existing” are the customers behind NRR."),
            f"{money(f.start_mrr)} + {money(f.new)} + {money(f.reactivation)} + {money(f.expansion)} − {money(f.contraction)} − "
            f"{money(f.churn)} = {money(f.end_mrr)}",
        ),
        Meaning(
            "trend", _("NRR and GRR"),
            _("NRR and GRR over the twelve months that end with each month; the last point is the day itself."),
            f"{called['nrr']} {formats.rate(f.nrr)} · {called['grr']} {formats.rate(f.grr)}",
        ),
    ]  # fmt: skip
    if due is not None:
        soon = due.within(90)
        made.append(
            Meaning(
                "renewals", _("Renewals coming up"),
                _("The yearly value of contract lines by the days until they renew or end, automatic renewals included."),
                f"{counted(len(soon.accounts))} · {formats.money_short(soon.arr, currency=due.currency, language=language)}",
                _("Lines with notice given and lines already renewed are left out. Counted from %(day)s, whatever the period.")
                % {"day": formats.day_full(due.as_of, language=language)},
            )
        )  # fmt: skip
    return {meaning.key: meaning for meaning in made}
