"""Killed, repeated and doubled imports end where one undisturbed import ends."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from django.db import connection

from tests.imports.handing_in import NOW, counts, database_url

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

ROOT = Path(__file__).resolve().parents[2]
DAYS = [f"2026-{month:02d}-{day:02d}" for month in (1, 2, 3) for day in range(1, 28)]

# The import of a file in small chunks, in a process of its own, which may be told to kill itself after some of them.
CHILD = """
import django, os, signal, sys
django.setup()
from datetime import datetime
from pathlib import Path
from accounts.imports import applying, measuring, receiving
applying.ROWS_AT_ONCE, applying.USAGE_ROWS_AT_ONCE, measuring.KEYS_AT_ONCE = 100, 100, 100
dataset, path, now, deaths = sys.argv[1], Path(sys.argv[2]), datetime.fromisoformat(sys.argv[3]), int(sys.argv[4])
chunks = 0
count = applying._count
def counting(*args, **more):
    global chunks
    if chunks == deaths:
        os.kill(os.getpid(), signal.SIGKILL)
    chunks += 1
    count(*args, **more)
applying._count = counting
result = receiving.apply(receiving.receive(path, dataset=dataset, now=now), now=now)
print(result.rows, result.applied, result.unchanged, result.waiting, result.rejected, int(result.is_repeat))
"""
NEVER = 10**9


def child(dataset: str, path: Path, media: Path, *, deaths: int = NEVER) -> subprocess.Popen[str]:
    """Start the import; it kills itself inside the transaction of a chunk after so many whole ones."""
    code = f"from django.conf import settings\nsettings.MEDIA_ROOT = {str(media)!r}\n{CHILD}"
    return subprocess.Popen(
        [sys.executable, "-c", code, dataset, str(path), NOW.isoformat(), str(deaths)],
        cwd=ROOT, env={**os.environ, "DATABASE_URL": database_url(), "PYTHONWARNINGS": "ignore"}, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip


def finished(process: subprocess.Popen[str]) -> tuple[int, ...]:
    out, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    return tuple(map(int, out.split()))


def killed(process: subprocess.Popen[str]) -> bool:
    process.communicate(timeout=120)
    return process.returncode == -signal.SIGKILL


def usage_file(path: Path) -> tuple[Path, int]:
    """2,000 rows in no order: counters in two parts, gauges twice, unknown customers, refusals."""
    rng = random.Random(7)  # noqa: S311
    rows = [f"C{rng.randrange(9)},feature.x,{rng.choice(DAYS)},{rng.randrange(50)}" for _ in range(1400)]
    rows += [f"C{rng.randrange(9)},seats_used,{rng.choice(DAYS)},{rng.randrange(50)}" for _ in range(500)]
    rows += [f"X{rng.randrange(3)},feature.x,{rng.choice(DAYS)},1" for _ in range(60)]
    rows += [f"C1,feature.x,2026-02-3{n % 10},1" for n in range(40)]
    rng.shuffle(rows)
    path.write_text("customer_id,metric,day,value\n" + "\n".join(rows) + "\n")
    return path, len(rows)


def orders_file(path: Path) -> tuple[Path, int]:
    """1,000 orders, some of unknown customers, some refused, some corrected further down."""
    rows = [f"C{n % 9},O{n % 950},2026-03-{n % 31 + 1:02d},{n}" for n in range(900)]
    rows += [f"X{n % 3},Y{n},2026-03-01,{n}" for n in range(60)]
    rows += [f"C1,Z{n},2026-03-01,ten" for n in range(40)]
    random.Random(7).shuffle(rows)  # noqa: S311
    path.write_text("customer_id,order_id,ordered_on,amount\n" + "\n".join(rows) + "\n")
    return path, len(rows)


@pytest.fixture
def customers(load):
    load("customers", "customer_id,name\n" + "\n".join(f"C{n},Name {n}" for n in range(9)))
    yield
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE accounts_usagedaily")  # a partitioned table, which the test runner does not know


def state() -> str:
    """Return everything that the two files leave behind, but for what differs from batch to batch."""
    from accounts.models import ImportBatch, Order, RejectedRow, UsageBlock, UsageDaily, WaitingRow

    usage = sorted(UsageDaily.objects.values_list("customer_id", "metric_id", "day", "value"))
    orders = sorted(Order.objects.values_list("external_id", "customer_id", "ordered_on", "amount"))
    blocks = sorted(UsageBlock.objects.values_list("day", "metric_id", "block", "is_dirty"))
    rejects = sorted(RejectedRow.objects.values_list("line", "column", "value", "reason"))
    waiting = sorted(WaitingRow.objects.values_list("external_customer_id", "line", "resolved_at"))
    batch = ImportBatch.objects.exclude(dataset="customers").get()
    told = (batch.state, counts(batch), batch.lines_done, batch.notes)
    return json.dumps([usage, orders, blocks, rejects, waiting, told], default=str)


def undo() -> None:
    from accounts.models import FeedDay, ImportBatch, Metric, Order, UsageBlock, UsageDaily

    Metric.objects.update(batch=None)
    for model in (UsageDaily, UsageBlock, FeedDay, Order):
        model.objects.all().delete()
    ImportBatch.objects.exclude(dataset="customers").delete()


FILES = {"usage": usage_file, "orders": orders_file}


@pytest.mark.parametrize(("dataset", "deaths"), [("usage", (3, 25)), ("orders", (1, 6))])
def test_killed_at_several_places_it_goes_on_and_ends_the_same(dataset, deaths, customers, tmp_path) -> None:
    path, rows = FILES[dataset](tmp_path / "file.csv")
    media = tmp_path / "uploads"
    undisturbed = finished(child(dataset, path, media))
    assert undisturbed[0] == rows
    expected = state()
    undo()
    done = 0
    for place in deaths:
        assert killed(child(dataset, path, media, deaths=place - done)), f"it should have died after {place} chunks"
        done = place
    assert finished(child(dataset, path, media)) == undisturbed
    assert state() == expected


def test_killed_from_outside_at_any_moment(customers, tmp_path) -> None:
    dataset = "usage"
    path, rows = usage_file(tmp_path / "file.csv")
    media = tmp_path / "uploads"
    finished(child(dataset, path, media))
    expected = state()
    undo()
    started = child(dataset, path, media)
    from accounts.models import ImportBatch

    limit = time.monotonic() + 60
    while not ImportBatch.objects.filter(dataset=dataset, lines_done__gt=rows // 2).exists():
        assert time.monotonic() < limit
        time.sleep(0.002)
    started.kill()
    killed(started)
    finished(child(dataset, path, media))
    assert state() == expected


def test_the_same_file_twice_at_once_is_imported_once(customers, tmp_path) -> None:
    path, rows = usage_file(tmp_path / "file.csv")
    media = tmp_path / "uploads"
    finished(child("usage", path, media))
    expected = state()
    undo()
    results = [finished(process) for process in [child("usage", path, media) for _ in range(3)]]
    assert [result[0] for result in results] == [rows] * 3
    assert sorted(result[-1] for result in results) == [0, 1, 1]
    repeats = [result for result in results if result[-1]]
    assert all(result[1] == 0 for result in repeats)
    assert state() == expected


def test_two_files_of_one_dataset_at_once_take_turns(customers, tmp_path) -> None:
    """The same orders in opposite order: without turns the two would wait for each other's rows in a circle."""
    from accounts.models import Order

    header, *rows = orders_file(tmp_path / "a.csv")[0].read_text().splitlines()
    (tmp_path / "b.csv").write_text("\n".join([header, *reversed(rows)]) + "\n")
    both = [child("orders", tmp_path / name, tmp_path / "uploads") for name in ("a.csv", "b.csv")]
    for result in map(finished, both):
        assert result[0] == 1000
    assert Order.objects.count() == 900


def test_a_resumed_import_leaves_waiting_what_it_left_before(load, tmp_path, customers) -> None:
    """Customers that came between the two attempts are applied once, by settling, not once more by going on."""
    from accounts.models import ImportBatch, UsageDaily, WaitingRow

    path, rows = usage_file(tmp_path / "file.csv")
    media = tmp_path / "uploads"
    assert killed(child("usage", path, media, deaths=15))
    assert WaitingRow.objects.filter(resolved_at__isnull=True).count() > 0
    load("customers", "customer_id,name\nX0,x\nX1,x\nX2,x")
    finished(child("usage", path, media))
    batch = ImportBatch.objects.get(dataset="usage")
    assert (batch.waiting, batch.rejected, batch.rows) == (0, 40, rows)
    assert not WaitingRow.objects.filter(resolved_at__isnull=True).exists()
    wanted: dict[tuple[str, str], float] = {}
    for line in path.read_text().splitlines()[1:]:
        customer, metric, day, value = line.split(",")
        if metric == "feature.x" and day in DAYS:
            wanted[customer, day] = wanted.get((customer, day), 0) + float(value)
    assert UsageDaily.objects.filter(metric_id__in=counters()).count() == len(wanted)
    assert sum(UsageDaily.objects.filter(metric_id__in=counters()).values_list("value", flat=True)) == sum(wanted.values())


def counters() -> list[int]:
    from accounts.models import Metric

    return list(Metric.objects.filter(kind="counter").values_list("pk", flat=True))
