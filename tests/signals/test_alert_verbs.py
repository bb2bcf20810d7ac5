"""What people do to alerts: each verb against the database."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from django.utils import translation

from accounts.models import Customer
from expansion.errors import Conflict, DomainError
from expansion.users.models import Role, Scope, User
from signals import alerts, defaults
from signals.models import Alert, AlertChange, Rule, Run

NOW = datetime(2026, 11, 20, 1, 0, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
DAY = date(2026, 11, 19)
pytestmark = pytest.mark.django_db


@pytest.fixture
def rep() -> User:
    return User.objects.create_user("tanaka@example.jp", "secret-secret", name="田中 優", role=Role.REP, scope=Scope.ALL)


@pytest.fixture
def colleague() -> User:
    return User.objects.create_user("sato@example.jp", "secret-secret", name="佐藤 花", role=Role.REP, scope=Scope.ALL)


@pytest.fixture
def run() -> Run:
    defaults.load(NOW)
    return Run.objects.create(business_date=DAY, queued_at=NOW)


@pytest.fixture
def customer() -> Customer:
    return Customer.objects.create(customer_id="C-1", slot=0, name="ミナト精機")


def raised(run: Run, customer: Customer, key: str, **fields: object) -> Alert:
    rule = Rule.objects.get(key=key)
    version = rule.versions.get(state="published")
    values = {
        "customer": customer, "rule": rule, "rule_version": version, "family": rule.family, "raised_by": run, "raised_on": DAY,
        "refreshed_on": DAY, "due_on": DAY + timedelta(days=4), "open_key": f"{customer.pk}:{rule.family}",
        "play_kind": version.body["play_kind"], "playbook_key": version.body["playbook"], "priority": 50,
    }  # fmt: skip
    alert = Alert.objects.create(**values | fields)
    AlertChange.objects.create(alert=alert, at=NOW, run=run, change="raised", state=alert.state)
    return alert


def history(alert: Alert) -> list[tuple[str, str]]:
    return list(alert.changes.order_by("id").values_list("change", "state"))


def test_acknowledging_is_kept_once_and_leaves_the_version(run, customer, rep, colleague):
    alert = raised(run, customer, "quota_80")
    alerts.acknowledge(alert, by=rep, now=NOW)
    again = alerts.acknowledge(alert, by=colleague, now=LATER)
    assert (again.acknowledged_at, again.version) == (NOW, 1)
    assert history(alert) == [("raised", "open"), ("acknowledged", "open")]


def test_a_snoozed_alert_comes_back_when_its_time_has_come(run, customer, rep):
    alert = raised(run, customer, "quota_80", is_lead=True)
    until = NOW + timedelta(days=1)
    snoozed = alerts.snooze(alert, until=until, reason="稟議の結果待ち", version=1, by=rep, now=NOW)
    assert (snoozed.state, snoozed.snoozed_until, snoozed.version, snoozed.is_lead) == ("waiting", until, 2, True)
    assert alerts.return_due(until - timedelta(seconds=1)) == 0
    assert alerts.return_due(until) == 1
    assert alerts.return_due(until) == 0
    alert.refresh_from_db()
    assert (alert.state, alert.snoozed_until, alert.returned_at, alert.snooze_reason) == ("open", None, until, "稟議の結果待ち")
    assert history(alert) == [("raised", "open"), ("snoozed", "waiting"), ("returned", "open")]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        pytest.param({"reason": "あとで"}, "Choose a date", id="neither a date nor a condition"),
        pytest.param({"until": NOW, "reason": "あとで"}, "future", id="a time that is over"),
        pytest.param({"until": LATER, "reason": "  "}, "Say why", id="no reason"),
        pytest.param(
            {"condition": {"term": "mood", "op": ">=", "threshold": 1}, "reason": "x"}, "measure", id="an unknown measure"
        ),
        pytest.param(
            {"condition": {"term": "health", "op": ">=", "threshold": float("nan")}, "reason": "x"}, "number", id="no number"
        ),
    ],
)
def test_a_snooze_that_cannot_end_is_refused(run, customer, rep, given, said):
    alert = raised(run, customer, "quota_80")
    with translation.override("en"), pytest.raises(DomainError, match=said):
        alerts.snooze(alert, by=rep, now=NOW, **given)
    alert.refresh_from_db()
    assert (alert.state, alert.version, history(alert)) == ("open", 1, [("raised", "open")])


def test_the_second_of_two_people_gets_the_alert_as_it_is_now(run, customer, rep, colleague):
    alert = raised(run, customer, "quota_80")
    alerts.snooze(alert, until=LATER, reason="会議中", version=1, by=rep, now=NOW)
    with pytest.raises(Conflict) as refused:
        alerts.snooze(alert, until=LATER, reason="不在", version=1, by=colleague, now=NOW)
    assert (refused.value.current.version, refused.value.current.snooze_reason) == (2, "会議中")
    alerts.close([alert], reason="won", version=2, by=rep, now=NOW)
    with pytest.raises(alerts.AlreadyClosed) as closed:
        alerts.assign(alert, to=colleague, version=2, by=colleague, now=NOW)
    assert closed.value.current.close_reason == "won"


def test_the_whole_card_follows_when_it_is_given_to_somebody(run, customer, rep, colleague):
    lead = raised(run, customer, "quota_80", is_lead=True)
    other = raised(run, customer, "renewal_90")
    alerts.assign(lead, to=colleague, version=1, by=rep, now=NOW)
    assert set(Alert.objects.values_list("owner", "version")) == {(colleague.pk, 2)}
    assert history(other) == [("raised", "open"), ("assigned", "open")]
    alerts.assign(lead, to=colleague, version=2, by=rep, now=NOW)
    assert history(lead) == [("raised", "open"), ("assigned", "open")]


def test_nobody_gives_a_card_to_somebody_who_has_left(run, customer, rep, colleague):
    colleague.is_active = False
    colleague.save()
    with pytest.raises(DomainError):
        alerts.assign(raised(run, customer, "quota_80"), to=colleague, by=rep, now=NOW)


def test_closing_lets_the_next_play_lead_and_skips_what_is_closed(run, customer, rep):
    lead = raised(run, customer, "detractor", is_lead=True)
    gone = raised(run, customer, "usage_falling")
    renewal, upsell = raised(run, customer, "renewal_90", priority=10), raised(run, customer, "quota_80", priority=90)
    alerts.close([gone], reason="won", by=rep, now=NOW)
    closed = alerts.close([lead, gone], reason="not_a_fit", quiet_until=alerts.NEVER, version=1, by=rep, now=LATER)
    assert [a.pk for a in closed] == [lead.pk]
    assert set(Alert.objects.filter(is_lead=True).values_list("pk", flat=True)) == {renewal.pk}
    lead.refresh_from_db()
    assert (lead.state, lead.open_key, lead.closed_at, lead.quiet_until) == ("closed", None, LATER, date.max)
    assert Alert.objects.get(pk=upsell.pk).version == 1


def test_reopening_takes_the_closing_back(run, customer, rep):
    lead = raised(run, customer, "detractor", is_lead=True)
    raised(run, customer, "renewal_90")
    alerts.close([lead], reason="won", by=rep, now=NOW)
    alerts.reopen([lead.pk], by=rep, now=LATER)
    lead.refresh_from_db()
    assert (lead.state, lead.is_lead, lead.closed_at, lead.close_reason, lead.version) == ("open", True, None, "", 3)
    assert history(lead) == [("raised", "open"), ("closed", "closed"), ("reopened", "open")]
    with pytest.raises(alerts.Changed):
        alerts.reopen([lead.pk], by=rep, now=LATER)


def test_what_has_fired_anew_is_not_reopened(run, customer, rep):
    old = raised(run, customer, "quota_80")
    alerts.close([old], reason="won", by=rep, now=NOW)
    newer = raised(run, customer, "quota_80")
    with pytest.raises(alerts.Changed) as refused:
        alerts.reopen([old.pk], by=rep, now=LATER)
    assert refused.value.current == newer


def test_a_chosen_play_leads_until_newer_help_is_needed(run, customer, rep):
    raised(run, customer, "detractor", is_lead=True)
    upsell = raised(run, customer, "quota_80", priority=10)
    alerts.choose_lead(upsell, version=1, by=rep, now=NOW)
    alerts.choose_leads([customer.pk])
    assert Alert.objects.get(is_lead=True) == upsell
    help_needed = raised(run, customer, "usage_falling", raised_on=DAY + timedelta(days=2))
    alerts.choose_leads([customer.pk])
    assert Alert.objects.get(is_lead=True) == help_needed


@pytest.mark.parametrize(
    ("others", "expected"),
    [
        pytest.param({"renewal_90": {"priority": 5}}, "renewal", id="a renewal stands before an upsell whatever the rank"),
        pytest.param({"feature_burst": {"priority": 81}}, "feature_burst", id="the higher rank wins among upsells"),
        pytest.param({"feature_burst": {"priority": 79}}, "capacity", id="the lower rank loses"),
        pytest.param({"renewal_90": {"state": "held", "held_reason": "storm"}}, "capacity", id="a held alert never leads"),
    ],
)
def test_one_play_leads_a_card_by_a_stated_precedence(run, customer, others, expected):
    raised(run, customer, "quota_80", priority=80)
    for key, fields in others.items():
        raised(run, customer, key, **fields)
    alerts.choose_leads([customer.pk])
    assert Alert.objects.get(is_lead=True).family == expected


def test_a_snoozed_lead_hides_its_card_from_its_own_class_only(run, customer, rep):
    lead = raised(run, customer, "quota_80", is_lead=True)
    alerts.snooze(lead, until=LATER, reason="会議中", by=rep, now=NOW)
    raised(run, customer, "feature_burst", priority=99)
    alerts.choose_leads([customer.pk])
    assert Alert.objects.get(is_lead=True) == lead
    renewal = raised(run, customer, "renewal_90")
    alerts.choose_leads([customer.pk])
    assert Alert.objects.get(is_lead=True) == renewal


@pytest.mark.parametrize("waits", [True, False])
def test_a_follow_up_moves_the_due_date(run, customer, rep, waits):
    alert = raised(run, customer, "quota_80")
    due = date(2026, 11, 26)
    alerts.follow_up([alert], due_on=due, waits=waits, reason="opened", version=1, by=rep, now=NOW)
    alert.refresh_from_db()
    until = datetime(2026, 11, 25, 15, 0, tzinfo=UTC) if waits else None
    assert (alert.due_on, alert.state, alert.snoozed_until) == (due, "waiting" if waits else "open", until)


def test_undo_puts_back_exactly_what_was(run, customer, rep):
    alert = raised(run, customer, "quota_80", is_lead=True)
    other = raised(run, customer, "feature_burst")
    before = alerts.state_of([alert])
    alerts.close([alert], reason="declined", quiet_until=date(2027, 2, 20), by=rep, now=NOW)
    assert Alert.objects.get(is_lead=True) == other
    alerts.restore([before[0] | {"version_after": 2}], by=rep, now=LATER)
    alert.refresh_from_db()
    assert alerts.state_of([alert])[0] == before[0] | {"version": 3}
    assert history(alert)[-1] == ("restored", "open")


def test_undo_is_refused_once_somebody_has_gone_on(run, customer, rep, colleague):
    alert = raised(run, customer, "quota_80", is_lead=True)
    before = alerts.state_of([alert])
    alerts.snooze(alert, until=LATER, reason="会議中", by=rep, now=NOW)
    alerts.wake(alert, by=colleague, now=NOW)
    with pytest.raises(alerts.Changed):
        alerts.restore([before[0] | {"version_after": 2}], by=rep, now=LATER)


def test_held_alerts_open_when_an_administrator_confirms(run, customer, rep):
    touched = raised(run, customer, "renewal_90")
    alerts.assign(touched, to=rep, by=rep, now=NOW)
    raised(run, Customer.objects.create(customer_id="C-2", slot=1, name="北信フーズ"), "quota_80", is_lead=True)
    assert alerts.hold(run, reason=alerts.STORM, now=NOW) == 1
    held = Alert.objects.get(state="held")
    assert (held.family, held.is_lead) == ("capacity", True)
    assert alerts.release(run, by=rep, now=LATER) == 1
    held.refresh_from_db()
    assert (held.state, held.held_reason, held.is_lead) == ("open", "", True)
    assert history(held) == [("raised", "open"), ("held", "held"), ("released", "open")]
