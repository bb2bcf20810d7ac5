"""The frame around every page, and the pages shown when something went wrong."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db import InterfaceError, OperationalError
from django.http import HttpResponse, JsonResponse
from django.template.loader import render_to_string
from django.utils.translation import gettext as _
from django.utils.translation import pgettext
from django.views.decorators.http import require_safe

from expansion.htmx import may, page, respond

if TYPE_CHECKING:
    from django.http import HttpRequest

RETRY_AFTER_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Entry:
    """One word of the main navigation."""

    url: str
    label: str
    icon: str
    keys: str
    is_current: bool


@dataclass(frozen=True, slots=True)
class Frame:
    """What base.html needs besides the page: where one can go, and how the reader likes it."""

    nav: tuple[Entry, ...]
    theme: str
    density: str
    single_keys: bool


def frame(request: HttpRequest) -> dict[str, Frame]:
    """Context processor.  Somebody who is not logged in has no navigation."""
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return {"frame": Frame(nav=(), theme="", density="normal", single_keys=True)}
    nav = []
    for permission, url, label, icon, keys in (
        ("alerts.read", "/triage/", pgettext("navigation", "Triage"), "list", "G T"),
        (
            "metrics.read",
            "/metrics/",
            pgettext("navigation", "Metrics"),
            "chart",
            "G M",
        ),
        (
            "customers.read",
            "/accounts/",
            pgettext("navigation", "Accounts"),
            "bldg",
            "",
        ),
        (
            "definitions.read",
            "/definitions/",
            pgettext("navigation", "Definitions"),
            "tune",
            "",
        ),
    ):
        if may(user, permission):
            nav.append(
                Entry(
                    url=url,
                    label=label,
                    icon=icon,
                    keys=keys,
                    is_current=request.path.startswith(url),
                )
            )
    return {
        "frame": Frame(
            nav=tuple(nav),
            theme=user.theme,
            density=user.density,
            single_keys=user.has_single_keys,
        ),
    }


@page()
@require_safe
def api_docs(request: HttpRequest) -> HttpResponse:
    """Show the API's description, read by Swagger UI from our own files."""
    return respond(request, "api_docs.html")


def failed(request: HttpRequest) -> HttpResponse:
    """Answer after an exception: 503 while the database is away, else 500 (handler500 of expansion/urls.py)."""
    is_away = isinstance(sys.exc_info()[1], (OperationalError, InterfaceError))
    status = 503 if is_away else 500
    if request.path.startswith("/api/"):
        title = _("The database cannot be reached. Try again in a moment.") if is_away else _("Something went wrong.")
        response: HttpResponse = JsonResponse(
            {"type": "about:blank", "title": title, "status": status},
            status=status,
            content_type="application/problem+json",
        )
    else:
        # No request in the context: the frame would ask the database who is reading.
        response = HttpResponse(render_to_string(f"{status}.html"), status=status)
    if is_away:
        response["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return response
