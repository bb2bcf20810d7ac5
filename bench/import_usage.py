"""Usage from a CSV file, validated, idempotent and counted, against a plain COPY of the same rows into the same table."""

from __future__ import annotations

import os
import time
from datetime import date, timedelta
from pathlib import Path

import numpy as np
from django.db import connection

from accounts import usage
from accounts.imports import receiving
from accounts.models import Customer, FeedDay, ImportBatch, Metric, UsageBlock
from bench.timing import SIZES
from expansion import clock

TITLE = "CSV import of usage"
GOALS = {("imported", "plain_copy"): (2.2, "at most")}
_METRICS = 10
_ROWS = 1_000_000
_FIRST = date(2026, 5, 1)


def prepare(size: str) -> None:
    """Make a feed of about a million rows, day by day, once with the IDs of a source and once with our keys."""
    count = SIZES[size]
    lines = "".join(f"C{n:06d},Customer {n}\n" for n in range(count))
    receiving.apply(receiving.receive(f"customer_id,name\n{lines}".encode(), dataset="customers", now=clock.now()), now=clock.now())
    keys = dict(Customer.objects.values_list("customer_id", "pk"))
    names = [f"feature.f{n}" for n in range(_METRICS)]
    metrics = [Metric.objects.create(key=name, kind="counter").pk for name in names]
    given = [f"{customer},{name}" for customer in keys for name in names]
    plain = [f"{pk},{metric}" for pk in keys.values() for metric in metrics]
    rng = np.random.default_rng(1)
    with _file("given").open("w") as one, _file("plain").open("w") as other:
        one.write("customer_id,metric,day,value\n")
        for day in _days(count):
            values = rng.integers(0, 5000, len(given)).tolist()
            one.writelines(f"{key},{day},{value}\n" for key, value in zip(given, values, strict=True))
            other.writelines(f"{key},{day},{value},1\n" for key, value in zip(plain, values, strict=True))
    usage.ensure_months(_days(count)[0], _days(count)[-1])


def imported(size: str) -> float:
    """Hand the file in and apply it."""
    _empty()
    started = time.perf_counter()
    result = receiving.apply(receiving.receive(_file("given"), dataset="usage", now=clock.now()), now=clock.now())
    taken = time.perf_counter() - started
    _checked(size, result.applied)
    return taken


def again(size: str) -> float:
    """Hand in the same rows under other bytes: all are compared, none is rewritten."""
    ImportBatch.objects.filter(dataset="usage").update(sha256="")
    started = time.perf_counter()
    result = receiving.apply(receiving.receive(_file("given"), dataset="usage", now=clock.now()), now=clock.now())
    taken = time.perf_counter() - started
    _checked(size, result.unchanged)
    return taken


def plain_copy(size: str) -> float:
    """Let PostgreSQL copy rows that need no looking at."""
    _empty()
    started = time.perf_counter()
    with connection.cursor() as cursor, _file("plain").open() as file:
        cursor.cursor.copy_expert(
            "COPY accounts_usagedaily (customer_id, metric_id, day, value, batch_id) FROM STDIN WITH (FORMAT csv)", file
        )
        taken = time.perf_counter() - started
        _checked(size, cursor.rowcount)
    return taken


CASES = {"imported": imported, "again": again, "plain_copy": plain_copy}


def _days(customers: int) -> list[date]:
    return [_FIRST + timedelta(days=n) for n in range(max(1, _ROWS // (customers * _METRICS)))]


def _empty() -> None:
    Metric.objects.update(batch=None)
    ImportBatch.objects.filter(dataset="usage").delete()
    UsageBlock.objects.all().delete()
    FeedDay.objects.all().delete()
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE accounts_usagedaily")


def _checked(size: str, rows: int) -> None:
    wanted = SIZES[size] * _METRICS * len(_days(SIZES[size]))
    if rows != wanted:
        raise AssertionError((rows, wanted))


def _file(name: str) -> Path:
    return Path(os.environ["BENCH_FOLDER"]) / f"import_usage_{name}.csv"
