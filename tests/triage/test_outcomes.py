"""What an outcome does to alerts, plays and touches; each case against the database."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.utils import translation

from accounts.models import Touch
from expansion import clock
from playbooks import catalogue, outcomes, plays, undo
from playbooks.models import Outcome, Play, Undo
from signals import alerts
from signals.models import Alert

NOW = datetime(2026, 11, 20, 1, 0, tzinfo=UTC)
TODAY = date(2026, 11, 20)
LATER = NOW + timedelta(minutes=5)


def record(alert, entry, *, by, key="key-0001", version=None, now=NOW):
    return outcomes.record(alert, entry, version=version or alert.version, idempotency_key=key, by=by, now=now)


def opened(**fields):
    return outcomes.Entry(
        **{"result": "opened", "amount": Decimal(1_562_000), "next_step": "demo", "next_on": date(2026, 11, 26)} | fields
    )


def declined(**fields):
    return outcomes.Entry(**{"result": "declined", "reason": "budget", "quiet_until": date(2027, 2, 20)} | fields)


def state(alert):
    alert.refresh_from_db()
    return alert.state, alert.due_on, alert.snoozed_until, alert.is_lead, alert.close_reason, alert.quiet_until


def test_opened_waits_out_of_sight_until_its_date_and_counts_as_an_offer(desk):
    alert = desk.alert(desk.customer())
    logged = record(alert, opened(), by=desk.owner)
    assert state(alert) == ("waiting", date(2026, 11, 26), clock.start_of(date(2026, 11, 26)), True, "", None)
    assert (logged.outcome.amount, logged.outcome.currency, logged.outcome.closes) == (Decimal(1_562_000), "JPY", [])
    touch = Touch.objects.get()
    assert (touch.kind, touch.play, touch.until, touch.by, touch.source) == ("offer", "add_seats", None, desk.owner, "kizashi")
    play = Play.objects.get()
    assert (play.started_by, play.offered_at, play.finished_at) == (desk.owner, NOW, None)


@pytest.mark.parametrize("result", ["thinking", "no_reply"])
def test_thinking_and_no_reply_stay_and_are_due_on_their_date(desk, result):
    alert = desk.alert(desk.customer())
    record(alert, outcomes.Entry(result=result, next_step="call_again", next_on=date(2026, 11, 24)), by=desk.owner)
    assert state(alert) == ("open", date(2026, 11, 24), None, True, "", None)
    assert Touch.objects.filter(kind="offer").count() == (1 if result == "thinking" else 0)


def test_won_closes_every_alert_of_the_play_and_leaves_the_others(desk):
    customer = desk.customer()
    lead = desk.alert(customer, "quota_80")
    same = desk.alert(customer, "feature_burst", lead=False, priority=40)
    other = desk.alert(customer, "seats_near_limit", lead=False, priority=30)
    logged = record(
        lead, outcomes.Entry(result="won", amount=Decimal(900_000), next_step="kick_off", next_on=date(2026, 11, 30)), by=desk.owner
    )
    assert [a.close_reason for a in Alert.objects.filter(pk__in=[lead.pk, same.pk])] == ["won", "won"]
    assert logged.outcome.closes == [lead.pk, same.pk]
    assert state(other)[0] == "open"
    assert state(other)[3] is True
    assert Play.objects.get().finished_at == NOW


def test_declined_writes_the_refusal_with_its_date_and_keeps_quiet_until_then(desk):
    alert = desk.alert(desk.customer())
    record(alert, declined(), by=desk.owner)
    assert state(alert) == ("closed", TODAY, None, False, "declined", date(2027, 2, 20))
    assert list(Touch.objects.order_by("kind").values_list("kind", "play", "until")) == [
        ("offer", "add_seats", None),
        ("refusal", "add_seats", date(2027, 2, 20)),
    ]


def test_not_a_fit_is_quiet_for_ever_and_is_no_offer(desk):
    alert = desk.alert(desk.customer())
    record(alert, outcomes.Entry(result="not_a_fit", reason="wrong_signal", quiet_until=outcomes.NEVER), by=desk.owner)
    assert state(alert)[4:] == ("not_a_fit", date.max)
    assert Touch.objects.count() == 0


def test_help_makes_no_offer(desk):
    alert = desk.alert(desk.customer(), "usage_falling")
    record(alert, outcomes.Entry(result="opened", next_step="session", next_on=date(2026, 11, 26)), by=desk.owner)
    assert Touch.objects.count() == 0
    assert Play.objects.get().offered_at is None


def test_one_play_is_one_offer_however_often_it_is_logged(desk):
    alert = desk.alert(desk.customer())
    record(alert, outcomes.Entry(result="thinking", next_on=date(2026, 11, 24)), by=desk.owner)
    alert.refresh_from_db()
    record(alert, opened(), by=desk.owner, key="key-0002", now=LATER)
    assert Touch.objects.filter(kind="offer").count() == 1


def test_the_same_key_again_logs_nothing_twice(desk):
    alert = desk.alert(desk.customer())
    first = record(alert, opened(), by=desk.owner)
    again = record(alert, opened(note="twice"), by=desk.owner, now=LATER)
    assert (again.outcome, again.is_repeat, again.undo) == (first.outcome, True, first.undo)
    assert Outcome.objects.count() == 1


@pytest.mark.parametrize(
    ("entry", "field"),
    [
        pytest.param(outcomes.Entry(result="maybe"), "result", id="a result that does not exist"),
        pytest.param(declined(reason=""), "reason", id="declined without a reason"),
        pytest.param(declined(reason="wrong_signal"), "reason", id="a reason of another result"),
        pytest.param(declined(reason="other"), "note", id="another reason without a word"),
        pytest.param(declined(quiet_until=TODAY), "quiet_until", id="offer again today"),
        pytest.param(opened(next_on=None), "next_on", id="no next date"),
        pytest.param(opened(next_on=TODAY), "next_on", id="a next date that is today"),
        pytest.param(opened(next_on=date(2029, 1, 1)), "next_on", id="a next date far away"),
        pytest.param(outcomes.Entry(result="won"), "amount", id="won without an amount"),
        pytest.param(opened(discount_percent=Decimal(101)), "discount_percent", id="more than everything off"),
    ],
)
def test_a_wrong_field_is_named_and_nothing_is_written(desk, entry, field):
    alert = desk.alert(desk.customer())
    with pytest.raises(outcomes.Invalid) as refused:
        record(alert, entry, by=desk.owner)
    assert refused.value.field == field
    assert (Outcome.objects.count(), Touch.objects.count(), Play.objects.count(), Undo.objects.count()) == (0, 0, 0, 0)
    assert state(alert) == ("open", TODAY, None, True, "", None)


def test_the_second_of_two_people_is_told_and_changes_nothing(desk):
    alert = desk.alert(desk.customer())
    seen = alert.version
    theirs = record(
        alert, outcomes.Entry(result="thinking", next_on=date(2026, 12, 1), note="12月に再確認"), by=desk.colleague
    ).outcome
    with pytest.raises(outcomes.Overtaken) as overtaken:
        record(alert, opened(), by=desk.owner, key="key-0002", version=seen, now=LATER)
    assert (overtaken.value.theirs, overtaken.value.current.version) == (theirs, 2)
    assert Outcome.objects.count() == 1


def test_a_snooze_by_somebody_else_is_a_conflict_that_names_the_act(desk):
    alert = desk.alert(desk.customer())
    alerts.snooze(alert, until=NOW + timedelta(days=3), reason="customer", by=desk.colleague, now=NOW)
    with pytest.raises(outcomes.Overtaken) as overtaken:
        record(alert, opened(), by=desk.owner, version=1, now=LATER)
    assert (overtaken.value.theirs, overtaken.value.change.change, overtaken.value.change.by) == (None, "snoozed", desk.colleague)


def test_a_refresh_by_the_run_is_no_conflict(desk):
    alert = desk.alert(desk.customer())
    Alert.objects.filter(pk=alert.pk).update(priority=50, refreshed_on=TODAY)
    assert record(alert, opened(), by=desk.owner, version=1).outcome.result == "opened"


def test_keeping_both_adds_a_side_note_and_changes_nothing_else(desk):
    alert = desk.alert(desk.customer())
    record(alert, declined(), by=desk.colleague)
    note = outcomes.add_note(alert, opened(note="部長は前向き"), idempotency_key="key-0002", by=desk.owner, now=LATER)
    assert (note.is_side_note, note.note, note.closes) == (True, "部長は前向き", [])
    assert state(alert)[0] == "closed"
    assert list(Outcome.objects.effective().values_list("result", flat=True)) == ["declined"]


def test_replacing_needs_a_reason_and_keeps_both(desk):
    alert = desk.alert(desk.customer())
    theirs = record(alert, declined(), by=desk.colleague).outcome
    alert.refresh_from_db()
    fields = {"theirs": theirs, "version": alert.version, "idempotency_key": "key-0002", "by": desk.owner, "now": LATER}
    with pytest.raises(outcomes.Invalid):
        outcomes.replace(alert, opened(), why=" ", **fields)
    replaced = outcomes.replace(alert, opened(), why="部長から直接伺った", **fields)
    assert (replaced.outcome.corrects, replaced.undo) == (theirs, None)
    assert state(alert)[:2] == ("waiting", date(2026, 11, 26))
    assert list(Outcome.objects.effective()) == [replaced.outcome]
    assert list(Touch.objects.filter(withdrawn_at__isnull=True).values_list("kind", flat=True)) == ["offer"]


@pytest.mark.parametrize(
    "entry",
    [
        pytest.param(opened(), id="opened"),
        pytest.param(declined(), id="declined"),
        pytest.param(outcomes.Entry(result="thinking", next_on=date(2026, 11, 27)), id="thinking"),
        pytest.param(outcomes.Entry(result="not_a_fit", reason="no_need", quiet_until=outcomes.NEVER), id="not a fit"),
    ],
)
def test_undo_puts_everything_back_as_it_was(desk, entry):
    customer = desk.customer()
    alert = desk.alert(customer, "quota_80", due_on=date(2026, 11, 18))
    other = desk.alert(customer, "seats_near_limit", lead=False, priority=10)
    before = state(alert), state(other)
    logged = record(alert, entry, by=desk.owner)
    undo.take_back(logged.undo.token, by=desk.owner, now=LATER)
    assert (state(alert), state(other)) == before
    assert Outcome.objects.effective().count() == 0
    assert Touch.objects.filter(withdrawn_at__isnull=True).count() == 0
    assert (Play.objects.get().finished_at, Play.objects.get().offered_at) == (None, None)
    with pytest.raises(undo.Gone):
        undo.take_back(logged.undo.token, by=desk.owner, now=LATER)


def test_undo_is_refused_once_somebody_acted_since_and_says_what(desk):
    alert = desk.alert(desk.customer())
    logged = record(alert, opened(), by=desk.owner)
    alerts.wake(alert, by=desk.colleague, now=LATER)
    with pytest.raises(undo.Gone) as gone:
        undo.take_back(logged.undo.token, by=desk.owner, now=LATER + timedelta(minutes=1))
    assert [(change.change, change.by) for change in gone.value.since] == [("woken", desk.colleague)]
    assert state(alert)[0] == "open"
    assert Outcome.objects.effective().count() == 1


def test_undo_is_good_for_a_day_and_for_the_person_who_acted(desk):
    alert = desk.alert(desk.customer())
    token = record(alert, opened(), by=desk.owner).undo.token
    with pytest.raises(undo.Gone):
        undo.take_back(token, by=desk.colleague, now=LATER)
    with pytest.raises(undo.Gone):
        undo.take_back(token, by=desk.owner, now=NOW + timedelta(hours=24))
    undo.take_back(token, by=desk.owner, now=NOW + timedelta(hours=23, minutes=59))
    assert state(alert)[0] == "open"


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        ("opened", outcomes.Suggestion(Decimal(1_562_000), "demo", date(2026, 11, 26), None)),
        ("won", outcomes.Suggestion(Decimal(1_562_000), "kick_off", date(2026, 11, 30), None)),
        ("thinking", outcomes.Suggestion(Decimal(1_562_000), "approval", date(2026, 11, 27), None)),
        ("declined", outcomes.Suggestion(None, "", None, date(2027, 2, 20))),
        ("no_reply", outcomes.Suggestion(None, "call_again", date(2026, 11, 24), None)),
        ("not_a_fit", outcomes.Suggestion(None, "", None, date.max)),
    ],
)
def test_each_result_brings_its_defaults_by_business_days(desk, result, expected):
    content = catalogue.read(plays.published_version("add_seats").body)
    assert outcomes.suggest(result, content=content, expected=Decimal(1_562_000), today=TODAY) == expected


@pytest.mark.parametrize(
    ("today", "days", "then"),
    [
        pytest.param(date(2026, 11, 20), 3, date(2026, 11, 26), id="a Friday before a holiday Monday"),
        pytest.param(date(2026, 11, 22), 1, date(2026, 11, 24), id="a Sunday"),
        pytest.param(date(2026, 11, 24), 1, date(2026, 11, 25), id="a Tuesday"),
    ],
)
def test_business_days_skip_weekends_and_holidays(today, days, then):
    assert outcomes.in_business_days(today, days) == then


def test_refusals_speak_the_language_of_the_reader(desk):
    alert = desk.alert(desk.customer())
    for language, words in (("ja", "理由を選んでください。"), ("en", "Choose a reason.")):
        with translation.override(language), pytest.raises(outcomes.Invalid, match=words):
            record(alert, declined(reason=""), by=desk.owner)
