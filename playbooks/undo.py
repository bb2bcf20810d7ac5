"""Take back one act of triage: the state of before is put back exactly, as long as nobody acted since."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from accounts import touches
from expansion.audit import trail
from expansion.errors import Conflict, DomainError
from expansion.users.models import User
from playbooks.models import Outcome, Play, Undo
from signals import alerts
from signals.models import Alert, AlertChange

GOOD_FOR = timedelta(hours=24)


class Gone(DomainError):
    """The act can no longer be taken back; ``since`` are the changes that came after it."""

    def __init__(self, message: str, *, since: Sequence[AlertChange] = ()) -> None:
        super().__init__(message)
        self.since = list(since)


@dataclass(frozen=True, slots=True)
class Kept:
    """What must be known before an act to take it back: the alerts, and the plays that it touches."""

    alerts: list[dict[str, Any]]
    plays: list[dict[str, Any]]


def remember(acted_on: Sequence[Alert], play: Play | None = None) -> Kept:
    """Note the state before an act."""
    return Kept(
        alerts=alerts.state_of(acted_on),
        plays=[] if play is None else [{
            "id": play.pk, "finished_at": play.finished_at and play.finished_at.isoformat(),
            "offered_at": play.offered_at and play.offered_at.isoformat(), "steps": play.steps,
        }],
    )  # fmt: skip


def keep(
    kind: str, before: Kept, *, label: str, by: User, now: datetime, outcome_ids: Sequence[int] = (), touch_ids: Sequence[int] = ()
) -> Undo:
    """Keep the way back of an act that was just carried out on the alerts of ``before``."""
    ids = [state["id"] for state in before.alerts]
    after = dict(Alert.objects.filter(pk__in=ids).values_list("pk", "version"))
    return Undo.objects.create(
        token=secrets.token_urlsafe(24),
        kind=kind,
        label=label[:200],
        alerts=ids,
        made_by=by,
        made_at=now,
        expires_at=now + GOOD_FOR,
        inverse={
            "alerts": [state | {"version_after": after[state["id"]]} for state in before.alerts],
            "plays": before.plays,
            "outcomes": list(outcome_ids),
            "touches": list(touch_ids),
        },
    )


@transaction.atomic
def take_back(token: str, *, by: User, now: datetime) -> Undo:
    """Put everything back as it was before the act.  Raise Gone where that is no longer possible; then nothing changes."""
    undo = Undo.objects.select_for_update().filter(token=token, made_by=by).first()
    if undo is None:
        raise Gone(_("There is nothing to undo here."))
    if undo.used_at is not None:
        raise Gone(_("This was already undone."))
    if undo.expires_at <= now:
        raise Gone(_("Undo is possible for 24 hours; that time is over."))
    try:
        alerts.restore(undo.inverse["alerts"], by=by, now=now)
    except (Conflict, alerts.AlreadyClosed) as error:
        raise Gone(_("This can no longer be undone: somebody acted on it since."), since=changes_since(undo)) from error
    for before in undo.inverse["plays"]:
        _restore_play(before)
    touches.withdraw(undo.inverse["touches"], now=now)
    for outcome in Outcome.objects.filter(pk__in=undo.inverse["outcomes"]):
        withdraw(outcome, by=by, now=now)
    undo.used_at = now
    undo.save(update_fields=["used_at"])
    trail.record(by, f"{undo.kind}.undone", undo, before=undo.inverse["outcomes"] or undo.alerts, now=now)
    return undo


def withdraw(outcome: Outcome, *, by: User, now: datetime) -> Outcome:
    """Write the row that says that an outcome does not count any more."""
    return Outcome.objects.create(
        customer_id=outcome.customer_id, alert_id=outcome.alert_id, play_id=outcome.play_id, result=outcome.result, by=by, at=now,
        corrects=outcome, is_withdrawal=True, idempotency_key=f"withdrawal:{outcome.pk}",
    )  # fmt: skip


def changes_since(undo: Undo) -> list[AlertChange]:
    """Return what happened to the alerts after the act, newest first."""
    return list(
        AlertChange.objects.filter(alert__in=undo.alerts, at__gt=undo.made_at)
        .select_related("by", "alert__customer")
        .order_by("-id")[:5]
    )


def find_good(user: User, *, now: datetime) -> list[Undo]:
    """Return what the person did in the last 24 hours and can take back, newest first."""
    return list(Undo.objects.filter(made_by=user, used_at__isnull=True, expires_at__gt=now).order_by("-made_at")[:50])


def _restore_play(before: dict[str, Any]) -> None:
    play = Play.objects.select_for_update().get(pk=before["id"])
    play.finished_at = before["finished_at"] and datetime.fromisoformat(before["finished_at"])
    play.offered_at = before["offered_at"] and datetime.fromisoformat(before["offered_at"])
    play.steps = before["steps"]
    play.version += 1
    play.save(update_fields=["finished_at", "offered_at", "steps", "version"])
