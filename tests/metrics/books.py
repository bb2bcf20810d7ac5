"""A small book with people, so that every figure can be worked out by hand."""

from __future__ import annotations

from decimal import Decimal

from accounts import ledger
from accounts.models import ContractLine, Customer, Product
from expansion import money
from expansion.users.models import Team, User
from signals.models import Standing

# The end is exclusive; 2024-12-31 to 2025-12-31 is the year that the tests work out.
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


def make_people(language: str = "ja") -> dict[str, User]:
    """Make two reps, a manager of one team, a manager, an administrator and a viewer."""
    east, west = Team.objects.create(key="east", name="東日本"), Team.objects.create(key="west", name="西日本")

    def person(name: str, role: str, scope: str, team: Team | None = None) -> User:
        return User.objects.create(
            email=f"{name}@example.jp", name=name.title(), role=role, scope=scope, team=team, language=language
        )

    return {
        "aoi": person("aoi", "rep", "own", east),
        "ben": person("ben", "rep", "own", west),
        "emi": person("emi", "manager", "team", east),
        "max": person("max", "manager", "all"),
        "ada": person("ada", "admin", "all"),
        "vic": person("vic", "viewer", "all"),
    }


def fill(text: str, people: dict[str, User]) -> dict[str, Customer]:
    """Store lines written as a table and rebuild the ledger; return all customers by ID."""
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


def stand(bands: dict[Customer, str], *, as_of: str = "2025-12-31") -> None:
    """Give customers a band, as the nightly run would."""
    for customer, band in bands.items():
        score = None if band == "insufficient" else 50
        Standing.objects.update_or_create(
            customer=customer,
            defaults={"as_of": as_of, "band": band, "score": score, "coverage": 1.0, "mrr": 0, "arr": 0, "currency": "JPY"},
        )
