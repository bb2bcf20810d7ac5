"""RFM: from orders to scores and segments, against the lifetimes library's summary with scores by qcut.

What happens in memory is told in seconds of processor time, which a neighbour's load does not change.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import pandas as pd

from bench import sizes
from bench.timing import SIZES
from signals import loading, snapshots
from signals.compute import rfm

TITLE = "RFM"
GOALS = {("memory", "lifetimes"): (20.0, "at least"), ("database", "lifetimes_wall"): (2.0, "at least")}


def prepare(size: str) -> None:
    ids = sizes.make_customers(SIZES[size])
    sizes.make_orders(ids)
    from django.db import connection  # noqa: PLC0415

    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")


def memory(size: str) -> float:
    """Orders in a frame → days, times, amounts, scores 1 to 5 and segments."""
    bought, count = sizes.purchases(SIZES[size]), SIZES[size]
    taken, (summary, scored) = sizes.median_time(lambda: _ranked(bought, count), clock=time.process_time)
    sizes.agree("recency", summary["recency_days"])
    sizes.agree("segments", scored["segment_code"])
    return taken


def database(size: str) -> float:
    """The same from the tables, as the night reads them."""
    chunks = [loading._chunk(sizes.LAST, *bounds) for bounds in snapshots.chunks()]
    taken, (summary, scored) = sizes.median_time(lambda: _ranked_from(chunks))
    sizes.agree("recency", summary["recency_days"])
    sizes.agree("segments", scored["segment_code"])
    return taken


def lifetimes(size: str) -> float:
    """Its frequency, recency, T and value per customer, and scores 1 to 5 by pandas' qcut over ranks, as tutorials do."""
    return _lifetimes(size, clock=time.process_time)


def lifetimes_wall(size: str) -> float:
    """The same by the clock on the wall, to stand beside what waits for the database."""
    return _lifetimes(size, clock=time.perf_counter)


CASES = {"memory": memory, "database": database, "lifetimes": lifetimes, "lifetimes_wall": lifetimes_wall}


def _lifetimes(size: str, *, clock: Callable[[], float]) -> float:
    bought = sizes.purchases(SIZES[size]).assign(amount=lambda rows: rows["amount_cents"] / 100)
    taken, summary = sizes.median_time(lambda: _summary(bought), clock=clock)
    sizes.agree("recency", (summary["T"] - summary["recency"]).reindex(range(SIZES[size])))
    return taken


def _ranked(bought: pd.DataFrame, count: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    summary = rfm.summarise(bought, as_of=sizes.LAST, customers=count)
    return summary, rfm.score(summary.assign(mrr_cents=0.0), lens="purchase")


def _ranked_from(chunks: list[loading._Chunk]) -> tuple[pd.DataFrame, pd.DataFrame]:
    found = pd.concat([pd.DataFrame(loading._purchases(chunk)) for chunk in chunks], ignore_index=True)
    summary = pd.DataFrame(
        {
            "recency_days": found["purchase_recency_days"],
            "frequency": found["purchase_frequency"].fillna(0),
            "monetary_cents": found["purchase_monetary"].fillna(0) * 100,
            "tenure_days": found["purchase_tenure_days"],
            "mrr_cents": 0.0,
        }
    )
    return summary, rfm.score(summary, lens="purchase")


def _summary(bought: pd.DataFrame) -> pd.DataFrame:
    from lifetimes.utils import summary_data_from_transaction_data  # noqa: PLC0415  (a peer, installed for benchmarks only)

    summary = summary_data_from_transaction_data(
        bought, "customer", "day", monetary_value_col="amount", observation_period_end=pd.Timestamp(sizes.LAST)
    )
    for column in ("recency", "frequency", "monetary_value"):
        summary[f"{column}_score"] = pd.qcut(summary[column].rank(method="first"), 5, labels=False) + 1
    return summary
