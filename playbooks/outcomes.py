"""Log what came of a card: the result, what happens next, and when something may be offered again.

Business days follow the Japanese calendar.  Two people may act at once: the second is told, and
chooses; nothing that either wrote is lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal

from django.db import transaction
from django.utils.translation import gettext as _

from accounts import touches
from expansion import clock, periods
from expansion.audit import trail
from expansion.errors import Conflict, DomainError
from expansion.money import round_half_up
from expansion.users.models import User
from playbooks import catalogue, plays, undo
from playbooks.models import Outcome, Play, Reason, Result, Undo
from signals import alerts
from signals.models import Alert, AlertChange

NEVER = date.max
CLOSING = frozenset({Result.WON, Result.DECLINED, Result.NOT_A_FIT})
REFUSING = frozenset({Result.DECLINED, Result.NOT_A_FIT})
PRICED = frozenset({Result.OPENED, Result.WON, Result.THINKING})
REASONS: dict[str, tuple[Reason, ...]] = {
    Result.DECLINED: (Reason.BUDGET, Reason.TIMING, Reason.FEATURE, Reason.COMPETITOR, Reason.CONTACT_LEFT, Reason.OTHER),
    Result.NOT_A_FIT: (Reason.WRONG_SIGNAL, Reason.DATA_WRONG, Reason.NO_NEED, Reason.OTHER),
}
# Business days until the next date; a week is seven days, moved on to a business day.
_BUSINESS_DAYS = {Result.OPENED: 3, Result.WON: 5, Result.NO_REPLY: 1}
_LONGEST = timedelta(days=731)


class Invalid(DomainError):
    """One field of the entry is missing or wrong; ``field`` names it."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(message)
        self.field = name


class Overtaken(Conflict):
    """Somebody else acted on the card first: ``theirs`` is their outcome, or else ``change`` what they did."""

    def __init__(self, message: str, *, current: Alert, theirs: Outcome | None, change: AlertChange | None) -> None:
        super().__init__(message)
        self.current = current
        self.theirs = theirs
        self.change = change


@dataclass(frozen=True, slots=True)
class Entry:
    """What a person enters.  ``amount`` is per year; ``quiet_until`` NEVER = do not offer again."""

    result: str
    reason: str = ""
    amount: Decimal | None = None
    discount_percent: Decimal | None = None
    next_step: str = ""
    next_on: date | None = None
    quiet_until: date | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Suggestion:
    """What the form fills in once a result is chosen."""

    amount: Decimal | None = None
    next_step: str = ""
    next_on: date | None = None
    quiet_until: date | None = None


@dataclass(frozen=True, slots=True)
class Recorded:
    """A logged outcome.  ``undo`` is None where it cannot be undone; a repeat is the same request again."""

    outcome: Outcome
    undo: Undo | None
    is_repeat: bool = False
    closed: Sequence[int] = field(default_factory=tuple)


def suggest(result: str, *, content: catalogue.Content, expected: Decimal | None, today: date) -> Suggestion:
    """Return the defaults of a result, so that the common case is one key and save."""
    steps = content.next_steps.get(result, ())
    return Suggestion(
        amount=expected if result in PRICED and content.makes_offers else None,
        next_step=steps[0].key if steps else "",
        next_on=None if result in REFUSING else next_day(result, today=today),
        quiet_until={Result.DECLINED: periods.add_months(today, 3), Result.NOT_A_FIT: NEVER}.get(Result(result)),
    )


def expected(alert: Alert) -> Decimal | None:
    """Return the middle of what the alert may be worth a year, in whole units."""
    if alert.expected_low is None or alert.expected_high is None:
        return None
    return round_half_up((alert.expected_low + alert.expected_high) / 2, 0)


def next_day(result: str, *, today: date) -> date:
    """Return the day to come back to the customer after the result."""
    days = _BUSINESS_DAYS.get(Result(result))
    return in_a_week(today) if days is None else in_business_days(today, days)


def in_business_days(today: date, days: int) -> date:
    """Return the business day that many business days after today; on a holiday the first one is the next that people work."""
    return periods.add_business_days(today + timedelta(days=1), days - 1)


def in_a_week(today: date) -> date:
    """Return the day a week later, moved on to a business day."""
    return periods.add_business_days(today + timedelta(days=7), 0)


@transaction.atomic
def record(alert: Alert, entry: Entry, *, version: int, idempotency_key: str, by: User, now: datetime) -> Recorded:
    """Log the outcome of the card that the alert stands on.

    Won, declined and not a fit close every open alert of the card's play; opened waits out of
    sight until its date, thinking and no reply stay and are due on theirs.  The same
    ``idempotency_key`` again returns what was logged the first time.  Raises Overtaken when the
    card changed since ``version``, Invalid for a wrong field; then nothing is written.
    """
    repeat = find_repeat(idempotency_key, by=by)
    if repeat is not None:
        return repeat
    alert, together = _locked(alert)
    if alert.version != version or alert.open_key is None:
        raise overtaken(alert, by=by)
    return _log(alert, together, entry, key=idempotency_key, by=by, now=now)


@transaction.atomic
def replace(
    alert: Alert, entry: Entry, *, theirs: Outcome | None, why: str, version: int, idempotency_key: str, by: User, now: datetime
) -> Recorded:
    """Put an entry in the place of what somebody else did first; both stay in the history.

    ``version`` is that of the card as the person now sees it, with the other's act.  Such a
    replacement asks for a reason and cannot be undone.
    """
    repeat = find_repeat(idempotency_key, by=by)
    if repeat is not None:
        return repeat
    if not why.strip():
        raise Invalid("why", _("Say why yours replaces the other: the reason is kept in the history."))
    alert, together = _locked(alert)
    if alert.version != version:
        raise overtaken(alert, by=by)
    kept = _way_back(theirs)
    if theirs is not None and kept is not None:
        alerts.restore(kept.inverse["alerts"], by=by, now=now)
        touches.withdraw(kept.inverse["touches"], now=now)
        kept.used_at = now
        kept.save(update_fields=["used_at"])
    elif alert.open_key is None:
        alerts.reopen([alert.pk], by=by, now=now)
    alert, together = _locked(alert)
    recorded = _log(alert, together, entry, key=idempotency_key, by=by, now=now, corrects=theirs)
    Undo.objects.filter(token=recorded.undo.token if recorded.undo else "").delete()
    trail.record(
        by, "outcome.replaced", recorded.outcome, before=theirs and theirs.pk, after=recorded.outcome.pk, reason=why, now=now
    )
    return Recorded(recorded.outcome, None, closed=recorded.closed)


@transaction.atomic
def add_note(alert: Alert, entry: Entry, *, idempotency_key: str, by: User, now: datetime) -> Outcome:
    """Keep an entry beside what somebody else logged: it stands in the timeline and changes nothing."""
    repeat = find_repeat(idempotency_key, by=by)
    if repeat is not None:
        return repeat.outcome
    alert = Alert.objects.select_related("customer").get(pk=alert.pk)
    play = alert.plays.order_by("-started_at").first() or plays.start(alert, by=by, now=now)
    _check(entry, today=clock.day_of(now), makes_offers=_content(play).makes_offers)
    return _write(alert, play, entry, key=idempotency_key, by=by, now=now, is_side_note=True)


def find_repeat(idempotency_key: str, *, by: User) -> Recorded | None:
    """Return what the key logged already, for the person who sent it."""
    outcome = Outcome.objects.filter(idempotency_key=idempotency_key, by=by).select_related("customer", "alert").first()
    if outcome is None:
        return None
    kept = _way_back(outcome)
    return Recorded(outcome, kept, is_repeat=True, closed=tuple(outcome.closes))


def overtaken(alert: Alert, *, by: User) -> Overtaken:
    """Say who was first on a card that changed since it was read."""
    change = alert.changes.exclude(by=by).select_related("by").order_by("-id").first()
    theirs = (
        Outcome.objects.effective()
        .filter(customer=alert.customer_id)
        .exclude(by=by)
        .select_related("by", "play")
        .order_by("-id")
        .first()
    )
    if theirs is not None and change is not None and abs(change.at - theirs.at) > timedelta(seconds=1):
        theirs = None
    return Overtaken(
        _("Somebody else acted on this card first. Your entry is still here."), current=alert, theirs=theirs, change=change
    )


def _log(
    alert: Alert, together: list[Alert], entry: Entry, *, key: str, by: User, now: datetime, corrects: Outcome | None = None
) -> Recorded:
    today = clock.day_of(now)
    play = plays.start(alert, by=by, now=now)
    content = _content(play)
    _check(entry, today=today, makes_offers=content.makes_offers)
    before = undo.remember(together, play)
    outcome = _write(
        alert, play, entry, key=key, by=by, now=now, corrects=corrects,
        closes=[a.pk for a in together] if entry.result in CLOSING else [],
    )  # fmt: skip
    touch_ids = _write_touches(alert, play, content, outcome, by=by, now=now)
    if entry.result in CLOSING:
        alerts.close(together, reason=entry.result, quiet_until=outcome.quiet_until, version=alert.version, by=by, now=now)
        play.finished_at = now
    elif entry.next_on is not None:
        waits = entry.result == Result.OPENED
        alerts.follow_up(together, due_on=entry.next_on, waits=waits, reason=entry.result, version=alert.version, by=by, now=now)
    play.version += 1
    play.save(update_fields=["finished_at", "offered_at", "version"])
    trail.record(
        by,
        "outcome.recorded",
        outcome,
        after={"alert": alert.pk, "result": entry.result, "reason": entry.reason, "closes": outcome.closes},
        now=now,
    )
    kept = undo.keep("outcome", before, label=alert.customer.name, by=by, now=now, outcome_ids=[outcome.pk], touch_ids=touch_ids)
    return Recorded(outcome, kept, closed=tuple(outcome.closes))


def _write(
    alert: Alert, play: Play, entry: Entry, *, key: str, by: User, now: datetime,
    corrects: Outcome | None = None, closes: Sequence[int] = (), is_side_note: bool = False,
) -> Outcome:  # fmt: skip
    return Outcome.objects.create(
        customer=alert.customer, alert=alert, play=play, result=entry.result, reason=entry.reason,
        amount=entry.amount, currency=alert.expected_currency if entry.amount is not None else "",
        discount_percent=entry.discount_percent, next_step=entry.next_step, next_on=entry.next_on,
        quiet_until=entry.quiet_until, note=entry.note, by=by, at=now, closes=list(closes), corrects=corrects,
        is_side_note=is_side_note, idempotency_key=key,
    )  # fmt: skip


def _write_touches(alert: Alert, play: Play, content: catalogue.Content, outcome: Outcome, *, by: User, now: datetime) -> list[int]:
    """Write the offer down once per play, and a refusal with the day until which it holds."""
    written = []
    key = play.playbook_version.playbook.key
    if content.makes_offers and play.offered_at is None and (outcome.result in PRICED or outcome.result == Result.DECLINED):
        written.append(touches.record_offer(alert.customer, key=f"{play.pk}.{outcome.pk}", play=key, by=by, now=now).pk)
        play.offered_at = now
    if content.makes_offers and outcome.result == Result.DECLINED:
        written.append(
            touches.record_refusal(alert.customer, key=str(outcome.pk), play=key, until=outcome.quiet_until, by=by, now=now).pk
        )
    return written


def _check(entry: Entry, *, today: date, makes_offers: bool) -> None:
    if entry.result not in Result.values:
        raise Invalid("result", _("Choose one of the six results."))
    if entry.result in REFUSING:
        if entry.reason not in REASONS[entry.result]:
            raise Invalid("reason", _("Choose a reason."))
        if entry.reason == Reason.OTHER and not entry.note.strip():
            raise Invalid("note", _("Say in a few words what the reason was."))
        if entry.quiet_until is None or entry.quiet_until <= today:
            raise Invalid("quiet_until", _("Choose when to offer again: a day in the future, or never."))
        return
    if entry.result != Result.WON or entry.next_on is not None:
        if entry.next_on is None:
            raise Invalid("next_on", _("Choose the next date."))
        if not today < entry.next_on <= today + _LONGEST:
            raise Invalid("next_on", _("Choose a next date after today, within two years."))
    if entry.result == Result.WON and makes_offers and entry.amount is None:
        raise Invalid("amount", _("Enter the amount per year."))
    if entry.discount_percent is not None and not 0 <= entry.discount_percent <= 100:
        raise Invalid("discount_percent", _("A discount is between 0 and 100 percent."))


def _content(play: Play) -> catalogue.Content:
    return catalogue.read(play.playbook_version.body)


def _way_back(outcome: Outcome | None) -> Undo | None:
    if outcome is None:
        return None
    kept = Undo.objects.filter(kind="outcome", made_by=outcome.by_id, made_at=outcome.at, used_at__isnull=True)
    return kept.filter(inverse__outcomes__contains=[outcome.pk]).first()


def _locked(alert: Alert) -> tuple[Alert, list[Alert]]:
    """Read the alert and all open alerts of its play under a lock; the alert comes first."""
    same = (
        Alert.objects.select_for_update(of=("self",)).select_related("customer").filter(customer=alert.customer_id).order_by("pk")
    )
    found = {a.pk: a for a in same if a.pk == alert.pk or a.open_key is not None}
    fresh = found[alert.pk]
    others = [a for a in found.values() if a.pk != fresh.pk and a.open_key is not None and a.playbook_key == fresh.playbook_key]
    return fresh, [fresh, *others]
