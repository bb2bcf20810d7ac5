"""Log in and out, choose how pages look, find the first page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.views import LoginView
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils import translation
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from expansion.htmx import SignedIn, page, respond, wants_part
from expansion.users import people
from expansion.users.forms import LoginForm, NewPasswordForm, PreferencesForm
from expansion.users.models import Role

if TYPE_CHECKING:
    from django.http import HttpRequest

_FIRST_PAGES = {Role.REP: "/triage/", Role.MANAGER: "/metrics/", Role.ADMIN: "/definitions/", Role.VIEWER: "/metrics/"}

login = LoginView.as_view(template_name="users/login.html", authentication_form=LoginForm, redirect_authenticated_user=True)


@page()
@require_safe
def home(request: SignedIn) -> HttpResponse:
    """Send each role to the screen where its day begins."""
    return redirect(_FIRST_PAGES[Role(request.user.role)])


@require_POST
def set_language(request: HttpRequest) -> HttpResponse:
    """Switch the language and come back to the same address."""
    language = request.POST.get("language", "")
    address = request.POST.get("next", "")
    if not url_has_allowed_host_and_scheme(address, allowed_hosts={request.get_host()}, require_https=request.is_secure()):
        address = "/"
    response = redirect(address)
    if language in dict(settings.LANGUAGES):
        if request.user.is_authenticated:
            people.prefer(request.user, language=language)
        _keep_language(response, language)
    return response


@page()
@require_POST
def set_keys(request: SignedIn) -> HttpResponse:
    """Switch single-key shortcuts on or off, from the list of keys."""
    people.prefer(request.user, has_single_keys="single_keys" in request.POST)
    return HttpResponse(status=204) if wants_part(request) else redirect("me")


@page()
def me(request: SignedIn) -> HttpResponse:
    """Show and change how the person likes their pages."""
    if request.method != "POST":
        return _own_page(request, preferences=PreferencesForm.of(request.user))
    form = PreferencesForm(request.POST)
    if not form.is_valid():
        return _own_page(request, preferences=form, status=422)
    user = people.prefer(request.user, **form.cleaned_data)
    if user.language:
        translation.activate(user.language)
    messages.success(request, _("Your settings are saved."))
    response = redirect("me")
    if user.language:
        _keep_language(response, user.language)
    else:
        response.delete_cookie(settings.LANGUAGE_COOKIE_NAME)
    return response


@page()
@require_POST
def change_password(request: SignedIn) -> HttpResponse:
    """Change one's own password; every other session of the person ends."""
    form = NewPasswordForm(request.user, request.POST)
    if not form.is_valid():
        return _own_page(request, password=form, status=422)
    form.save()
    update_session_auth_hash(request, request.user)
    messages.success(request, _("Your password is changed. Other devices are logged out."))
    return redirect("me")


def _own_page(
    request: SignedIn,
    *,
    preferences: PreferencesForm | None = None,
    password: NewPasswordForm | None = None,
    status: int = 200,
) -> HttpResponse:
    context = {
        "preferences": preferences or PreferencesForm.of(request.user),
        "password": password or NewPasswordForm(request.user),
    }
    return respond(request, "users/me.html", context, status=status)


def _keep_language(response: HttpResponse, language: str) -> None:
    response.set_cookie(settings.LANGUAGE_COOKIE_NAME, language, max_age=365 * 24 * 3600, samesite="Lax", secure=settings.HTTPS)
