"""The API of triage: outcomes, snooze, assign, playbooks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from rest_framework.test import APIClient

from expansion.users.models import ApiToken
from playbooks.models import Outcome

NOW = datetime(2026, 11, 20, 1, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def friday():
    with time_machine.travel(NOW, tick=False):
        yield


def api(user):
    one = APIClient(headers={"accept-language": "en"})
    one.force_authenticate(user)
    return one


def log(client, alert, key="key-00000001", **fields):
    return client.post(
        f"/api/v1/alerts/{alert.pk}/outcomes/",
        {"result": "opened", "version": alert.version} | fields,
        format="json",
        headers={"Idempotency-Key": key},
    )


def test_an_outcome_takes_the_defaults_of_its_result(desk):
    alert = desk.alert(desk.customer())
    made = log(api(desk.owner), alert)
    assert made.status_code == 201
    assert {name: made.json()[name] for name in ("result", "amount", "next_step", "next_on", "quiet_until", "by")} == {
        "result": "opened",
        "amount": "1562000.00",
        "next_step": "demo",
        "next_on": "2026-11-26",
        "quiet_until": None,
        "by": "tanaka@example.jp",
    }
    assert made["ETag"] == '"2"'


def test_the_same_key_answers_with_what_was_logged(desk):
    alert = desk.alert(desk.customer())
    client = api(desk.owner)
    first, again = log(client, alert), log(client, alert, note="again")
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    assert Outcome.objects.count() == 1


@pytest.mark.parametrize(
    ("fields", "status", "title"),
    [
        pytest.param({"result": "declined"}, 422, "Choose a reason.", id="no reason"),
        pytest.param({"version": 7}, 409, "Somebody else acted on this card first. Your entry is still here.", id="an old version"),
        pytest.param({"version": None}, 400, "Some fields are missing or wrong; see errors.", id="a version that is none"),
        pytest.param({"result": "maybe"}, 400, "Some fields are missing or wrong; see errors.", id="no such result"),
    ],
)
def test_a_refusal_says_why_and_logs_nothing(desk, fields, status, title):
    refused = log(api(desk.owner), desk.alert(desk.customer()), **fields)
    assert (refused.status_code, refused.json()["title"]) == (status, title)
    assert refused["Content-Type"] == "application/problem+json"
    assert Outcome.objects.count() == 0


def test_the_version_may_come_as_if_match_and_must_come(desk):
    alert = desk.alert(desk.customer())
    client = api(desk.owner)
    body, key = {"result": "opened"}, {"Idempotency-Key": "key-00000001"}
    address = f"/api/v1/alerts/{alert.pk}/outcomes/"
    assert client.post(address, body, format="json", headers=key).status_code == 428
    assert client.post(address, body, format="json").status_code == 412
    assert client.post(address, body, format="json", headers=key | {"If-Match": '"1"'}).status_code == 201


def test_snooze_and_assign_answer_with_the_alert(desk):
    alert = desk.alert(desk.customer())
    client = api(desk.owner)
    until = (NOW + timedelta(days=3)).isoformat()
    snoozed = client.post(f"/api/v1/alerts/{alert.pk}/snooze/", {"until": until, "reason": "budget", "version": 1}, format="json")
    assert (snoozed.status_code, snoozed.json()["state"], snoozed["ETag"]) == (200, "waiting", '"2"')
    assigned = client.post(f"/api/v1/alerts/{alert.pk}/assign/", {"to": "SATO@example.jp", "version": 2}, format="json")
    assert assigned.json()["owner"] == "sato@example.jp"
    assert (
        client.post(f"/api/v1/alerts/{alert.pk}/assign/", {"to": "nobody@example.jp", "version": 3}, format="json").status_code
        == 400
    )
    assert client.post(f"/api/v1/alerts/{alert.pk}/snooze/", {"reason": "x", "version": 3}, format="json").status_code == 422


@pytest.mark.parametrize("path", ["outcomes", "snooze", "assign"])
def test_who_may_not_work_or_not_see_it_is_refused(desk, path):
    alert = desk.alert(desk.customer("elsewhere", owner=desk.manager))
    address = f"/api/v1/alerts/{alert.pk}/{path}/"
    key = {"Idempotency-Key": "key-00000001"}
    assert api(desk.owner).post(address, {}, format="json", headers=key).status_code == 404
    assert api(desk.viewer).post(address, {}, format="json", headers=key).status_code == 403
    assert APIClient().post(address, {}, format="json", headers=key).status_code in {401, 403}


def test_a_token_that_may_only_read_logs_nothing(desk):
    alert = desk.alert(desk.customer())
    client = APIClient()
    client.force_authenticate(desk.owner, ApiToken(user=desk.owner, may_write=False))
    assert log(client, alert).status_code == 403


def test_playbooks_are_read_in_both_languages(desk):
    client = api(desk.viewer)
    found = {one["key"]: one for one in client.get("/api/v1/playbooks/").json()}
    assert sorted(found) == ["add_seats", "help_first", "higher_plan", "related_product", "renewal_four_step"]
    assert found["add_seats"]["body"]["name"] == {"ja": "席の追加", "en": "Add seats"}
    assert client.get("/api/v1/playbooks/add_seats/").json()["version"] == 1
    assert client.get("/api/v1/playbooks/none/").status_code == 404
