"""The audit trail can be added to, and shows when somebody tampered with it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.db import DatabaseError, connection, transaction

from expansion.audit import trail
from expansion.audit.models import AuditEntry
from expansion.users.models import User

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 20, 1, 0, tzinfo=UTC)


@pytest.fixture
def somebody() -> User:
    return User.objects.create_user("ono@example.com", "a-long-password", name="大野")


def test_entries_follow_one_another(somebody: User):
    for threshold in (80, 82):
        trail.record(
            somebody, "rule.published", ("signals.rule", "7"), before=80, after=threshold, reason="月初の増加を除く", now=NOW
        )
    assert list(AuditEntry.objects.order_by("id").values_list("after", flat=True)) == [80, 82]
    assert list(trail.broken_links()) == []


@pytest.mark.parametrize("statement", ["UPDATE audit_auditentry SET reason = 'x'", "DELETE FROM audit_auditentry"])
def test_the_database_refuses_to_change_history(somebody: User, statement: str):
    trail.record(somebody, "rule.published", somebody, now=NOW)
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
    assert AuditEntry.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_tampering_behind_the_trigger_shows():
    by = User.objects.create_user("ono@example.com", "a-long-password", name="大野")
    entries = [trail.record(by, "rule.published", by, reason=reason, now=NOW) for reason in ("a", "b", "c")]
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE audit_auditentry DISABLE TRIGGER audit_auditentry_append_only")
        cursor.execute("UPDATE audit_auditentry SET reason = 'z' WHERE id = %s", [entries[1].pk])
        cursor.execute("ALTER TABLE audit_auditentry ENABLE TRIGGER audit_auditentry_append_only")
    assert list(trail.broken_links()) == [entries[1].pk]
