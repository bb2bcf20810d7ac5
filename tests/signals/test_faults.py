"""The nightly run under real faults: processes killed with SIGKILL, two workers at once, the queue emptied.

A trigger makes the process wait at a named point of the run for a lock that the test holds; there it is killed.
"""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import psycopg2
import pytest
from django.db import connection

from signals import invariants, nightly, runs
from signals.models import Alert, AlertChange, Run, RunChunk

_spec = importlib.util.spec_from_file_location("book", Path(__file__).parent / "book.py")
book = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(book)
ROOT = Path(__file__).parents[2]
DAY, NOW = book.DAY, book.NOW
GATE = 4242
POINTS = {
    **{
        f"{phase} claimed": ("signals_runchunk", "UPDATE", f"NEW.phase = '{phase}' AND NEW.state = 'running'")
        for phase in runs.PHASES
    },
    **{
        f"{phase} written": ("signals_runchunk", "UPDATE", f"NEW.phase = '{phase}' AND NEW.state = 'done'") for phase in runs.PHASES
    },
    "next phase opened": ("signals_run", "UPDATE", "NEW.phase = 'alerts' AND OLD.phase = 'ranks'"),
    "first score written": ("signals_healthscore", "INSERT", "true"),
    "first alert written": ("signals_alert", "INSERT", "true"),
    "first history written": ("signals_alertchange", "INSERT", "true"),
}
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def customers() -> None:
    book.write()


@contextmanager
def gate(table: str, event: str, condition: str) -> Iterator[Callable[[], None]]:
    """Close the named point; yields a function that returns once somebody waits there.  Opens it at the end."""
    holder = psycopg2.connect(**connection.get_connection_params())
    holder.autocommit = True
    with holder.cursor() as keeper, connection.cursor() as cursor:
        keeper.execute("SELECT pg_advisory_lock(%s)", [GATE])
        cursor.execute(
            "CREATE FUNCTION wait_at_gate() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN PERFORM pg_advisory_lock_shared({GATE}); PERFORM pg_advisory_unlock_shared({GATE}); RETURN NEW; END $$"
        )
        cursor.execute(
            f"CREATE TRIGGER gate AFTER {event} ON {table} FOR EACH ROW WHEN ({condition}) EXECUTE FUNCTION wait_at_gate()"
        )

        def reached(process: subprocess.Popen[str] | None = None) -> None:
            end = time.monotonic() + 60
            while time.monotonic() < end:
                keeper.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = %s AND NOT granted", [GATE])
                if keeper.fetchone()[0]:
                    return
                if process is not None and process.poll() is not None:
                    pytest.fail(f"the process ended before the point:\n{process.communicate()[1]}")
                time.sleep(0.05)
            pytest.fail("nobody came to the point")

        try:
            yield reached
        finally:
            keeper.execute("SELECT pg_advisory_unlock(%s)", [GATE])
            cursor.execute(f"DROP TRIGGER gate ON {table}")
            cursor.execute("DROP FUNCTION wait_at_gate()")
            holder.close()


def start_command(*argv: str) -> subprocess.Popen[str]:
    address, _, _ = os.environ["DATABASE_URL"].rpartition("/")
    variables = os.environ | {"DATABASE_URL": f"{address}/{connection.settings_dict['NAME']}"}
    return subprocess.Popen(
        [sys.executable, "manage.py", *argv], cwd=ROOT, env=variables, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        start_new_session=True,
    )  # fmt: skip


def kill(process: subprocess.Popen[str]) -> None:
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def let_leases_run_out() -> None:
    """Do as if a minute had passed."""
    RunChunk.objects.filter(state="running").update(lease_until=NOW - timedelta(days=9000))


def assert_all_is_well() -> None:
    assert set(Alert.objects.values_list("customer__customer_id", "family")) == book.EXPECTED
    assert Alert.objects.count() == len(book.EXPECTED) == AlertChange.objects.filter(change="raised").count()
    assert Run.objects.get(business_date=DAY).alerts_raised == len(book.EXPECTED)
    assert {finding.key: finding.broken for finding in invariants.check_all(invariants.CHECKS) if finding.broken} == {}


@pytest.mark.parametrize("point", POINTS)
def test_a_run_killed_anywhere_is_finished_by_the_next(point):
    with gate(*POINTS[point]) as reached:
        process = start_command("nightly", "--date", DAY.isoformat())
        try:
            reached(process)
        finally:
            kill(process)
    let_leases_run_out()
    run = nightly.run(DAY, now=NOW)
    assert run.state == "done"
    assert_all_is_well()


def test_two_commands_at_once_do_the_work_once():
    processes = [start_command("nightly", "--date", DAY.isoformat()) for _ in range(2)]
    for process in processes:
        _out, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
    assert_all_is_well()
    assert set(RunChunk.objects.values_list("attempt", flat=True)) == {1}


def test_a_worker_that_slept_past_its_lease_writes_nothing(monkeypatch):
    """The first attempt is about to write its alerts when its lease runs out and another attempt does the work."""
    run = runs.start(runs.ensure("nightly", DAY, now=NOW))
    while run.phase != "alerts":
        nightly._work(runs.claim(run, worker="one"), now=NOW)
        run.refresh_from_db()
    sleeper = runs.claim(run, worker="sleeper")
    write = nightly._PHASES["alerts"](sleeper, NOW)
    let_leases_run_out()
    nightly.run(DAY, now=NOW)
    monkeypatch.setitem(nightly._PHASES, "alerts", lambda chunk, now: write)
    nightly._work(sleeper, now=NOW)
    assert_all_is_well()


def finished() -> bool:
    return Run.objects.filter(business_date=DAY, state="done").exists()


@pytest.fixture
def due() -> None:
    """Let the date of the book be the oldest that is due."""
    runs.ensure("nightly", DAY, now=NOW, scheduled=True)


@pytest.mark.slow
def test_the_worker_is_killed_in_the_middle_and_the_next_tick_heals(due, start_worker):
    with gate(*POINTS["first alert written"]) as reached:
        worker = start_worker()
        worker.tick()
        reached()
        worker.kill()
    let_leases_run_out()
    second = start_worker()
    second.tick()
    second.wait_for(finished)
    assert_all_is_well()


@pytest.mark.slow
def test_an_emptied_queue_is_filled_again_by_the_next_tick(due, start_worker):
    from expansion.celery import app

    with gate(*POINTS["features claimed"]) as reached:
        worker = start_worker()
        worker.tick()
        reached()
        with app.connection_for_write() as broker:
            broker.default_channel.client.flushall()
    worker.tick()
    worker.wait_for(lambda: _ticked_until_done(worker))
    assert_all_is_well()


@pytest.mark.slow
def test_two_workers_share_the_chunks_of_a_run(due, start_worker):
    workers = [start_worker(), start_worker()]
    for worker in workers:
        worker.tick()
    workers[0].wait_for(lambda: _ticked_until_done(workers[0]))
    assert_all_is_well()
    assert RunChunk.objects.filter(run__business_date=DAY, attempt__gt=1).count() == 0


_last_tick = 0.0


def _ticked_until_done(worker: object) -> bool:
    """Tick every two seconds, as the scheduler does each minute, until the date is finished."""
    global _last_tick
    if time.monotonic() - _last_tick > 2:
        _last_tick = time.monotonic()
        worker.tick()
    return finished()
