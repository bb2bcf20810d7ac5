"""Month-end movements of all history: two steps per stretch against a customer-month spine in SQL (dbt's mrr-playbook)."""

from __future__ import annotations

import time
from datetime import date

import numpy as np
import pandas as pd
from django.db import connection

from accounts import ledger
from accounts.models import ContractLine, Product
from accounts.revenue import frames
from bench import sizes
from bench.timing import SIZES
from expansion.copying import copy_rows, copy_to_frame

TITLE = "revenue movements"
GOALS = {("two_steps", "spine"): (10.0, "at least")}
FIRST, LAST = date(2022, 7, 1), sizes.LAST
_PERIODS = 6
_LINES_EACH = 1.5

# customer_revenue_by_month, customer_churn_month and mrr of the playbook in one statement, at month ends.
_SPINE = """
    WITH months AS (
        SELECT (month + interval '1 month' - interval '1 day')::date AS month_end
        FROM generate_series(%(first)s::date, %(last)s::date, interval '1 month') AS month
    ), customers AS (
        SELECT customer_id, min(starts_on) AS first_day, max(coalesce(service_until, 'infinity')) AS last_day
        FROM accounts_contractline GROUP BY customer_id
    ), customer_months AS (
        SELECT customer_id, month_end FROM customers
        JOIN months ON month_end >= first_day AND month_end < last_day + interval '2 months'
    ), revenue AS (
        SELECT c.customer_id, c.month_end, coalesce(sum(l.mrr), 0) AS mrr
        FROM customer_months c LEFT JOIN accounts_contractline l
            ON l.customer_id = c.customer_id AND c.month_end >= l.starts_on
            AND (c.month_end < l.service_until OR l.service_until IS NULL)
        GROUP BY c.customer_id, c.month_end
    ), compared AS (
        SELECT customer_id, month_end, mrr,
            coalesce(lag(mrr) OVER months, 0) AS before,
            coalesce(max(mrr) OVER (months ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) > 0 AS had_paid
        FROM revenue WINDOW months AS (PARTITION BY customer_id ORDER BY month_end)
    )
    SELECT customer_id, (extract(year FROM month_end) * 12 + extract(month FROM month_end) - 1)::bigint,
        (before * 100)::bigint, (mrr * 100)::bigint,
        CASE WHEN before = 0 AND NOT had_paid THEN 'new' WHEN before = 0 THEN 'reactivation' WHEN mrr = 0 THEN 'churn'
            WHEN mrr > before THEN 'expansion' ELSE 'contraction' END
    FROM compared WHERE mrr <> before ORDER BY customer_id, month_end
"""


def prepare(size: str) -> None:
    ids = sizes.make_customers(SIZES[size])
    product = Product.objects.create(code="PLAN", name="Plan", kind="plan")
    rng = np.random.default_rng(sizes.SEED)
    count = int(len(ids) * _LINES_EACH)
    customer = np.concatenate([ids, rng.choice(ids, count - len(ids))])
    start = np.datetime64(FIRST, "D") + rng.integers(0, 900, count)
    line = np.repeat(np.arange(count), _PERIODS)
    starts = np.repeat(start, _PERIODS) + np.tile(np.arange(_PERIODS), count) * 150 + rng.integers(0, 120, len(line))
    keep = starts <= np.datetime64(LAST, "D")
    # A third of the lines ends; some of them with a gap before the next period, so that customers come back.
    ends = np.where(rng.random(len(line)) < 0.12, starts + rng.integers(20, 200, len(line)), np.datetime64("NaT"))
    mrr = rng.integers(50, 5_000, len(line)) * 100
    copy_rows(
        ContractLine._meta.db_table,
        pd.DataFrame(
            {
                "customer_id": np.repeat(customer, _PERIODS), "product_id": product.pk, "source": "main",
                "line_id": [f"L{n}" for n in line], "contract_id": "", "starts_on": starts.astype("datetime64[s]"),
                "ends_before": ends.astype("datetime64[s]"), "quantity": 1, "amount": mrr, "billing_months": 1, "mrr": mrr,
                "arr": mrr * 12, "currency": "JPY", "is_co_term": "f", "status": "",
            }
        )[keep],
    )  # fmt: skip
    ledger.rebuild()
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")


def two_steps(size: str) -> float:
    """What ``manage.py movements`` does: read the lines, net two steps per stretch, one cumulative sum."""
    ledger.movements_frame(FIRST, FIRST)
    started = time.perf_counter()
    rows = ledger.movements_frame(FIRST, LAST)
    taken = time.perf_counter() - started
    _agree(rows)
    return taken


def spine(size: str) -> float:
    """A row per customer and month, then a window function over them."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    started = time.perf_counter()
    rows = copy_to_frame(_SPINE, {"first": FIRST, "last": LAST}, dtypes=frames.MOVEMENTS)
    taken = time.perf_counter() - started
    _agree(rows)
    return taken


def _agree(rows: pd.DataFrame) -> None:
    for name in ("customer_id", "month", "before_cents", "after_cents"):
        sizes.agree(f"movements-{name}", rows[name])
    sizes.agree("movements-category", rows["category"].map({n: i for i, n in enumerate(sorted(set(rows["category"])))}))


CASES = {"two_steps": two_steps, "spine": spine}
