"""From hits to alerts: what is raised, refreshed, left alone, ended, re-armed."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from django.db import connection

from accounts.models import Customer
from expansion.users.models import Role, Scope, User
from signals import alerts, defaults
from signals.models import Alert, AlertChange, Rule, Run
from signals.raising import Counts, Hits, raise_from_hits
from signals.terms import TERMS

NOW = datetime(2026, 11, 20, 1, 0, tzinfo=UTC)
FIRST = date(2026, 11, 19)
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def shipped() -> None:
    defaults.load(NOW)


@pytest.fixture
def customers() -> list[Customer]:
    return [Customer.objects.create(customer_id=f"C-{slot}", slot=slot, name=f"取引先{slot}") for slot in range(3)]


@pytest.fixture
def rep() -> User:
    return User.objects.create_user("tanaka@example.jp", "secret-secret", name="田中 優", role=Role.REP, scope=Scope.ALL)


def night(customers: list[Customer], *found: dict, day: date = FIRST, **more: object) -> Counts:
    """Run one night in which the rules found these: customer (its place), rule key, value, and what differs."""
    run, _ = Run.objects.get_or_create(business_date=day, defaults={"queued_at": NOW})
    rules = {rule.key: rule for rule in Rule.objects.all()}
    rows = []
    for one in found:
        rule = rules[one["rule"]]
        version = rule.versions.get(state="published")
        condition = version.body["when"][0][0]
        rows.append(
            {
                "customer_id": customers[one.get("at", 0)].pk, "family": rule.family,
                "rule_id": rule.pk, "rule_version_id": version.pk,
                "play_kind": version.body["play_kind"], "playbook_key": version.body["playbook"],
                "priority": one.get("priority", 50), "is_stopped": bool(one.get("guard")), "guard": one.get("guard", []),
                "expected_low_cents": one.get("low", 100_00), "expected_high_cents": 300_00, "expected_currency": "JPY",
                "owner_id": one.get("owner"), "sla_business_days": 1, "cooldown_days": one.get("cooldown", 0),
                "evidence": [{
                    "key": condition["key"], "term": condition["term"], "op": condition["op"], "value": one["value"],
                    "threshold": condition["threshold"], "unit": TERMS[condition["term"]].unit, "window": None,
                    "on": day.isoformat(),
                }],
            }
        )  # fmt: skip
    frame = pd.DataFrame(rows, columns=list(COLUMNS)).astype(
        {"expected_low_cents": "Int64", "expected_high_cents": "Int64", "owner_id": "Int64"}
    )
    hits = Hits(
        rows=frame,
        customers=np.array([c.pk for c in customers]),
        families=frozenset(rule.family for rule in rules.values()),
        parts=lambda positions: [[{"key": "amount", "points": 10, "max": 35}]] * len(positions),
        offers=lambda positions: [{}] * len(positions),
        resolving=frozenset({rules["renewal_90"].pk}),
        **more,
    )
    return raise_from_hits(run, hits, now=NOW)


COLUMNS = (
    "customer_id", "family", "rule_id", "rule_version_id", "play_kind", "playbook_key", "priority", "is_stopped", "guard",
    "expected_low_cents", "expected_high_cents", "expected_currency", "owner_id", "sla_business_days", "cooldown_days", "evidence",
)  # fmt: skip


def after(days: int) -> date:
    return FIRST + timedelta(days=days)


def history(alert: Alert) -> list[str]:
    return list(alert.changes.order_by("id").values_list("change", flat=True))


def row_versions() -> dict[int, str]:
    """Return where each alert row lies: a rewritten row lies elsewhere."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, ctid::text FROM signals_alert")
        return dict(cursor.fetchall())


QUOTA = {"rule": "quota_80", "value": 0.86}


def test_a_hit_raises_one_alert_with_its_evidence(customers, rep):
    counts = night(
        customers, QUOTA | {"owner": rep.pk}, {"rule": "renewal_90", "value": 78, "at": 0}, QUOTA | {"at": 2, "priority": 7}
    )
    assert counts == Counts(raised=3, refreshed=0, resolved=0, rewritten=0)
    alert = Alert.objects.get(customer=customers[0], family="capacity")
    assert alert.evidence[0]["value"] == 0.86
    assert (alert.expected_low, alert.expected_high) == (100, 300)
    assert (alert.raised_on, alert.due_on, alert.owner, alert.state) == (FIRST, date(2026, 11, 20), rep, "open")
    assert set(Alert.objects.filter(is_lead=True).values_list("customer", "family")) == {
        (customers[0].pk, "renewal"), (customers[2].pk, "capacity")
    }  # fmt: skip
    assert history(alert) == ["raised"]


def test_an_unchanged_night_rewrites_nothing(customers):
    found = [QUOTA, {"rule": "renewal_90", "value": 78}, QUOTA | {"at": 1, "guard": [{"key": "detractor", "level": "stop"}]}]
    night(customers, *found)
    before, changes = row_versions(), AlertChange.objects.count()
    assert night(customers, *found, day=after(1)) == Counts()
    assert (row_versions(), AlertChange.objects.count()) == (before, changes)


@pytest.mark.parametrize(
    ("tonight", "told"),
    [
        pytest.param({"value": 0.864}, None, id="a drift behind the printed digits is nothing"),
        pytest.param({"value": 0.89}, False, id="a small drift is written quietly"),
        pytest.param({"priority": 49}, False, id="a new rank is written quietly"),
        pytest.param({"value": 0.95}, True, id="a tenth of the threshold is news"),
        pytest.param({"guard": [{"key": "detractor", "level": "stop"}]}, True, id="a new guard is news"),
    ],
)
def test_a_second_hit_refreshes_the_open_alert(customers, tonight, told):
    night(customers, QUOTA)
    counts = night(customers, QUOTA | tonight, day=after(1))
    alert = Alert.objects.get()
    assert counts == Counts(refreshed=int(bool(told)), rewritten=int(told is not None))
    assert (alert.version, alert.refreshed_on) == (1, FIRST if told is None else after(1))
    assert history(alert) == ["raised", "refreshed"][: 1 + bool(told)]


def test_a_day_less_to_the_renewal_is_no_news(customers):
    night(customers, {"rule": "renewal_90", "value": 78})
    assert night(customers, {"rule": "renewal_90", "value": 60}, day=after(18)) == Counts(rewritten=1)
    assert Alert.objects.get().evidence[0]["value"] == 60


def test_the_same_night_twice_is_once(customers):
    night(customers, QUOTA)
    assert night(customers, QUOTA) == Counts()
    assert Alert.objects.count() == 1


def test_a_condition_that_stopped_is_noted_once_and_may_come_back(customers):
    night(customers, QUOTA)
    assert night(customers, day=after(1)) == Counts()
    assert night(customers, day=after(2)) == Counts()
    alert = Alert.objects.get()
    assert (alert.state, alert.condition_ended_on) == ("open", after(1))
    night(customers, QUOTA, day=after(3))
    alert.refresh_from_db()
    assert (alert.condition_ended_on, history(alert)) == (None, ["raised", "condition_ended", "condition_back"])


def test_a_rule_may_let_its_alert_close_by_itself(customers, rep):
    night(customers, {"rule": "renewal_90", "value": 78}, {"rule": "renewal_90", "value": 70, "at": 1}, QUOTA)
    alerts.acknowledge(Alert.objects.get(customer=customers[1]), by=rep, now=NOW)
    assert night(customers, QUOTA, day=after(1)).resolved == 1
    gone, begun = Alert.objects.get(customer=customers[0], family="renewal"), Alert.objects.get(customer=customers[1])
    assert (gone.state, gone.close_reason, gone.rearmed_on) == ("closed", "resolved", after(1))
    assert (begun.state, begun.condition_ended_on) == ("open", after(1))
    assert Alert.objects.get(customer=customers[0], is_lead=True).family == "capacity"
    assert history(gone) == ["raised", "resolved"]


def test_missing_data_does_not_end_a_condition(customers):
    night(customers, QUOTA)
    unknown = frozenset({(customers[0].pk, "capacity")})
    assert night(customers, day=after(1), unknown=unknown) == Counts()
    assert Alert.objects.get().condition_ended_on is None


@pytest.mark.parametrize(
    ("quiet_until", "stops_on", "fires"),
    [
        pytest.param(None, None, None, id="closed without a date stays quiet while the condition holds"),
        pytest.param(None, 4, 5, id="closed without a date fires after the condition had stopped"),
        pytest.param(after(4), None, 4, id="fires when the quiet time is over"),
        pytest.param(alerts.NEVER, 4, None, id="never again means never"),
    ],
)
def test_a_closed_family_fires_again_only_when_re_armed(customers, rep, quiet_until, stops_on, fires):
    night(customers, QUOTA)
    alerts.close([Alert.objects.get()], reason="declined", quiet_until=quiet_until, by=rep, now=NOW)
    raised = [n for n in range(1, 8) if night(customers, *([] if n == stops_on else [QUOTA]), day=after(n)).raised]
    assert raised == ([fires] if fires else [])


def test_a_cool_down_counts_from_the_last_alert(customers, rep):
    hit = QUOTA | {"cooldown": 5}
    night(customers, hit)
    alerts.close([Alert.objects.get()], reason="won", by=rep, now=NOW)
    nights = {1: [], 2: [hit], 4: [hit], 5: [hit]}
    assert {n: night(customers, *found, day=after(n)).raised for n, found in nights.items()} == {1: 0, 2: 0, 4: 0, 5: 1}


def test_a_snoozed_alert_returns_when_its_condition_holds(customers, rep):
    night(customers, QUOTA)
    alerts.snooze(
        Alert.objects.get(), condition={"term": "quota_used_ratio", "op": ">=", "threshold": 0.9}, reason="様子見", by=rep, now=NOW
    )
    features = pd.DataFrame({"quota_used_ratio": [0.89, np.nan]}, index=[customers[0].pk, customers[1].pk])
    night(customers, QUOTA, day=after(1), features=features)
    assert Alert.objects.get().state == "waiting"
    night(customers, QUOTA | {"value": 0.91}, day=after(2), features=features + 0.02)
    alert = Alert.objects.get()
    assert (alert.state, alert.returned_at, alert.snooze_condition, alert.snooze_reason) == ("open", NOW, None, "様子見")
    assert history(alert)[-1] == "returned"


def test_what_a_person_did_meanwhile_is_left_alone(customers, rep, monkeypatch):
    night(customers, QUOTA)
    run = Run.objects.create(business_date=after(1), queued_at=NOW)
    from signals import raising

    read = raising._open_alerts

    def read_then_somebody_closes(ids):
        stored = read(ids)
        alerts.close([Alert.objects.get()], reason="won", by=rep, now=NOW)
        return stored

    monkeypatch.setattr(raising, "_open_alerts", read_then_somebody_closes)
    assert night(customers, QUOTA | {"value": 0.99}, day=run.business_date) == Counts()
    alert = Alert.objects.get()
    assert (alert.state, alert.evidence[0]["value"], history(alert)) == ("closed", 0.86, ["raised", "closed"])


def test_switching_a_rule_off_leaves_its_alerts_open(customers):
    night(customers, QUOTA)
    run = Run.objects.create(business_date=after(1), queued_at=NOW)
    empty = pd.DataFrame(columns=list(COLUMNS)).astype({"customer_id": "int64", "priority": "int64"})
    hits = Hits(
        rows=empty, customers=np.array([c.pk for c in customers]), families=frozenset({"renewal"}), parts=list, offers=list
    )  # fmt: skip
    assert raise_from_hits(run, hits, now=NOW) == Counts()
    assert Alert.objects.get().condition_ended_on is None
