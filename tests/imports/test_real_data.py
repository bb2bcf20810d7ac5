"""Two real exports into an empty database each, by the mappings and commands of docs/examples.

What is expected of revenue is worked out here from the files themselves, slowly and with nothing of the product.
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections import Counter, defaultdict
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from django.core.management import call_command

ROOT = Path(__file__).resolve().parents[2]
FOLDER = Path(os.environ.get("REAL_DATA_DIR", "") or "nowhere")

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.slow,
    pytest.mark.skipif(
        not os.environ.get("REAL_DATA_DIR"),
        reason="REAL_DATA_DIR is not set: it names the folder with ravenstack/ and growth_retention/.",
    ),
]


def raw(name: str) -> list[dict[str, str]]:
    with (FOLDER / name).open(newline="") as file:
        return list(csv.DictReader(file))


def bring(dataset: str, file: Path, *, mapping: str | None = None) -> dict:
    """Import a file as the examples say; nothing may be left out of the counts."""
    args = ["--mapping", str(ROOT / "docs" / "examples" / mapping)] if mapping else []
    out = io.StringIO()
    call_command("import_data", dataset, str(file), *args, "--json", stdout=out)
    told = json.loads(out.getvalue())
    assert told["rows"] == told["applied"] + told["unchanged"] + told["waiting"] + told["rejected"]
    return told


def counted(told: dict) -> tuple[int, int, int, int, int]:
    return tuple(told[name] for name in ("rows", "applied", "unchanged", "waiting", "rejected"))


def month_ends(first: date, last: date) -> list[date]:
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    return [day for day in days if (day + timedelta(days=1)).day == 1]


def product_mrr(day: date) -> tuple[Decimal, int]:
    """Return (MRR at the close of the day, paying customers) as the ledger says."""
    from accounts import ledger

    balances = ledger.balances_frame(day)
    return Decimal(int(balances["mrr_cents"].sum())) / 100, len(balances)


def test_ravenstack(settings) -> None:
    from accounts import ledger
    from accounts.models import ContractLine, Customer, Event, Metric, Product, Ticket, UsageDaily

    settings.REPORTING_CURRENCY = "USD"
    files, examples = FOLDER / "ravenstack", ROOT / "docs" / "examples" / "ravenstack"
    told = {
        "customers": bring("customers", files / "ravenstack_accounts.csv", mapping="ravenstack/customers.yaml"),
        "products": bring("products", examples / "products.csv"),
        "contract_lines": bring("contract_lines", files / "ravenstack_subscriptions.csv", mapping="ravenstack/contract_lines.yaml"),
        "metrics": bring("metrics", examples / "metrics.csv"),
        "usage": bring("usage", files / "ravenstack_feature_usage.csv", mapping="ravenstack/usage.yaml"),
        "tickets": bring("tickets", files / "ravenstack_support_tickets.csv", mapping="ravenstack/tickets.yaml"),
        "events": bring("events", files / "ravenstack_churn_events.csv", mapping="ravenstack/events.yaml"),
    }
    assert {name: counted(one) for name, one in told.items()} == {
        "customers": (500, 500, 0, 0, 0),
        "products": (3, 3, 0, 0, 0),
        "contract_lines": (5_000, 5_000, 0, 0, 0),
        "metrics": (2, 2, 0, 0, 0),
        "usage": (75_000, 75_000, 0, 0, 0),
        "tickets": (2_000, 2_000, 0, 0, 0),
        "events": (600, 600, 0, 0, 0),
    }
    assert told["usage"]["notes"]["lines"] == 25_000
    assert told["usage"]["notes"]["unused_columns"] == ["usage_id", "is_beta_feature"]
    assert Customer.objects.filter(currency="USD").count() == 500
    assert not Product.objects.filter(is_guessed=True).exists()

    # MRR, line by line and day by day.
    lines = raw("ravenstack/ravenstack_subscriptions.csv")
    for day in month_ends(date(2023, 1, 1), date(2024, 12, 31)):
        running: Counter[str] = Counter()
        for line in lines:
            starts, ends = date.fromisoformat(line["start_date"]), line["end_date"]
            if starts <= day and (not ends or date.fromisoformat(ends) >= day):
                running[line["account_id"]] += int(line["mrr_amount"])
        paying = {account: mrr for account, mrr in running.items() if mrr}
        assert product_mrr(day) == (Decimal(sum(paying.values())), len(paying)), day
    assert ledger.differing() == []
    assert ContractLine.objects.filter(status="trial").count() == sum(line["is_trial"] == "True" for line in lines)
    arr = {line["subscription_id"]: Decimal(line["arr_amount"]) for line in lines}
    assert all(arr[line_id] == worth for line_id, worth in ContractLine.objects.values_list("line_id", "arr"))

    # Usage: every row counts, those with a usage_id that is given twice among them.
    customer_of = {line["subscription_id"]: line["account_id"] for line in lines}
    rows = raw("ravenstack/ravenstack_feature_usage.csv")
    assert len(rows) - len({row["usage_id"] for row in rows}) == 21
    wanted: dict[tuple[str, str, str], float] = defaultdict(float)
    for row in rows:
        customer, day = customer_of[row["subscription_id"]], row["usage_date"]
        wanted[customer, f"feature.{row['feature_name']}", day] += int(row["usage_count"])
        wanted[customer, "usage_seconds", day] += int(row["usage_duration_secs"])
        wanted[customer, "errors", day] += int(row["error_count"])
    names, keys = dict(Customer.objects.values_list("pk", "customer_id")), dict(Metric.objects.values_list("pk", "key"))
    stored = UsageDaily.objects.values_list("customer_id", "metric_id", "day", "value")
    assert {(names[customer], keys[metric], day.isoformat()): value for customer, metric, day, value in stored} == wanted
    assert set(Metric.objects.values_list("kind", flat=True)) == {"counter"}

    tickets = raw("ravenstack/ravenstack_support_tickets.csv")
    for ticket in tickets:
        hours = datetime.fromisoformat(ticket["closed_at"]) - datetime.fromisoformat(ticket["submitted_at"])
        assert hours == timedelta(hours=float(ticket["resolution_time_hours"]))
    assert Ticket.objects.filter(status="closed").count() == 2_000
    severities = Counter({"urgent": "p1", "high": "p2", "medium": "p3", "low": "p4"}[ticket["priority"]] for ticket in tickets)
    assert Counter(Ticket.objects.values_list("severity", flat=True)) == severities
    assert Ticket.objects.filter(satisfaction__isnull=True).count() == sum(not ticket["satisfaction_score"] for ticket in tickets)
    assert Ticket.objects.filter(is_escalated=True).count() == sum(ticket["escalation_flag"] == "True" for ticket in tickets)
    assert set(Event.objects.values_list("kind", flat=True)) == {"churn_reported"}
    reasons = Counter(event["reason_code"] for event in raw("ravenstack/ravenstack_churn_events.csv"))
    assert Counter(detail["reason"] for detail in Event.objects.values_list("detail", flat=True)) == reasons

    again = bring("contract_lines", files / "ravenstack_subscriptions.csv", mapping="ravenstack/contract_lines.yaml")
    assert (again["same_file"], counted(again)) == (True, (5_000, 0, 5_000, 0, 0))


def test_growth_retention(settings) -> None:
    from accounts import ledger
    from accounts.models import ContractLine, Customer, Invoice, Product, Ticket, UsageDaily

    settings.REPORTING_CURRENCY = "CAD"
    files, examples = FOLDER / "growth_retention", ROOT / "docs" / "examples" / "growth_retention"
    told = {
        "customers": bring("customers", files / "accounts.csv", mapping="growth_retention/customers.yaml"),
        "products": bring("products", examples / "products.csv"),
        "contract_lines": bring("contract_lines", files / "subscriptions.csv", mapping="growth_retention/contract_lines.yaml"),
        "invoices": bring("invoices", files / "invoices.csv", mapping="growth_retention/invoices.yaml"),
        "tickets": bring("tickets", files / "support_tickets.csv", mapping="growth_retention/tickets.yaml"),
        "usage": bring("usage", files / "product_events_sample.csv", mapping="growth_retention/usage.yaml"),
    }
    assert {name: counted(one) for name, one in told.items()} == {
        "customers": (12_000, 12_000, 0, 0, 0),
        "products": (4, 4, 0, 0, 0),
        "contract_lines": (12_000, 12_000, 0, 0, 0),
        "invoices": (55_318, 55_318, 0, 0, 0),
        "tickets": (12_756, 12_756, 0, 0, 0),
        "usage": (100, 100, 0, 0, 0),
    }
    assert Customer.objects.filter(currency="CAD").count() == 12_000
    assert not Product.objects.filter(is_guessed=True).exists()

    lines = raw("growth_retention/subscriptions.csv")
    for day in month_ends(date(2024, 1, 1), date(2026, 3, 31)):
        paying = {
            line["account_id"]: int(line["monthly_recurring_revenue"])
            for line in lines
            if line["conversion_date"] and date.fromisoformat(line["conversion_date"]) <= day
            and (not line["cancel_date"] or date.fromisoformat(line["cancel_date"]) >= day)
        }  # fmt: skip
        assert product_mrr(day) == (Decimal(sum(paying.values())), len(paying)), day
    assert ledger.differing() == []
    only_trials = [line for line in lines if not line["conversion_date"]]
    kept = ContractLine.objects.filter(status="trial")
    assert kept.count() == len(only_trials)
    assert not kept.exclude(mrr=0).exists()
    assert {(line.ends_before - line.starts_on).days for line in kept} == {14}

    # What was billed in a month is what was due from the lines that were running on the day of billing, to the cent.
    billed = raw("growth_retention/invoices.csv")
    assert sum(Invoice.objects.values_list("amount", flat=True)) == sum(Decimal(invoice["amount"]) for invoice in billed)
    ends = {line["account_id"]: line["cancel_date"] for line in lines}
    assert not [
        invoice for invoice in billed if ends[invoice["account_id"]] and invoice["invoice_date"] > ends[invoice["account_id"]]
    ]
    assert [invoice for invoice in billed if invoice["invoice_date"] == ends[invoice["account_id"]]]

    tickets = raw("growth_retention/support_tickets.csv")
    severities = Counter({"high": "p2", "medium": "p3", "low": "p4"}[ticket["priority"]] for ticket in tickets)
    assert Counter(Ticket.objects.values_list("severity", flat=True)) == severities
    hours = {ticket["ticket_id"]: Decimal(ticket["resolution_hours"]) for ticket in tickets}
    took = ((name, closed - opened) for name, opened, closed in Ticket.objects.values_list("external_id", "opened_at", "closed_at"))
    assert all(passed == timedelta(seconds=int(hours[name] * 3600)) for name, passed in took)
    assert sum(UsageDaily.objects.values_list("value", flat=True)) == 100
