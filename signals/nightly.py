"""The nightly run: what each chunk of each phase does, and the loop that works through a date.

    prepare   owners, revenue ledger, and the usage blocks that late data made dirty
    features  per chunk of customers: terms, health, standing, snapshot
    ranks     once: RFM of both lenses over everybody, the 95th percentile of amounts, the record of each rule
    alerts    per chunk: rules, amounts, guardrails, rank → alerts
    finish    counters from the rows, storm guard, done

A chunk computes without a transaction, then writes its results and its end in one.  Killed
anywhere, it is claimed again and does the same.
"""

from __future__ import annotations

import logging
import os
import socket
import statistics
import time
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models import Count, Q
from django.db.models.functions import Now

from accounts import customers, ledger, usage
from accounts.models import Customer
from accounts.sample import loading as sample
from signals import alerts, finding, loading, runs, scoring, storing
from signals.compute import rules as rule_masks
from signals.models import Alert, AlertChange, HealthModelVersion, HealthScore, RfmScore, Run, RunChunk
from signals.models.alerts import AlertState
from signals.models.runs import RunState
from signals.raising import raise_from_hits
from signals.terms import TERMS

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    Write = Callable[[], dict[str, Any]]
    Progress = Callable[[str, int, int], None]

logger = logging.getLogger(__name__)

STORM_AFTER_RUNS = 14
STORM_TIMES_MEDIAN = 5
STORM_SHARE = 0.2
_POLL_SECONDS = 0.5
_RECORD_DAYS = 730


def run(business_date: date, *, now: datetime, on_progress: Progress | None = None) -> Run:
    """Finish the date, working on its chunks beside any workers; return its run.  A finished date is left alone.

    Earlier dates that are due or begun come first.
    """
    live = Run.objects.filter(job=runs.NIGHTLY, is_scheduled=True).exists()
    if live:
        for day in runs.due_dates(now):
            if day < business_date:
                runs.ensure(runs.NIGHTLY, day, now=now, scheduled=True)
    wanted = runs.ensure(runs.NIGHTLY, business_date, now=now)
    while (earlier := runs.oldest_unfinished(before=business_date)) is not None:
        work_through(earlier, now=now, on_progress=on_progress)
    return work_through(wanted, now=now, on_progress=on_progress)


def work_through(ledger: Run, *, now: datetime, on_progress: Progress | None = None) -> Run:
    """Claim chunk after chunk until the run is done; wait where others hold the rest."""
    runs.retry(ledger)
    ledger = runs.start(ledger)
    worker = worker_name()
    while ledger.state != RunState.DONE:
        chunk = runs.claim(ledger, worker=worker)
        if chunk is None:
            runs.give_back_stale()
            if not runs.advance(ledger):
                ledger.refresh_from_db()
                if ledger.state == RunState.FAILED:
                    raise RunFailed(ledger.error)
                if ledger.state != RunState.DONE:
                    time.sleep(_POLL_SECONDS)
        else:
            _work(chunk, now=now)
        ledger.refresh_from_db()
        if on_progress is not None:
            _tell(ledger, on_progress)
    return ledger


class RunFailed(Exception):
    """A chunk of the run failed on every attempt; the text is the last error."""


def perform_chunk(run_id: int, chunk_id: int, *, now: datetime) -> bool:
    """Work on the chunk if it is to be had; tell whether it was.  Twice, at once or after a kill: done once."""
    ledger = Run.objects.get(pk=run_id)
    chunk = runs.claim(ledger, worker=worker_name(), chunk_id=chunk_id)
    if chunk is None:
        return False
    _work(chunk, now=now)
    return True


def worker_name() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"


def _work(chunk: RunChunk, *, now: datetime) -> None:
    """Compute, then write results and DONE together; give the chunk back when it fails."""
    try:
        with runs.lease_kept(chunk):
            write = _PHASES[chunk.phase](chunk, now)
            with transaction.atomic():
                counts = write()
                runs.finish_chunk(chunk, counts)
    except runs.LeaseLost:
        logger.warning("Lease lost, results thrown away", extra={"chunk": chunk.pk, "attempt": chunk.attempt})
        return
    except Exception as error:
        runs.give_back(chunk, error=f"{type(error).__name__}: {error}")
        raise
    runs.advance(chunk.run)


def _prepare(chunk: RunChunk, now: datetime) -> Write:
    day = chunk.run.business_date
    sample.extend(through=day, now=now)
    owned = customers.assign_owners()
    ledger.rebuild()
    usage.ensure_months(day, day + timedelta(days=62))
    rebuilt = usage.rebuild_dirty_blocks(through=day)
    return lambda: {"blocks": rebuilt, "owned": owned}


def _features(chunk: RunChunk, _now: datetime) -> Write:
    day = chunk.run.business_date
    model = scoring.model_of(HealthModelVersion.objects.get(pk=chunk.run.definitions["health"]))
    frame = loading.features(day, chunk.slot_from, chunk.slot_until)
    scored = scoring.score(frame, business_date=day, model=model)

    def write() -> dict[str, Any]:
        written = storing.put_scores(day, scored, is_newest=not runs.is_backfill(chunk.run))
        return {"customers": len(frame), "written": written}

    return write


def _ranks(chunk: RunChunk, now: datetime) -> Write:
    day = chunk.run.business_date
    ranks = scoring.ranks(day)
    rules = finding.load_rules(chunk.run)

    def write() -> dict[str, Any]:
        written = storing.put_ranks(day, ranks, is_newest=not runs.is_backfill(chunk.run))
        facts = scoring.facts(day, rules.compiled) | {"records": _records(day)}
        Run.objects.filter(pk=chunk.run_id).update(facts=facts)
        return {"written": written}

    return write


def _alerts(chunk: RunChunk, now: datetime) -> Write:
    ledger = chunk.run
    if runs.is_backfill(ledger):
        return dict
    ledger.refresh_from_db(fields=["facts"])
    rules = finding.load_rules(ledger)
    day, first, until = ledger.business_date, chunk.slot_from, chunk.slot_until
    extra = (*finding.CARD_TERMS, *_snooze_terms(first, until))
    frame = scoring.rule_frame(day, rules.compiled, slot_from=first, slot_until=until, extra=extra)
    daily = scoring.rule_days(day, rules.compiled, slot_from=first, slot_until=until)
    found = rule_masks.evaluate(rules.compiled, frame, daily)
    hits = finding.find_hits(ledger, rules, found, frame)

    def write() -> dict[str, Any]:
        counts = raise_from_hits(ledger, hits, now=now)
        return {
            "customers": len(frame), "hits": len(hits.rows), "raised": counts.raised, "refreshed": counts.refreshed,
            "resolved": counts.resolved, "rewritten": counts.rewritten,
        }  # fmt: skip

    return write


def _finish(chunk: RunChunk, now: datetime) -> Write:
    ledger = chunk.run

    def write() -> dict[str, Any]:
        held = alerts.hold(ledger, reason=alerts.STORM, now=now) if is_storm(ledger) else 0
        counts = counters(ledger)
        Run.objects.filter(pk=ledger.pk, state=RunState.RUNNING).update(
            state=RunState.DONE, finished_at=Now(), is_held=held > 0, error="", **counts
        )
        return counts

    return write


_PHASES: dict[str, Callable[[RunChunk, datetime], Write]] = {
    "prepare": _prepare,
    "features": _features,
    "ranks": _ranks,
    "alerts": _alerts,
    "finish": _finish,
}


def counters(ledger: Run) -> dict[str, int]:
    """Return the counters of the run as its rows say (invariant C3)."""
    scores = HealthScore.objects.filter(business_date=ledger.business_date).count()
    ranks = RfmScore.objects.filter(business_date=ledger.business_date).count()
    changes = dict(AlertChange.objects.filter(run=ledger).values_list("change").annotate(Count("id")).order_by())
    return {
        "customers": scores,
        "scores": scores + ranks,
        **{f"alerts_{change}": changes.get(change, 0) for change in ("raised", "refreshed", "resolved", "held")},
    }


def is_storm(ledger: Run) -> bool:
    """Tell whether the run raised far more than usual: then a person looks before anybody is sent after it.

    Alerts of a rule version that runs for the first time do not count: its preview was seen.
    """
    finished = Run.objects.filter(job=ledger.job, state=RunState.DONE).order_by("-business_date")
    before = list(finished.values_list("business_date", "alerts_raised", "definitions"))
    if len(before) < STORM_AFTER_RUNS or runs.is_backfill(ledger):
        return False
    known = set(before[0][2].get("rules", []))
    raised = Alert.objects.filter(raised_by=ledger, rule_version__in=known).count()
    recent = [count for day, count, _ in before if day >= ledger.business_date - timedelta(days=28)]
    median = statistics.median(recent) if recent else 0
    return raised > max(STORM_TIMES_MEDIAN * median, STORM_SHARE * Customer.objects.filter(merged_into=None).count())


def _records(day: date) -> dict[str, tuple[int, int]]:
    """Return per rule how many of its alerts that people closed within two years became deals, and how many there were."""
    closed = Alert.objects.filter(
        state=AlertState.CLOSED, closed_by__isnull=False, raised_on__gt=day - timedelta(days=_RECORD_DAYS), raised_on__lte=day
    )
    counted = closed.values_list("rule_id").annotate(deals=Count("id", filter=Q(close_reason="won")), total=Count("id")).order_by()
    return {str(rule_id): (deals, total) for rule_id, deals, total in counted}


def _snooze_terms(first: int, until: int) -> list[str]:
    """Return the terms that snoozed alerts of the customers wait for."""
    conditions = Alert.objects.filter(
        state=AlertState.WAITING, snooze_condition__isnull=False, customer__slot__gte=first, customer__slot__lt=until
    ).values_list("snooze_condition__term", flat=True)
    return sorted({term for term in conditions if term in TERMS})


def _tell(ledger: Run, on_progress: Progress) -> None:
    done = RunChunk.objects.filter(run=ledger, phase=ledger.phase, state=RunState.DONE).count()
    total = RunChunk.objects.filter(run=ledger, phase=ledger.phase).count()
    on_progress(f"{ledger.business_date} {ledger.phase}", done, total)
