"""Usage windows of every customer from the database, against DuckDB's aggregates over a Parquet file of the same rows."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from django.conf import settings
from django.db import connection

from accounts.models import Metric
from bench import sizes
from bench.timing import SIZES
from signals import loading, snapshots
from signals.compute import holdings, windows

TITLE = "feature windows"
GOALS = {("blocks", "duckdb"): (0.5, "at most"), ("blocks", "short_history"): (1.1, "at most")}
_DAYS = 365
_METRICS = 4
_SHORT = "kizashi_short"


def prepare(size: str) -> None:
    """A year of usage; a second database that knows the last 105 days only; a Parquet file of the last 98."""
    sizes.make(SIZES[size], days=_DAYS, metrics=_METRICS, orders=False)
    sizes.export_usage(_parquet())
    name = settings.DATABASES["default"]["NAME"]
    connection.close()
    settings.DATABASES["default"]["NAME"] = connection.settings_dict["NAME"] = "postgres"
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {connection.ops.quote_name(_SHORT)} TEMPLATE {connection.ops.quote_name(name)}")
    _use(_SHORT)
    with connection.cursor() as cursor:
        old = "day <= %s"
        for table in ("accounts_usagedaily", "accounts_usageblock", "accounts_feedday"):
            cursor.execute(f"DELETE FROM {table} WHERE {old}", [sizes.LAST - loading.timedelta(days=windows.GAUGE_DAYS)])
        cursor.execute("VACUUM FULL accounts_usageblock")
        cursor.execute("VACUUM FULL accounts_usagedaily")
        cursor.execute("VACUUM ANALYZE")


def blocks(size: str) -> float:
    """What the night makes of usage: read the blocks of every chunk, and every usage term."""
    return _timed()


def short_history(size: str) -> float:
    """The same where only the last 105 days were ever recorded."""
    _use(_SHORT)
    return _timed()


def duckdb(size: str) -> float:
    """Seven aggregates per customer and metric over the last 91 days."""
    import duckdb as peer  # noqa: PLC0415

    query = _QUERY.format(file=_parquet(), last=sizes.LAST.isoformat())
    taken, found = sizes.median_time(lambda: peer.sql(query).fetchnumpy(), times=3)
    features = dict(Metric.objects.filter(key__startswith="feature.").values_list("pk", "key"))
    is_feature = np.isin(found["metric_id"], list(features))
    sizes.agree("usage_28", float(found["sum_28"][is_feature].sum()))
    return taken


CASES = {"blocks": blocks, "duckdb": duckdb, "short_history": short_history}

_QUERY = """
SELECT customer_id, metric_id, coalesce(sum(value) FILTER (day > DATE '{last}' - 7), 0) AS sum_7,
       coalesce(sum(value) FILTER (day > DATE '{last}' - 28), 0) AS sum_28,
       coalesce(sum(value) FILTER (day <= DATE '{last}' - 28 AND day > DATE '{last}' - 56), 0) AS sum_before,
       sum(value) AS sum_91, max(value) AS highest, count(*) FILTER (value > 0) AS days, arg_max(value, day) AS newest
FROM read_parquet('{file}') WHERE day > DATE '{last}' - 91 GROUP BY customer_id, metric_id
"""


def _timed() -> float:
    chunks = [loading._chunk(sizes.LAST, first, until) for first, until in snapshots.chunks()]
    held = [loading._contracts(chunk) for chunk in chunks]
    taken, total = sizes.median_time(lambda: sum(map(_uses, chunks, held)), times=3)
    sizes.agree("usage_28", total)
    return taken


def _uses(chunk: loading._Chunk, contract: holdings.Holdings) -> float:
    """Read the blocks of a chunk, make every usage term, and return the sum of one to compare."""
    given = loading._usage_inputs(chunk, contract, counter_days=windows.COUNTER_DAYS, gauge_days=windows.GAUGE_DAYS)
    return float(windows.usage_terms(given)["usage_28"].sum())


def _use(name: str) -> None:
    connection.close()
    settings.DATABASES["default"]["NAME"] = connection.settings_dict["NAME"] = name


def _parquet() -> Path:
    return Path(os.environ["BENCH_FOLDER"]) / "usage.parquet"
