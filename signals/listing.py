"""Alerts as other programs read them: the command and the API give the same rows."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.db.models import OuterRef, Q, Subquery

from expansion import clock
from signals.models import Alert, AlertChange
from signals.models.alerts import AlertState

if TYPE_CHECKING:
    from datetime import date

FIELDS = (
    "id", "rule__key", "family", "customer__customer_id", "raised_on", "state", "priority", "priority_parts", "evidence", "is_lead",
    "is_stopped", "guard", "play_kind", "playbook_key", "expected_low", "expected_high", "expected_currency", "due_on",
    "owner__email", "refreshed_on", "condition_ended_on", "closed_at", "close_reason", "version",
)  # fmt: skip


def alerts(*, is_open: bool | None = None, as_of: date | None = None) -> list[dict[str, Any]]:
    """Return the alerts, highest rank first within open and closed.

    As of a day: those raised by its close, in the state they had then; what they said is as last refreshed.
    """
    rows = Alert.objects.all()
    if as_of is not None:
        end = clock.start_of(as_of + timedelta(days=1))
        # A run works for the day before it: its rows count to its business date, a person's to the moment.
        known = Q(run__isnull=True, at__lt=end) | Q(run__business_date__lte=as_of)
        then = AlertChange.objects.filter(known, alert=OuterRef("pk")).order_by("-id")
        rows = rows.filter(raised_on__lte=as_of).annotate(state_then=Subquery(then.values("state")[:1]))
    if is_open is not None:
        field = "state_then" if as_of is not None else "state"
        rows = rows.exclude(**{field: AlertState.CLOSED}) if is_open else rows.filter(**{field: AlertState.CLOSED})
    fields = (*FIELDS, "state_then") if as_of is not None else FIELDS
    return [as_json(row) for row in rows.order_by("-priority", "id").values(*fields).iterator(chunk_size=2000)]


def as_json(row: dict[str, Any]) -> dict[str, Any]:
    """Return one alert as interfaces promise it."""
    return {
        "id": row["id"],
        "rule": row["rule__key"],
        "family": row["family"],
        "customer_id": row["customer__customer_id"],
        "raised_on": row["raised_on"].isoformat(),
        "state": row.get("state_then") or row["state"],
        "priority": row["priority"],
        "priority_parts": row["priority_parts"],
        "evidence": row["evidence"],
        "is_lead": row["is_lead"],
        "is_stopped": row["is_stopped"],
        "guard": row["guard"],
        "play_kind": row["play_kind"],
        "playbook": row["playbook_key"],
        "expected_low": None if row["expected_low"] is None else str(row["expected_low"]),
        "expected_high": None if row["expected_high"] is None else str(row["expected_high"]),
        "currency": row["expected_currency"],
        "due_on": row["due_on"].isoformat(),
        "owner": row["owner__email"],
        "refreshed_on": row["refreshed_on"].isoformat(),
        "condition_ended_on": row["condition_ended_on"] and row["condition_ended_on"].isoformat(),
        "closed_at": row["closed_at"] and row["closed_at"].isoformat(),
        "close_reason": row["close_reason"],
        "version": row["version"],
    }
