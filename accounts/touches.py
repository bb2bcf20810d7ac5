"""Offers and refusals that people log: written down where guardrails and later readers look for them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime

from accounts.models import Contact, Customer, Touch
from expansion.users.models import User

SOURCE = "kizashi"


def record_offer(
    customer: Customer, *, key: str, play: str, by: User, now: datetime, contact: Contact | None = None, note: str = ""
) -> Touch:
    """Write down that something was offered.  The same ``key`` again is the same offer, not a second one."""
    return _record("offer", customer, key=key, play=play, by=by, now=now, contact=contact, note=note, until=None)


def record_refusal(
    customer: Customer,
    *,
    key: str,
    play: str,
    until: date | None,
    by: User,
    now: datetime,
    contact: Contact | None = None,
    note: str = "",
) -> Touch:
    """Write down that the play was declined; no further offer of it before ``until``."""
    return _record("refusal", customer, key=key, play=play, by=by, now=now, contact=contact, note=note, until=until)


def withdraw(touch_ids: Iterable[int], *, now: datetime) -> int:
    """Take back what was written down by mistake: the rows stay, and count no longer.  Return how many."""
    return Touch.objects.filter(pk__in=list(touch_ids), source=SOURCE, withdrawn_at__isnull=True).update(withdrawn_at=now)


def _record(
    kind: str,
    customer: Customer,
    *,
    key: str,
    play: str,
    by: User,
    now: datetime,
    contact: Contact | None,
    note: str,
    until: date | None,
) -> Touch:
    touch, _is_new = Touch.objects.get_or_create(
        source=SOURCE,
        external_id=f"{kind}:{key}",
        defaults={
            "customer": customer, "kind": kind, "touched_at": now, "by": by, "by_email": by.email,
            "contact": contact, "play": play, "until": until, "note": note,
        },
    )  # fmt: skip
    return touch
