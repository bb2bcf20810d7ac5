"""Pages: who may open one, and whether a request wants all of it or a part."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.template.loader import render_to_string
from django.utils.cache import patch_vary_headers

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from django_htmx.middleware import HtmxDetails

    from expansion.users.models import User

# What each role may do.  Which rows it may do it to is ``visible_to``, never this table.
PERMISSIONS: dict[str, frozenset[str]] = {
    "alerts.read": frozenset({"rep", "manager", "admin", "viewer"}),
    "alerts.work": frozenset({"rep", "manager", "admin"}),
    "alerts.export": frozenset({"rep", "manager", "admin"}),
    "guardrails.override": frozenset({"manager", "admin"}),
    "customers.read": frozenset({"rep", "manager", "admin", "viewer"}),
    "customers.write": frozenset({"rep", "manager", "admin"}),
    "customers.export": frozenset({"manager", "admin"}),
    "metrics.read": frozenset({"rep", "manager", "admin", "viewer"}),
    "metrics.export": frozenset({"rep", "manager", "admin"}),
    "metrics.write": frozenset({"manager", "admin"}),
    "definitions.read": frozenset({"rep", "manager", "admin", "viewer"}),
    "definitions.write": frozenset({"admin"}),
    "audit.read": frozenset({"manager", "admin"}),
    "imports.run": frozenset({"admin"}),
    "runs.work": frozenset({"admin"}),
    "people.manage": frozenset({"admin"}),
}


class SignedIn(HttpRequest):
    """A request that passed ``page``: somebody is logged in."""

    user: User
    htmx: HtmxDetails


def may(user: Any, permission: str) -> bool:
    """Tell whether the person's role allows it; a name that the table lacks is a bug and raises."""
    allowed = PERMISSIONS[permission]
    return bool(user.is_authenticated and user.is_active and user.role in allowed)


def page(*, permission: str | None = None) -> Callable[[Callable[..., HttpResponseBase]], Callable[..., HttpResponseBase]]:
    """Guard a page: logged in, and the role may do it; else it is a page that does not exist.

    A swap for somebody whose session ended is answered with 401 and no body, so
    that what was typed stays on the screen and static/js/base.js can say so.
    """
    if permission is not None and permission not in PERMISSIONS:
        raise KeyError(permission)

    def guard(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if not request.user.is_authenticated:
                if wants_part(request):
                    return HttpResponse(status=401)
                return redirect_to_login(request.get_full_path(), settings.LOGIN_URL)
            if permission is not None and not may(request.user, permission):
                raise Http404
            return view(request, *args, **kwargs)

        guarded.permission = permission  # type: ignore[attr-defined]
        return guarded

    return guard


def wants_part(request: HttpRequest) -> bool:
    """Tell whether htmx will swap the answer in: no load, no boosted link, no way back through the history."""
    htmx: HtmxDetails | None = getattr(request, "htmx", None)
    return htmx is not None and bool(htmx) and not htmx.boosted and not htmx.history_restore_request


def respond(
    request: HttpRequest,
    template: str,
    context: dict[str, Any] | None = None,
    *,
    partial: str | Sequence[str] | None = None,
    status: int = 200,
) -> HttpResponse:
    """Render the template, or for a swap its ``partial``: one template file or several, one after the other.

    The page includes the same files, so a part looks the same however it came.
    """
    names = [template]
    if partial is not None and wants_part(request):
        names = [partial] if isinstance(partial, str) else list(partial)
    body = "".join(render_to_string(name, context, request=request) for name in names)
    response = HttpResponse(body, status=status)
    patch_vary_headers(response, ["HX-Request"])
    return response
