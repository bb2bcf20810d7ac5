"""What a customer has on contract: reads for pages and lists."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

import pandas as pd
from django.db.models import Exists, F, OuterRef, Q

from accounts import exchange, ledger
from accounts.models import ContractLine, Customer
from accounts.revenue import frames
from expansion import money
from expansion.copying import copy_to_frame

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from django.db.models import QuerySet

_RENEWAL = {"line": "int64", "customer_id": "int64", "due": "int64", "arr_cents": "int64", "currency": "int64"}


@dataclass(frozen=True, slots=True)
class Renewal:
    """The lines of a customer that come up for renewal on one day; the first such day."""

    due_on: date
    lines: tuple[ContractLine, ...]
    arr: Decimal
    currency: str
    notice_on: date | None
    is_automatic: bool


def lines_of(customer: Customer, as_of: date) -> list[ContractLine]:
    """Return the lines in service at the close of a day, plans first, then by size; each with its product."""
    lines = in_service(ContractLine.objects.filter(customer=customer), as_of).select_related("product")
    return sorted(lines, key=lambda line: (line.product.kind != "plan", -line.mrr, line.line_id))


def in_service(lines: QuerySet[ContractLine], day: date) -> QuerySet[ContractLine]:
    """Return the lines that are in service at the close of a day, paid or not."""
    return lines.filter(Q(service_until__isnull=True) | Q(service_until__gt=day), starts_on__lte=day)


def mrr_on(customer: Customer, day: date) -> Decimal:
    """Return the customer's MRR at the close of a day, in the reporting currency at the rate of that day."""
    return money.from_cents(ledger.balances_frame(day, customer_ids=[customer.pk])["mrr_cents"].sum())


def next_renewal(customer: Customer, as_of: date) -> Renewal | None:
    """Return the first renewal after a day; None where nothing renews (open lines, notice given, already renewed)."""
    due = renewals_frame(as_of, customer_ids=[customer.pk])
    if due.empty:
        return None
    first = due[due["due"] == due["due"].min()]
    lines = tuple(ContractLine.objects.filter(pk__in=first["line"].tolist()).select_related("product").order_by("line_id"))
    due_on = frames.day_of(first["due"].iloc[0])
    notices = [frames.day_of(first["due"].iloc[0] - line.notice_days) for line in lines if line.notice_days]
    table = exchange.read()
    return Renewal(
        due_on=due_on, lines=lines, arr=money.from_cents(first["arr_cents"].sum()), currency=table.reporting,
        notice_on=min(notices, default=None), is_automatic=all(line.auto_renew is True for line in lines),
    )  # fmt: skip


def renewals_frame(as_of: date, *, within_days: int | None = None, customer_ids: Sequence[int] | None = None) -> pd.DataFrame:
    """Return the lines that come up for renewal after a day, at most so many days later.

    A line renews on ``renews_on`` where that is still ahead, else at its end.  Lines without MRR,
    with notice given by that day, or with a later period (already renewed or amended) do not renew.

    returns  columns line, customer_id, due (day number), arr_cents (reporting currency, rate of the day), currency
    """
    later = ContractLine.objects.filter(source=OuterRef("source"), line_id=OuterRef("line_id"), starts_on__gt=OuterRef("starts_on"))
    due = Q(renews_on__gt=as_of) | Q(ends_before__gt=as_of)
    lines = in_service(ContractLine.objects.filter(due, arr__gt=0), as_of).exclude(cancelled_on__lte=as_of).exclude(Exists(later))
    if customer_ids is not None:
        lines = lines.filter(customer_id__in=list(customer_ids))
    rows = lines.values_list("pk", "customer_id", "renews_on", "ends_before", F("arr") * 100, "currency")
    query, params = rows.query.sql_with_params()
    read = copy_to_frame(
        query, params,
        dtypes={"line": "int64", "customer_id": "int64", "renews": "date", "ends": "date", "arr": "float64", "currency": "str"},
    )  # fmt: skip
    on = pd.Timestamp(as_of)
    found = read["renews"].where(read["renews"] > on, read["ends"])
    made = pd.DataFrame({
        "line": read["line"], "customer_id": read["customer_id"],
        "due": (found - pd.Timestamp(0)).dt.days, "arr_cents": read["arr"].round().astype("int64"),
        "currency": read["currency"].map(ledger.currency_number),
    }).astype(_RENEWAL)  # fmt: skip
    if within_days is not None:
        made = made[made["due"] <= frames.day_number(as_of) + within_days]
    known = exchange.read().on(as_of, (ledger.currency_code(number) for number in made["currency"].unique()))
    cents = ledger.converted(made["arr_cents"], made["currency"], known)
    return made.assign(arr_cents=cents).sort_values(["due", "customer_id", "line"], ignore_index=True)
