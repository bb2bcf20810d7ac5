"""What people and the nightly run do to alerts.  Every verb writes the alert's history in the same transaction.

An act of a person raises ``version``; a refresh by the run does not, so that a form opened
before the run can still be sent after it.
"""

from __future__ import annotations

import math
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models import Count, Q
from django.utils.translation import gettext as _

from expansion import clock
from expansion.errors import Conflict, DomainError
from signals.models import Alert, AlertChange
from signals.models.alerts import AlertState, PlayKind
from signals.terms import TERMS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from expansion.users.models import User
    from signals.models import Run

NEVER = date.max
"""A ``quiet_until`` of this day: the family does not fire again for the customer, whatever happens."""

STORM = "storm"
_PLAIN = (
    "version", "state", "due_on", "owner_id", "is_lead", "acknowledged_at", "chosen_at", "snoozed_until", "snooze_condition",
    "snooze_reason", "returned_at", "closed_at", "closed_by_id", "close_reason", "quiet_until", "rearmed_on", "open_key",
)  # fmt: skip


class Changed(Conflict):
    """The alert is not as the person saw it; ``current`` is how it is now."""

    def __init__(self, message: str, *, current: Alert) -> None:
        super().__init__(message)
        self.current = current


class AlreadyClosed(Changed):
    """Somebody closed the alert meanwhile."""


@transaction.atomic
def acknowledge(alert: Alert, *, by: User, now: datetime) -> Alert:
    """Note that somebody has begun to work the alert.  Once is enough; the version stays as it is."""
    alert = _open(_locked(alert))
    if alert.acknowledged_at is None:
        alert.acknowledged_at = now
        alert.save(update_fields=["acknowledged_at"])
        _note(alert, "acknowledged", by=by, now=now)
    return alert


@transaction.atomic
def snooze(
    alert: Alert,
    *,
    until: datetime | None = None,
    condition: Mapping[str, Any] | None = None,
    reason: str,
    version: int | None = None,
    by: User,
    now: datetime,
) -> Alert:
    """Hide the card until the instant, or until the condition {term, op, threshold} holds after a nightly run.

    With both, whichever comes first.  Snoozing again replaces date, condition and reason.
    """
    alert = _open(_locked(alert), version=version)
    if until is None and condition is None:
        raise DomainError(_("Choose a date, or what has to happen, for the alert to come back."))
    if until is not None and until <= now:
        raise DomainError(_("Choose a time in the future."))
    if not reason.strip():
        raise DomainError(_("Say why the alert is put off: it is shown when it comes back."))
    before = _state(alert)
    alert.state = AlertState.WAITING
    alert.snoozed_until, alert.snooze_condition = until, None if condition is None else _checked(condition)
    alert.snooze_reason, alert.returned_at = reason.strip()[:200], None
    _save(alert, "state", "snoozed_until", "snooze_condition", "snooze_reason", "returned_at")
    _note(alert, "snoozed", before=before, reason=alert.snooze_reason, by=by, now=now)
    return alert


@transaction.atomic
def wake(alert: Alert, *, version: int | None = None, by: User, now: datetime) -> Alert:
    """Bring a snoozed alert back before its time."""
    alert = _open(_locked(alert), version=version)
    if alert.state != AlertState.WAITING:
        raise Changed(_("This alert is not snoozed."), current=alert)
    before = _state(alert)
    alert.state, alert.returned_at = AlertState.OPEN, now
    alert.snoozed_until = alert.snooze_condition = None
    _save(alert, "state", "snoozed_until", "snooze_condition", "returned_at")
    _note(alert, "woken", before=before, by=by, now=now)
    return alert


@transaction.atomic
def assign(alert: Alert, *, to: User | None, version: int | None = None, reason: str = "", by: User, now: datetime) -> Alert:
    """Give the customer's whole card to somebody, or to nobody.  The other open alerts of the card follow."""
    if to is not None and not to.is_active:
        raise DomainError(_("%(name)s cannot log in any more. Choose somebody else.") % {"name": to.name})
    first, *others = _locked_card(alert, version=version)
    for one in (first, *others):
        if one.owner_id == (to.pk if to else None):
            continue
        before = _state(one)
        one.owner = to
        _save(one, "owner")
        _note(one, "assigned", before=before, reason=reason, by=by, now=now)
    return first


@transaction.atomic
def follow_up(
    alerts: Sequence[Alert], *, due_on: date, waits: bool, reason: str, version: int | None = None, by: User, now: datetime
) -> list[Alert]:
    """Move the due date after an outcome that leaves the alerts open; with ``waits`` they come back on that day.

    The first alert is the one the person saw: ``version`` is its version.
    """
    moved = _locked_open(alerts, version=version)
    for alert in moved:
        before = _state(alert)
        alert.due_on = due_on
        alert.snooze_condition, alert.returned_at = None, None
        if waits:
            alert.state, alert.snoozed_until, alert.snooze_reason = AlertState.WAITING, clock.start_of(due_on), reason[:200]
        else:
            alert.state, alert.snoozed_until = AlertState.OPEN, None
        _save(alert, "due_on", "state", "snoozed_until", "snooze_condition", "snooze_reason", "returned_at")
        _note(alert, "followed_up", before=before, reason=reason, by=by, now=now)
    return moved


@transaction.atomic
def close(
    alerts: Sequence[Alert],
    *,
    reason: str,
    quiet_until: date | None = None,
    version: int | None = None,
    by: User | None,
    now: datetime,
) -> list[Alert]:
    """Close the alerts and let the next play of the card lead.  Return those closed.

    The family stays quiet until ``quiet_until`` or until its condition has stopped, whichever
    comes first; with NEVER for ever.  The first alert is the one the person saw: ``version`` is
    its version.  Others that somebody closed meanwhile are left out.
    """
    closed = _locked_open(alerts, version=version)
    for alert in closed:
        before = _state(alert)
        _shut(alert, reason=reason, quiet_until=quiet_until, by=by, now=now)
        _note(alert, "closed", before=before, reason=reason, by=by, now=now)
    choose_leads({alert.customer_id for alert in closed})
    return closed


@transaction.atomic
def reopen(alert_ids: Iterable[int], *, by: User, now: datetime) -> list[Alert]:
    """Open closed alerts again as they were before they were closed; the first one leads the card.

    Raise Changed when one is open already, or when its family has fired anew meanwhile.
    """
    ids = list(alert_ids)
    rows = {alert.pk: alert for alert in Alert.objects.select_for_update().filter(pk__in=ids).order_by("id")}
    opened = [rows[pk] for pk in ids if pk in rows]
    for alert in opened:
        if alert.closed_at is None:
            raise Changed(_("This alert is open already."), current=alert)
        before = _state(alert)
        _refuse_a_second(alert)
        alert.state, alert.open_key = AlertState.OPEN, open_key(alert.customer_id, alert.family)
        alert.closed_at = alert.closed_by = alert.quiet_until = alert.rearmed_on = None
        alert.close_reason = ""
        _save(alert, "state", "open_key", "closed_at", "closed_by", "quiet_until", "rearmed_on", "close_reason")
        _note(alert, "reopened", before=before, by=by, now=now)
    choose_leads({alert.customer_id for alert in opened}, preferred=ids[:1])
    return opened


@transaction.atomic
def choose_lead(alert: Alert, *, version: int | None = None, by: User, now: datetime) -> Alert:
    """Let the card show this one of the customer's plays; it keeps the lead until it is closed or help is needed first."""
    first, *others = _locked_card(alert, version=version)
    if first.state == AlertState.HELD:
        raise DomainError(_("This alert is held until an administrator has looked at the run."))
    before = _state(first)
    Alert.objects.filter(pk__in=[o.pk for o in others], chosen_at__isnull=False).update(chosen_at=None)
    Alert.objects.filter(pk__in=[o.pk for o in others], is_lead=True).update(is_lead=False)
    first.is_lead, first.chosen_at = True, now
    _save(first, "is_lead", "chosen_at")
    _note(first, "lead_chosen", before=before, by=by, now=now)
    return first


def state_of(alerts: Iterable[Alert]) -> list[dict[str, Any]]:
    """Return what ``restore`` needs to put the alerts back, as plain JSON."""
    return [_state(alert) | {"id": alert.pk} for alert in alerts]


@transaction.atomic
def restore(before: Sequence[Mapping[str, Any]], *, by: User, now: datetime) -> list[Alert]:
    """Put alerts back to how ``state_of`` saw them, under a new version: the undo of any act above.

    Each item may carry ``version_after``, the version after the act; raise Changed when somebody
    acted on the alert since, or when its family has fired anew.
    """
    states = {int(item["id"]): item for item in before}
    rows = list(Alert.objects.select_for_update().filter(pk__in=states).order_by("id"))
    for alert in rows:
        expected = states[alert.pk].get("version_after")
        if expected is not None and alert.version != expected:
            raise Changed(_("Somebody has worked on this alert since, so it cannot be undone."), current=alert)
    leads = [alert.pk for alert in rows if states[alert.pk].get("is_lead")]
    for alert in rows:
        item, was = states[alert.pk], _state(alert)
        if item.get("open_key") and alert.open_key is None:
            _refuse_a_second(alert)
        for name in _PLAIN:
            if name in item and name not in {"version", "is_lead"}:
                setattr(alert, name, item[name])
        alert.is_lead = alert.is_lead and alert.open_key is not None
        _save(alert, *(name for name in _PLAIN if name != "version"))
        alert.refresh_from_db()
        _note(alert, "restored", before=was, by=by, now=now)
    choose_leads({alert.customer_id for alert in rows}, preferred=leads)
    return rows


@transaction.atomic
def return_due(now: datetime) -> int:
    """Bring back the snoozed alerts whose time has come; return how many.  Safe at any time, by any number of callers."""
    due = list(
        Alert.objects.select_for_update(skip_locked=True)
        .filter(state=AlertState.WAITING, snoozed_until__lte=now)
        .order_by("id")[:5000]
    )  # fmt: skip
    for alert in due:
        before = _state(alert)
        alert.state, alert.returned_at = AlertState.OPEN, alert.snoozed_until
        alert.snoozed_until = alert.snooze_condition = None
        alert.save(update_fields=["state", "returned_at", "snoozed_until", "snooze_condition"])
        _note(alert, "returned", before=before, reason=alert.snooze_reason, by=None, now=now)
    return len(due)


@transaction.atomic
def hold(run: Run, *, reason: str, now: datetime) -> int:
    """Hold back the alerts that the run raised and nobody has touched yet; return how many."""
    held = list(
        Alert.objects.select_for_update()
        .filter(raised_by=run, state=AlertState.OPEN, version=1, acknowledged_at=None)
        .order_by("id")
    )
    Alert.objects.filter(pk__in=[a.pk for a in held]).update(state=AlertState.HELD, held_reason=reason, is_lead=False)
    AlertChange.objects.bulk_create(
        [
            AlertChange(
                alert=alert, at=now, run=run, change="held", state=AlertState.HELD, reason=reason,
                before={"state": alert.state}, after={"state": AlertState.HELD.value},
            )
            for alert in held
        ],
        batch_size=2000,
    )  # fmt: skip
    choose_leads({alert.customer_id for alert in held})
    return len(held)


@transaction.atomic
def release(run: Run, *, by: User, now: datetime) -> int:
    """Open the alerts that were held back from the run, as an administrator confirmed; return how many."""
    held = list(Alert.objects.select_for_update().filter(raised_by=run, state=AlertState.HELD).order_by("id"))
    for alert in held:
        before = _state(alert)
        alert.state, alert.held_reason = AlertState.OPEN, ""
        _save(alert, "state", "held_reason")
        _note(alert, "released", before=before, by=by, now=now)
    choose_leads({alert.customer_id for alert in held})
    return len(held)


def counts_by_rule(user: User, *, today: date) -> dict[int, tuple[int, int]]:
    """Return per rule id how many alerts that the person may see are open, and how many were raised in 28 days."""
    since = today - timedelta(days=28)
    counted = (
        Alert.objects.visible_to(user)
        .filter(Q(open_key__isnull=False) | Q(raised_on__gte=since))
        .values_list("rule_id")
        .annotate(open_now=Count("id", filter=Q(open_key__isnull=False)), raised=Count("id", filter=Q(raised_on__gte=since)))
        .order_by()
    )
    return {rule_id: (open_now, raised) for rule_id, open_now, raised in counted}


def open_key(customer_id: int, family: str) -> str:
    """Return the key that at most one open alert can have."""
    return f"{customer_id}:{family}"


def choose_leads(customer_ids: Iterable[int], *, preferred: Sequence[int] = ()) -> None:
    """Let exactly one open alert of each customer lead its card; ``preferred`` alerts win outright."""
    rows = Alert.objects.filter(customer_id__in=list(customer_ids), open_key__isnull=False).values_list(
        "customer_id", "id", "is_lead", "state", "play_kind", "priority", "raised_on", "chosen_at", "acknowledged_at", named=True
    )
    cards: dict[int, list[Any]] = {}
    for row in rows:
        cards.setdefault(row.customer_id, []).append(row)
    leading = {row.id for card in cards.values() for row in card if row.is_lead}
    chosen = {next((row.id for row in card if row.id in preferred), None) or lead_of(card) for card in cards.values()}
    # The old leads step down first: the database allows one lead per customer at any moment.
    Alert.objects.filter(pk__in=leading - chosen).update(is_lead=False)
    Alert.objects.filter(pk__in=chosen - leading).update(is_lead=True)


def lead_of(card: Sequence[Any]) -> int:
    """Return the id of the alert whose play the card shows.

    Help comes first, then renewals, then the highest priority; held alerts come last.  A play that a person chose
    or has begun keeps the lead against all but help that was asked for since.  A snoozed lead keeps its card
    hidden from other plays of its own class.
    """
    kept = max(
        (row for row in card if row.chosen_at or (row.is_lead and row.acknowledged_at)),
        key=lambda row: row.chosen_at or row.acknowledged_at,
        default=None,
    )
    since = None if kept is None else clock.day_of(kept.chosen_at or kept.acknowledged_at)

    def place(row: Any) -> tuple[Any, ...]:
        if row.play_kind == PlayKind.HELP and (since is None or row.raised_on > since):
            rank = 0
        elif row is kept:
            rank = 1
        else:
            rank = {PlayKind.HELP: 2, PlayKind.RENEWAL: 3}.get(row.play_kind, 4)
        is_hidden = row.is_lead and row.state == AlertState.WAITING
        return (row.state == AlertState.HELD, rank, not is_hidden, -row.priority, row.id)

    leads: int = min(card, key=place).id
    return leads


def _locked(alert: Alert) -> Alert:
    """Read the row again under a lock; two people may click at once."""
    return Alert.objects.select_for_update().get(pk=alert.pk)


def _locked_card(alert: Alert, *, version: int | None) -> list[Alert]:
    """Lock all open alerts of the customer; the one asked for comes first."""
    rows = list(
        Alert.objects.select_for_update()
        .filter(Q(pk=alert.pk) | Q(customer_id=alert.customer_id, open_key__isnull=False))
        .order_by("id")
    )
    rows.sort(key=lambda row: row.pk != alert.pk)
    _open(rows[0], version=version)
    return rows


def _locked_open(alerts: Sequence[Alert], *, version: int | None) -> list[Alert]:
    """Lock the alerts; the first must be open and as the person saw it, the others are left out when closed."""
    if not alerts:
        return []
    rows = {row.pk: row for row in Alert.objects.select_for_update().filter(pk__in=[a.pk for a in alerts]).order_by("id")}
    first, *others = [rows[a.pk] for a in alerts]
    _open(first, version=version)
    return [first, *(row for row in others if row.closed_at is None)]


def _open(alert: Alert, *, version: int | None = None) -> Alert:
    if alert.closed_at is not None:
        raise AlreadyClosed(_("Somebody has closed this alert meanwhile."), current=alert)
    if version is not None and alert.version != version:
        raise Changed(_("Somebody has changed this alert since you opened it."), current=alert)
    return alert


def _refuse_a_second(alert: Alert) -> None:
    newer = Alert.objects.filter(open_key=open_key(alert.customer_id, alert.family)).exclude(pk=alert.pk).first()
    if newer is not None:
        raise Changed(_("A newer alert about the same thing is open; work on that one."), current=newer)


def _shut(alert: Alert, *, reason: str, quiet_until: date | None, by: User | None, now: datetime) -> None:
    alert.state, alert.open_key, alert.is_lead = AlertState.CLOSED, None, False
    alert.closed_at, alert.closed_by, alert.close_reason = now, by, reason[:40]
    alert.quiet_until, alert.rearmed_on = quiet_until, None
    alert.snoozed_until = alert.snooze_condition = None
    _save(
        alert, "state", "open_key", "is_lead", "closed_at", "closed_by", "close_reason", "quiet_until", "rearmed_on",
        "snoozed_until", "snooze_condition",
    )  # fmt: skip


def _save(alert: Alert, *fields: str) -> None:
    alert.version += 1
    alert.save(update_fields=[*fields, "version"])


def _state(alert: Alert) -> dict[str, Any]:
    state = {name: getattr(alert, name) for name in _PLAIN}
    return {name: value.isoformat() if hasattr(value, "isoformat") else value for name, value in state.items()}


def _note(
    alert: Alert, change: str, *, before: Mapping[str, Any] | None = None, reason: str = "", by: User | None, now: datetime
) -> None:
    """Add one row to the history: only what differs is kept, as it was and as it is."""
    after = _state(alert)
    differing = [name for name in after if before is not None and before.get(name) != after[name] and name != "version"]
    AlertChange.objects.create(
        alert=alert, at=now, by=by, change=change, state=alert.state, reason=reason[:400],
        before={name: before[name] for name in differing} if before is not None else None,
        after={name: after[name] for name in differing} if before is not None else None,
    )  # fmt: skip


def _checked(condition: Mapping[str, Any]) -> dict[str, Any]:
    """Return the condition as stored, or refuse one that could never be judged."""
    term, op = str(condition.get("term", "")), str(condition.get("op", ">="))
    threshold = condition.get("threshold")
    is_known = term in TERMS and op in {">=", ">", "<=", "<"}
    if not is_known or isinstance(threshold, bool) or not isinstance(threshold, int | float) or not math.isfinite(threshold):
        raise DomainError(_("Choose a measure and a number for the alert to come back."))
    return {"term": term, "op": op, "threshold": float(threshold)}
