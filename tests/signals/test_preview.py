"""What a rule would do before it is published, and what other programs read of alerts, rules and runs."""

from __future__ import annotations

import importlib.util
import json
from copy import deepcopy
from datetime import timedelta
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import translation

from accounts.models import Customer
from expansion.errors import DomainError
from expansion.users.models import Role, Scope, User
from signals import alerts, nightly, preview, rules
from signals.models import Alert, Rule, Run, Tick

_spec = importlib.util.spec_from_file_location("book", Path(__file__).parent / "book.py")
book = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(book)
DAY, NOW = book.DAY, book.NOW
pytestmark = pytest.mark.django_db


@pytest.fixture
def customers() -> dict[str, Customer]:
    customers = book.write()
    nightly.run(DAY, now=NOW)
    return customers


@pytest.fixture
def rep(customers: dict[str, Customer]) -> User:
    """A rep who sees C-A alone: the others belong to somebody else."""
    user = User.objects.create_user("tanaka@example.jp", "secret-secret", name="田中 優", role=Role.REP, scope=Scope.OWN)
    boss = User.objects.create_user("ono@example.jp", "secret-secret", name="大野", role=Role.ADMIN, scope=Scope.ALL)
    Customer.objects.update(owner=boss)
    Customer.objects.filter(customer_id="C-A").update(owner=user)
    return user


@pytest.fixture
def boss(rep: User) -> User:
    return User.objects.get(email="ono@example.jp")


def renewal() -> Rule:
    return Rule.objects.get(key="renewal_90")


def body_with(days: float) -> dict:
    body = deepcopy(rules.find_published(renewal()).body)
    body["when"][0][0]["threshold"] = days
    return body


def ids(rows: list[preview.Row]) -> list[str]:
    return [row.customer_id for row in rows]


def test_a_stricter_threshold_stops_some_and_keeps_the_rest(boss):
    found = preview.preview(body_with(45), rule=renewal(), user=boss)
    assert (found.business_date, found.before) == (DAY, 2)
    assert (ids(found.fires), ids(found.starts), ids(found.stops), ids(found.stays)) == (["C-C"], [], ["C-A"], ["C-C"])
    assert found.stops[0].value == 60.0
    assert found.by_owner == [preview.OwnerCount("大野", 1, 1), preview.OwnerCount("田中 優", 1, 0)]


def test_a_wider_threshold_starts_others(boss):
    found = preview.preview(body_with(365), rule=renewal(), user=boss)
    assert (sorted(ids(found.starts)), ids(found.stops)) == (["C-B", "C-D"], [])


def test_a_preview_shows_only_customers_that_the_person_may_see(rep):
    found = preview.preview(body_with(45), rule=renewal(), user=rep)
    assert (ids(found.fires), ids(found.stops), found.before) == ([], ["C-A"], 1)


def test_a_rule_that_is_switched_off_fires_on_nobody_before(boss):
    rules.set_on(renewal(), False, reason="試し", by=boss, now=NOW)
    found = preview.preview(body_with(90), rule=renewal(), user=boss)
    assert (found.before, sorted(ids(found.starts))) == (0, ["C-A", "C-C"])


def test_without_a_finished_run_there_is_nothing_to_try_on(db):
    with translation.override("en"), pytest.raises(preview.NoSnapshot, match="No nightly run has finished yet"):
        preview.preview(book.defaults.read("rules.yaml")[0]["body"], rule=None, user=None)


def test_the_sweep_counts_each_candidate(boss, rep):
    thresholds = preview.candidates(body_with(90), place="when.0.0")
    assert thresholds == [72, 81, 90, 99, 108, 117]
    assert preview.sweep(body_with(90), thresholds=[29, 30, 59, 60, 200], user=boss) == [0, 1, 1, 2, 4]
    assert preview.sweep(body_with(90), thresholds=[30, 60], user=rep) == [0, 1]


@pytest.mark.parametrize(
    ("term", "threshold", "expected"),
    [
        pytest.param("seats_used_ratio", 0.9, [0.8, 0.85, 0.9, 0.95, 1.0, 1.05], id="shares by five points"),
        pytest.param("health_change_30", 15, [5, 10, 15, 20, 25, 30], id="points by five"),
        pytest.param("nps_detractors_90", 1, [0, 1, 2, 3, 4], id="nothing below the least that can be"),
        pytest.param("usage_change_28", -0.3, [-0.4, -0.35, -0.3, -0.25, -0.2, -0.15], id="changes below zero"),
    ],
)
def test_candidates_stand_around_the_threshold(term, threshold, expected):
    body = {"when": [[{"key": "k", "term": term, "op": ">=", "threshold": threshold}]]}
    assert preview.candidates(body, place="when.0.0") == expected


def test_the_distribution_counts_everybody_once(boss, rep):
    found = preview.distribution("days_to_renewal", user=boss, bins=4)
    assert (found.low, found.high, found.counts, found.missing, found.customers) == (0.0, 200.0, [1, 1, 0, 2], 0, 4)
    assert preview.distribution("seats_used_ratio", user=boss, bins=2).missing == 4
    assert preview.distribution("days_to_renewal", user=rep, bins=4).customers == 1


def test_one_customer_is_tested_clause_by_clause(boss, customers):
    body = body_with(45)
    body["unless"] = [{"key": "p1", "term": "nps_detractors_90", "op": ">=", "threshold": 1}]
    body["scope"] = {"plans": ["STD"], "segments": [], "bands": []}
    body["when"].append([{"key": "pays", "term": "mrr", "op": ">", "threshold": 0}])
    with translation.override("en"):
        tested = preview.test_one(body, customer=customers["A"])
        assert [(clause.place, clause.text, clause.holds) for clause in tested.clauses] == [
            ("when.0.0", "Days to renewal 60 days ≤ 45 days", False),
            ("when.1.0", "MRR ¥10K > ¥0", True),
            ("unless.0", "Except Detractors in 90 days ≥ 1 (no answer in the last 12 months)", True),
            ("scope.plans", "Only for STD (this customer: STD)", True),
        ]
        assert tested.fires is True
        assert preview.test_one(body, customer=customers["C"]).fires is True
        assert preview.test_one(body, customer=customers["B"]).clauses[2].holds is False
    with translation.override("ja"):
        assert preview.test_one(body, customer=customers["A"]).clauses[0].text == "更新までの日数 60日 ≤ 45日"


@pytest.mark.parametrize("setting", ["days", "days.threshold=", "days.threshold=viele", "days.limit=3", "nobody.threshold=3"])
def test_a_setting_that_sets_nothing_is_refused(boss, setting):
    with pytest.raises(DomainError):
        preview.with_setting(body_with(90), setting)


def test_the_command_and_the_api_give_the_same_preview(boss):
    out = StringIO()
    call_command("preview", "renewal_90", "--set", "days.threshold=45", "--json", stdout=out)
    told = json.loads(out.getvalue())
    assert ([row["customer_id"] for row in told["stops"]], told["before"]) == (["C-A"], 2)
    client = Client()
    client.force_login(boss)
    assert client.get("/api/v1/rules/renewal_90/preview/", {"set": "days.threshold=45"}).json() == told
    with pytest.raises(CommandError) as refused:
        call_command("preview", "renewal_90", "--set", "days")
    assert refused.value.returncode == 2
    with pytest.raises(CommandError, match="There is no rule"):
        call_command("preview", "nonsense")


@pytest.mark.parametrize("place", ["when.0.0", "days", "days_to_renewal"])
def test_a_condition_is_named_by_its_place_its_key_or_its_term(boss, place):
    assert preview.with_setting(body_with(90), f"{place}.threshold=45") == rules.RuleBody.from_json(body_with(45)).to_json()


def test_nothing_is_written_by_a_preview(boss):
    before = list(Alert.objects.order_by("id").values())
    preview.preview(body_with(365), rule=renewal(), user=boss)
    preview.sweep(body_with(90), thresholds=[10, 100], user=boss)
    assert list(Alert.objects.order_by("id").values()) == before


# REST


@pytest.fixture
def client_of(rep: User, boss: User) -> dict[str, Client]:
    clients = {}
    for name, user in (("rep", rep), ("boss", boss)):
        clients[name] = Client()
        clients[name].force_login(user)
    return clients


def test_alerts_are_listed_within_the_scope_of_the_reader(client_of):
    everything = client_of["boss"].get("/api/v1/alerts/").json()["results"]
    assert {(one["customer_id"], one["rule"]) for one in everything} == {
        ("C-A", "renewal_90"), ("C-B", "detractor"), ("C-C", "renewal_90")
    }  # fmt: skip
    assert [one["customer_id"] for one in client_of["rep"].get("/api/v1/alerts/").json()["results"]] == ["C-A"]
    assert client_of["boss"].get("/api/v1/alerts/", {"rule": "detractor"}).json()["results"][0]["customer_id"] == "C-B"
    assert client_of["boss"].get("/api/v1/alerts/", {"state": "closed"}).json()["results"] == []
    assert client_of["boss"].get("/api/v1/alerts/", {"state": "gone"}).status_code == 400


def test_alerts_are_paged_by_a_cursor(client_of):
    first = client_of["boss"].get("/api/v1/alerts/", {"limit": 2}).json()
    second = client_of["boss"].get(first["next"]).json()
    assert (len(first["results"]), len(second["results"]), second["next"]) == (2, 1, None)


def test_an_alert_has_its_history_and_its_version_as_etag(client_of, boss):
    alert = Alert.objects.get(customer__customer_id="C-A")
    alerts.assign(alert, to=boss, by=boss, now=NOW)
    answer = client_of["boss"].get(f"/api/v1/alerts/{alert.pk}/")
    assert answer.headers["ETag"] == '"2"'
    assert [(change["change"], change["by"]) for change in answer.json()["changes"]] == [
        ("raised", None),
        ("assigned", "ono@example.jp"),
    ]


def test_what_is_out_of_scope_does_not_exist(client_of):
    hidden = Alert.objects.get(customer__customer_id="C-C")
    missing = client_of["rep"].get("/api/v1/alerts/999999/")
    answer = client_of["rep"].get(f"/api/v1/alerts/{hidden.pk}/")
    assert (answer.status_code, missing.status_code) == (404, 404)
    assert answer.json()["title"] == missing.json()["title"]


def test_nobody_reads_without_logging_in(customers):
    for address in ("alerts/", "rules/", "runs/", "rules/renewal_90/preview/"):
        assert Client().get(f"/api/v1/{address}").status_code in {401, 403}


def test_rules_are_listed_with_their_sentences(client_of):
    listed = client_of["rep"].get("/api/v1/rules/").json()
    assert [one["key"] for one in listed][:2] == ["seats_near_limit", "quota_80"]
    assert listed[1]["sentence_ja"] == (
        "契約容量の使用率が80%以上のとき、CS担当にアラート(アップセル)を出し、3営業日以内の着手を求めます。同じ取引先には30日に1回までです。"
    )


def test_rules_cost_the_same_however_many(client_of, django_assert_num_queries):
    with django_assert_num_queries(4):  # session, user, rules, versions
        client_of["rep"].get("/api/v1/rules/")


def test_runs_are_listed_newest_first(client_of):
    (listed,) = client_of["rep"].get("/api/v1/runs/").json()["results"]
    assert (listed["business_date"], listed["state"], listed["alerts_raised"]) == ("2026-11-19", "done", 3)


def test_only_an_administrator_opens_held_alerts(client_of, boss):
    run = Run.objects.get()
    alerts.hold(run, reason=alerts.STORM, now=NOW)
    assert client_of["rep"].post(f"/api/v1/runs/{run.pk}/release/").status_code == 403
    assert set(Alert.objects.values_list("state", flat=True)) == {"held"}
    assert client_of["boss"].post(f"/api/v1/runs/{run.pk}/release/").status_code == 200
    assert set(Alert.objects.values_list("state", flat=True)) == {"open"}


@pytest.mark.parametrize(("minutes_ago", "status"), [(None, 200), (1, 200), (6, 503)])
def test_the_health_probe_tells_whether_the_scheduler_ticks(customers, minutes_ago, status, monkeypatch):
    monkeypatch.setattr("expansion.clock.now", lambda: NOW)
    if minutes_ago is not None:
        Tick.objects.create(name="nightly", at=NOW - timedelta(minutes=minutes_ago))
    answer = Client().get("/healthz")
    assert answer.status_code == status
    assert answer.json()["jobs"]["nightly"]["last_finished"] == "2026-11-19"
    assert answer.json()["jobs"]["nightly"]["due"] == "2026-11-19"
