"""Acts on one card or on several at once, each with its way back: snooze, assign, dismiss, choose another play."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from expansion.errors import DomainError
from expansion.users.models import User
from playbooks import outcomes, undo
from playbooks.models import Result, Undo
from signals import alerts
from signals.models import Alert


@dataclass(frozen=True, slots=True)
class Done:
    """What was carried out: on which alerts, which customers were left out, and how to take it back."""

    ids: list[int]
    undo: Undo
    skipped: list[str]


@transaction.atomic
def snooze(
    chosen: Sequence[Alert], *, until: datetime | None, condition: Mapping[str, Any] | None, reason: str, by: User, now: datetime,
    version: int | None = None,
) -> Done:  # fmt: skip
    """Put the cards off.  ``version`` is that of a single card as the person saw it."""
    return _each(
        "snooze", chosen, by=by, now=now,
        act=lambda alert: alerts.snooze(alert, until=until, condition=condition, reason=reason, version=version, by=by, now=now),
    )  # fmt: skip


@transaction.atomic
def assign(chosen: Sequence[Alert], *, to: User | None, reason: str, by: User, now: datetime, version: int | None = None) -> Done:
    """Give the cards to somebody, or to nobody; every open alert of a card goes along."""
    return _each(
        "assign", chosen, by=by, now=now, whole_card=True,
        act=lambda alert: alerts.assign(alert, to=to, version=version, reason=reason, by=by, now=now),
    )  # fmt: skip


@transaction.atomic
def choose(alert: Alert, *, by: User, now: datetime) -> Done:
    """Let the card show this one of the customer's plays."""
    return _each("choose", [alert], by=by, now=now, whole_card=True, act=lambda one: alerts.choose_lead(one, by=by, now=now))


@transaction.atomic
def dismiss(chosen: Sequence[Alert], *, reason: str, note: str, by: User, now: datetime) -> Done:
    """Log "not a fit" with one reason for all.  Cards whose offers are stopped are left out: they need a look first."""
    left_out = [alert for alert in chosen if alert.is_stopped]
    taken = [alert for alert in chosen if not alert.is_stopped]
    if not taken:
        raise DomainError(_("Offers are stopped on every ticked card; look at them one by one."))
    ids: list[int] = []
    before = undo.Kept(alerts=[], plays=[])
    outcome_ids: list[int] = []
    kept_tokens: list[str] = []
    for alert in taken:
        entry = outcomes.Entry(result=Result.NOT_A_FIT, reason=reason, quiet_until=outcomes.NEVER, note=note)
        recorded = outcomes.record(alert, entry, version=alert.version, idempotency_key=secrets.token_urlsafe(24), by=by, now=now)
        ids.append(alert.pk)
        outcome_ids.append(recorded.outcome.pk)
        if recorded.undo is not None:
            before.alerts.extend(recorded.undo.inverse["alerts"])
            before.plays.extend(recorded.undo.inverse["plays"])
            kept_tokens.append(recorded.undo.token)
    # One way back for all of them takes the place of one for each.
    Undo.objects.filter(token__in=kept_tokens).delete()
    kept = undo.keep("outcome", before, label=_label(taken), by=by, now=now, outcome_ids=outcome_ids)
    return Done(ids, kept, [alert.customer.name for alert in left_out])


def _each(
    kind: str, chosen: Sequence[Alert], *, by: User, now: datetime, act: Callable[[Alert], Alert], whole_card: bool = False
) -> Done:  # fmt: skip
    """Carry the act out on every alert, and keep one way back for all."""
    ids = [alert.pk for alert in chosen]
    touched = Alert.objects.filter(pk__in=ids)
    if whole_card:
        touched = Alert.objects.filter(customer__in=[alert.customer_id for alert in chosen], open_key__isnull=False) | touched
    before = undo.remember(list(touched.select_for_update().order_by("pk")))
    for alert in chosen:
        act(alert)
    return Done(ids, undo.keep(kind, before, label=_label(chosen), by=by, now=now), [])


def _label(chosen: Sequence[Alert]) -> str:
    """Name the customers; more than three are counted by the page."""
    names = [alert.customer.name for alert in chosen]
    return " · ".join(names[:3]) + (f" +{len(names) - 3}" if len(names) > 3 else "")
