"""The whole nightly run, database in and out, against DuckDB's windows query alone on the same usage rows as Parquet.

A night here: the day's usage blocks and those of two late days are rebuilt, then features, health, RFM, every shipped
rule, guardrails, ranks, alerts and the snapshot, in one process.
"""

from __future__ import annotations

import os
import resource
import time
from datetime import date, timedelta
from pathlib import Path

from django.core.management import call_command
from django.db import connection

from accounts.models import UsageBlock
from bench.timing import REPS, SIZES
from expansion import clock
from signals import nightly as night
from signals import runs
from signals.models import Run

TITLE = "whole nightly"
AS_OF = date(2026, 6, 30)
MONTHS = 5
GOALS = {("nightly", "duckdb_windows"): (1.2, "at most")}
_NIGHTS_LEFT = 20
_LATE_DAYS = 2
_WINDOWS = """
SELECT customer_id, metric_id, sum(value) FILTER (WHERE day > DATE '{day}' - 7), sum(value) FILTER (WHERE day > DATE '{day}' - 28),
       sum(value), sum(value) FILTER (WHERE day <= DATE '{day}' - 28 AND day > DATE '{day}' - 56), max(value), count(*),
       arg_max(value, day)
FROM read_parquet('{file}') WHERE day > DATE '{day}' - 91 AND day <= DATE '{day}' GROUP BY customer_id, metric_id
"""


def prepare(size: str) -> None:
    call_command("load_defaults")
    call_command("load_sample", customers=SIZES[size], reps=REPS[size], months=MONTHS, as_of=AS_OF, seed=1, verbosity=0)
    now = clock.now()
    for day in (AS_OF - timedelta(days=_NIGHTS_LEFT + 31), AS_OF - timedelta(days=_NIGHTS_LEFT + 1)):
        night.run(day, now=now)
    with connection.cursor() as cursor, _file("csv").open("w") as file:
        cursor.cursor.copy_expert(
            "COPY (SELECT customer_id, metric_id, day, value FROM accounts_usagedaily) TO STDOUT (FORMAT csv)", file
        )
        cursor.execute("VACUUM ANALYZE")
    import duckdb  # noqa: PLC0415

    duckdb.sql(
        f"COPY (SELECT * FROM read_csv('{_file('csv')}', header=false, columns={{'customer_id': 'BIGINT', 'metric_id': 'SMALLINT', "
        f"'day': 'DATE', 'value': 'DOUBLE'}}) ORDER BY day, metric_id, customer_id) TO '{_file('parquet')}' (FORMAT parquet)"
    )


def nightly(size: str) -> float:
    """One night: the date after the newest one that is finished."""
    day = runs.last_finished().business_date + timedelta(days=1)
    UsageBlock.objects.filter(day__gt=day - timedelta(days=_LATE_DAYS + 1), day__lte=day).update(is_dirty=True)
    now = clock.now()
    started = time.perf_counter()
    run = night.run(day, now=now)
    taken = time.perf_counter() - started
    if run.customers == 0 or day > AS_OF:
        raise AssertionError(run)
    _tell(run, taken)
    return taken


def unchanged(size: str) -> float:
    """The newest finished date once more: nothing is rewritten."""
    run = runs.last_finished()
    before = _places()
    started = time.perf_counter()
    night.run(run.business_date, now=clock.now())
    taken = time.perf_counter() - started
    if _places() != before or Run.objects.filter(pk=run.pk).values() == []:
        raise AssertionError("a second call changed something")
    return taken


def duckdb_windows(size: str) -> float:
    """Seven aggregates per customer and metric over 91 days, into numpy."""
    import duckdb  # noqa: PLC0415

    engine = duckdb.connect()
    started = time.perf_counter()
    engine.execute(_WINDOWS.format(day=AS_OF.isoformat(), file=_file("parquet"))).fetchnumpy()
    return time.perf_counter() - started


CASES = {"nightly": nightly, "unchanged": unchanged, "duckdb_windows": duckdb_windows}


def _tell(run: Run, taken: float) -> None:
    """Append where the time went to the file named by BENCH_LOG."""
    if "BENCH_LOG" not in os.environ:
        return
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    spent = dict.fromkeys(runs.PHASES, 0.0)
    for chunk in run.chunks.all():
        spent[chunk.phase] += (chunk.finished_at - chunk.started_at).total_seconds()
    phases = ", ".join(f"{phase} {seconds:.3f}" for phase, seconds in spent.items())
    with Path(os.environ["BENCH_LOG"]).open("a") as log:
        log.write(
            f"{run.business_date} {taken:.3f} s, {peak:.0f} MB, {run.customers} customers, {run.alerts_raised} raised: {phases}\n"
        )


def _file(kind: str) -> Path:
    return Path(os.environ["BENCH_FOLDER"]) / f"nightly.{kind}"


def _places() -> list[object]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*), md5(string_agg(ctid::text || xmin::text, ',' ORDER BY id)) FROM signals_alert")
        return list(cursor.fetchone())
