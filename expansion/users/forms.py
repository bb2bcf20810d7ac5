"""Forms about oneself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib.auth.forms import AuthenticationForm, PasswordChangeForm
from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from expansion.users.models import User


class LoginForm(AuthenticationForm):
    error_messages = {
        "invalid_login": _("E-mail address and password do not match. Check both and try again."),
        "inactive": _("This person may not log in any more. Ask an administrator."),
    }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["username"].label = _("E-mail address")
        self.fields["username"].widget = forms.EmailInput(attrs={"autocomplete": "username", "autofocus": True})
        self.fields["password"].label = _("Password")

    def clean_username(self) -> str:
        # Tries are counted per address: spelling it differently must not give more of them.
        return str(self.cleaned_data["username"]).strip().lower()


class PreferencesForm(forms.Form):
    language = forms.ChoiceField(
        label=_("Language"), choices=[("", _("As the browser asks")), ("ja", "日本語"), ("en", "English")], required=False
    )
    theme = forms.ChoiceField(
        label=_("Colours"),
        choices=[("", _("As the system")), ("light", _("Light")), ("dark", _("Dark"))],
        required=False,
    )
    density = forms.ChoiceField(
        label=_("Density"), choices=[("compact", _("Compact")), ("normal", _("Normal")), ("touch", _("Touch"))]
    )
    has_single_keys = forms.BooleanField(label=_("Use single-key shortcuts (turn off if you use speech input)"), required=False)
    has_auto_advance = forms.BooleanField(label=_("Open the next alert after an outcome is logged"), required=False)

    @classmethod
    def of(cls, user: User) -> PreferencesForm:
        return cls(initial={name: getattr(user, name) for name in cls.base_fields})


class NewPasswordForm(PasswordChangeForm):
    error_messages = PasswordChangeForm.error_messages | {
        "password_incorrect": _("That is not your current password."),
        "password_mismatch": _("The two new passwords differ."),
    }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["old_password"].label = _("Current password")
        self.fields["old_password"].widget.attrs.pop("autofocus", None)
        self.fields["new_password1"].label = _("New password")
        self.fields["new_password1"].help_text = _("At least 10 characters, and not a common password.")
        self.fields["new_password2"].label = _("New password again")
        self.fields["new_password2"].help_text = ""
