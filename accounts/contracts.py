"""What a customer has on contract: reads for pages and lists."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from django.db.models import Q

from accounts import exchange, ledger
from accounts.models import ContractLine, Customer
from accounts.revenue import frames
from expansion import money
from expansion.copying import copy_to_frame

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    import pandas as pd
    from django.db.models import QuerySet

_RENEWAL = {"line": "int64", "customer_id": "int64", "due": "int64", "arr_cents": "int64", "currency": "str"}
_RENEWALS = """
    SELECT id, customer_id, CASE WHEN renews_on > %(as_of)s THEN renews_on ELSE ends_before END - DATE '1970-01-01',
        (arr * 100)::bigint, currency
    FROM accounts_contractline l
    WHERE starts_on <= %(as_of)s AND (service_until IS NULL OR service_until > %(as_of)s)
        AND (renews_on > %(as_of)s OR ends_before > %(as_of)s) AND arr > 0
        AND (cancelled_on IS NULL OR cancelled_on > %(as_of)s)
        AND CASE WHEN trial_ends_on IS NULL THEN status <> 'trial' ELSE trial_ends_on < %(as_of)s END
        AND (%(ids)s::bigint[] IS NULL OR customer_id = ANY(%(ids)s::bigint[]))
        AND NOT EXISTS (
            SELECT FROM accounts_contractline later
            WHERE later.source = l.source AND later.line_id = l.line_id AND later.starts_on > l.starts_on
        )
"""


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
    return money.from_cents(int(ledger.balances_frame(day, customer_ids=[customer.pk])["mrr_cents"].sum()))


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
        due_on=due_on, lines=lines, arr=money.from_cents(int(first["arr_cents"].sum())), currency=table.reporting,
        notice_on=min(notices, default=None), is_automatic=all(line.auto_renew is True for line in lines),
    )  # fmt: skip


def renewals_frame(as_of: date, *, within_days: int | None = None, customer_ids: Sequence[int] | None = None) -> pd.DataFrame:
    """Return the lines that come up for renewal after a day, at most so many days later.

    A line renews on ``renews_on`` where that is still ahead, else at its end.  Lines without MRR,
    on trial, with notice given by that day, or with a later period (already renewed or amended) do not renew.

    returns  columns line, customer_id, due (day number), arr_cents (reporting currency, rate of the day), currency
    """
    made = copy_to_frame(
        _RENEWALS, {"as_of": as_of, "ids": None if customer_ids is None else list(map(int, customer_ids))}, dtypes=_RENEWAL
    )
    if within_days is not None:
        made = made[made["due"] <= frames.day_number(as_of) + within_days]
    made["currency"] = made["currency"].map(ledger.currency_number).astype("int64")
    known = exchange.read().on(as_of, (ledger.currency_code(number) for number in made["currency"].unique()))
    cents = ledger.converted(made["arr_cents"], made["currency"], known)
    return made.assign(arr_cents=cents).sort_values(["due", "customer_id", "line"], ignore_index=True)
