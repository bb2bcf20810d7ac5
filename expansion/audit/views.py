"""The people page: who may log in, what each may do, and which programs hold a token."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.db.models import Count, Q
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from expansion import clock
from expansion.audit import people
from expansion.audit.forms import AddForm, ChangeForm, PasswordForm, TeamForm, TokenForm
from expansion.audit.models import AuditEntry
from expansion.errors import DomainError
from expansion.htmx import SignedIn, page, respond
from expansion.users.models import ApiToken, Role, Scope, Team, User

if TYPE_CHECKING:
    from django.http import HttpResponse


@page(permission="people.manage")
def people_list(request: SignedIn) -> HttpResponse:
    """List everybody and add somebody."""
    if request.method != "POST":
        return _list_page(request, add=AddForm(initial={"role": "rep", "scope": "own"}))
    form = AddForm(request.POST)
    if form.is_valid():
        try:
            user = people.add(**form.cleaned_data, by=request.user, now=clock.now())
        except DomainError as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, _("%(name)s may log in now.") % {"name": user.name})
            return redirect("people")
    return _list_page(request, add=form, status=422)


@page(permission="people.manage")
@require_POST
def team_add(request: SignedIn) -> HttpResponse:
    """Add a team."""
    form = TeamForm(request.POST)
    if form.is_valid():
        try:
            people.add_team(form.cleaned_data["key"], name=form.cleaned_data["name"], by=request.user, now=clock.now())
        except DomainError as error:
            form.add_error("key", str(error))
        else:
            return redirect("people")
    return _list_page(request, team=form, status=422)


@page(permission="people.manage")
def person(request: SignedIn, pk: int) -> HttpResponse:
    """Show one person and change what they may do."""
    user = get_object_or_404(User.objects.select_related("team"), pk=pk)
    if request.method != "POST":
        return _person_page(request, user)
    form = ChangeForm(request.POST)
    if form.is_valid():
        try:
            people.change(user, **form.cleaned_data, by=request.user, now=clock.now())
        except DomainError as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, _("The change holds from their next click."))
            return redirect("person", pk=pk)
    return _person_page(request, user, rights=form, status=422)


@page(permission="people.manage")
@require_POST
def person_deactivate(request: SignedIn, pk: int) -> HttpResponse:
    """Shut a person out."""
    user = get_object_or_404(User, pk=pk)
    try:
        people.deactivate(user, by=request.user, now=clock.now(), reason=request.POST.get("reason", "")[:200])
    except DomainError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("%(name)s is shut out; sessions and tokens are dead.") % {"name": user.name})
    return redirect("person", pk=pk)


@page(permission="people.manage")
@require_POST
def person_reactivate(request: SignedIn, pk: int) -> HttpResponse:
    """Let a person log in again."""
    user = people.reactivate(get_object_or_404(User, pk=pk), by=request.user, now=clock.now())
    messages.success(request, _("%(name)s may log in again.") % {"name": user.name})
    return redirect("person", pk=pk)


@page(permission="people.manage")
@require_POST
def person_password(request: SignedIn, pk: int) -> HttpResponse:
    """Give a person a new password."""
    user = get_object_or_404(User.objects.select_related("team"), pk=pk)
    form = PasswordForm(request.POST)
    if form.is_valid():
        try:
            people.set_password(user, form.cleaned_data["password"], by=request.user, now=clock.now())
        except DomainError as error:
            form.add_error("password", str(error))
        else:
            messages.success(request, _("The password is set. Hand it over in person."))
            return redirect("person", pk=pk)
    return _person_page(request, user, password=form, status=422)


@page(permission="people.manage")
@require_POST
def token_add(request: SignedIn, pk: int) -> HttpResponse:
    """Make a token and show its key, this once."""
    user = get_object_or_404(User.objects.select_related("team").filter(is_active=True), pk=pk)
    form = TokenForm(request.POST)
    if not form.is_valid():
        return _person_page(request, user, token=form, status=422)
    _token, key = people.give_token(user, **form.cleaned_data, by=request.user, now=clock.now())
    response = _person_page(request, user, key=key)
    response["Cache-Control"] = "no-store"
    return response


@page(permission="people.manage")
@require_POST
def token_revoke(request: SignedIn, pk: int, token: int) -> HttpResponse:
    """End a token."""
    people.revoke_token(get_object_or_404(ApiToken, pk=token, user=pk), by=request.user, now=clock.now())
    return redirect("person", pk=pk)


def _list_page(request: SignedIn, *, add: AddForm | None = None, team: TeamForm | None = None, status: int = 200) -> HttpResponse:
    context = {
        "people": User.objects.select_related("team").order_by("-is_active", "name", "pk"),
        "teams": Team.objects.annotate(people=Count("members", filter=Q(members__is_active=True))).order_by("name"),
        "add": add or AddForm(),
        "team": team or TeamForm(),
    }
    return respond(request, "users/people.html", context, status=status)


def _person_page(
    request: SignedIn,
    user: User,
    *,
    rights: ChangeForm | None = None,
    password: PasswordForm | None = None,
    token: TokenForm | None = None,
    key: str = "",
    status: int = 200,
) -> HttpResponse:
    now = clock.now()
    history = AuditEntry.objects.select_related("by").order_by("-id")
    history = history.filter(subject_kind=User._meta.label_lower, subject_key=str(user.pk))
    context: dict[str, Any] = {
        "person": user,
        "rights": rights or ChangeForm.of(user),
        "password": password or PasswordForm(),
        "token": token or TokenForm(),
        "key": key,
        "tokens": [(made, made.is_alive(now)) for made in user.tokens.order_by("-pk")],
        "history": [(entry, _rights_changed(entry)) for entry in history[:20]],
    }
    return respond(request, "users/person.html", context, status=status)


def _rights_changed(entry: AuditEntry) -> list[tuple[str, str, str]]:
    """Return name, before and after of each right that the entry changed, in words."""
    names = {"name": _("Name"), "role": _("Role"), "scope": _("Sees"), "team": _("Team")}
    words: dict[str, dict[Any, Any]] = {"role": dict(Role.choices), "scope": dict(Scope.choices)}

    def told(key: str, code: str | None) -> str:
        return str(words.get(key, {}).get(code, code or "—"))

    before, after = entry.before or {}, entry.after or {}
    return [
        (name, told(key, before.get(key)), told(key, after.get(key)))
        for key, name in names.items()
        if before.get(key) != after.get(key)
    ]
