"""Forms about other people."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from expansion.users.models import Role, Scope, Team, User


class RightsForm(forms.Form):
    """What a person may do, and whose customers they see."""

    name = forms.CharField(label=_("Name"), max_length=80)
    role = forms.ChoiceField(label=_("Role"), choices=Role.choices)
    scope = forms.ChoiceField(label=_("Sees"), choices=Scope.choices)
    team = forms.ModelChoiceField(label=_("Team"), queryset=Team.objects.none(), required=False, empty_label="—")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        team = self.fields["team"]
        assert isinstance(team, forms.ModelChoiceField)  # noqa: S101  (for the type checker)
        team.queryset = Team.objects.order_by("name")

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if cleaned.get("scope") == Scope.TEAM and not cleaned.get("team"):
            self.add_error("team", _("Choose the team whose customers this person sees."))
        return cleaned


class ChangeForm(RightsForm):
    reason = forms.CharField(label=_("Reason"), max_length=200, required=False)

    @classmethod
    def of(cls, user: User) -> ChangeForm:
        return cls(initial={"name": user.name, "role": user.role, "scope": user.scope, "team": user.team_id})


class AddForm(RightsForm):
    email = forms.EmailField(label=_("E-mail address"), max_length=254)
    password = forms.CharField(
        label=_("First password"), max_length=128, widget=forms.PasswordInput(attrs={"autocomplete": "new-password"})
    )
    field_order = ("email", "name", "role", "scope", "team", "password")


class TeamForm(forms.Form):
    key = forms.SlugField(label=_("Key"), max_length=40, help_text=_("Latin letters, digits and hyphens; used in filters."))
    name = forms.CharField(label=_("Name"), max_length=80)


class PasswordForm(forms.Form):
    password = forms.CharField(
        label=_("New password"), max_length=128, widget=forms.PasswordInput(attrs={"autocomplete": "new-password"})
    )


class TokenForm(forms.Form):
    name = forms.CharField(label=_("What it is for"), max_length=80)
    days = forms.IntegerField(label=_("Days until it ends"), min_value=1, max_value=366, initial=90)
    may_write = forms.BooleanField(label=_("May change things"), required=False)
