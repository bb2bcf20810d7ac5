from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from django.test import Client

if TYPE_CHECKING:
    from expansion.users.models import Team, User

PASSWORD = "kizashi-test-1"


@pytest.fixture
def team(db: None) -> Team:
    from expansion.users.models import Team

    return Team.objects.create(key="east", name="東日本")


@pytest.fixture
def person(team: Team) -> Callable[..., User]:
    """Return a function that adds a person of a role; the e-mail address follows the role."""

    from expansion.users.models import User

    def add(role: str = "rep", scope: str = "own", **fields: object) -> User:
        fields = {"email": f"{role}@example.jp", "name": "田中 美咲", "team": team} | fields
        return User.objects.create_user(fields.pop("email"), PASSWORD, role=role, scope=scope, **fields)

    return add


@pytest.fixture
def as_person(person: Callable[..., User]) -> Callable[..., Client]:
    """Return a function that opens a browser-like client logged in as a person of a role."""

    def log_in(role: str = "rep", **fields: object) -> Client:
        client = Client(HTTP_ACCEPT_LANGUAGE="ja")
        client.force_login(person(role, **fields), backend="django.contrib.auth.backends.ModelBackend")
        return client

    return log_in
