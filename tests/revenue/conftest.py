"""Contract lines written as a table, and back."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest

from accounts.revenue import changes, frames, months, service

PRODUCTS = pd.DataFrame(
    [(1, "plan", "core"), (2, "plan", "core"), (3, "plan", "mail"), (4, "seat", ""), (5, "capacity", ""), (6, "addon", ""),
     (7, "product", ""), (8, "service", ""), (9, "addon", ""), (10, "plan", "mail")],
    columns=["product_id", "kind", "family"],
).astype(frames.PRODUCTS)  # fmt: skip
NAMES = {"basic": 1, "pro": 2, "post": 3, "seats": 4, "storage": 5, "sso": 6, "board": 7, "training": 8, "audit": 9, "post+": 10}
CURRENCIES = {"JPY": 0, "USD": 1}
DAYS = {"starts": None, "ends": frames.NEVER, "renews": frames.NEVER, "cancelled": frames.NEVER, "trial_ends": None,
        "paused": frames.NEVER, "resumed": frames.NEVER}  # fmt: skip


def day(text: str) -> int:
    return frames.day_number(date.fromisoformat(text))


def parse(text: str) -> list[dict[str, str]]:
    header, *rows = [line.split() for line in text.strip().splitlines()]
    return [dict(zip(header, row, strict=True)) for row in rows]


def lines_of(text: str) -> pd.DataFrame:
    """Read a table with the columns customer, line, product, starts, mrr and any others; - means not given."""
    rows, chains = [], {}
    for number, given in enumerate(parse(text), start=1):
        said = {name: value for name, value in given.items() if value != "-"}
        row = {name: day(said[name]) if name in said else fallback for name, fallback in DAYS.items()}
        trial = row.pop("trial_ends")
        row["trial_until"] = frames.ALWAYS if trial is None else trial + 1
        rows.append(row | {
            "line": number, "chain": chains.setdefault(said["line"], len(chains) + 1), "customer_id": int(said["customer"]),
            "product_id": NAMES[said.get("product", "basic")], "currency": CURRENCIES[said.get("currency", "JPY")],
            "mrr_cents": round(float(said["mrr"]) * 100), "quantity": float(said.get("qty", "nan")),
            "billing_months": int(said.get("months", 1)), "discount_percent": float(said.get("off", "nan")),
        })  # fmt: skip
    made = pd.DataFrame(rows).astype(frames.LINES)[list(frames.LINES)]
    return made.assign(until=service.service_until(made))


def told(events: pd.DataFrame) -> list[str]:
    """Write events as «day customer ±amount cause», in order."""
    return [f"{frames.day_of(row.on)} {row.customer_id} {row.change_cents / 100:+g} {row.cause}" for row in events.itertuples()]


@pytest.fixture
def lines():
    return lines_of


@pytest.fixture
def events():
    return lambda text: told(changes.events(lines_of(text), PRODUCTS))


@pytest.fixture
def products():
    return PRODUCTS


@pytest.fixture
def moves():
    """Write movements as «month customer before→after category», in order."""

    def write(text: str) -> list[str]:
        rows = months.movements(service.stretches(lines_of(text)))
        return [
            f"{frames.first_of_month(row.month):%Y-%m} {row.customer_id} "
            f"{row.before_cents / 100:g}→{row.after_cents / 100:g} {row.category}"
            for row in rows.itertuples()
        ]

    return write


@pytest.fixture
def balances():
    """Give the MRR of customer 1 at the close of each day."""

    def read(text: str, *days: str) -> list[float]:
        asked = sorted(day(text) for text in days)
        table = months.balances(service.stretches(lines_of(text)), asked)
        return [0.0] * len(asked) if 1 not in table.index else [cents / 100 for cents in table.loc[1]]

    return read


@pytest.fixture(scope="session")
def random_lines_for_hypothesis():
    return _random_lines


@pytest.fixture
def random_lines():
    return _random_lines


def _random_lines(rng: np.random.Generator, size: int, *, customers: int = 6, credit: bool = True) -> pd.DataFrame:
    """Make lines with every oddity: gaps, amendments, trials, pauses, cancellations, credits, free periods."""
    start = day("2024-01-01")
    chain = rng.integers(1, max(size // 2, 2), size)
    starts = start + 15 * rng.integers(0, 34, size)
    made = pd.DataFrame({"chain": chain, "starts": starts}).drop_duplicates(ignore_index=True)
    size = len(made)
    length = 15 * rng.integers(1, 27, size)

    def maybe(share, values, fallback=frames.NEVER):
        return np.where(rng.random(size) < share, values, fallback)

    paused = made["starts"] + rng.integers(-5, 200, size)
    has_pause = rng.random(size) < 0.3
    made = made.assign(
        line=rng.permutation(size) + 1, customer_id=made["chain"] % customers + 1,
        product_id=np.where(rng.random(size) < 0.7, made["chain"] % 10 + 1, rng.integers(1, 11, size)),
        currency=0, ends=maybe(0.6, made["starts"] + length), renews=maybe(0.5, made["starts"] + 15 * rng.integers(-1, 27, size)),
        cancelled=maybe(0.2, made["starts"] + rng.integers(-3, 300, size)),
        trial_until=maybe(0.2, made["starts"] + rng.integers(0, 40, size), frames.ALWAYS),
        paused=np.where(has_pause, paused, frames.NEVER),
        resumed=np.where(has_pause & (rng.random(size) < 0.7), paused + rng.integers(0, 90, size), frames.NEVER),
        mrr_cents=rng.choice([0, 10_000, 12_345, 20_000, *([-1_500] if credit else [])], size),
        quantity=rng.choice([np.nan, 5, 10, 12], size), billing_months=rng.choice([1, 12], size),
        discount_percent=rng.choice([np.nan, 0, 10], size),
    )  # fmt: skip
    made = made.astype(frames.LINES)[list(frames.LINES)]
    return made.assign(until=service.service_until(made))


KINDS = {"basic": "plan", "pro": "plan", "post": "plan", "seats": "seat", "storage": "capacity", "sso": "addon", "board": "product",
         "training": "service", "audit": "addon", "post+": "plan"}  # fmt: skip


@pytest.fixture
def store(db):
    """Store a table of lines (customers are numbered C1, C2, …) and rebuild the ledger; return customers by number."""
    from decimal import Decimal

    from accounts import ledger
    from accounts.models import ContractLine, Customer, Product
    from expansion import money

    def put(text: str, *, rebuild: bool = True) -> dict[int, Customer]:
        customers = {}
        for number, row in enumerate(parse(text), start=1):
            said = {name: value for name, value in row.items() if value != "-"}
            who = int(said["customer"])
            if who not in customers:
                customers[who], _ = Customer.objects.get_or_create(
                    customer_id=f"C{who}", defaults={"name": f"Customer {who}", "slot": who}
                )
            name = said.get("product", "basic")
            product, _ = Product.objects.get_or_create(code=name, defaults={"name": name.title(), "kind": KINDS[name]})
            months = int(said.get("months", 1))
            amount = Decimal(said["amount"]) if "amount" in said else Decimal(said["mrr"]) * months
            ContractLine.objects.create(
                customer=customers[who], source=said.get("source", "main"), line_id=said.get("line", f"L{number}"), product=product,
                starts_on=said["starts"], ends_before=said.get("ends"), renews_on=said.get("renews"),
                cancelled_on=said.get("cancelled"), trial_ends_on=said.get("trial_ends"), paused_from=said.get("paused"),
                paused_before=said.get("resumed"), quantity=said.get("qty"), amount=amount, billing_months=months,
                mrr=money.mrr_of(amount, months), arr=money.arr_of(amount, months), currency=said.get("currency", "JPY"),
                discount_percent=said.get("off"), status=said.get("status", ""), notice_days=said.get("notice"),
                auto_renew={"yes": True, "no": False}.get(said.get("auto", "")),
            )  # fmt: skip
        if rebuild:
            ledger.rebuild()
        return customers

    return put
