"""The figures about recurring revenue.  Page, API and command call these functions; nothing is stored."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import pandas as pd

from accounts import contracts, exchange, ledger
from accounts.models import Customer
from accounts.revenue import changes, cohort, frames, months
from expansion import money, periods
from expansion.dashboards import scopes, spans
from expansion.dashboards.scopes import Scope
from expansion.dashboards.spans import Period
from signals.models import Standing

DEFINITIONS_VERSION = 1
UPSELL, CROSS_SELL = frozenset(changes.UPSELL), frozenset(changes.CROSS_SELL)
OTHER_GAINS = frozenset(changes.CAUSES) - UPSELL - CROSS_SELL
WINDOWS = (30, 60, 90, 120)
AT_RISK = frozenset({"watch", "act_now"})
WORST_FIRST = ("act_now", "watch", "healthy", "excellent", "insufficient")
MOVEMENT_COLUMNS = ("customer_id", "month", "mrr_before", "mrr_after", "change", "category")
_SIX = 6


@dataclass(frozen=True, slots=True)
class Retention:
    """The closed-cohort figures between two closes, each customer netted.

    start + new + reactivation + expansion − contraction − churn = end.  The causes are gross: every
    gain of the customers who paid at the start; with ``offset`` they sum to the net expansion.
    Rates are fractions with six decimals, None where nobody paid at the start.
    """

    period: Period
    currency: str
    start_mrr: Decimal
    end_mrr: Decimal
    retained_mrr: Decimal
    kept_mrr: Decimal
    nrr: Decimal | None
    grr: Decimal | None
    logo_retention: Decimal | None
    start_customers: int
    churned_customers: int
    new: Decimal
    reactivation: Decimal
    expansion: Decimal
    contraction: Decimal
    churn: Decimal
    expansion_by_cause: Mapping[str, Decimal]
    upsell_rate: Decimal | None
    cross_sell_rate: Decimal | None
    expansion_rate: Decimal | None
    upsold_customers: int
    cross_sold_customers: int
    expanded_customers: int
    upsell_events: int
    cross_sell_events: int
    upsell: Decimal
    cross_sell: Decimal
    other_gains: Decimal
    offset: Decimal
    price_change: Decimal
    nrr_with_reactivation: Decimal | None
    nrr_of_price: Decimal | None

    @property
    def has_base(self) -> bool:
        """Tell whether anybody paid at the start: without, there is nothing to compare."""
        return self.start_customers > 0


@dataclass(frozen=True, slots=True)
class Movement:
    """The change of one customer's MRR from the month end before to that of the month."""

    customer_id: str
    month: str
    mrr_before: Decimal
    mrr_after: Decimal
    change: Decimal
    category: str


@dataclass(frozen=True, slots=True)
class TrendPoint:
    """NRR and GRR over the twelve months that end with the day; None where nobody paid twelve months before."""

    period: Period
    nrr: Decimal | None
    grr: Decimal | None


@dataclass(frozen=True, slots=True)
class Step:
    """One bar of the waterfall, from ``base`` by ``amount``; a total stands on zero."""

    key: str
    amount: Decimal
    base: Decimal
    is_total: bool


@dataclass(frozen=True, slots=True)
class DueAccount:
    """A customer with lines that renew inside a window."""

    customer: int
    band: str
    arr: Decimal


@dataclass(frozen=True, slots=True)
class Window:
    """What renews between two counts of days from the as-of day, the worst band first."""

    after_days: int
    within_days: int
    accounts: tuple[DueAccount, ...]
    arr: Decimal
    arr_at_risk: Decimal

    @property
    def at_risk(self) -> int:
        return sum(account.band in AT_RISK for account in self.accounts)

    @property
    def by_band(self) -> tuple[tuple[str, int], ...]:
        return tuple((band, sum(account.band == band for account in self.accounts)) for band in WORST_FIRST)


@dataclass(frozen=True, slots=True)
class Renewals:
    """What comes up for renewal in the next 120 days."""

    as_of: date
    currency: str
    windows: tuple[Window, ...]

    def within(self, days: int) -> Window:
        """Return all windows up to that many days as one; a customer that renews twice counts once."""
        return within(self, 0, days)


@dataclass(frozen=True, slots=True)
class Book:
    """What the figures of one scope are computed from, read once."""

    scope: Scope
    stretches: pd.DataFrame
    rates: exchange.Exchange
    customers: Sequence[int] | None


def retention(period: Period, scope: Scope) -> Retention:
    """Return NRR, GRR and their kin of a period for a scope; attributes are those at the period's end."""
    return retention_of(opened(scope), [period])[0]


def movements(first: date, last: date, scope: Scope) -> list[Movement]:
    """Return the month-end movements of the months from that of first to that of last, by customer and month."""
    rows = ledger.movements_frame(first, last, customer_ids=scopes.steady(scope))
    members = scopes.on_day(scope, periods.month_end(last))
    if members is not None:
        rows = rows[rows["customer_id"].isin(members)]
    names = _public_ids(rows["customer_id"].unique())
    columns = (rows[name].tolist() for name in ("customer_id", "month", "before_cents", "after_cents", "category"))
    made = [
        Movement(
            customer_id=names[customer], month=f"{frames.first_of_month(month):%Y-%m}", mrr_before=money.from_cents(before),
            mrr_after=money.from_cents(after), change=money.from_cents(after - before), category=category,
        )
        for customer, month, before, after, category in zip(*columns, strict=True)
    ]  # fmt: skip
    return sorted(made, key=lambda movement: (movement.customer_id, movement.month))


def trend(to_day: date, scope: Scope) -> list[TrendPoint]:
    """Return NRR and GRR at thirteen month ends, the last point being the day itself."""
    return trend_of(opened(scope), to_day)


def renewals(as_of: date, scope: Scope) -> Renewals:
    """Return the lines that renew in the next 120 days by window and band; see ``contracts.renewals_frame``."""
    rows = due_lines(as_of, scope)
    days = rows["due"].to_numpy() - frames.day_number(as_of)
    bands = _bands(rows["customer_id"].unique())
    windows = []
    for after, within in zip((0, *WINDOWS), WINDOWS, strict=False):
        cents = rows[(days > after) & (days <= within)].groupby("customer_id")["arr_cents"].sum()
        accounts = (
            DueAccount(customer=customer, band=bands.get(customer, "insufficient"), arr=money.from_cents(arr))
            for customer, arr in zip(cents.index.tolist(), cents.tolist(), strict=True)
        )
        windows.append(_window(after, within, accounts))
    return Renewals(as_of=as_of, currency=exchange.read().reporting, windows=tuple(windows))


def within(found: Renewals, after_days: int, within_days: int) -> Window:
    """Return the windows between two counts of days as one; a customer that renews twice counts once."""
    merged: dict[int, DueAccount] = {}
    for window in found.windows:
        if window.after_days >= after_days and window.within_days <= within_days:
            for account in window.accounts:
                known = merged.get(account.customer)
                arr = account.arr + (known.arr if known else money.ZERO)
                merged[account.customer] = DueAccount(customer=account.customer, band=account.band, arr=arr)
    return _window(after_days, within_days, merged.values())


def due_lines(as_of: date, scope: Scope) -> pd.DataFrame:
    """Return the lines behind ``renewals`` (columns of ``contracts.renewals_frame``)."""
    rows = contracts.renewals_frame(as_of, within_days=WINDOWS[-1], customer_ids=scopes.steady(scope))
    members = scopes.on_day(scope, as_of)
    return rows if members is None else rows[rows["customer_id"].isin(members)].reset_index(drop=True)


def waterfall(figures: Retention) -> list[Step]:
    """Return the bars from the start to the end of the period; what is zero and no main term is left out."""
    changes_of = (
        ("upsell", figures.upsell), ("cross_sell", figures.cross_sell), ("other_gains", figures.other_gains),
        ("offset", figures.offset), ("contraction", -figures.contraction), ("churn", -figures.churn),
        ("retained", None), ("reactivation", figures.reactivation), ("new", figures.new), ("end", None),
    )  # fmt: skip
    level = figures.start_mrr
    steps = [Step(key="start", amount=level, base=money.ZERO, is_total=True)]
    for key, amount in changes_of:
        if amount is None:
            steps.append(Step(key=key, amount=level, base=money.ZERO, is_total=True))
        elif amount or key in {"upsell", "cross_sell", "contraction", "churn", "new"}:
            steps.append(Step(key=key, amount=amount, base=level, is_total=False))
            level += amount
    return steps


def as_json(figures: Retention) -> dict[str, Any]:
    """Return the figures under the names that other programs know: money as text with two decimals, rates with six."""
    return {
        "from": figures.period.from_day.isoformat(), "to": figures.period.to_day.isoformat(),
        "start_mrr": f"{figures.start_mrr}", "end_mrr": f"{figures.end_mrr}", "retained_mrr": f"{figures.retained_mrr}",
        "nrr": _told(figures.nrr), "grr": _told(figures.grr), "logo_retention": _told(figures.logo_retention),
        "start_customers": figures.start_customers, "churned_customers": figures.churned_customers,
        "new": f"{figures.new}", "reactivation": f"{figures.reactivation}", "expansion": f"{figures.expansion}",
        "contraction": f"{figures.contraction}", "churn": f"{figures.churn}",
        "expansion_by_cause": {cause: f"{amount}" for cause, amount in figures.expansion_by_cause.items()},
        "upsell_rate": _told(figures.upsell_rate), "cross_sell_rate": _told(figures.cross_sell_rate),
        "currency": figures.currency, "nrr_with_reactivation": _told(figures.nrr_with_reactivation),
        "nrr_of_price": _told(figures.nrr_of_price), "definitions_version": DEFINITIONS_VERSION,
    }  # fmt: skip


def upsell_json(figures: Retention) -> dict[str, Any]:
    """Return the upsell figures (definitions §6) under the names that other programs know."""
    events = figures.upsell_events
    return {
        "from": figures.period.from_day.isoformat(), "to": figures.period.to_day.isoformat(),
        "start_customers": figures.start_customers,
        "upsell_rate": _told(figures.upsell_rate), "upsold_customers": figures.upsold_customers,
        "cross_sell_rate": _told(figures.cross_sell_rate), "cross_sold_customers": figures.cross_sold_customers,
        "expansion_rate": _told(figures.expansion_rate), "expanded_customers": figures.expanded_customers,
        "upsell_events": events, "upsell_mrr": f"{figures.upsell}",
        "upsell_unit_amount": None if not events else f"{money.round_half_up(figures.upsell / events)}",
        "upsells_per_customer": _told(ratio(events, figures.start_customers)),
        "upsells_per_upsold_customer": _told(ratio(events, figures.upsold_customers)),
        "cross_sell_events": figures.cross_sell_events, "cross_sell_mrr": f"{figures.cross_sell}",
        "currency": figures.currency, "definitions_version": DEFINITIONS_VERSION,
    }  # fmt: skip


def opened(scope: Scope) -> Book:
    """Read what the figures of a scope are computed from."""
    customers = scopes.steady(scope)
    return Book(scope=scope, stretches=ledger.stretches_frame(customer_ids=customers), rates=exchange.read(), customers=customers)


def retention_of(book: Book, asked: Sequence[Period]) -> list[Retention]:
    """Return the figures of several periods from one reading."""
    tables, events = netted(book, asked), gains_of(book, asked)
    return [_retention(book, period, rows, gains) for period, rows, gains in zip(asked, tables, events, strict=True)]  # fmt: skip


def behind(book: Book, period: Period) -> tuple[Retention, pd.DataFrame, pd.DataFrame]:
    """Return the figures of a period with what they are made of: ``netted`` customers and ``gains_of`` events."""
    rows, events = netted(book, [period])[0], gains_of(book, [period])[0]
    return _retention(book, period, rows, events), rows, events


def trend_of(book: Book, to_day: date) -> list[TrendPoint]:
    """Return the points of ``trend`` from a book that is open."""
    asked = trend_periods(to_day)
    return _points(asked, netted(book, asked))


def retention_and_trend_of(book: Book, asked: Sequence[Period]) -> tuple[list[Retention], list[TrendPoint]]:
    """Return ``retention_of`` the periods and ``trend_of`` the end of the first, the customers netted in one go."""
    points = trend_periods(asked[0].to_day)
    tables = netted(book, [*asked, *points])
    return _retentions(book, asked, tables[: len(asked)]), _points(points, tables[len(asked) :])


def trend_periods(to_day: date) -> list[Period]:
    """Return the twelve months to each of thirteen month ends, the last being the day itself."""
    return [spans.trailing(day) for day in spans.trend_days(to_day)]


def netted(book: Book, asked: Sequence[Period]) -> list[pd.DataFrame]:
    """Return, per period, each customer's MRR at both closes in hundredths and what became of it.

    In the reporting currency at the rates of the period's end; only the members of the scope on that day.

    returns  indexed by customer_id; columns start, end, category
    """
    codes = [ledger.currency_code(number) for number in book.stretches["currency"].unique()]
    tables: dict[tuple[tuple[str, Decimal], ...], tuple[pd.DataFrame, pd.Series]] = {}
    found = []
    for period in asked:
        key = tuple(sorted(book.rates.on(period.to_day, codes).items()))
        if key not in tables:
            # Exchange rates change once a year at most: nearly always one table serves all periods.
            stretches = ledger.in_reporting_currency(book.stretches, on=period.to_day, table=book.rates)
            days = sorted({frames.day_number(day) for p in asked for day in (p.from_day, p.to_day)})
            tables[key] = months.balances(stretches, days), months.first_paid(stretches)
        table, first_paid = tables[key]
        members = scopes.on_day(book.scope, period.to_day)
        if members is not None:
            table = table[table.index.isin(members)]
        from_day, to_day = frames.day_number(period.from_day), frames.day_number(period.to_day)
        start, end = table[from_day], table[to_day]
        category = cohort.categories(start, end, first_paid=first_paid, from_day=from_day)
        found.append(pd.DataFrame({"start": start, "end": end, "category": category}))
    return found


def gains_of(book: Book, asked: Sequence[Period]) -> list[pd.DataFrame]:
    """Return, per period, the events in it with a cause, starts and ends aside, at the rates of the period's end."""
    first, last = min(period.from_day for period in asked), max(period.to_day for period in asked)
    events = ledger.events_frame(customer_ids=book.customers, causes=changes.CAUSES, after=first, until=last)
    made = []
    for period in asked:
        on = events["on"].to_numpy()
        rows = events[(on > frames.day_number(period.from_day)) & (on <= frames.day_number(period.to_day))]
        known = book.rates.on(period.to_day, (ledger.currency_code(number) for number in rows["currency"].unique()))
        made.append(rows.assign(change_cents=ledger.converted(rows["change_cents"], rows["currency"], known)))
    return made


def ratio(part: Decimal | int, whole: Decimal | int) -> Decimal | None:
    """Return a fraction with six decimals, half up; None where the whole is zero."""
    return money.round_half_up(Decimal(part) / Decimal(whole), _SIX) if whole else None


def _retentions(book: Book, asked: Sequence[Period], tables: Sequence[pd.DataFrame]) -> list[Retention]:
    events = gains_of(book, asked)
    return [_retention(book, period, rows, gains) for period, rows, gains in zip(asked, tables, events, strict=True)]


def _points(asked: Sequence[Period], tables: Sequence[pd.DataFrame]) -> list[TrendPoint]:
    sums = [cohort.summed(rows["start"], rows["end"], rows["category"]) for rows in tables]
    return [
        TrendPoint(period=period, nrr=ratio(s.retained_cents, s.start_cents), grr=ratio(s.kept_cents, s.start_cents))
        for period, s in zip(asked, sums, strict=True)
    ]


def _retention(book: Book, period: Period, rows: pd.DataFrame, events: pd.DataFrame) -> Retention:
    sums = cohort.summed(rows["start"], rows["end"], rows["category"])
    base = rows.index[rows["start"] > 0]
    events = events[events["customer_id"].isin(base)]
    gains = events[(events["change_cents"] > 0) & events["cause"].isin(changes.CAUSES)]
    by_cause = gains.groupby("cause")["change_cents"].sum()
    causes = {cause: money.from_cents(int(by_cause.get(cause, 0))) for cause in changes.CAUSES}
    expansion = money.from_cents(sums.expansion_cents)
    offset = expansion - sum(causes.values(), money.ZERO)
    upsells, cross_sells = gains[gains["cause"].isin(UPSELL)], gains[gains["cause"].isin(CROSS_SELL)]
    sold = gains[gains["cause"].isin(UPSELL | CROSS_SELL)]
    at_end = rows.index[(rows["start"] > 0) & (rows["end"] > 0)]
    price = events[(events["cause"] == "price") & events["customer_id"].isin(at_end)]["change_cents"].sum()
    upsold, cross_sold, expanded = (int(sales["customer_id"].nunique()) for sales in (upsells, cross_sells, sold))
    customers = sums.start_customers
    return Retention(
        period=period, currency=book.rates.reporting,
        start_mrr=money.from_cents(sums.start_cents), end_mrr=money.from_cents(sums.end_cents),
        retained_mrr=money.from_cents(sums.retained_cents), kept_mrr=money.from_cents(sums.kept_cents),
        nrr=ratio(sums.retained_cents, sums.start_cents), grr=ratio(sums.kept_cents, sums.start_cents),
        logo_retention=ratio(customers - sums.churned_customers, customers),
        start_customers=customers, churned_customers=sums.churned_customers,
        new=money.from_cents(sums.new_cents), reactivation=money.from_cents(sums.reactivation_cents), expansion=expansion,
        contraction=money.from_cents(sums.contraction_cents), churn=money.from_cents(sums.churn_cents),
        expansion_by_cause=causes | {"offset": offset},
        upsell_rate=ratio(upsold, customers), cross_sell_rate=ratio(cross_sold, customers),
        expansion_rate=ratio(expanded, customers),
        upsold_customers=upsold, cross_sold_customers=cross_sold, expanded_customers=expanded,
        upsell_events=len(upsells), cross_sell_events=len(cross_sells),
        upsell=sum((causes[cause] for cause in UPSELL), money.ZERO),
        cross_sell=sum((causes[cause] for cause in CROSS_SELL), money.ZERO),
        other_gains=sum((causes[cause] for cause in OTHER_GAINS), money.ZERO), offset=offset,
        price_change=money.from_cents(int(price)),
        nrr_with_reactivation=ratio(sums.retained_cents + sums.reactivation_cents, sums.start_cents),
        nrr_of_price=ratio(int(price), sums.start_cents),
    )  # fmt: skip


def _window(after: int, within: int, accounts: Iterable[DueAccount]) -> Window:
    order = {band: place for place, band in enumerate(WORST_FIRST)}
    placed = tuple(sorted(accounts, key=lambda account: (order[account.band], -account.arr, account.customer)))
    return Window(
        after_days=after, within_days=within, accounts=placed, arr=sum((account.arr for account in placed), money.ZERO),
        arr_at_risk=sum((account.arr for account in placed if account.band in AT_RISK), money.ZERO),
    )  # fmt: skip


def _bands(customers: Iterable[int]) -> dict[int, str]:
    return dict(Standing.objects.filter(customer_id__in=list(map(int, customers))).values_list("customer_id", "band"))


def _public_ids(customers: Iterable[int]) -> dict[int, str]:
    return dict(Customer.objects.filter(pk__in=list(map(int, customers))).values_list("pk", "customer_id"))


def _told(rate: Decimal | None) -> str | None:
    return None if rate is None else f"{rate}"
