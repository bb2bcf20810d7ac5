"""Change people: who they are, what they may do, how they like their pages.

Every change of rights goes through ``expansion.audit.people``, which writes it down in the same transaction.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from axes.utils import reset
from django.contrib.auth import SESSION_KEY
from django.contrib.auth.password_validation import validate_password
from django.contrib.sessions.models import Session
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from expansion.errors import DomainError
from expansion.users.models import ApiToken, Role, Team, User

if TYPE_CHECKING:
    from datetime import datetime


class EmailTaken(DomainError):
    """Somebody with this address is already there."""


class LastAdmin(DomainError):
    """The change would leave nobody who can change it back."""


class TeamTaken(DomainError):
    """A team with this key is already there."""


class WeakPassword(DomainError):
    """The password is too short or too common."""


def rights_of(user: User) -> dict[str, Any]:
    """Return what the audit trail keeps about a person's rights."""
    return {
        "name": user.name,
        "role": user.role,
        "scope": user.scope,
        "team": user.team.key if user.team else None,
        "is_active": user.is_active,
    }


def checked_password(password: str, *, user: User | None = None) -> str:
    """Return the password, or refuse it with everything that is wrong with it."""
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise WeakPassword(" ".join(error.messages)) from error
    return password


def add(email: str, *, name: str, role: str, scope: str, team: Team | None, password: str | None) -> User:
    """Add a person; without a password they cannot log in until an administrator sets one."""
    if User.objects.filter(email__iexact=email).exists():
        raise EmailTaken(_("%(email)s is already there. Change that person instead.") % {"email": email})
    checked = checked_password(password) if password else None
    return User.objects.create_user(email, checked, name=name, role=role, scope=scope, team=team)


def add_team(key: str, *, name: str) -> Team:
    """Add a team; its key is what filters and imports say."""
    if Team.objects.filter(key=key).exists():
        raise TeamTaken(_("There is a team with the key %(key)s already.") % {"key": key})
    return Team.objects.create(key=key, name=name)


@transaction.atomic
def change(user: User, *, name: str, role: str, scope: str, team: Team | None) -> User:
    """Change what a person may do; it holds from their next click."""
    user = User.objects.select_for_update().get(pk=user.pk)
    if role != Role.ADMIN:
        _keep_one_admin(user)
    user.name, user.role, user.scope, user.team = name, role, scope, team
    user.save(update_fields=["name", "role", "scope", "team"])
    return user


@transaction.atomic
def deactivate(user: User, *, now: datetime) -> User:
    """Shut a person out: no log-in, every session ended, every token revoked.  History keeps their name."""
    user = User.objects.select_for_update().get(pk=user.pk)
    _keep_one_admin(user)
    user.is_active = False
    user.save(update_fields=["is_active"])
    end_sessions(user, now=now)
    ApiToken.objects.filter(user=user, revoked_at__isnull=True).update(revoked_at=now)
    return user


@transaction.atomic
def reactivate(user: User) -> User:
    """Let a person log in again; old sessions and tokens stay dead."""
    user = User.objects.select_for_update().get(pk=user.pk)
    user.is_active = True
    user.save(update_fields=["is_active"])
    return user


@transaction.atomic
def set_password(user: User, password: str, *, now: datetime) -> User:
    """Give a person a new password: a lock after wrong ones is lifted, and who is logged in with the old one is out."""
    user.set_password(checked_password(password, user=user))
    user.save(update_fields=["password"])
    reset(username=user.email)
    end_sessions(user, now=now)
    return user


def end_sessions(user: User, *, now: datetime) -> None:
    """Delete every session of the person."""
    theirs = [
        session.pk
        for session in Session.objects.filter(expire_date__gte=now).iterator()
        if session.get_decoded().get(SESSION_KEY) == str(user.pk)
    ]
    Session.objects.filter(pk__in=theirs).delete()


def prefer(user: User, **choices: object) -> User:
    """Keep how the person likes their pages: language, theme, density, has_single_keys, has_auto_advance."""
    unknown = choices.keys() - {"language", "theme", "density", "has_single_keys", "has_auto_advance"}
    if unknown:
        raise TypeError(f"No preference called {', '.join(sorted(unknown))}.")
    for field, value in choices.items():
        setattr(user, field, value)
    user.save(update_fields=list(choices))
    return user


def _keep_one_admin(user: User) -> None:
    # The rows are locked, so that two administrators cannot demote each other at once.
    others = User.objects.select_for_update().filter(role=Role.ADMIN, is_active=True).exclude(pk=user.pk)
    if user.role == Role.ADMIN and user.is_active and not others.exists():
        raise LastAdmin(_("%(name)s is the only administrator. Make somebody else one first.") % {"name": user.name})
