"""The run ledger: every date once, oldest first, whoever works on it and whatever dies meanwhile."""

from __future__ import annotations

import importlib.util
import json
from datetime import UTC, date, datetime, timedelta
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction

from accounts.models import Customer
from signals import alerts, health, nightly, rules, runs
from signals.models import Alert, AlertChange, FeatureBlock, HealthScore, RfmScore, Rule, Run, RunChunk, Standing, Tick
from signals.models.runs import RunState

_spec = importlib.util.spec_from_file_location("book", Path(__file__).parent / "book.py")
book = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(book)
DAY, NOW = book.DAY, book.NOW
TABLES = (
    "signals_alert", "signals_alertchange", "signals_featureblock", "signals_healthscore", "signals_rfmscore", "signals_run",
    "signals_runchunk", "signals_standing",
)  # fmt: skip
pytestmark = pytest.mark.django_db


@pytest.fixture
def customers() -> dict[str, Customer]:
    return book.write()


def where_rows_lie() -> dict[str, list[str]]:
    """Return the place of every row: a rewritten row lies elsewhere."""
    places = {}
    with connection.cursor() as cursor:
        for table in TABLES:
            cursor.execute(f"SELECT ctid::text FROM {connection.ops.quote_name(table)} ORDER BY 1")
            places[table] = [row[0] for row in cursor.fetchall()]
    return places


def raised() -> set[tuple[str, str]]:
    return set(Alert.objects.values_list("customer__customer_id", "family"))


def test_a_run_finds_what_is_there_and_counts_it(customers):
    run = nightly.run(DAY, now=NOW)
    assert (run.state, run.phase, run.customers, run.alerts_raised) == ("done", "finish", 4, 3)
    assert raised() == book.EXPECTED
    assert run.scores == HealthScore.objects.count() + RfmScore.objects.count()
    assert set(RunChunk.objects.values_list("state", flat=True)) == {"done"}
    chunks = RunChunk.objects.filter(phase="alerts").order_by("slot_from").values_list("slot_from", "slot_until")
    assert list(chunks) == [(0, 8192), (8192, 16384)]
    assert set(Standing.objects.values_list("as_of", flat=True)) == {DAY}


def test_an_alert_says_why_and_can_be_recomputed_by_hand(customers):
    nightly.run(DAY, now=NOW)
    alert = Alert.objects.get(customer=customers["A"])
    assert [(item["term"], item["value"], item["op"], item["threshold"], item["on"]) for item in alert.evidence] == [
        ("days_to_renewal", 60.0, "<=", 90.0, "2026-11-19")
    ]
    assert (alert.expected_low, alert.expected_high, alert.offer["kind"]) == (120_000, 120_000, "renewal")
    # amount 35 · log(1 + 1.2) / log(1 + 1.2) = 35, timing 20 · (1 − 15/75) = 16
    assert {part["key"]: part["points"] for part in alert.priority_parts} == {
        "amount": 35, "likelihood": 0, "timing": 16, "overlap": 0, "relationship": 0, "cautions": 0,
    }  # fmt: skip
    assert (alert.priority, alert.due_on, alert.is_lead) == (51, date(2026, 11, 27), True)


def test_running_a_date_again_changes_nothing(customers):
    nightly.run(DAY, now=NOW)
    before = where_rows_lie()
    nightly.run(DAY, now=NOW + timedelta(days=1))
    assert where_rows_lie() == before


def test_an_empty_book_is_finished_as_well(db):
    book.defaults.load(NOW)
    run = nightly.run(DAY, now=NOW)
    assert (run.state, run.customers, run.scores, run.alerts_raised) == ("done", 0, 0, 0)


def test_without_a_health_model_the_run_says_what_to_do_and_the_tick_waits(db):
    with pytest.raises(health.NoHealthModel, match="load_defaults"):
        nightly.run(DAY, now=NOW)
    assert runs.reconcile(NOW) == []
    assert set(Run.objects.values_list("state", flat=True)) == {"queued"}


def test_the_definitions_are_those_of_the_start(customers, django_user_model):
    run = runs.start(runs.ensure("nightly", DAY, now=NOW))
    rule = Rule.objects.get(key="renewal_90")
    admin = django_user_model.objects.create_user("ono@example.jp", "secret-secret", name="大野")
    rules.set_on(rule, False, reason="試し", by=admin, now=NOW)
    nightly.work_through(run, now=NOW)
    assert raised() == book.EXPECTED


def test_an_older_date_is_filled_in_without_touching_alerts_and_standings(customers):
    nightly.run(DAY, now=NOW)
    alerts_before, standing = list(Alert.objects.order_by("id").values()), list(Standing.objects.order_by("pk").values())
    run = nightly.run(DAY - timedelta(days=3), now=NOW)
    assert (run.state, run.customers, run.alerts_raised) == ("done", 4, 0)
    assert HealthScore.objects.filter(business_date=DAY - timedelta(days=3)).count() == 4
    assert set(FeatureBlock.objects.filter(business_date=run.business_date).values_list("is_reconstructed", flat=True)) == {True}
    assert list(Alert.objects.order_by("id").values()) == alerts_before
    assert list(Standing.objects.order_by("pk").values()) == standing


def test_a_later_run_on_an_empty_book_is_nothing_to_fill_in_behind(db):
    book.defaults.load(NOW)
    nightly.run(DAY + timedelta(days=5), now=NOW + timedelta(days=6))
    book.write()
    assert nightly.run(DAY, now=NOW + timedelta(days=6)).alerts_raised == 3


# The ledger


def at(hour: int, *, days: int = 0) -> datetime:
    """Return an instant of 20 November 2026 in Tokyo, plus days; the nightly slot is at 4:00."""
    return datetime(2026, 11, 20, tzinfo=UTC) + timedelta(days=days, hours=hour - 9)


@pytest.mark.parametrize(("hour", "first"), [(3, date(2026, 11, 18)), (4, date(2026, 11, 19)), (23, date(2026, 11, 19))])
def test_the_first_tick_goes_live_with_the_newest_date_that_is_due(customers, hour, first):
    runs.reconcile(at(hour))
    assert list(Run.objects.values_list("business_date", "is_scheduled")) == [(first, True)]


def test_dates_missed_in_an_outage_are_caught_up_oldest_first(customers):
    runs.reconcile(at(5))
    nightly.work_through(Run.objects.get(), now=at(5))
    woken = runs.reconcile(at(23, days=3))
    assert list(Run.objects.order_by("business_date").values_list("business_date", "state")) == [
        (date(2026, 11, 19), "done"), (date(2026, 11, 20), "running"),
        (date(2026, 11, 21), "queued"), (date(2026, 11, 22), "queued"),
    ]  # fmt: skip
    assert {chunk.run.business_date for chunk in woken} == {date(2026, 11, 20)}
    assert runs.due_dates(at(23, days=3)) == []


def test_a_clock_that_jumps_back_makes_no_date_twice(customers):
    for instant in (at(5, days=2), at(5), at(5, days=2), at(3)):
        runs.reconcile(instant)
    assert list(Run.objects.values_list("business_date", flat=True)) == [date(2026, 11, 21)]


def test_dates_run_by_hand_before_go_live_do_not_count(customers):
    nightly.run(date(2026, 11, 10), now=at(5))
    runs.reconcile(at(5))
    assert list(Run.objects.order_by("business_date").values_list("business_date", "is_scheduled")) == [
        (date(2026, 11, 10), False), (date(2026, 11, 19), True)
    ]  # fmt: skip


def test_a_date_run_by_hand_brings_the_dates_before_it_first(customers):
    runs.reconcile(at(5))
    nightly.run(date(2026, 11, 21), now=at(5, days=2))
    assert list(Run.objects.order_by("business_date").values_list("business_date", "state")) == [
        (date(2026, 11, 19), "done"), (date(2026, 11, 20), "done"), (date(2026, 11, 21), "done")
    ]  # fmt: skip


def test_a_date_does_not_begin_before_the_one_before_it_is_finished(customers):
    runs.start(runs.ensure("nightly", DAY, now=NOW))
    later = runs.ensure("nightly", DAY + timedelta(days=1), now=NOW)
    with pytest.raises(runs.EarlierDateUnfinished):
        runs.start(later)
    later.refresh_from_db()
    assert later.state == "queued"


def test_a_chunk_is_held_by_one_worker(customers):
    run = runs.start(runs.ensure("nightly", DAY, now=NOW))
    first = runs.claim(run, worker="one")
    assert (first.phase, first.attempt, first.worker, first.state) == ("prepare", 1, "one", "running")
    assert runs.claim(run, worker="two") is None


def stale(chunk: RunChunk) -> None:
    RunChunk.objects.filter(pk=chunk.pk).update(lease_until=NOW - timedelta(days=9000))


def test_the_chunk_of_a_dead_worker_is_taken_over_and_the_dead_may_not_write(customers):
    run = runs.start(runs.ensure("nightly", DAY, now=NOW))
    dead = runs.claim(run, worker="dead")
    stale(dead)
    assert runs.reconcile(NOW) == [dead]
    alive = runs.claim(run, worker="alive")
    assert (alive.pk, alive.attempt) == (dead.pk, 2)

    @transaction.atomic
    def write_late() -> None:
        Tick.objects.create(name="written by the dead", at=NOW)
        runs.finish_chunk(dead, {})

    with pytest.raises(runs.LeaseLost):
        write_late()
    assert not Tick.objects.exists()
    runs.finish_chunk(alive, {})
    assert RunChunk.objects.get(pk=alive.pk).state == "done"


def test_a_lease_that_is_kept_does_not_run_out(customers, monkeypatch):
    run = runs.start(runs.ensure("nightly", DAY, now=NOW))
    chunk = runs.claim(run, worker="one")
    stale(chunk)
    runs._renew(chunk)
    assert runs.give_back_stale() == 0


def test_a_failing_chunk_is_tried_a_bounded_number_of_times(customers, monkeypatch):
    def fail(chunk, now):
        raise ArithmeticError("boom")

    monkeypatch.setitem(nightly._PHASES, "features", fail)
    run = runs.ensure("nightly", DAY, now=NOW)
    for _ in range(runs.MOST_ATTEMPTS):
        with pytest.raises(ArithmeticError):
            nightly.work_through(run, now=NOW)
    run.refresh_from_db()
    assert (run.state, run.error) == ("failed", "ArithmeticError: boom")
    assert runs.reconcile(at(5)) == []
    monkeypatch.undo()
    nightly.run(DAY, now=NOW)
    assert raised() == book.EXPECTED
    run.refresh_from_db()
    assert (run.state, run.error) == ("done", "")


def test_a_phase_opens_when_all_chunks_of_the_one_before_are_done(customers):
    run = runs.start(runs.ensure("nightly", DAY, now=NOW))
    runs.finish_chunk(runs.claim(run, worker="one"), {})
    assert runs.advance(run)
    first, second = runs.claim(run, worker="one"), runs.claim(run, worker="two")
    assert (first.slot_from, second.slot_from) == (0, 8192)
    runs.finish_chunk(first, {})
    assert not runs.advance(run)
    assert runs.claim(run, worker="one", chunk_id=first.pk) is None


def test_more_alerts_than_ever_are_held_until_a_person_has_looked(customers, django_user_model):
    for days in range(1, 15):
        Run.objects.create(
            business_date=DAY - timedelta(days=days), state=RunState.DONE, queued_at=NOW, finished_at=NOW,
            definitions={"rules": [v.pk for v in rules.published()]},
        )  # fmt: skip
    run = nightly.run(DAY, now=NOW)
    assert (run.is_held, run.alerts_raised, run.alerts_held) == (True, 3, 3)
    assert set(Alert.objects.values_list("state", "held_reason")) == {("held", "storm")}
    out = StringIO()
    with pytest.raises(CommandError, match="no administrator"):
        call_command("release_alerts", "--date", DAY.isoformat(), "--by", "ono@example.jp")
    django_user_model.objects.create_user("ono@example.jp", "secret-secret", name="大野", role="admin")
    call_command("release_alerts", "--date", DAY.isoformat(), "--by", "ono@example.jp", stdout=out)
    assert out.getvalue() == "3 alerts opened.\n"
    assert Alert.objects.filter(state="open", is_lead=True).count() == 3
    assert command("check_invariants")["holds"] is True


@pytest.mark.parametrize(
    ("finished", "known"), [pytest.param(13, True, id="the 14th run"), pytest.param(14, False, id="a new rule version")]
)
def test_the_storm_guard_knows_its_exceptions(customers, finished, known):
    for days in range(1, finished + 1):
        Run.objects.create(
            business_date=DAY - timedelta(days=days), state=RunState.DONE, queued_at=NOW, finished_at=NOW,
            definitions={"rules": [v.pk for v in rules.published()] if known else []},
        )  # fmt: skip
    run = nightly.run(DAY, now=NOW)
    assert (run.is_held, run.alerts_raised) == (False, 3)


# Commands


def command(*argv: str) -> object:
    out = StringIO()
    call_command(*argv, "--json", stdout=out)
    return json.loads(out.getvalue())


def test_the_command_tells_what_it_did(customers):
    told = command("nightly", "--date", "2026-11-19")
    run = Run.objects.get()
    assert told.pop("seconds") > 0
    assert told == {
        "run_id": run.pk, "date": "2026-11-19", "customers": 4, "scores": run.scores, "alerts_raised": 3,
        "alerts_refreshed": 0, "alerts_resolved": 0, "alerts_held": 0,
    }  # fmt: skip
    span = command("nightly", "--date", "2026-11-19", "--through", "2026-11-21")
    assert [one["date"] for one in span] == ["2026-11-19", "2026-11-20", "2026-11-21"]


@pytest.mark.parametrize(
    ("argv", "code"), [(["--date", "2999-01-01"], 1), (["--date", "2026-11-19", "--through", "2026-11-18"], 2)]
)
def test_the_command_refuses_a_date_that_is_not_over_and_a_span_backwards(customers, argv, code):
    with pytest.raises(CommandError) as refused:
        call_command("nightly", *argv)
    assert refused.value.returncode == code


def test_alerts_are_listed_with_their_reasons_as_of_any_day(customers, django_user_model):
    nightly.run(DAY, now=NOW)
    rep = django_user_model.objects.create_user("tanaka@example.jp", "secret-secret", name="田中")
    alerts.close([Alert.objects.get(customer=customers["B"])], reason="won", by=rep, now=NOW + timedelta(days=2))
    listed = command("alerts", "--open")
    assert {(one["customer_id"], one["rule"], one["state"]) for one in listed} == {
        ("C-A", "renewal_90", "open"), ("C-C", "renewal_90", "open")
    }  # fmt: skip
    assert listed[0]["evidence"][0]["term"] == "days_to_renewal"
    assert [one["customer_id"] for one in listed] == ["C-A", "C-C"]
    assert len(command("alerts", "--open", "--as-of", "2026-11-20")) == 3
    assert len(command("alerts", "--open", "--as-of", "2026-11-22")) == 2
    assert command("alerts", "--as-of", "2026-11-18") == []


def test_all_invariants_hold_after_a_run_and_a_broken_one_is_named(customers):
    nightly.run(DAY, now=NOW)
    assert command("check_invariants")["holds"] is True
    Run.objects.update(alerts_raised=7)
    out = StringIO()
    with pytest.raises(CommandError):
        call_command("check_invariants", "--json", "--only", "C3", stdout=out)
    (told,) = json.loads(out.getvalue())["invariants"]
    assert told["broken"] == [f"run {Run.objects.get().pk} of 2026-11-19: alerts_raised says 7, there are 3"]


def test_history_is_complete_from_raised_on(customers):
    nightly.run(DAY, now=NOW)
    assert set(AlertChange.objects.values_list("change", "state", "run__business_date")) == {("raised", "open", DAY)}
