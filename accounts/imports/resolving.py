"""Which rows of ours the IDs of a source stand for.

A customer: as the identity map says, else the customer whose own ID it equals; nobody else, nothing
is guessed.  What was found is remembered while a file is read; what was not is asked for again, because
it may have been created by then.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from django.db import connection
from django.db.models.functions import Lower

from accounts import customers
from accounts.datasets import guessed_metric_kind
from accounts.models import Contact, Customer, Identity, ImportBatch, Metric, Product
from accounts.models.contracts import ProductKind

MAIN: Final = "main"


class Known:
    """What the IDs of one source stand for."""

    def __init__(self, source: str, *, now: datetime) -> None:
        self.source = source
        self._now = now
        self._customers: dict[str, int] = {}
        self._lines: dict[str, int] = {}
        self._products: dict[str, int] = {}
        self._metrics: dict[str, tuple[int, str]] = {}
        self._contacts: dict[str, int] = {}
        self._addresses: dict[tuple[int, str], int] = {}
        self._users: dict[str, int] = {}
        self._currencies: dict[int, str] = {}

    def customers(self, ids: Iterable[str]) -> dict[str, int]:
        """Return ID in the source → customer, for those that are known."""
        wanted = {one for one in ids if one}
        missing = wanted - self._customers.keys()
        if missing:
            self._customers |= resolve(self.source, missing, now=self._now)
        return {one: self._customers[one] for one in wanted & self._customers.keys()}

    def customers_of_lines(self, line_ids: Iterable[str]) -> dict[str, int]:
        """Return line_id → customer, for the contract lines that are known: of this source, else of the only one that has it."""
        wanted = {one for one in line_ids if one}
        missing = sorted(wanted - self._lines.keys())
        if missing:
            with connection.cursor() as cursor:
                cursor.execute(_CUSTOMERS_OF_LINES, {"lines": missing, "source": self.source})
                self._lines |= dict(cursor.fetchall())
        return {one: self._lines[one] for one in wanted & self._lines.keys()}

    def products(self, codes: Iterable[str], *, batch: ImportBatch) -> dict[str, int]:
        """Return code → product.  A code that nobody described becomes a product of that code, marked as guessed."""
        wanted = {one for one in codes if one}
        missing = wanted - self._products.keys()
        if missing:
            known = set(Product.objects.filter(code__in=missing).values_list("code", flat=True))
            Product.objects.bulk_create(
                [
                    Product(code=code, name=code, kind=ProductKind.PRODUCT, is_guessed=True, batch=batch)
                    for code in sorted(missing - known)
                ],
                ignore_conflicts=True,
            )
            self._products |= dict(Product.objects.filter(code__in=missing).values_list("code", "pk"))
        return {one: self._products[one] for one in wanted}

    def metrics(self, keys: Iterable[str], *, batch: ImportBatch) -> dict[str, tuple[int, str]]:
        """Return key → (metric, kind).  A key that nobody described becomes a metric of the kind that its name suggests."""
        wanted = {one for one in keys if one}
        missing = wanted - self._metrics.keys()
        if missing:
            known = set(Metric.objects.filter(key__in=missing).values_list("key", flat=True))
            Metric.objects.bulk_create(
                [Metric(key=key, kind=guessed_metric_kind(key), batch=batch) for key in sorted(missing - known)],
                ignore_conflicts=True,
            )
            found = Metric.objects.filter(key__in=missing).values_list("key", "pk", "kind")
            self._metrics |= {key: (pk, kind) for key, pk, kind in found}
        return {one: self._metrics[one] for one in wanted}

    def contacts(self, ids: Iterable[str]) -> dict[str, int]:
        """Return contact_id in the source → contact."""
        wanted = {one for one in ids if one}
        missing = wanted - self._contacts.keys()
        if missing:
            self._contacts |= dict(
                Contact.objects.filter(source=self.source, external_id__in=missing).values_list("external_id", "pk")
            )
        return {one: self._contacts[one] for one in wanted & self._contacts.keys()}

    def contacts_by_email(self, pairs: Iterable[tuple[int, str]]) -> dict[tuple[int, str], int]:
        """Return (customer, lower-case address) → contact; of several contacts with one address the first."""
        missing = {pair for pair in pairs if pair[1] and pair not in self._addresses}
        if missing:
            found = (
                Contact.objects.filter(customer__in={customer for customer, _ in missing})
                .annotate(lower=Lower("email"))
                .filter(lower__in={email for _, email in missing})
                .order_by("-pk")
            )
            for customer, email, contact in found.values_list("customer_id", "lower", "pk"):
                self._addresses[int(customer), email] = contact
        return self._addresses

    def users(self, emails: Iterable[str]) -> dict[str, int]:
        """Return lower-case address → user."""
        self._users |= customers.users_by_email({email.lower() for email in emails if email} - self._users.keys())
        return self._users

    def currencies(self, ids: Iterable[int]) -> dict[int, str]:
        """Return customer → currency, for the customers that have one."""
        missing = set(ids) - self._currencies.keys()
        if missing:
            self._currencies |= dict(Customer.objects.filter(pk__in=missing).values_list("pk", "currency"))
        return {customer: currency for customer, currency in self._currencies.items() if currency}

    def forget_currencies(self) -> None:
        self._currencies.clear()


def resolve(source: str, external_ids: Iterable[str], *, now: datetime) -> dict[str, int]:
    """Return ID in the source → customer (of a merged one, the one that stays); unknown IDs are absent.

    An ID of another source that equals a customer's own is written down as confirmed.
    """
    wanted = sorted(set(external_ids))
    with connection.cursor() as cursor:
        cursor.execute(_BY_IDENTITY, {"source": source, "ids": wanted})
        found: dict[str, int] = dict(cursor.fetchall())
        cursor.execute(_BY_MAIN_ID, {"ids": [one for one in wanted if one not in found]})
        equal: dict[str, int] = dict(cursor.fetchall())
    if source != MAIN and equal:
        Identity.objects.bulk_create(
            [Identity(source=source, external_id=one, customer_id=customer, confirmed_at=now) for one, customer in equal.items()],
            ignore_conflicts=True,
        )
    merged = dict(Customer.objects.filter(merged_into__isnull=False).values_list("pk", "merged_into_id"))
    return {one: _staying(customer, merged) for one, customer in (found | equal).items()}


def _staying(customer: int, merged: dict[int, int]) -> int:
    seen = {customer}
    while customer in merged and merged[customer] not in seen:
        customer = merged[customer]
        seen.add(customer)
    return customer


_BY_IDENTITY = "SELECT external_id, customer_id FROM accounts_identity WHERE source = %(source)s AND external_id = ANY(%(ids)s)"
_BY_MAIN_ID = "SELECT customer_id, id FROM accounts_customer WHERE customer_id = ANY(%(ids)s)"
_CUSTOMERS_OF_LINES = """
SELECT line_id, coalesce(
    (array_agg(customer_id ORDER BY starts_on DESC, id DESC) FILTER (WHERE source = %(source)s))[1],
    CASE WHEN count(DISTINCT customer_id) = 1 THEN min(customer_id) END
)
FROM accounts_contractline WHERE line_id = ANY(%(lines)s)
GROUP BY line_id
HAVING bool_or(source = %(source)s) OR count(DISTINCT customer_id) = 1
"""
