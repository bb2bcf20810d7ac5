"""Who may open a page, what a swap gets, and where the language switch leads."""

from __future__ import annotations

import json
import re

import pytest
from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.db import OperationalError
from django.http import Http404, HttpResponse
from django.test import Client, RequestFactory
from django.urls import get_resolver
from django.utils.translation import override
from django_htmx.middleware import HtmxDetails

from expansion import htmx, pages

HTMX = {"HTTP_HX_REQUEST": "true"}


def asked(user, **headers):
    request = RequestFactory().get("/me/", **headers)
    request.user, request.htmx = user, HtmxDetails(request)
    return request


@htmx.page(permission="alerts.work")
def work(request):
    return HttpResponse("done")


def test_the_role_decides_who_may_work(person):
    for role in ("rep", "manager", "admin"):
        assert work(asked(person(role))).content == b"done"
    with pytest.raises(Http404):
        work(asked(person("viewer")))


def test_a_person_who_was_shut_out_may_nothing(person):
    user = person("admin", is_active=False)
    assert not any(htmx.may(user, permission) for permission in htmx.PERMISSIONS)


@pytest.mark.parametrize(
    ("permission", "roles"),
    [
        ("alerts.read", {"rep", "manager", "admin", "viewer"}),
        ("alerts.work", {"rep", "manager", "admin"}),
        ("alerts.export", {"rep", "manager", "admin"}),
        ("guardrails.override", {"manager", "admin"}),
        ("customers.read", {"rep", "manager", "admin", "viewer"}),
        ("customers.write", {"rep", "manager", "admin"}),
        ("customers.export", {"manager", "admin"}),
        ("metrics.read", {"rep", "manager", "admin", "viewer"}),
        ("metrics.export", {"rep", "manager", "admin"}),
        ("metrics.write", {"manager", "admin"}),
        ("definitions.read", {"rep", "manager", "admin", "viewer"}),
        ("definitions.write", {"admin"}),
        ("audit.read", {"manager", "admin"}),
        ("imports.run", {"admin"}),
        ("runs.work", {"admin"}),
        ("people.manage", {"admin"}),
    ],
)
def test_permission_table(permission, roles):
    assert htmx.PERMISSIONS[permission] == roles


def test_an_unknown_permission_is_found_when_the_module_is_read():
    with pytest.raises(KeyError):
        htmx.page(permission="alerts.wrok")


def test_a_stranger_is_sent_to_the_login_page_and_back():
    response = work(asked(AnonymousUser()))
    assert (response.status_code, response["Location"]) == (302, "/auth/login/?next=/me/")


def test_a_swap_of_somebody_logged_out_leaves_the_page_alone():
    assert work(asked(AnonymousUser(), **HTMX)).status_code == 401


@pytest.mark.parametrize(
    ("headers", "is_part"),
    [
        pytest.param({}, False, id="a load"),
        pytest.param(HTMX, True, id="a swap"),
        pytest.param(HTMX | {"HTTP_HX_BOOSTED": "true"}, False, id="a boosted link"),
        pytest.param(HTMX | {"HTTP_HX_HISTORY_RESTORE_REQUEST": "true"}, False, id="back through the history"),
    ],
)
def test_only_a_swap_gets_the_part(person, headers, is_part):
    request = asked(person(), **headers)
    with override("en"):
        response = htmx.respond(request, "search.html", {"words": "湊", "is_long_enough": True}, partial="_found.html", status=422)
    assert response.status_code == 422
    assert response["Vary"] == "HX-Request"
    assert (b"<html" not in response.content) == is_part
    assert "“湊”" in response.content.decode()


def test_several_parts_come_one_after_the_other(person):
    request = asked(person(), **HTMX)
    response = htmx.respond(request, "search.html", {"text": "済"}, partial=["_toast.html", "_found.html"])
    assert response.content.decode().count('id="toasts"') == 1


def test_forbidden_and_missing_look_the_same(as_person):
    client = as_person("rep")
    forbidden, missing = client.get("/definitions/people/"), client.get("/nothing/at/all/")
    assert forbidden.status_code == missing.status_code == 404
    without = [re.sub(r"/definitions/people/|/nothing/at/all/|[A-Za-z0-9]{64}| aria-current=\"page\"", "", each.content.decode())
               for each in (forbidden, missing)]  # fmt: skip
    assert without[0] == without[1]


@pytest.mark.parametrize(
    ("role", "first"), [("rep", "/triage/"), ("manager", "/metrics/"), ("admin", "/definitions/"), ("viewer", "/metrics/")]
)
def test_each_role_begins_its_day_elsewhere(as_person, role, first):
    assert as_person(role).get("/")["Location"] == first


@pytest.mark.parametrize(
    ("role", "words"),
    [("rep", ["対応", "指標", "取引先", "定義"]), ("viewer", ["対応", "指標", "取引先", "定義"])],
)
def test_navigation_has_the_words_that_lead_somewhere(as_person, role, words):
    shown = as_person(role).get("/me/").content.decode()
    nav = shown.split('<nav class="nav"')[1].split("</nav>")[0]
    assert re.findall(r"</svg>(\w+)</a>", nav) == words


def test_the_language_switch_keeps_the_address_and_is_remembered(as_person):
    client = as_person("rep")
    response = client.post("/language/", {"language": "en", "next": "/me/?tab=2&q=湊"})
    assert (response.status_code, response["Location"]) == (302, "/me/?tab=2&q=%E6%B9%8A")
    assert '<html lang="en"' in client.get("/me/").content.decode()
    again = Client(HTTP_ACCEPT_LANGUAGE="ja")
    again.login(username="rep@example.jp", password="kizashi-test-1", request=RequestFactory().get("/"))
    assert '<html lang="en"' in again.get("/me/").content.decode()


@pytest.mark.parametrize("address", ["https://evil.example/", "//evil.example", "javascript:alert(1)", ""])
def test_the_language_switch_leads_nowhere_else(client, db, address):
    assert client.post("/language/", {"language": "en", "next": address})["Location"] == "/"


@pytest.mark.parametrize(
    ("browser", "language"), [("ja-JP,ja;q=0.9", "ja"), ("en-GB", "en"), ("fr-FR, en;q=0.5", "en"), ("fr-FR", "ja")]
)
def test_the_browser_chooses_the_language_until_a_person_does(client, db, browser, language):
    response = client.get("/auth/login/", HTTP_ACCEPT_LANGUAGE=browser)
    assert f'<html lang="{language}"' in response.content.decode()
    assert response["Content-Language"] == language


def test_every_page_carries_the_policies(client, db):
    response = client.get("/auth/login/")
    assert set(response["Content-Security-Policy"].split("; ")) == {
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data: blob:",
        "connect-src 'self'",
        "font-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    }
    assert response["X-Frame-Options"] == "DENY"
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Referrer-Policy"] == "same-origin"


def test_htmx_runs_no_text_as_script_and_swaps_refusals(client, db):
    page = client.get("/auth/login/").content.decode()
    config = json.loads(page.split('name="htmx-config" content=\'')[1].split("'")[0])
    assert config["allowEval"] is config["allowScriptTags"] is config["includeIndicatorStyles"] is False
    assert config["selfRequestsOnly"] is True
    swapped = {code: next(rule["swap"] for rule in config["responseHandling"] if re.search(rule["code"], code))
               for code in ("200", "204", "409", "422", "403", "500")}  # fmt: skip
    assert swapped == {"200": True, "204": False, "409": True, "422": True, "403": False, "500": False}


@pytest.mark.parametrize(("language", "word"), [("ja", "データベースに接続できません"), ("en", "The database cannot be reached")])
def test_a_database_that_is_away_is_a_503_that_says_when_to_come_back(client, db, monkeypatch, language, word):
    def away(*args, **kwargs):
        raise OperationalError("server closed the connection")

    client.raise_request_exception = False
    monkeypatch.setattr("django.contrib.auth.views.LoginView.get_context_data", away)
    response = client.get("/auth/login/", HTTP_ACCEPT_LANGUAGE=language)
    assert (response.status_code, response["Retry-After"]) == (503, "10")
    assert word in response.content.decode()


@pytest.mark.parametrize(("language", "word"), [("ja", "問題が起きました"), ("en", "Something went wrong")])
def test_a_bug_is_a_500_in_the_look_of_the_product(client, db, monkeypatch, language, word):
    def broken(*args, **kwargs):
        raise ZeroDivisionError

    client.raise_request_exception = False
    monkeypatch.setattr("django.contrib.auth.views.LoginView.get_context_data", broken)
    response = client.get("/auth/login/", HTTP_ACCEPT_LANGUAGE=language)
    assert response.status_code == 500
    assert word in response.content.decode()


def test_a_form_without_its_token_says_what_to_do(db):
    response = Client(enforce_csrf_checks=True).post("/auth/login/", {}, HTTP_ACCEPT_LANGUAGE="ja")
    assert response.status_code == 403
    assert "この画面は古くなっています" in response.content.decode()


def test_an_api_path_gets_a_problem_not_a_page():
    try:
        raise OperationalError
    except OperationalError:
        response = pages.failed(RequestFactory().get("/api/v1/alerts/"))
    assert (response.status_code, response["Content-Type"]) == (503, "application/problem+json")
    assert json.loads(response.content)["status"] == 503


def test_probes(client, db):
    assert client.get("/livez").content == b"ok\n"
    assert client.get("/readyz").content == b"ok\n"


def test_readyz_without_a_database(client, db, monkeypatch):
    def away(*args, **kwargs):
        raise OperationalError

    with monkeypatch.context() as patched:
        patched.setattr("django.db.backends.base.base.BaseDatabaseWrapper.cursor", away)
        assert client.get("/readyz").status_code == 503
        assert client.get("/livez").status_code == 200


def test_every_page_asks_who_is_there():
    """Each view of ours passes through ``page``; what is open to strangers is listed here."""
    open_to_all = {"livez", "readyz", "healthz", "login", "logout", "set_language", "schema"}

    def walk(patterns):
        for pattern in patterns:
            if hasattr(pattern, "url_patterns"):
                yield from walk(pattern.url_patterns)
            else:
                yield pattern

    unguarded = [
        str(pattern.pattern)
        for pattern in walk(get_resolver(settings.ROOT_URLCONF).url_patterns)
        if not hasattr(pattern.callback, "permission")
        and not hasattr(pattern.callback, "cls")  # REST views have their own permission classes
        and pattern.name not in open_to_all
    ]
    assert unguarded == []
