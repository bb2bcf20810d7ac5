"""A small desk: two teams, a few customers with contracts, and the alerts that wait for them on a Friday before a holiday."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

NOW = datetime(2026, 11, 20, 1, 0, tzinfo=UTC)
# Friday; Monday 23 November is a holiday.
TODAY = date(2026, 11, 20)
AS_OF = date(2026, 11, 19)


@dataclass
class Desk:
    """Makes customers and alerts with few words; every alert comes from the one run of 19 November."""

    run: Any
    owner: Any
    colleague: Any
    manager: Any
    viewer: Any
    plans: dict[str, Any]
    now: datetime
    today: date
    made: list[Any] = field(default_factory=list)

    def customer(
        self, name: str = "ミナト精機", *, owner: Any = "me", band: str = "excellent", score: int | None = 88, **fields: Any
    ) -> Any:
        from accounts.models import ContractLine, Customer
        from signals.models import Standing

        slot = len(self.made)
        values = {"industry": "製造", "employees": 420, "currency": "JPY", "owner": self.owner if owner == "me" else owner} | fields
        made = Customer.objects.create(customer_id=f"C-{slot:03}", slot=slot, name=name, name_key=name, **values)
        ContractLine.objects.create(
            customer=made,
            line_id=f"L-{slot}",
            product=self.plans["STD"],
            starts_on=self.today - timedelta(days=287),
            renews_on=self.today + timedelta(days=78),
            quantity=120,
            amount=Decimal(2_880_000),
            billing_months=12,
            mrr=Decimal(240_000),
            arr=Decimal(2_880_000),
            currency="JPY",
            list_price=Decimal(2_000),
            discount_percent=Decimal(0),
            auto_renew=True,
        )
        Standing.objects.create(
            customer=made,
            as_of=self.run.business_date,
            score=score,
            band=band,
            coverage=1.0,
            score_change_30=6,
            rfm_r=5,
            rfm_f=4,
            rfm_m=4,
            segment="champion",
            nps=50,
            nps_answers=2,
            mrr=Decimal(240_000),
            arr=Decimal(2_880_000),
            currency="JPY",
            plan_code="STD",
            seats=120,
            seats_used=112,
            renews_on=self.today + timedelta(days=78),
            notice_on=self.today + timedelta(days=48),
        )
        self.made.append(made)
        return made

    def alert(self, customer: Any, key: str = "seats_near_limit", *, lead: bool = True, **fields: Any) -> Any:
        from signals.models import Alert, AlertChange, Rule

        rule = Rule.objects.get(key=key)
        version = rule.versions.get(state="published")
        values = {
            "customer": customer,
            "rule": rule,
            "rule_version": version,
            "family": rule.family,
            "raised_by": self.run,
            "raised_on": self.run.business_date,
            "refreshed_on": self.run.business_date,
            "due_on": self.today,
            "open_key": f"{customer.pk}:{rule.family}",
            "is_lead": lead,
            "owner": customer.owner,
            "play_kind": version.body["play_kind"],
            "playbook_key": version.body["playbook"],
            "priority": 92,
            "expected_low": Decimal(1_500_000),
            "expected_high": Decimal(1_624_000),
            "expected_currency": "JPY",
            "offer": {"kind": "seats", "quantity_now": 120, "quantity_after": 150, "unit_year": "24000.00"}
            if key == "seats_near_limit"
            else {},
            "evidence": [
                {
                    "term": "seats_used_ratio",
                    "op": ">=",
                    "value": 0.93,
                    "threshold": 0.9,
                    "unit": "ratio",
                    "window": 14,
                    "on": "2026-11-19",
                    "key": "used",
                    "sustained_days": None,
                }
            ],
            "priority_parts": [
                {"key": "amount", "points": 28, "max": 35, "fact_ja": "年156万円", "fact_en": "¥1.56M a year"},
                {"key": "cautions", "points": -2, "max": 0, "fact_ja": "注意点1件", "fact_en": "1 caution"},
            ],
        }
        made = Alert.objects.create(**values | fields)
        AlertChange.objects.create(alert=made, at=self.now - timedelta(hours=6), run=self.run, change="raised", state=made.state)
        return made


def make(*, now: datetime = NOW, today: date = TODAY) -> Desk:
    """Set the desk up as the nightly run of the day before left it."""
    from accounts.models import Product
    from expansion.users.models import Role, Scope, Team, User
    from playbooks import defaults as playbooks
    from signals import defaults as signals
    from signals.models import Run

    signals.load(now)
    playbooks.load(now)
    east, west = Team.objects.create(key="east", name="東日本"), Team.objects.create(key="west", name="西日本")

    def person(email: str, name: str, role: str, scope: str, team: Any) -> Any:
        return User.objects.create_user(email, "kizashi-test-1", name=name, role=role, scope=scope, team=team)

    price = {"billing_months": 1, "currency": "JPY", "gross_margin_percent": Decimal(80)}
    plans = {
        "STD": Product.objects.create(
            code="STD",
            name="スタンダード",
            name_en="Standard",
            kind="plan",
            tier=1,
            family="core",
            list_price=Decimal(2_000),
            complements=["LENS"],
            **price,
        ),
        "PRO": Product.objects.create(
            code="PRO", name="プロ", name_en="Pro", kind="plan", tier=2, family="core", list_price=Decimal(3_200), **price
        ),
        "LENS": Product.objects.create(
            code="LENS", name="分析", name_en="Analytics", kind="product", list_price=Decimal(50_000), **price
        ),
    }
    run = Run.objects.create(
        business_date=today - timedelta(days=1), queued_at=now, state="done", finished_at=now - timedelta(hours=6)
    )
    return Desk(
        now=now,
        today=today,
        run=run,
        owner=person("tanaka@example.jp", "田中 優", Role.REP, Scope.TEAM, east),
        colleague=person("sato@example.jp", "佐藤 花", Role.REP, Scope.TEAM, east),
        manager=person("ono@example.jp", "大野 誠", Role.MANAGER, Scope.ALL, None),
        viewer=person("mori@example.jp", "森 香", Role.VIEWER, Scope.ALL, west),
        plans=plans,
    )
