"""What the queue wakes.  It only wakes: what is to be done, and who may do it, stands in the run ledger."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from celery import shared_task
from kombu.exceptions import OperationalError as BrokerError

from expansion import clock
from signals import alerts, nightly, runs
from signals.models.runs import RunState

if TYPE_CHECKING:
    from collections.abc import Iterable

    from signals.models import RunChunk

logger = logging.getLogger(__name__)


@shared_task(acks_late=True, reject_on_worker_lost=True)
def tick(**_from_newer_callers: object) -> None:
    """Look, once a minute: which dates are due, what did dead workers leave behind, what comes back from snooze."""
    now = clock.now()
    runs.note_tick(now)
    alerts.return_due(now)
    _wake(runs.reconcile(now))


@shared_task(acks_late=True, reject_on_worker_lost=True)
def perform_chunk(*, run_id: int, chunk_id: int, **_from_newer_callers: object) -> None:
    """Work on one chunk, if it is still to be had; then wake workers for what it opened."""
    now = clock.now()
    if not nightly.perform_chunk(run_id, chunk_id, now=now):
        return
    run, opened = runs.opened_by(chunk_id)
    _wake(runs.reconcile(now) if run.state == RunState.DONE else opened)


def _wake(chunks: Iterable[RunChunk]) -> None:
    for chunk in chunks:
        try:
            perform_chunk.delay(run_id=chunk.run_id, chunk_id=chunk.pk)
        except BrokerError:
            # The next tick finds the chunk again.
            logger.warning("The queue cannot be reached", extra={"run": chunk.run_id})
            return
