"""Behind every figure: the customers it is made of, and the contract lines that changed or paid."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

import pandas as pd
from django.utils.translation import get_language

from accounts import contracts, ledger
from accounts.models import ContractLine, Customer
from accounts.models.contracts import Cause
from accounts.revenue import changes, frames
from expansion import money
from expansion.dashboards import kpis
from expansion.dashboards.kpis import Retention
from expansion.dashboards.scopes import Scope
from expansion.dashboards.spans import Period
from signals.models import Standing

# Figures of customers between two closes …
NETTED = (
    "nrr", "grr", "logo", "start", "retained", "end", "expansion", "contraction", "churn", "new", "reactivation", "offset",
)  # fmt: skip
# … and of single changes.
CHANGED = {"upsell": kpis.UPSELL, "cross_sell": kpis.CROSS_SELL, "other_gains": kpis.OTHER_GAINS}
METRICS = (*NETTED, *CHANGED, "renewals")
_BALANCES = {"start": "from_day", "retained": "to_day", "end": "to_day"}
SHOWN = 50
_COLUMNS = ["customer_id", "start", "end", "amount", "weight"]


@dataclass(frozen=True, slots=True)
class Line:
    """A period of a contract line, as much as a row says about it."""

    line_id: str
    product: str
    name: str
    quantity: Decimal | None
    discount_percent: Decimal | None
    mrr: Decimal
    currency: str


@dataclass(frozen=True, slots=True)
class Change:
    """A dated change with what paid before and after; for a balance or a renewal, the line that pays and its amount."""

    on: date | None
    cause: str
    amount: Decimal
    currency: str
    before: Line | None
    after: Line | None

    @property
    def cause_name(self) -> str:
        return str(Cause(self.cause).label) if self.cause else ""


@dataclass(frozen=True, slots=True)
class Row:
    """One customer, or one change of one, with what it contributes to the figure."""

    customer: Customer
    band: str
    start: Decimal | None
    end: Decimal | None
    amount: Decimal
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """The part of a figure that one cause, band or category makes."""

    key: str
    customers: int
    amount: Decimal

    @property
    def cause_name(self) -> str:
        return str(Cause(self.key).label) if self.key in Cause.values else ""


@dataclass(frozen=True, slots=True)
class Drill:
    """The rows behind a figure, the largest first.

    ``total`` is the sum of all rows, shown or not; ``figure`` what the page says.  They are equal, or something is wrong.
    """

    metric: str
    period: Period
    currency: str
    figure: Decimal
    total: Decimal
    customers: int
    rows: tuple[Row, ...]
    row_count: int
    groups: tuple[Group, ...]
    figures: Retention | None
    window: kpis.Window | None = None
    at_risk_only: bool = False

    @property
    def matches(self) -> bool:
        return self.figure == self.total

    @property
    def is_of_changes(self) -> bool:
        return self.metric in CHANGED

    @property
    def other_end(self) -> str:
        """Which end of the period stands beside the amount, where the amount itself is the other one."""
        return {"nrr": "start", "retained": "start", "end": "start", "start": "end", "logo": "end"}.get(self.metric, "")

    @property
    def has_both_ends(self) -> bool:
        return not self.other_end and not self.is_of_changes and self.metric != "renewals"

    @property
    def ratio(self) -> Decimal | None:
        """The rate that the rows explain, where the figure is one."""
        rates = {"nrr": "nrr", "grr": "grr", "logo": "logo_retention", "upsell": "upsell_rate", "cross_sell": "cross_sell_rate"}
        return None if self.figures is None or self.metric not in rates else getattr(self.figures, rates[self.metric])


def drill(metric: str, period: Period, scope: Scope, *, limit: int | None = SHOWN) -> Drill:
    """Return the customers behind a figure of a period; ``limit`` None for all rows."""
    book = kpis.opened(scope)
    figures, netted, events = kpis.behind(book, period)
    gains = events[events["customer_id"].isin(netted.index[netted["start"] > 0])]
    gains = gains[(gains["change_cents"] > 0) & gains["cause"].isin(changes.CAUSES)]
    if metric in CHANGED:
        found = gains[gains["cause"].isin(CHANGED[metric])].sort_values(
            ["change_cents", "on", "customer_id", "line"], ascending=[False, False, True, True], kind="stable"
        )
        rows = _rows_of_changes(found.head(len(found) if limit is None else limit), netted)
        amounts, groups = found["change_cents"], _groups(found, "cause", "change_cents")
    else:
        found = _contributions(metric, netted, gains)
        rows = _rows_of_customers(metric, found.head(len(found) if limit is None else limit), period)
        amounts = found["amount"]
        groups = _groups(gains, "cause", "change_cents") if metric == "expansion" else ()
    return Drill(
        metric=metric, period=period, currency=book.rates.reporting, figure=_figure(metric, figures),
        total=money.from_cents(int(amounts.sum())), customers=int(found["customer_id"].nunique()), rows=rows, row_count=len(found),
        groups=groups, figures=figures,
    )  # fmt: skip


def renewals(
    as_of: date, scope: Scope, *, after_days: int = 0, within_days: int = 90, at_risk_only: bool = False, limit: int | None = SHOWN
) -> Drill:
    """Return the customers with lines that renew between two counts of days from a day, the earliest first."""
    windows = kpis.renewals(as_of, scope)
    merged = kpis.within(windows, after_days, within_days)
    lines = kpis.due_lines(as_of, scope)
    days = lines["due"] - frames.day_number(as_of)
    lines = lines[(days > after_days) & (days <= within_days)]
    bands = {account.customer: account.band for account in merged.accounts}
    if at_risk_only:
        lines = lines[lines["customer_id"].map(bands).isin(kpis.AT_RISK)]
    by_customer = lines.groupby("customer_id").agg(due=("due", "min"), amount=("arr_cents", "sum")).reset_index()
    by_customer = by_customer.sort_values(["due", "amount", "customer_id"], ascending=[True, False, True], kind="stable")
    shown = by_customer if limit is None else by_customer.head(limit)
    lines = lines[lines["customer_id"].isin(shown["customer_id"])]
    known = _lines(lines["line"])
    due: dict[int, list[Change]] = {}
    for line, customer, day, cents in zip(
        *(lines[name].tolist() for name in ("line", "customer_id", "due", "arr_cents")), strict=True
    ):
        change = Change(
            on=frames.day_of(day),
            cause="",
            amount=money.from_cents(cents),
            currency=windows.currency,
            before=None,
            after=known[line],
        )
        due.setdefault(customer, []).append(change)
    customers = _customers(shown["customer_id"])
    rows = tuple(
        Row(
            customer=customers[customer], band=bands[customer], start=None, end=None, amount=money.from_cents(cents),
            changes=tuple(due[customer]),
        )
        for customer, cents in zip(shown["customer_id"].tolist(), shown["amount"].tolist(), strict=True)
    )  # fmt: skip
    banded = by_customer.assign(band=by_customer["customer_id"].map(bands))
    return Drill(
        metric="renewals", period=Period(as_of, frames.day_of(frames.day_number(as_of) + within_days)), currency=windows.currency,
        figure=merged.arr_at_risk if at_risk_only else merged.arr, total=money.from_cents(int(by_customer["amount"].sum())),
        customers=len(by_customer), rows=rows, row_count=len(by_customer), groups=_groups(banded, "band", "amount"), figures=None,
        window=merged, at_risk_only=at_risk_only,
    )  # fmt: skip


def _figure(metric: str, figures: Retention) -> Decimal:
    """Return the amount on the page that the rows of a metric must sum to."""
    return {
        "nrr": figures.retained_mrr, "grr": figures.kept_mrr, "logo": figures.start_mrr, "start": figures.start_mrr,
        "retained": figures.retained_mrr, "end": figures.end_mrr, "expansion": figures.expansion,
        "contraction": figures.contraction, "churn": figures.churn, "new": figures.new, "reactivation": figures.reactivation,
        "offset": figures.offset, "upsell": figures.upsell, "cross_sell": figures.cross_sell, "other_gains": figures.other_gains,
    }[metric]  # fmt: skip


def _contributions(metric: str, netted: pd.DataFrame, gains: pd.DataFrame) -> pd.DataFrame:
    """Return the customers of a figure with what each adds to it, the weightiest first (columns _COLUMNS)."""
    rows = netted.reset_index()
    base, change = rows["start"] > 0, rows["end"] - rows["start"]
    if metric in {"nrr", "retained"}:
        rows = rows.assign(amount=rows["end"], weight=change.abs() if metric == "nrr" else rows["end"])[base]
    elif metric == "grr":
        kept = rows[["start", "end"]].min(axis=1)
        rows = rows.assign(amount=kept, weight=rows["start"] - kept)[base]
    elif metric == "logo":
        rows = rows.assign(amount=rows["start"], weight=rows["start"].where(rows["end"] <= 0, 0))[base]
    elif metric == "start":
        rows = rows.assign(amount=rows["start"], weight=rows["start"])[base]
    elif metric == "end":
        rows = rows.assign(amount=rows["end"], weight=rows["end"])[rows["end"] > 0]
    elif metric == "offset":
        gross = gains.groupby("customer_id")["change_cents"].sum().reindex(rows["customer_id"]).fillna(0).to_numpy("int64")
        amount = change.where(rows["category"] == "expansion", 0) - gross
        rows = rows.assign(amount=amount, weight=amount.abs())[amount != 0]
    else:
        rows = rows.assign(amount=change.abs(), weight=change.abs())[rows["category"] == metric]
    order = ["weight", "amount", "customer_id"]
    return rows[_COLUMNS].sort_values(order, ascending=[False, False, True], kind="stable")


def _rows_of_customers(metric: str, found: pd.DataFrame, period: Period) -> tuple[Row, ...]:
    ids = found["customer_id"].tolist()
    is_balance = metric in _BALANCES
    behind = _lines_in_service(ids, getattr(period, _BALANCES[metric])) if is_balance else _changes_of(ids, period)
    customers, bands = _customers(ids), _bands(ids)
    return tuple(
        Row(
            customer=customers[customer], band=bands.get(customer, "insufficient"), start=money.from_cents(start),
            end=money.from_cents(end), amount=money.from_cents(amount), changes=tuple(behind.get(customer, ())),
        )
        for customer, start, end, amount in zip(ids, *(found[name].tolist() for name in ("start", "end", "amount")), strict=True)
    )  # fmt: skip


def _rows_of_changes(found: pd.DataFrame, netted: pd.DataFrame) -> tuple[Row, ...]:
    ids = found["customer_id"].unique().tolist()
    told = ledger.changes_frame(ids) if ids else frames.empty(frames.EVENTS)
    keys = zip(*(told[name].tolist() for name in ("on", "line", "cause")), strict=True)
    sides = dict(zip(keys, zip(told["before_line"].tolist(), told["after_line"].tolist(), strict=True), strict=True))
    known = _lines(line for pair in sides.values() for line in pair)
    customers, bands = _customers(ids), _bands(ids)
    rows = []
    columns = (found[name].tolist() for name in ("customer_id", "on", "line", "cause", "change_cents"))
    for customer, on, line, cause, cents in zip(*columns, strict=True):
        before, after = sides.get((on, line, cause), (frames.NO_LINE, line))
        amount = money.from_cents(cents)
        change = Change(
            on=frames.day_of(on), cause=cause, amount=amount, currency="", before=known.get(before), after=known.get(after)
        )
        start, end = netted.loc[customer, "start"], netted.loc[customer, "end"]
        rows.append(
            Row(
                customer=customers[customer], band=bands.get(customer, "insufficient"), start=money.from_cents(int(start)),
                end=money.from_cents(int(end)), amount=amount, changes=(change,),
            )
        )  # fmt: skip
    return tuple(rows)


def _changes_of(customers: Sequence[int], period: Period) -> dict[int, list[Change]]:
    """Return what changed at some customers in (from_day, to_day], in contract currency, in order."""
    if not customers:
        return {}
    told = ledger.changes_frame(customers)
    inside = (told["on"] > frames.day_number(period.from_day)) & (told["on"] <= frames.day_number(period.to_day))
    told = told[inside]
    known = _lines(pd.concat([told["before_line"], told["after_line"]]))
    found: dict[int, list[Change]] = {}
    names = ("customer_id", "on", "cause", "change_cents", "currency", "before_line", "after_line")
    for customer, on, cause, cents, currency, before, after in zip(*(told[name].tolist() for name in names), strict=True):
        change = Change(
            on=frames.day_of(on), cause=cause, amount=money.from_cents(cents), currency=ledger.currency_code(currency),
            before=known.get(before), after=known.get(after),
        )  # fmt: skip
        found.setdefault(customer, []).append(change)
    return found


def _lines_in_service(customers: Sequence[int], day: date) -> dict[int, list[Change]]:
    """Return the lines that some customers have in service at the close of a day, paid or not."""
    found: dict[int, list[Change]] = {}
    lines = contracts.in_service(ContractLine.objects.filter(customer_id__in=customers), day).select_related("product")
    for line in lines.order_by("-mrr", "line_id"):
        change = Change(on=None, cause="", amount=line.mrr, currency=line.currency, before=None, after=_line(line))
        found.setdefault(line.customer_id, []).append(change)
    return found


def _groups(rows: pd.DataFrame, key: str, cents: str) -> tuple[Group, ...]:
    if rows.empty:
        return ()
    made = rows.groupby(key).agg(customers=("customer_id", "nunique"), amount=(cents, "sum")).reset_index()
    made = made.sort_values(["amount", key], ascending=[False, True])
    columns = (made[name].tolist() for name in (key, "customers", "amount"))
    return tuple(
        Group(key=name, customers=customers, amount=money.from_cents(amount))
        for name, customers, amount in zip(*columns, strict=True)
    )


def _lines(ids: Iterable[int]) -> dict[int, Line]:
    found = ContractLine.objects.filter(pk__in={int(pk) for pk in ids}).select_related("product")
    return {line.pk: _line(line) for line in found}


def _line(line: ContractLine) -> Line:
    is_english = (get_language() or "").startswith("en")
    name = line.product.name_en if is_english and line.product.name_en else line.product.name
    return Line(
        line_id=line.line_id, product=line.product.code, name=name, quantity=line.quantity,
        discount_percent=line.discount_percent, mrr=line.mrr, currency=line.currency,
    )  # fmt: skip


def _customers(ids: Iterable[int]) -> dict[int, Customer]:
    return Customer.objects.select_related("owner").in_bulk([int(pk) for pk in ids])


def _bands(ids: Iterable[int]) -> Mapping[int, str]:
    return dict(Standing.objects.filter(customer_id__in=[int(pk) for pk in ids]).values_list("customer_id", "band"))
