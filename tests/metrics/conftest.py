"""A small book with people, so that every figure can be worked out by hand."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

# columns: customer owner line product starts ends mrr qty …   (dates as a contract would say them; the end is exclusive)
BOOK = """
    customer owner line product starts     ends       qty mrr
    acme     aoi   a1   basic   2024-01-01 2025-06-01 10  1000
    acme     aoi   a1   basic   2025-06-01 -          15  1500
    acme     aoi   a2   board   2025-08-01 -          -   300
    bolt     aoi   b1   pro     2024-02-01 2025-09-01 -   2000
    bolt     aoi   b1   basic   2025-09-01 -          -   1200
    core     ben   c1   basic   2024-03-01 2025-05-01 5   500
    dash     ben   d1   basic   2024-03-01 -          8   800
    dash     ben   d1   basic   2025-10-01 -          8   840
    echo     -     e1   basic   2024-01-01 2024-10-01 4   400
    echo     -     e2   basic   2025-07-01 -          4   450
    fuji     ben   f1   pro     2025-07-15 -          7   700
    gale     ben   g1   basic   2025-03-01 2025-03-20 1   90
"""
KINDS = {"basic": "plan", "pro": "plan", "board": "product", "sso": "addon", "storage": "capacity"}
NOW = datetime(2026, 1, 10, 3, 0, tzinfo=UTC)


@pytest.fixture
def people(db):
    """Three teams' worth of people: two reps, a manager, an admin, a viewer, and a team manager."""
    from expansion.users.models import Team, User

    east, west = Team.objects.create(key="east", name="東日本"), Team.objects.create(key="west", name="西日本")

    def person(name, role, scope, team=None):
        return User.objects.create(email=f"{name}@example.jp", name=name.title(), role=role, scope=scope, team=team, language="ja")

    return {
        "aoi": person("aoi", "rep", "own", east),
        "ben": person("ben", "rep", "own", west),
        "emi": person("emi", "manager", "team", east),
        "max": person("max", "manager", "all"),
        "ada": person("ada", "admin", "all"),
        "vic": person("vic", "viewer", "all"),
    }


@pytest.fixture
def fill(people):
    """Store lines written as a table and rebuild the ledger; return customers by name."""
    from accounts import ledger
    from accounts.models import ContractLine, Customer, Product
    from expansion import money

    def put(text: str) -> dict[str, Customer]:
        header, *rows = [line.split() for line in text.strip().splitlines()]
        for row in rows:
            said = {name: value for name, value in zip(header, row, strict=True) if value != "-"}
            customer, _ = Customer.objects.get_or_create(
                customer_id=said["customer"],
                defaults={
                    "name": said["customer"].title(), "slot": Customer.objects.count(), "owner": people.get(said.get("owner", "")),
                    "owner_email": f"{said['owner']}@example.jp" if "owner" in said else "",
                },
            )  # fmt: skip
            product, _ = Product.objects.get_or_create(
                code=said["product"], defaults={"name": said["product"].title(), "kind": KINDS[said["product"]]}
            )
            mrr = Decimal(said["mrr"])
            ContractLine.objects.create(
                customer=customer, line_id=said["line"], product=product, starts_on=said["starts"], ends_before=said.get("ends"),
                renews_on=said.get("renews"), cancelled_on=said.get("cancelled"), quantity=said.get("qty"), amount=mrr,
                mrr=money.round_half_up(mrr), arr=mrr * 12, currency=said.get("currency", "JPY"), discount_percent=said.get("off"),
            )  # fmt: skip
        ledger.rebuild()
        return {customer.customer_id: customer for customer in Customer.objects.all()}

    return put


@pytest.fixture
def book(fill):
    return fill(BOOK)


@pytest.fixture
def standing(db):
    """Give customers a band, as the nightly run would."""
    from signals.models import Standing

    def put(bands, *, as_of="2025-12-31"):
        for customer, band in bands.items():
            Standing.objects.update_or_create(
                customer=customer,
                defaults={"as_of": as_of, "band": band, "score": None if band == "insufficient" else 50, "coverage": 1.0,
                          "mrr": 0, "arr": 0, "currency": "JPY"},
            )  # fmt: skip

    return put
