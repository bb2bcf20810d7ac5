"""The goals that NRR and GRR are measured against."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

from django.db import transaction
from django.utils.translation import gettext as _

from expansion.audit import trail
from expansion.dashboards.models import Target
from expansion.errors import DomainError
from expansion.users.models import User

METRICS = ("nrr", "grr")
_MOST = {"nrr": Decimal("3"), "grr": Decimal("1")}


class BadTarget(DomainError):
    """A goal that the figure can never be measured against."""


def on(day: date) -> dict[str, Decimal]:
    """Return the goal of each metric that has one on a day: the newest that is valid."""
    return dict(Target.objects.filter(valid_from__lte=day).order_by("valid_from").values_list("metric", "value"))


@transaction.atomic
def put(metric: str, value: Decimal, *, valid_from: date, by: User, now: datetime) -> Target:
    """Set the goal of a metric from a day on, as a fraction; setting it again for the same day replaces it."""
    if metric not in METRICS:
        raise BadTarget(_("Only NRR and GRR have a target."))
    if not 0 < value <= _MOST[metric]:
        raise BadTarget(_("Give a target above 0 and up to %(most)d%%.") % {"most": _MOST[metric] * 100})
    before = on(valid_from).get(metric)
    target, _is_new = Target.objects.update_or_create(
        metric=metric, valid_from=valid_from, defaults={"value": value, "set_by": by, "set_at": now}
    )
    trail.record(
        by, "target.set", ("dashboards.target", metric), before=before, after={"value": value, "valid_from": valid_from}, now=now
    )
    return target
