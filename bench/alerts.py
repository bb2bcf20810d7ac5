"""A night's alerts: our in-memory difference against Django's bulk_create(update_conflicts), 95 % already open."""

from __future__ import annotations

import time
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
from django.db import connection, transaction
from django.utils import timezone

from accounts.models import Customer
from bench.timing import SIZES
from signals import alerts, defaults
from signals.models import Alert, AlertChange, Rule, Run
from signals.raising import Hits, raise_from_hits

TITLE = "alert diff, 95 % already open"
FIRST = date(2026, 11, 19)
GOALS = {("difference", "bulk_create"): (7.0, "at least")}
_SHARE_OPEN = 0.95
_SHARE_CHANGED = 0.05


def prepare(size: str) -> None:
    now = timezone.now()
    defaults.load(now)
    Customer.objects.bulk_create(
        [Customer(customer_id=f"C{n}", slot=n, name=f"取引先{n}") for n in range(SIZES[size])], batch_size=5000
    )
    run = Run.objects.create(business_date=FIRST, queued_at=now)
    ids = _ids()
    with transaction.atomic():
        raise_from_hits(run, _hits(ids[: int(len(ids) * _SHARE_OPEN)], day=FIRST), now=now)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE signals_alert")


def difference(size: str) -> float:
    """Compare, add what is new, rewrite what changed; the history included."""
    with _night() as (run, hits, now):
        started = time.perf_counter()
        counts = raise_from_hits(run, hits, now=now)
        taken = time.perf_counter() - started
    ids = SIZES[size]
    if counts.raised != ids - int(ids * _SHARE_OPEN) or counts.rewritten != int(ids * _SHARE_CHANGED):
        raise AssertionError(counts)
    return taken


def unchanged(size: str) -> float:
    """The night after, with nothing new: no row is rewritten."""
    with _night(changed=0.0, share=_SHARE_OPEN) as (run, hits, now):
        before = _written()
        started = time.perf_counter()
        counts = raise_from_hits(run, hits, now=now)
        taken = time.perf_counter() - started
        if _written() != before or counts.rewritten or counts.raised:
            raise AssertionError("an unchanged night rewrote alert rows")
    return taken


def bulk_create(size: str) -> float:
    """The same rows and history through the ORM, as its documentation advises."""
    with _night() as (run, hits, now):
        rows = hits.rows.to_dict("records")
        parts = hits.parts(np.arange(len(rows)))
        started = time.perf_counter()
        made = [_row(row, part, run) for row, part in zip(rows, parts, strict=True)]
        Alert.objects.bulk_create(
            made, update_conflicts=True, unique_fields=["open_key"], batch_size=2000,
            update_fields=["rule", "rule_version", "priority", "priority_parts", "evidence", "guard", "is_stopped", "expected_low",
                           "expected_high", "offer", "refreshed_on"],
        )  # fmt: skip
        AlertChange.objects.bulk_create(
            [AlertChange(alert_id=alert.pk, at=now, run=run, change="refreshed", state="open") for alert in made if alert.pk],
            batch_size=2000,
        )
        return time.perf_counter() - started


CASES = {"difference": difference, "unchanged": unchanged, "bulk_create": bulk_create}


class _night:  # noqa: N801  (a context manager used as one)
    """The second night inside a transaction that is thrown away."""

    def __init__(self, *, changed: float = _SHARE_CHANGED, share: float = 1.0) -> None:
        self.changed, self.share = changed, share

    def __enter__(self) -> tuple[Run, Hits, datetime]:
        now = timezone.now()
        ids = _ids()
        self.atomic = transaction.atomic()
        self.atomic.__enter__()
        run = Run.objects.create(business_date=FIRST + timedelta(days=1), queued_at=now)
        return run, _hits(ids[: int(len(ids) * self.share)], day=run.business_date, changed=self.changed), now

    def __exit__(self, *_error: object) -> None:
        transaction.set_rollback(True)
        self.atomic.__exit__(None, None, None)


def _ids() -> np.ndarray:
    return np.fromiter(Customer.objects.order_by("id").values_list("id", flat=True), dtype=np.int64)


def _hits(ids: np.ndarray, *, day: date, changed: float = 0.0) -> Hits:
    rule = Rule.objects.get(key="quota_80")
    version = rule.versions.get(state="published")
    values = np.full(len(ids), 0.86)
    values[: int(len(_ids()) * changed)] = 0.97
    frame = pd.DataFrame(
        {
            "customer_id": ids, "family": rule.family, "rule_id": rule.pk, "rule_version_id": version.pk, "play_kind": "upsell",
            "playbook_key": "higher_plan", "priority": 50, "is_stopped": False, "expected_currency": "JPY",
            "expected_low_cents": pd.array([10_000_00] * len(ids), dtype="Int64"),
            "expected_high_cents": pd.array([30_000_00] * len(ids), dtype="Int64"),
            "owner_id": pd.array([None] * len(ids), dtype="Int64"), "sla_business_days": 3, "cooldown_days": 30,
        }
    )  # fmt: skip
    frame["guard"] = [[] for _ in ids]
    frame["evidence"] = [
        [{"key": "used", "term": "quota_used_ratio", "op": ">=", "value": value, "threshold": 0.8, "unit": "ratio", "window": 28,
          "sustained_days": None, "on": day.isoformat()}]
        for value in values.tolist()
    ]  # fmt: skip
    part = [
        {"key": key, "points": 5, "max": 35, "fact_ja": "年156万円", "fact_en": "¥1.56M a year"} for key in ("amount", "timing")
    ]
    return Hits(
        rows=frame, customers=ids, families=frozenset({rule.family}), parts=lambda positions: [part] * len(positions),
        offers=lambda positions: [{"kind": "capacity"}] * len(positions),
    )  # fmt: skip


def _row(row: dict[str, Any], parts: Any, run: Run) -> Alert:
    return Alert(
        customer_id=row["customer_id"], rule_id=row["rule_id"], rule_version_id=row["rule_version_id"], family=row["family"],
        open_key=alerts.open_key(row["customer_id"], row["family"]), play_kind=row["play_kind"], playbook_key=row["playbook_key"],
        priority=row["priority"], priority_parts=parts, evidence=row["evidence"], guard=row["guard"], is_stopped=row["is_stopped"],
        expected_low=100, expected_high=300, expected_currency="JPY", offer={"kind": "capacity"}, raised_on=run.business_date,
        raised_by=run, refreshed_on=run.business_date, due_on=run.business_date,
    )  # fmt: skip


def _written() -> tuple[int, ...]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT n_tup_ins, n_tup_upd, n_tup_del FROM pg_stat_xact_user_tables WHERE relname = 'signals_alert'")
        return tuple(cursor.fetchone() or ())
