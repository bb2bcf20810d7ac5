"""The run ledger: which business dates are due, and who may work on which part of one.

PostgreSQL is the queue of record.  Every step is one conditional UPDATE, so that any number of
workers and schedulers may call at once; leases and times are judged by the database's own clock.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from django.db import connection, transaction
from django.db.models import F, Min
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from expansion import clock
from expansion.errors import DomainError
from signals import health, rules, snapshots
from signals.models import Run, RunChunk, Tick
from signals.models.runs import RunState

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

logger = logging.getLogger(__name__)

NIGHTLY = "nightly"
PHASES = ("prepare", "features", "ranks", "alerts", "finish")
_FANNED_OUT = {"features", "alerts"}
# A dead worker's chunk is taken up again after at most a lease and a tick: under 120 seconds.
LEASE_SECONDS = 50
HEARTBEAT_SECONDS = 15
# A chunk that takes longer than this hangs: its lease is no longer renewed, and another attempt takes it over.
LONGEST_SECONDS = 900
MOST_ATTEMPTS = 8
_SCHEDULER_LOCK = 7_210_101

_CLAIM = """
UPDATE signals_runchunk SET state = 'running', attempt = attempt + 1, worker = %(worker)s, error = '',
       started_at = clock_timestamp(), lease_until = clock_timestamp() + make_interval(secs => %(lease)s)
WHERE id = (
    SELECT c.id FROM signals_runchunk c JOIN signals_run r ON r.id = c.run_id
    WHERE c.run_id = %(run)s AND c.phase = r.phase AND r.state = 'running' AND (%(chunk)s::bigint IS NULL OR c.id = %(chunk)s)
      AND (c.state = 'queued' OR c.state = 'running' AND c.lease_until < clock_timestamp() AND c.attempt < %(most)s)
    ORDER BY c.slot_from, c.id LIMIT 1 FOR UPDATE OF c SKIP LOCKED
)
RETURNING id
"""


class LeaseLost(Exception):
    """Another attempt has taken the chunk over: nothing of this one may be written."""


class EarlierDateUnfinished(DomainError):
    """A date is not begun before the one before it is finished."""


def ensure(job: str, business_date: date, *, now: datetime, scheduled: bool = False) -> Run:
    """Return the one run of the job for the date, made if there was none."""
    run, _is_new = Run.objects.get_or_create(
        job=job, business_date=business_date, defaults={"queued_at": now, "is_scheduled": scheduled}
    )  # fmt: skip
    if scheduled and not run.is_scheduled:
        Run.objects.filter(pk=run.pk).update(is_scheduled=True)
        run.is_scheduled = True
    return run


@transaction.atomic
def reconcile(now: datetime) -> list[RunChunk]:
    """Bring the ledger up to date and return the chunks that a worker should be woken for.

    Makes the runs that are due since go-live, oldest first; gives back what dead workers held;
    opens the next phase where one is done; starts the oldest date that is not finished.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_SCHEDULER_LOCK])
        if not cursor.fetchone()[0]:
            return []
    for day in due_dates(now):
        ensure(NIGHTLY, day, now=now, scheduled=True)
    give_back_stale()
    run = oldest_unfinished()
    if run is None or run.state == RunState.FAILED:
        return []
    try:
        start(run)
    except health.NoHealthModel:
        logger.warning("The run waits for load_defaults", extra={"date": run.business_date})
        return []
    advance(run)
    return list(RunChunk.objects.filter(run=run, phase=F("run__phase"), state=RunState.QUEUED).order_by("slot_from"))


def due_dates(now: datetime) -> list[date]:
    """Return the business dates since go-live without a finished run whose time has come, oldest first.

    Go-live is the date of the first scheduled run; before there is one, the newest date that is due.
    """
    newest = clock.nightly_due(now)
    first = Run.objects.filter(job=NIGHTLY, is_scheduled=True).aggregate(first=Min("business_date"))["first"] or newest
    known = set(Run.objects.filter(job=NIGHTLY, is_scheduled=True).values_list("business_date", flat=True))
    days = (newest - first).days + 1
    return [day for day in (first + timedelta(days=n) for n in range(days)) if day not in known]


def oldest_unfinished(*, before: date | None = None) -> Run | None:
    """Return the run of the oldest date that was begun or is due and is not finished."""
    open_runs = Run.objects.filter(job=NIGHTLY).exclude(state=RunState.DONE)
    if before is not None:
        open_runs = open_runs.filter(business_date__lt=before)
    return open_runs.order_by("business_date").first()


def last_finished(job: str = NIGHTLY) -> Run | None:
    """Return the finished run of the newest business date."""
    return Run.objects.filter(job=job, state=RunState.DONE).order_by("-business_date").first()


def is_backfill(run: Run) -> bool:
    """Tell whether a later date is finished already: then scores are filled in, and alerts stay as they are.

    A run that found no customers yet does not count as later.
    """
    return Run.objects.filter(job=run.job, state=RunState.DONE, business_date__gt=run.business_date, customers__gt=0).exists()


@transaction.atomic
def start(run: Run) -> Run:
    """Fix the definitions that the run computes with and open its first phase.  Starting twice is starting once."""
    locked = Run.objects.select_for_update().get(pk=run.pk)
    if locked.state == RunState.QUEUED:
        earlier = oldest_unfinished(before=locked.business_date)
        if earlier is not None:
            raise EarlierDateUnfinished(
                _("The run of %(earlier)s is not finished yet; the run of %(date)s waits for it.")
                % {"earlier": earlier.business_date, "date": locked.business_date}
            )
        definitions = {"rules": [version.pk for version in rules.published()], "health": health.published().pk}
        Run.objects.filter(pk=run.pk).update(
            state=RunState.RUNNING, phase=PHASES[0], definitions=definitions, started_at=Now(), attempt=F("attempt") + 1, error=""
        )
        _cut(locked, PHASES[0])
    run.refresh_from_db()
    return run


@transaction.atomic
def retry(run: Run) -> Run:
    """Let a failed run be tried once more, from the chunks that failed."""
    if Run.objects.filter(pk=run.pk, state=RunState.FAILED).update(state=RunState.RUNNING, attempt=F("attempt") + 1, error=""):
        RunChunk.objects.filter(run=run, state=RunState.FAILED).update(state=RunState.QUEUED)
    run.refresh_from_db()
    return run


def claim(run: Run, *, worker: str, chunk_id: int | None = None) -> RunChunk | None:
    """Take a chunk of the open phase under a lease, or None when there is nothing to take.  Counts the attempt."""
    with connection.cursor() as cursor:
        cursor.execute(
            _CLAIM, {"run": run.pk, "chunk": chunk_id, "worker": worker[:120], "lease": LEASE_SECONDS, "most": MOST_ATTEMPTS}
        )
        row = cursor.fetchone()
    return None if row is None else RunChunk.objects.select_related("run").get(pk=row[0])


@contextlib.contextmanager
def lease_kept(chunk: RunChunk) -> Iterator[None]:
    """Renew the lease from a thread of its own while the work goes on, up to LONGEST_SECONDS."""
    over = threading.Event()

    def beat() -> None:
        try:
            for _ in range(LONGEST_SECONDS // HEARTBEAT_SECONDS):
                if over.wait(HEARTBEAT_SECONDS):
                    return
                _renew(chunk)
        finally:
            connection.close()

    thread = threading.Thread(target=beat, name=f"lease-{chunk.pk}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def finish_chunk(chunk: RunChunk, counts: dict[str, Any]) -> None:
    """Mark the chunk done, in the transaction of its results.  Raise LeaseLost when the lease went to another attempt."""
    done = RunChunk.objects.filter(pk=chunk.pk, attempt=chunk.attempt, state=RunState.RUNNING).update(
        state=RunState.DONE, finished_at=Now(), lease_until=None, counts=counts
    )
    if not done:
        raise LeaseLost(f"chunk {chunk.pk}, attempt {chunk.attempt}")


def give_back(chunk: RunChunk, *, error: str) -> None:
    """Put a chunk whose attempt failed back into the queue, or fail the run after the last attempt."""
    spent = chunk.attempt >= MOST_ATTEMPTS
    with transaction.atomic():
        mine = RunChunk.objects.filter(pk=chunk.pk, attempt=chunk.attempt, state=RunState.RUNNING).update(
            state=RunState.FAILED if spent else RunState.QUEUED, lease_until=None, error=error[:4000]
        )
        if mine and spent:
            Run.objects.filter(pk=chunk.run_id).update(state=RunState.FAILED, error=error[:4000])


@transaction.atomic
def give_back_stale() -> int:
    """Give back the chunks whose worker has died; return how many."""
    stale = list(
        RunChunk.objects.select_for_update(skip_locked=True, of=("self",))
        .filter(state=RunState.RUNNING, lease_until__lt=Now(), run__state=RunState.RUNNING)
        .order_by("id")
    )  # fmt: skip
    for chunk in stale:
        give_back(chunk, error=f"The worker {chunk.worker} stopped answering.")
    return len(stale)


@transaction.atomic
def advance(run: Run) -> bool:
    """Open the next phase when every chunk of the open one is done; tell whether the run moved."""
    locked = Run.objects.select_for_update().get(pk=run.pk)
    moved = False
    while locked.state == RunState.RUNNING and locked.phase != PHASES[-1] and _is_done(locked):
        locked.phase = PHASES[PHASES.index(locked.phase) + 1]
        locked.save(update_fields=["phase"])
        _cut(locked, locked.phase)
        moved = True
    return moved


def opened_by(chunk_id: int) -> tuple[Run, list[RunChunk]]:
    """Return the chunk's run as it is now, and the waiting chunks of its open phase when that is a later one."""
    chunk = RunChunk.objects.select_related("run").get(pk=chunk_id)
    if chunk.run.phase == chunk.phase:
        return chunk.run, []
    return chunk.run, list(
        RunChunk.objects.filter(run=chunk.run, phase=chunk.run.phase, state=RunState.QUEUED).order_by("slot_from")
    )


def note_tick(now: datetime) -> None:
    """Write down that the scheduler has looked, for the health probe."""
    Tick.objects.update_or_create(name=NIGHTLY, defaults={"at": now})


def forget_all() -> None:
    """Empty the ledger and what was computed, so that dates may be run anew on another book of customers."""
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE signals_run, signals_runchunk, signals_featureblock, signals_tick RESTART IDENTITY CASCADE")


def _is_done(run: Run) -> bool:
    return not RunChunk.objects.filter(run=run, phase=run.phase).exclude(state=RunState.DONE).exists()


def _cut(run: Run, phase: str) -> None:
    """Make the chunks of the phase; a second time makes none."""
    spans = snapshots.chunks() if phase in _FANNED_OUT else [(0, 0)]
    RunChunk.objects.bulk_create(
        [RunChunk(run=run, phase=phase, slot_from=first, slot_until=until) for first, until in spans], ignore_conflicts=True
    )


def _renew(chunk: RunChunk) -> None:
    with contextlib.suppress(Exception), connection.cursor() as cursor:
        cursor.execute(
            "UPDATE signals_runchunk SET lease_until = clock_timestamp() + make_interval(secs => %s) "
            "WHERE id = %s AND attempt = %s AND state = 'running'",
            [LEASE_SECONDS, chunk.pk, chunk.attempt],
        )
