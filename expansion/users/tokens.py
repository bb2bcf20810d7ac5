"""Keys for other programs: made once, kept as a hash, dead when they end or their person goes."""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta
from typing import TYPE_CHECKING

from django.utils.translation import gettext as _
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed

from expansion import clock
from expansion.errors import DomainError
from expansion.users.models import ApiToken

if TYPE_CHECKING:
    from datetime import datetime

    from rest_framework.request import Request

    from expansion.users.models import User

MOST_DAYS = 366
_SEEN_EVERY = timedelta(minutes=1)


class BadLifetime(DomainError):
    """A token must end, and not too far away."""


def create(user: User, *, name: str, may_write: bool, days: int, now: datetime) -> tuple[ApiToken, str]:
    """Make a token; the second value is the key itself, which cannot be shown again."""
    if not 1 <= days <= MOST_DAYS:
        raise BadLifetime(_("A token lives from 1 to %(most)d days.") % {"most": MOST_DAYS})
    key = f"kz_{secrets.token_urlsafe(32)}"
    token = ApiToken.objects.create(
        user=user, name=name, digest=_digest(key), may_write=may_write, expires_at=now + timedelta(days=days)
    )
    return token, key


def revoke(token: ApiToken, *, now: datetime) -> ApiToken:
    """End a token now; revoking it again changes nothing."""
    ApiToken.objects.filter(pk=token.pk, revoked_at__isnull=True).update(revoked_at=now)
    token.refresh_from_db()
    return token


class TokenAuthentication(BaseAuthentication):
    """``Authorization: Bearer kz_…``"""

    def authenticate(self, request: Request) -> tuple[User, ApiToken] | None:
        words = get_authorization_header(request).decode("latin-1").split()
        if not words or words[0].lower() != "bearer":
            return None
        now = clock.now()
        token = None
        if len(words) == 2:
            token = ApiToken.objects.select_related("user__team").filter(digest=_digest(words[1])).first()
        # One sentence for every reason: a stranger learns nothing about which keys once were.
        if token is None or not token.is_alive(now) or not token.user.is_active:
            raise AuthenticationFailed(_("This token is unknown, ended or revoked. Ask an administrator for a new one."))
        if token.last_used_at is None or now - token.last_used_at > _SEEN_EVERY:
            ApiToken.objects.filter(pk=token.pk).update(last_used_at=now)
        return token.user, token

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="kizashi"'


class TokenScheme(OpenApiAuthenticationExtension):
    target_class = "expansion.users.tokens.TokenAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: object) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "bearerFormat": "kz_…"}


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
