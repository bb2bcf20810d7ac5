"""Reference data of a size, made straight into PostgreSQL: the same seed gives the same rows.

Customers with a plan, usage of some metrics over some days, orders, tickets and NPS answers.
Usage rows go into the partitions by COPY; blocks are built from them as the nightly would.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from django.db import connection, transaction

from accounts import ledger, usage
from accounts.models import FeedDay, Metric, Product, UsageBlock
from expansion.copying import copy_from_arrays, copy_rows

LAST = date(2026, 6, 30)
SEED = 20_260_630
METRICS = (
    ("seats_used", "gauge"), ("storage_gb", "gauge"), ("feature.report", "counter"), ("feature.csv_export", "counter"),
    ("feature.dashboard", "counter"), ("feature.search", "counter"), ("logins", "counter"), ("shares", "counter"),
    ("api_links", "gauge"), ("feature.audit_log", "counter"),
)  # fmt: skip
_FILLED = 0.85
_ORDERS = 10


def make(customers: int, *, days: int = 98, metrics: int = 4, orders: bool = True) -> None:
    """Fill an empty database; customer n has the id and slot that follow from n."""
    ids = make_customers(customers)
    make_contracts(ids)
    make_usage(ids, days=days, metrics=metrics)
    if orders:
        make_orders(ids)
    make_voice(ids)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")


def make_customers(customers: int) -> np.ndarray:
    """Write the customers; return their ids by slot."""
    numbers = np.arange(customers)
    copy_rows(
        "accounts_customer",
        pd.DataFrame(
            {
                "customer_id": [f"C{n:06d}" for n in numbers], "slot": numbers, "name": [f"取引先{n}" for n in numbers],
                "name_kana": "", "name_key": "", "domain": "", "corporate_number": "", "industry": "", "country": "", "region": "",
                "currency": "JPY",
                "phase": "", "owner_email": "", "sales_owner_email": "", "product_owner_email": "", "marketing_owner_email": "",
                "created_at": f"{LAST.isoformat()}T00:00:00Z",
            }
        ),
    )  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute("SELECT array_agg(id ORDER BY slot) FROM accounts_customer")
        return np.array(cursor.fetchone()[0], dtype=np.int64)


def make_contracts(ids: np.ndarray) -> None:
    """Give every customer one running line of one of three plans, and some of them a second product."""
    rng = np.random.default_rng(SEED)
    plans = [
        Product.objects.create(
            code=f"PLAN{tier}", name=f"Plan {tier}", kind="plan", family="core", tier=tier, list_price=500 + 500 * tier,
            included_quota={"storage_gb": 100 * tier}, complements=["SIGN"],
        )
        for tier in (1, 2, 3)
    ]  # fmt: skip
    sign = Product.objects.create(code="SIGN", name="Sign", kind="product", list_price=30_000)
    seats = rng.integers(5, 300, len(ids))
    tier = rng.integers(0, 3, len(ids))
    starts = rng.integers(100, 1500, len(ids))
    lines = pd.DataFrame(
        {
            "customer_id": ids, "product_id": np.array([p.pk for p in plans])[tier], "quantity": seats,
            "amount": seats * (1000 + 500 * tier) * 12, "starts": starts,
        }
    )  # fmt: skip
    more = lines.sample(frac=0.2, random_state=1).assign(product_id=sign.pk, quantity=1, amount=360_000)
    both = pd.concat([lines, more], ignore_index=True)
    first = pd.Timestamp(LAST)
    copy_rows(
        "accounts_contractline",
        pd.DataFrame(
            {
                "customer_id": both["customer_id"], "product_id": both["product_id"], "source": "main",
                "line_id": [f"L{n}" for n in range(len(both))], "contract_id": "",
                "starts_on": (first - pd.to_timedelta(both["starts"], unit="D")).dt.date,
                "renews_on": (first + pd.to_timedelta(365 - both["starts"] % 365, unit="D")).dt.date,
                "quantity": both["quantity"], "amount": both["amount"], "billing_months": 12,
                "mrr": (both["amount"] / 12).round(2), "arr": both["amount"], "currency": "JPY", "auto_renew": "t",
                "is_co_term": "f",
                "status": "",
            }
        ),
    )  # fmt: skip
    ledger.rebuild()


def make_usage(ids: np.ndarray, *, days: int, metrics: int, last: date = LAST) -> None:
    """Write the usage rows of the days up to ``last`` and build their blocks."""
    keys = [Metric.objects.get_or_create(key=key, defaults={"kind": kind})[0].pk for key, kind in METRICS[:metrics]]
    first = last - timedelta(days=days - 1)
    usage.ensure_months(first, last)
    for rows in usage_rows(ids, keys, first=first, last=last):
        with transaction.atomic():
            copy_from_arrays(f"accounts_usagedaily_{rows['day'][0].item():%Y_%m}", rows)
    span = [first + timedelta(days=n) for n in range(days)]
    FeedDay.objects.bulk_create([FeedDay(metric_id=key, day=day) for key in keys for day in span], batch_size=5000)
    blocks = range((len(ids) - 1) // UsageBlock.BLOCK_SLOTS + 1)
    usage.mark_dirty([(day, key, block) for day in span for key in keys for block in blocks])
    usage.rebuild_dirty_blocks(through=last)


def usage_rows(ids: np.ndarray, keys: list[int], *, first: date, last: date) -> Iterator[dict[str, Any]]:
    """Yield the rows of one day after another, ordered as the primary key is."""
    rng = np.random.default_rng(SEED + 1)
    level = rng.gamma(2.0, 6.0, (len(ids), len(keys)))
    day = first
    while day <= last:
        quiet = 0.15 if day.weekday() >= 5 else 1.0
        value = rng.poisson(level * quiet).astype(np.float64)
        there = rng.random(value.shape) < _FILLED
        who, what = np.nonzero(there)
        yield {
            "customer_id": ids[who],
            "metric_id": np.array(keys, dtype=np.int16)[what],
            "day": np.full(len(who), np.datetime64(day, "D")),
            "value": value[there],
        }
        day += timedelta(days=1)


def purchases(customers: int) -> pd.DataFrame:
    """Return orders of a size: customer (its number), day, amount_cents."""
    rng = np.random.default_rng(SEED + 2)
    count = customers * _ORDERS
    return pd.DataFrame(
        {
            "customer": rng.integers(0, customers, count),
            "day": np.datetime64(LAST, "s") - rng.integers(0, 900, count).astype("timedelta64[D]"),
            "amount_cents": rng.integers(1_000, 500_000, count) * 100,
        }
    )


def make_orders(ids: np.ndarray) -> None:
    bought = purchases(len(ids))
    copy_rows(
        "accounts_order",
        pd.DataFrame(
            {
                "customer_id": ids[bought["customer"]], "source": "main", "external_id": [f"O{n}" for n in range(len(bought))],
                "ordered_on": bought["day"], "amount": bought["amount_cents"] // 100, "currency": "JPY", "kind": "one_off",
            }
        ),
    )  # fmt: skip


def make_voice(ids: np.ndarray) -> None:
    """Write a ticket for half of the customers and an NPS answer for a third."""
    rng = np.random.default_rng(SEED + 3)
    asked = rng.choice(ids, len(ids) // 2, replace=False)
    ago = rng.integers(0, 120, len(asked))
    opened = pd.Timestamp(LAST) - pd.to_timedelta(ago, unit="D")
    copy_rows(
        "accounts_ticket",
        pd.DataFrame(
            {
                "customer_id": asked, "source": "main", "external_id": [f"T{n}" for n in range(len(asked))],
                "opened_at": opened.strftime("%Y-%m-%dT03:00:00Z"), "severity": "p3", "status": "closed",
                "closed_at": (opened + pd.Timedelta(days=2)).strftime("%Y-%m-%dT03:00:00Z"),
                "satisfaction": rng.integers(2, 6, len(asked)),
                "theme": "", "is_escalated": "f",
            }
        ),
    )  # fmt: skip
    answered = rng.choice(ids, len(ids) // 3, replace=False)
    copy_rows(
        "accounts_npsresponse",
        pd.DataFrame(
            {
                "customer_id": answered, "source": "main", "external_id": [f"N{n}" for n in range(len(answered))], "respondent": "",
                "responded_on": (pd.Timestamp(LAST) - pd.to_timedelta(rng.integers(0, 300, len(answered)), unit="D")).date,
                "score": rng.integers(0, 11, len(answered)), "comment": "",
            }
        ),
    )  # fmt: skip


def median_time(work: Callable[[], Any], *, times: int = 5, clock: Callable[[], float] = time.perf_counter) -> tuple[float, Any]:
    """Return the median seconds of several calls after a first one, and what the work gave: for what takes milliseconds."""
    answer, taken = work(), []
    for _ in range(times):
        started = clock()
        answer = work()
        taken.append(clock() - started)
    return statistics.median(taken), answer


def agree(what: str, answer: Any) -> None:
    """Keep the first answer and refuse another one: a time counts only for the same result."""
    kept = Path(os.environ["BENCH_FOLDER"]) / f"answer-{what}.npy"
    if not kept.exists():
        np.save(kept, np.asarray(answer, dtype=np.float64))
    np.testing.assert_allclose(np.asarray(answer, dtype=np.float64), np.load(kept), rtol=0, atol=1e-6, err_msg=what)


def export_usage(file: Path) -> None:
    """Write all usage rows as one Parquet file, by day: what DuckDB reads."""
    import duckdb  # noqa: PLC0415  (a peer, installed for benchmarks only)

    folder = file.with_suffix("")
    folder.mkdir()
    with connection.cursor() as cursor:
        cursor.execute("SELECT array_agg(id ORDER BY id) FROM accounts_metric")
        keys = list(cursor.fetchone()[0])
        cursor.execute("SELECT array_agg(id ORDER BY slot) FROM accounts_customer")
        ids = np.array(cursor.fetchone()[0], dtype=np.int64)
        cursor.execute("SELECT min(day), max(day) FROM accounts_feedday")
        first, last = cursor.fetchone()
    for number, rows in enumerate(usage_rows(ids, keys, first=first, last=last)):
        frame = pd.DataFrame({**rows, "day": rows["day"].astype("datetime64[s]")})
        duckdb.from_df(frame).project("customer_id, metric_id, day::date AS day, value").write_parquet(
            str(folder / f"{number:04d}.parquet")
        )
    duckdb.read_parquet(str(folder / "*.parquet")).order("day, metric_id, customer_id").write_parquet(
        str(file), row_group_size=122_880
    )
