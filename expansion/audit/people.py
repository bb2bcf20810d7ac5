"""Change people's rights and write it down, in one transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction

from expansion.audit import trail
from expansion.users import people, tokens
from expansion.users.models import Role, Scope, User

if TYPE_CHECKING:
    from datetime import datetime

    from expansion.users.models import ApiToken, Team


@transaction.atomic
def add(
    email: str,
    *,
    name: str,
    role: str,
    scope: str,
    team: Team | None,
    password: str | None,
    by: User | None,
    now: datetime,
) -> User:
    """Add a person."""
    user = people.add(email, name=name, role=role, scope=scope, team=team, password=password)
    trail.record(by, "user.added", user, after=people.rights_of(user), now=now)
    return user


@transaction.atomic
def change(
    user: User, *, name: str, role: str, scope: str, team: Team | None, by: User | None, now: datetime, reason: str = ""
) -> User:
    """Change what a person may do; changing nothing writes nothing."""
    before = people.rights_of(user)
    user = people.change(user, name=name, role=role, scope=scope, team=team)
    after = people.rights_of(user)
    if after != before:
        trail.record(by, "user.changed", user, before=before, after=after, reason=reason, now=now)
    return user


@transaction.atomic
def deactivate(user: User, *, by: User | None, now: datetime, reason: str = "") -> User:
    """Shut a person out, with every session and token."""
    user = people.deactivate(user, now=now)
    trail.record(by, "user.deactivated", user, before={"is_active": True}, after={"is_active": False}, reason=reason, now=now)
    return user


@transaction.atomic
def reactivate(user: User, *, by: User | None, now: datetime) -> User:
    """Let a person log in again."""
    user = people.reactivate(user)
    trail.record(by, "user.reactivated", user, before={"is_active": False}, after={"is_active": True}, now=now)
    return user


@transaction.atomic
def set_password(user: User, password: str, *, by: User | None, now: datetime) -> User:
    """Give a person a new password; the trail knows that, not the password."""
    user = people.set_password(user, password, now=now)
    trail.record(by, "user.password_set", user, now=now)
    return user


@transaction.atomic
def make_admin(email: str, *, name: str, password: str, by: User | None, now: datetime) -> User:
    """Make the person an administrator who sees everything, whether they were there before or not."""
    user = User.objects.filter(email__iexact=email).first()
    if user is None:
        return add(email, name=name, role=Role.ADMIN, scope=Scope.ALL, team=None, password=password, by=by, now=now)
    if not user.is_active:
        user = reactivate(user, by=by, now=now)
    user = change(user, name=name or user.name, role=Role.ADMIN, scope=Scope.ALL, team=user.team, by=by, now=now)
    return set_password(user, password, by=by, now=now)


@transaction.atomic
def add_team(key: str, *, name: str, by: User | None, now: datetime) -> Team:
    """Add a team."""
    team = people.add_team(key, name=name)
    trail.record(by, "team.added", team, after={"key": key, "name": name}, now=now)
    return team


@transaction.atomic
def give_token(user: User, *, name: str, may_write: bool, days: int, by: User | None, now: datetime) -> tuple[ApiToken, str]:
    """Make a token for the person; the second value is the key, shown this once."""
    token, key = tokens.create(user, name=name, may_write=may_write, days=days, now=now)
    told = {"user": user.pk, "name": name, "may_write": may_write, "expires_at": token.expires_at}
    trail.record(by, "token.made", token, after=told, now=now)
    return token, key


@transaction.atomic
def revoke_token(token: ApiToken, *, by: User | None, now: datetime) -> ApiToken:
    """End a token now."""
    if token.revoked_at is None:
        token = tokens.revoke(token, now=now)
        trail.record(by, "token.revoked", token, now=now)
    return token
