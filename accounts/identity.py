"""Which customer an ID of another system stands for: looked up, or settled by a person."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from accounts.imports import applying
from accounts.imports.resolving import resolve
from accounts.models import Customer, Identity
from expansion.audit import trail
from expansion.errors import Conflict
from expansion.users.models import User

__all__ = ["TakenAlready", "match", "resolve"]


class TakenAlready(Conflict):
    """The ID stands for another customer."""


def match(source: str, external_id: str, customer: Customer, *, by: User | None, now: datetime) -> int:
    """Say that an ID of a source stands for the customer, and apply the rows that waited for it; return how many.

    Saying the same twice is fine.  An ID that stands for another customer is not taken over silently.
    """
    with transaction.atomic():
        identity, is_new = Identity.objects.select_for_update().get_or_create(
            source=source, external_id=external_id, defaults={"customer": customer, "confirmed_by": by, "confirmed_at": now}
        )
        if identity.customer_id != customer.pk:
            raise TakenAlready(
                _("%(id)s of %(source)s stands for %(customer)s already. Undo that first.")
                % {"id": external_id, "source": source, "customer": identity.customer.name}
            )
        if is_new:
            trail.record(by, "identity.matched", customer, after={"source": source, "external_id": external_id}, now=now)
    return applying.settle(now=now, source=source, external_id=external_id)
