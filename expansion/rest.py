"""The REST API's common manners: errors, pages, versions, permissions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.exceptions import PermissionDenied
from django.db import InterfaceError, OperationalError
from django.http import Http404
from django.utils.translation import gettext as _
from rest_framework import exceptions, status
from rest_framework.pagination import CursorPagination
from rest_framework.permissions import SAFE_METHODS, BasePermission, IsAuthenticated
from rest_framework.response import Response

from expansion.errors import Conflict, DomainError
from expansion.htmx import PERMISSIONS, may
from expansion.pages import RETRY_AFTER_SECONDS

if TYPE_CHECKING:
    from rest_framework.request import Request
    from rest_framework.views import APIView

PROBLEM_TYPE = "application/problem+json"


class PreconditionRequired(exceptions.APIException):
    status_code = status.HTTP_428_PRECONDITION_REQUIRED
    default_code = "precondition_required"


class PreconditionFailed(exceptions.APIException):
    status_code = status.HTTP_412_PRECONDITION_FAILED
    default_code = "precondition_failed"


class CursorPage(CursorPagination):
    """Pages by cursor: stable while rows are added.  A view may set its own ``ordering``, ending with a unique field."""

    page_size = 100
    page_size_query_param = "limit"
    max_page_size = 1000
    ordering = "pk"


def problem(error: Exception, context: dict[str, Any]) -> Response | None:
    """Turn an exception into problem+json (RFC 9457); what nobody foresaw stays an exception."""
    headers: dict[str, str] = {}
    more: dict[str, Any] = {}
    if isinstance(error, Http404):
        error = exceptions.NotFound()
    elif isinstance(error, PermissionDenied):
        error = exceptions.PermissionDenied()

    code: int
    if isinstance(error, DomainError):
        code = status.HTTP_409_CONFLICT if isinstance(error, Conflict) else status.HTTP_422_UNPROCESSABLE_ENTITY
        kind, detail = type(error).__name__, str(error)
    elif isinstance(error, (OperationalError, InterfaceError)):
        code, kind = status.HTTP_503_SERVICE_UNAVAILABLE, "unavailable"
        detail = _("The database cannot be reached. Try again in a moment.")
        headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    elif isinstance(error, exceptions.ValidationError):
        code, kind, detail = (
            error.status_code,
            "invalid",
            _("Some fields are missing or wrong; see errors."),
        )
        more["errors"] = error.detail
    elif isinstance(error, exceptions.APIException):
        code, kind, detail = (
            error.status_code,
            str(error.get_codes()),
            str(error.detail),
        )
        if getattr(error, "wait", None) is not None:
            headers["Retry-After"] = str(int(error.wait) + 1)  # type: ignore[attr-defined]
        if getattr(error, "auth_header", None):
            headers["WWW-Authenticate"] = error.auth_header  # type: ignore[attr-defined]
    else:
        return None

    body = {
        "type": f"urn:kizashi:{_kebab(kind)}",
        "title": detail,
        "status": code,
        **more,
    }
    if "request" in context:
        body["instance"] = context["request"].path
    return Response(body, status=code, headers=headers, content_type=PROBLEM_TYPE)


class Authenticated(IsAuthenticated):
    """Logged in or with a token; a token that may only read is refused every unsafe method, whoever owns it."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        if not super().has_permission(request, view):
            return False
        return request.method in SAFE_METHODS or request.auth is None or getattr(request.auth, "may_write", False)


def permitted(permission: str, *, write: str | None = None) -> type[BasePermission]:
    """Return a DRF permission that asks the role table; ``write`` is asked instead for unsafe methods."""
    for name in (permission, write):
        if name is not None and name not in PERMISSIONS:
            raise KeyError(name)

    class Permitted(Authenticated):
        def has_permission(self, request: Request, view: APIView) -> bool:
            asked = permission if request.method in SAFE_METHODS or write is None else write
            return super().has_permission(request, view) and may(request.user, asked)

    return Permitted


def etag(version: int) -> str:
    """Return the ETag of a row's version."""
    return f'"{version}"'


def expected_version(request: Request) -> int:
    """Return the version that the caller read and wants to change (If-Match); 428 without one, 412 for nonsense."""
    given = request.headers.get("If-Match", "").strip()
    if not given:
        raise PreconditionRequired(_("Send the ETag that you read as If-Match, so that no change is lost."))
    bare = given.removeprefix("W/").strip('"')
    if not bare.isdecimal():
        raise PreconditionFailed(_("If-Match is no ETag of this row. Read the row again."))
    return int(bare)


def _kebab(name: str) -> str:
    spread = "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in name)
    return spread.strip("-").replace("_", "-")
