"""A book of four customers, small enough to know what the nightly run must say about each."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from accounts import ledger
from accounts.models import ContractLine, Customer, NpsResponse, Product
from signals import defaults

DAY = date(2026, 11, 19)
NOW = datetime(2026, 11, 19, 20, 0, tzinfo=UTC)
# Slots in two chunks of 8,192, so that a run has something to share out.
SLOTS = {"A": 0, "B": 1, "C": 8_192, "D": 8_193}


def write(*, as_of: date = DAY) -> dict[str, Customer]:
    """Store the book: A and C renew within 90 days, B has a detractor, D is at peace."""
    defaults.load(NOW)
    product = Product.objects.create(code="STD", name="Standard", kind="plan", tier=1, list_price=Decimal(1000), currency="JPY")
    customers = {}
    for name, slot in SLOTS.items():
        customers[name] = Customer.objects.create(customer_id=f"C-{name}", slot=slot, name=f"取引先{name}", currency="JPY")
        renews_in = {"A": 60, "C": 30}.get(name, 200)
        ContractLine.objects.create(
            customer=customers[name], line_id=f"L-{name}", product=product, starts_on=as_of - timedelta(days=365 - renews_in),
            renews_on=as_of + timedelta(days=renews_in), quantity=10, amount=120_000, billing_months=12,
            mrr=Decimal(10_000), arr=Decimal(120_000), currency="JPY", auto_renew=True,
        )  # fmt: skip
    NpsResponse.objects.create(
        customer=customers["B"], external_id="n1", respondent="高橋", score=3, responded_on=as_of - timedelta(days=5)
    )
    ledger.rebuild()
    return customers


# What the run of DAY raises: customer and family.
EXPECTED = {("C-A", "renewal"), ("C-B", "detractor"), ("C-C", "renewal")}
