"""Logging in, personal settings, and the rights of other people."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.sessions.models import Session
from django.core.management import CommandError, call_command
from django.test import Client

from expansion.audit import people as rights
from expansion.audit.models import AuditEntry
from expansion.users import people, tokens
from expansion.users.models import ApiToken, Team, User

NOW = datetime(2026, 11, 20, 0, 0, tzinfo=UTC)
PASSWORD = "kizashi-test-1"
NEW = "a-long-new-word"


def log_in(email, password=PASSWORD, client=None, **more):
    client = client or Client(HTTP_ACCEPT_LANGUAGE="ja")
    return client.post("/auth/login/", {"username": email, "password": password, **more}), client


def test_logging_in_leads_to_where_one_was_going(person):
    person("rep")
    response, client = log_in(" Rep@Example.JP ", next="/me/?x=1")
    assert response["Location"] == "/me/?x=1"
    assert client.get("/me/").status_code == 200
    assert client.post("/auth/logout/")["Location"] == "/auth/login/"
    assert client.get("/me/").status_code == 302


def test_a_wrong_password_is_told_in_one_sentence_that_betrays_nothing(person):
    person("rep")
    for email in ("rep@example.jp", "nobody@example.jp"):
        response, _ = log_in(email, "wrong")
        assert "メールアドレスとパスワードが一致しません。両方を確かめてください。" in response.content.decode()


def test_after_eight_wrong_tries_the_address_is_locked_however_it_is_spelt(person):
    person("rep")
    statuses = [log_in(email, "wrong")[0].status_code for email in ["rep@example.jp", "REP@example.jp"] * 4]
    assert statuses == [200] * 7 + [429]
    response, _ = log_in("rep@example.jp")
    assert response.status_code == 429
    assert "15分間止まっています" in response.content.decode()


def test_a_new_password_from_an_admin_lifts_the_lock(person):
    user = person("rep")
    for _ in range(8):
        log_in("rep@example.jp", "wrong")
    rights.set_password(user, NEW, by=None, now=NOW)
    assert log_in("rep@example.jp", NEW)[0].status_code == 302


def test_a_person_who_was_shut_out_cannot_come_back(person):
    person("admin")
    user = person("rep")
    token, key = tokens.create(user, name="bot", may_write=False, days=30, now=NOW)
    _, client = log_in("rep@example.jp")
    assert client.get("/me/").status_code == 200
    rights.deactivate(user, by=None, now=datetime.now(UTC), reason="退職")
    assert client.get("/me/").status_code == 302
    assert Session.objects.count() == 0
    assert not ApiToken.objects.get(pk=token.pk).is_alive(NOW + timedelta(days=400))
    assert log_in("rep@example.jp")[0].status_code == 200
    rights.reactivate(user, by=None, now=NOW)
    assert client.get("/me/").status_code == 302
    assert Client().get("/api/schema/", HTTP_AUTHORIZATION=f"Bearer {key}").status_code == 401
    assert list(AuditEntry.objects.order_by("id").values_list("verb", "reason")) == [
        ("user.deactivated", "退職"), ("user.reactivated", ""),
    ]  # fmt: skip


def test_settings_are_kept_and_hold_at_once(as_person):
    client = as_person("rep")
    form = {"language": "en", "theme": "dark", "density": "compact", "has_auto_advance": "on"}
    page = client.post("/me/", form, follow=True).content.decode()
    assert '<html lang="en" data-theme="dark" data-density="compact" data-keys="off">' in page
    assert "Your settings are saved." in page
    user = User.objects.get(email="rep@example.jp")
    assert (user.language, user.theme, user.density) == ("en", "dark", "compact")
    assert (user.has_single_keys, user.has_auto_advance) == (False, True)


def test_settings_that_are_none_are_refused(as_person):
    response = as_person("rep").post("/me/", {"language": "fr", "theme": "", "density": "normal"})
    assert response.status_code == 422
    assert User.objects.get(email="rep@example.jp").language == ""


def test_keys_are_switched_off_from_their_list(as_person):
    client = as_person("rep")
    assert client.post("/me/keys/", {}, HTTP_HX_REQUEST="true").status_code == 204
    assert 'data-keys="off"' in client.get("/me/").content.decode()


def test_a_new_password_ends_every_other_session(person):
    person("rep")
    _, here = log_in("rep@example.jp")
    _, there = log_in("rep@example.jp")
    wrong = here.post("/me/password/", {"old_password": "x", "new_password1": NEW, "new_password2": NEW})
    assert wrong.status_code == 422
    assert "現在のパスワードが違います。" in wrong.content.decode()
    here.post("/me/password/", {"old_password": PASSWORD, "new_password1": NEW, "new_password2": NEW})
    assert here.get("/me/").status_code == 200
    assert there.get("/me/").status_code == 302


def test_an_admin_adds_and_changes_a_person(as_person, team):
    client = as_person("admin", scope="all")
    form = {"email": "sato@example.jp", "name": "佐藤 翔", "role": "rep", "scope": "team", "team": team.pk, "password": NEW}
    assert client.post("/definitions/people/", form)["Location"] == "/definitions/people/"
    sato = User.objects.get(email="sato@example.jp")
    form = {"name": "佐藤 翔", "role": "manager", "scope": "all", "team": team.pk, "reason": "昇進"}
    client.post(f"/definitions/people/{sato.pk}/", form)
    entries = AuditEntry.objects.filter(subject_key=str(sato.pk)).order_by("id")
    before = {"name": "佐藤 翔", "role": "rep", "scope": "team", "team": "east", "is_active": True}
    assert [(e.verb, e.before, e.after, e.reason, e.by.email) for e in entries] == [
        ("user.added", None, before, "", "admin@example.jp"),
        ("user.changed", before, before | {"role": "manager", "scope": "all"}, "昇進", "admin@example.jp"),
    ]
    page = client.get(f"/definitions/people/{sato.pk}/").content.decode()
    assert "役割 <del>CS担当</del> → マネージャー" in page


def test_a_team_scope_needs_its_team(as_person):
    form = {"email": "sato@example.jp", "name": "佐藤", "role": "rep", "scope": "team", "team": "", "password": NEW}
    response = as_person("admin").post("/definitions/people/", form)
    assert response.status_code == 422
    assert "この人が閲覧するチームを選んでください。" in response.content.decode()
    assert not User.objects.filter(email="sato@example.jp").exists()


@pytest.mark.parametrize("password", ["short", "password123"])
def test_a_weak_first_password_is_refused(as_person, password):
    form = {"email": "sato@example.jp", "name": "佐藤", "role": "rep", "scope": "own", "password": password}
    assert as_person("admin").post("/definitions/people/", form).status_code == 422
    assert not User.objects.filter(email="sato@example.jp").exists()


def test_an_address_is_taken_once_whatever_its_case(person):
    person("rep")
    with pytest.raises(people.EmailTaken):
        people.add("REP@example.jp", name="x", role="rep", scope="own", team=None, password=NEW)


def test_the_last_admin_stays(person):
    admin = person("admin")
    with pytest.raises(people.LastAdmin):
        rights.deactivate(admin, by=admin, now=NOW)
    with pytest.raises(people.LastAdmin):
        rights.change(admin, name="x", role="viewer", scope="own", team=None, by=admin, now=NOW)
    admin.refresh_from_db()
    assert (admin.role, admin.is_active, AuditEntry.objects.count()) == ("admin", True, 0)


def test_changing_nothing_writes_nothing(person, team):
    user = person("rep")
    rights.change(user, name=user.name, role="rep", scope="own", team=team, by=None, now=NOW)
    assert AuditEntry.objects.count() == 0


def test_a_password_set_by_an_admin_never_reaches_the_trail(person):
    user = person("rep")
    rights.set_password(user, NEW, by=None, now=NOW)
    entry = AuditEntry.objects.get()
    assert (entry.verb, entry.before, entry.after) == ("user.password_set", None, None)
    assert log_in("rep@example.jp", NEW)[0].status_code == 302


def test_an_admin_adds_a_team(as_person):
    client = as_person("admin")
    client.post("/definitions/people/teams/", {"key": "west", "name": "西日本"})
    assert Team.objects.get(key="west").name == "西日本"
    assert client.post("/definitions/people/teams/", {"key": "west", "name": "西"}).status_code == 422


def test_an_admin_makes_a_token_shown_once(as_person, person):
    client = as_person("admin")
    user = person("rep")
    page = client.post(f"/definitions/people/{user.pk}/tokens/", {"name": "チャットボット", "days": 30}).content.decode()
    key = page.split('<code class="num">')[1].split("<")[0]
    assert Client().get("/api/schema/", HTTP_AUTHORIZATION=f"Bearer {key}").status_code == 200
    assert key not in client.get(f"/definitions/people/{user.pk}/").content.decode()
    token = ApiToken.objects.get()
    client.post(f"/definitions/people/{user.pk}/tokens/{token.pk}/revoke/")
    assert Client().get("/api/schema/", HTTP_AUTHORIZATION=f"Bearer {key}").status_code == 401
    assert list(AuditEntry.objects.order_by("id").values_list("verb", flat=True)) == ["token.made", "token.revoked"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("get", "/definitions/people/"), ("post", "/definitions/people/"), ("post", "/definitions/people/teams/"),
        ("get", "/definitions/people/{pk}/"), ("post", "/definitions/people/{pk}/"),
        ("post", "/definitions/people/{pk}/deactivate/"), ("post", "/definitions/people/{pk}/reactivate/"),
        ("post", "/definitions/people/{pk}/password/"), ("post", "/definitions/people/{pk}/tokens/"),
        ("post", "/definitions/people/{pk}/tokens/1/revoke/"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("role", ["rep", "manager", "viewer"])
def test_only_admins_reach_the_people_pages(as_person, role, method, path):
    client = as_person(role)
    user = User.objects.get()
    assert getattr(client, method)(path.format(pk=user.pk)).status_code == 404


def test_create_admin_asks_for_a_good_password(db, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("short\n"))
    with pytest.raises(CommandError):
        call_command("create_admin", "boss@example.jp")
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{NEW}\n"))
    call_command("create_admin", "boss@example.jp", "--name", "大野", stdout=io.StringIO())
    boss = User.objects.get()
    assert (boss.email, boss.name, boss.role, boss.scope, boss.check_password(NEW)) == (
        "boss@example.jp", "大野", "admin", "all", True,
    )  # fmt: skip


def test_create_admin_lets_a_shut_out_person_in_again(person, monkeypatch):
    user = person("rep", is_active=False)
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{NEW}\n"))
    call_command("create_admin", user.email, stdout=io.StringIO())
    user.refresh_from_db()
    assert (user.role, user.scope, user.is_active, user.check_password(NEW)) == ("admin", "all", True, True)


def test_create_token_prints_nothing_but_the_key(person):
    person("rep")
    out = io.StringIO()
    call_command("create_token", "rep@example.jp", "夜間連携", "--write", "--days", "7", stdout=out, stderr=io.StringIO())
    key = out.getvalue().strip()
    token = ApiToken.objects.get()
    assert (key.startswith("kz_"), key in token.digest, token.may_write, token.name) == (True, False, True, "夜間連携")
    with pytest.raises(CommandError):
        call_command("create_token", "nobody@example.jp", "x")
    with pytest.raises(CommandError):
        call_command("create_token", "rep@example.jp", "x", "--days", "9999")
