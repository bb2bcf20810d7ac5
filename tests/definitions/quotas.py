"""Four customers by the share of the quota that they use, as the nightly run of one day left them."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pandas as pd

from accounts.models import Customer
from expansion.users.models import Role, Scope, User
from playbooks import defaults as playbook_defaults
from signals import defaults, snapshots
from signals.models import Run

DAY = date(2026, 11, 19)
NOW = datetime(2026, 11, 19, 20, 0, tzinfo=UTC)
# The share of the quota that each customer uses; the shipped rule fires from 80 %.
USED = {"C-1": 0.95, "C-2": 0.81, "C-3": 0.76, "C-4": 0.40}


def make_people(language: str = "en") -> dict[str, User]:
    """An admin who sees all, a rep who sees C-1, a viewer who sees all."""
    return {
        role: User.objects.create_user(
            f"{role}@example.com", "a-long-password", name=f"{role} さん", role=role, scope=scope, language=language
        )
        for role, scope in ((Role.ADMIN, Scope.ALL), (Role.REP, Scope.OWN), (Role.VIEWER, Scope.ALL))
    }


def write(people: dict[str, User]) -> dict[str, Customer]:
    defaults.load(NOW)
    playbook_defaults.load(NOW)
    customers = {
        name: Customer.objects.create(
            customer_id=name, slot=slot, name=f"取引先 {name}", owner=people[Role.REP if name == "C-1" else Role.ADMIN]
        )
        for slot, name in enumerate(USED)
    }
    frame = pd.DataFrame(
        {"slot": range(4), "quota_used_ratio": list(USED.values()), "plan_product": float("nan")},
        index=pd.Index([c.pk for c in customers.values()], name="customer_id"),
    )
    snapshots.write(DAY, frame)
    Run.objects.create(job="nightly", business_date=DAY, state="done", queued_at=NOW, finished_at=NOW)
    return customers
