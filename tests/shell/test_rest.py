"""The API's manners: tokens, errors, versions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.core.exceptions import PermissionDenied
from django.db import OperationalError
from django.http import Http404
from django.utils.translation import override
from rest_framework import serializers
from rest_framework.response import Response
from rest_framework.test import APIClient, APIRequestFactory
from rest_framework.views import APIView

from expansion import clock, rest
from expansion.errors import Conflict, DomainError
from expansion.users import tokens
from expansion.users.models import ApiToken

NOW = datetime(2026, 11, 20, tzinfo=UTC)


class Echo(APIView):
    """A view that does what the test tells it."""

    permission_classes = [rest.permitted("alerts.read", write="alerts.work")]
    raises: Exception | None = None

    def get(self, request):
        if self.raises is not None:
            raise self.raises
        return Response({"version": 7}, headers={"ETag": rest.etag(7)})

    def post(self, request):
        return Response({"version": rest.expected_version(request)})


def call(method="get", *, key=None, raises=None, **headers):
    if key is not None:
        headers["HTTP_AUTHORIZATION"] = f"Bearer {key}"
    request = getattr(APIRequestFactory(), method)("/api/v1/echo/", {}, format="json", **headers)
    response = Echo.as_view(raises=raises)(request)
    response.render()
    return response


@pytest.fixture
def key(person):
    """A key of a rep that may change things."""
    return tokens.create(person("rep"), name="bot", may_write=True, days=30, now=clock.now())[1]


@pytest.mark.parametrize(
    ("error", "status", "kind", "title"),
    [
        (DomainError("Choose a time in the future."), 422, "urn:kizashi:domain-error", "Choose a time in the future."),
        (Conflict("Somebody was faster."), 409, "urn:kizashi:conflict", "Somebody was faster."),
        (Http404(), 404, "urn:kizashi:not-found", "Not found."),
        (PermissionDenied(), 403, "urn:kizashi:permission-denied", "You do not have permission to perform this action."),
        (OperationalError(), 503, "urn:kizashi:unavailable", "The database cannot be reached. Try again in a moment."),
    ],
)
def test_every_error_is_a_problem(key, error, status, kind, title):
    with override("en"):
        response = call(key=key, raises=error)
    assert (response.status_code, response["Content-Type"]) == (status, "application/problem+json")
    body = response.data
    assert (body["type"], body["status"], body["instance"]) == (kind, status, "/api/v1/echo/")
    assert body["title"] == title
    assert response.has_header("Retry-After") == (status == 503)


def test_wrong_fields_are_named(key):
    response = call(key=key, raises=serializers.ValidationError({"amount": ["Not a number."]}))
    assert (response.status_code, response.data["errors"]) == (400, {"amount": ["Not a number."]})


def test_a_bug_is_no_problem_document(key):
    with pytest.raises(ZeroDivisionError):
        call(key=key, raises=ZeroDivisionError())


def test_a_change_needs_the_version_that_was_read(key):
    assert call(key=key)["ETag"] == '"7"'
    assert call("post", key=key).status_code == 428
    assert call("post", key=key, HTTP_IF_MATCH='"7"').data == {"version": 7}
    assert call("post", key=key, HTTP_IF_MATCH='W/"7"').data == {"version": 7}
    assert call("post", key=key, HTTP_IF_MATCH="*").status_code == 412


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer kz_wrong", "Bearer a b", "Basic cmVwOng=", "Bearer \u00ff"])
def test_without_a_good_token_nobody_is_let_in(db, header):
    response = call(HTTP_AUTHORIZATION=header)
    assert (response.status_code, response["WWW-Authenticate"]) == (401, 'Bearer realm="kizashi"')
    assert response["Content-Type"] == "application/problem+json"


def test_a_token_that_may_only_read_changes_nothing(person):
    _, read_only = tokens.create(person("admin"), name="bi", may_write=False, days=30, now=clock.now())
    assert call(key=read_only).status_code == 200
    assert call("post", key=read_only, HTTP_IF_MATCH='"7"').status_code == 403


def test_a_token_may_no_more_than_its_person(person):
    _, viewers = tokens.create(person("viewer"), name="bi", may_write=True, days=30, now=clock.now())
    assert call(key=viewers).status_code == 200
    assert call("post", key=viewers, HTTP_IF_MATCH='"7"').status_code == 403


def test_a_token_ends(person):
    token, key = tokens.create(person("rep"), name="bot", may_write=False, days=1, now=NOW)
    assert token.is_alive(NOW + timedelta(hours=23, minutes=59, seconds=59))
    assert not token.is_alive(NOW + timedelta(days=1))
    ApiToken.objects.filter(pk=token.pk).update(expires_at=clock.now())
    assert call(key=key).status_code == 401


def test_a_revoked_token_is_dead(person):
    token, key = tokens.create(person("rep"), name="bot", may_write=False, days=1, now=clock.now())
    tokens.revoke(token, now=clock.now())
    assert call(key=key).status_code == 401


def test_only_the_hash_is_kept_and_use_is_noted(person):
    token, key = tokens.create(person("rep"), name="bot", may_write=False, days=1, now=clock.now())
    row = ApiToken.objects.filter(pk=token.pk).values().get()
    assert key not in str(row)
    assert len(row["digest"]) == 64
    assert row["last_used_at"] is None
    call(key=key)
    token.refresh_from_db()
    assert token.last_used_at is not None


@pytest.mark.parametrize("days", [0, -1, 367])
def test_a_token_must_end_within_a_year(person, days):
    with pytest.raises(tokens.BadLifetime):
        tokens.create(person("rep"), name="bot", may_write=False, days=days, now=NOW)


def test_a_session_needs_its_csrf_token_for_changes(person):
    client = APIClient(enforce_csrf_checks=True)
    client.force_login(person("rep"), backend="django.contrib.auth.backends.ModelBackend")
    assert client.get("/api/schema/?format=json").status_code == 200
    request = client.post("/api/schema/", {})
    assert request.status_code == 403


def test_an_unknown_permission_is_found_when_the_module_is_read():
    with pytest.raises(KeyError):
        rest.permitted("alerts.raed")


def test_the_description_names_the_token_and_says_3_1(person):
    client = APIClient()
    client.force_login(person("rep"), backend="django.contrib.auth.backends.ModelBackend")
    described = client.get("/api/schema/?format=json").json()
    assert described["openapi"] == "3.1.0"
    assert APIClient().get("/api/schema/").status_code == 401
