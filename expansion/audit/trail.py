"""Write down what a person did, in the transaction of the change."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection, models, transaction

from expansion import clock
from expansion.audit.models import AuditEntry

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from expansion.users.models import User

_CHAIN_LOCK = 7_210_001


@transaction.atomic
def record(
    by: User | None,
    verb: str,
    subject: models.Model | tuple[str, str],
    *,
    before: Any = None,
    after: Any = None,
    reason: str = "",
    now: datetime | None = None,
) -> AuditEntry:
    """Add one entry to the chain.  ``subject`` is a row, or a (kind, key) pair for what is no row.

    Writers wait for one another until their transactions end, so that the chain has one order.
    """
    kind, key = subject if isinstance(subject, tuple) else (subject._meta.label_lower, str(subject.pk))
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_CHAIN_LOCK])
    last = AuditEntry.objects.order_by("-id").values_list("digest", flat=True).first() or ""
    entry = AuditEntry(
        at=now or clock.now(), by=by, verb=verb, subject_kind=kind, subject_key=key,
        before=_plain(before), after=_plain(after), reason=reason,
    )  # fmt: skip
    entry.digest = _digest(last, entry)
    entry.save(force_insert=True)
    return entry


def broken_links() -> Iterator[int]:
    """Yield the ids of entries whose digest does not follow from the entry before (invariant C8)."""
    last = ""
    for entry in AuditEntry.objects.order_by("id").iterator(2000):
        if entry.digest != _digest(last, entry):
            yield entry.pk
        last = entry.digest


def _plain(value: Any) -> Any:
    return None if value is None else json.loads(json.dumps(value, cls=DjangoJSONEncoder))


def _digest(previous: str, entry: AuditEntry) -> str:
    told = json.dumps(
        [previous, entry.at.isoformat(), entry.by_id, entry.verb, entry.subject_kind, entry.subject_key,
         entry.before, entry.after, entry.reason],
        sort_keys=True, ensure_ascii=False,
    )  # fmt: skip
    return hashlib.sha256(told.encode("utf-8", "surrogatepass")).hexdigest()
