"""A small book of customers, each made with the data in sight."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
from django.test import Client

if TYPE_CHECKING:
    from accounts.models import Customer
    from expansion.users.models import Team, User

AS_OF = date(2026, 11, 20)


@pytest.fixture
def run(db: None) -> Any:
    """The newest finished night: its date is what the pages are about."""
    from expansion import clock
    from signals.models import Run

    now = clock.now()
    return Run.objects.create(business_date=AS_OF, state="done", queued_at=now, started_at=now, finished_at=now)


@pytest.fixture
def teams(db: None) -> tuple[Team, Team]:
    from expansion.users.models import Team

    return Team.objects.create(key="east", name="東日本"), Team.objects.create(key="west", name="西日本")


@pytest.fixture
def person(teams: tuple[Team, Team]) -> Callable[..., User]:
    """Return a function that adds a person: name, role, scope, team."""
    from expansion.users.models import User

    def add(name: str, role: str = "rep", scope: str = "own", team: int = 0, language: str = "ja") -> User:
        address = f"{name.encode().hex()}@example.jp"
        return User.objects.create_user(
            address, "kizashi-test-1", name=name, role=role, scope=scope, team=teams[team], language=language
        )

    return add


@pytest.fixture
def admin(person: Callable[..., User]) -> User:
    return person("管理 太郎", "admin", "all")


@pytest.fixture
def customer(db: None) -> Callable[..., Customer]:
    """Return a function that adds a customer, with a standing unless ``band`` is None."""
    from accounts.models import Customer
    from signals.models import Standing

    slots = count()

    def add(
        customer_id: str, name: str = "", *, band: str | None = "healthy", standing: dict[str, Any] | None = None, **fields: Any
    ) -> Customer:
        made = Customer.objects.create(
            customer_id=customer_id, slot=next(slots), name=name or customer_id, **{"name_key": name.lower(), **fields}
        )
        if band is not None:
            given = {
                "as_of": AS_OF,
                "band": band,
                "coverage": 1.0,
                "mrr": Decimal(0),
                "arr": Decimal(0),
                "currency": "JPY",
                "score": 70,
            }
            if band == "insufficient":
                given["score"] = None
            Standing.objects.create(customer=made, **given | (standing or {}))
        return made

    return add


@pytest.fixture
def browse() -> Callable[..., Client]:
    """Return a function that opens a client logged in as a person."""

    def log_in(user: User) -> Client:
        client = Client(HTTP_ACCEPT_LANGUAGE=user.language or "ja")
        client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
        return client

    return log_in


@pytest.fixture
def alert(db: None, run: Any) -> Callable[..., Any]:
    """Return a function that opens an alert on a customer."""
    from expansion import clock
    from signals.models import Alert, Rule, RuleVersion

    def add(
        customer: Customer, key: str = "seats_near_limit", *, is_lead: bool = True, state: str = "open", **fields: Any
    ) -> Alert:
        rule, _made = Rule.objects.get_or_create(key=key, defaults={"family": key})
        body = {"name_ja": "席数が上限に近い", "name_en": "Seats near the limit", "icon": "seat"}
        version, _made = RuleVersion.objects.get_or_create(
            rule=rule, number=1, defaults={"state": "published", "body": body, "edited_at": clock.now()}
        )
        given = {
            "play_kind": "upsell",
            "playbook_key": "add_seats",
            "raised_on": AS_OF,
            "refreshed_on": AS_OF,
            "due_on": date(2026, 11, 26),
        }
        if state == "held":
            given["held_reason"] = "storm"
        return Alert.objects.create(
            customer=customer, rule=rule, rule_version=version, family=key, open_key=f"{customer.pk}:{key}", state=state,
            is_lead=is_lead, raised_by=run, **given | fields,
        )  # fmt: skip

    return add
