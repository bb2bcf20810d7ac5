"""What people type on the triage screen, read leniently: full-width digits, ¥ and 円 are welcome."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from expansion import clock
from expansion.formats import MINUS
from playbooks import catalogue, outcomes, triage
from playbooks.models import Reason, Result
from signals.models.alerts import PlayKind
from signals.models.scores import Band

SNOOZE_REASONS = {
    "customer": gettext_lazy("Customer asked"),
    "information": gettext_lazy("Waiting for information"),
    "own": gettext_lazy("My schedule"),
}
_SIGNS = str.maketrans({"¥": "", "円": "", ",": "", "、": "", " ": "", MINUS: "-", "ー": "-", "–": "-", "$": "", "€": "", "£": ""})


def read_amount(text: str) -> Decimal | None:
    """Return the number that a person typed; raise ValueError for what is none."""
    bare = unicodedata.normalize("NFKC", text).translate(_SIGNS).strip()
    if not bare:
        return None
    match = re.fullmatch(r"(-?\d+(?:\.\d+)?)(万|億|[kKmM])?", bare)
    if match is None or len(match[1]) > 15:
        raise ValueError(text)
    return Decimal(match[1]) * {"万": 10_000, "億": 100_000_000, "k": 1_000, "m": 1_000_000}.get((match[2] or "").lower(), 1)


class OutcomeForm(forms.Form):
    """One outcome.  A field that the result does not need is ignored; a date that is missing is filled by the result's default."""

    result = forms.ChoiceField(
        choices=Result.choices,
        error_messages={
            "required": gettext_lazy("Choose one of the six results."),
            "invalid_choice": gettext_lazy("Choose one of the six results."),
        },
    )
    reason = forms.CharField(required=False)
    amount = forms.CharField(required=False, max_length=40)
    discount_percent = forms.DecimalField(required=False, min_value=0, max_value=100, decimal_places=2)
    next_step = forms.CharField(required=False, max_length=80)
    when = forms.CharField(required=False)
    when_other = forms.DateField(required=False, error_messages={"invalid": gettext_lazy("Write the date as 2026-11-26.")})
    again = forms.CharField(required=False)
    again_other = forms.DateField(required=False, error_messages={"invalid": gettext_lazy("Write the date as 2026-11-26.")})
    note = forms.CharField(required=False, max_length=4000)
    version = forms.IntegerField(min_value=1)
    key = forms.RegexField(r"^[\w.:-]{8,80}$")
    choice = forms.ChoiceField(required=False, choices=[("", ""), ("both", "both"), ("mine", "mine")])
    why = forms.CharField(required=False, max_length=400)
    theirs = forms.IntegerField(required=False)

    def clean_amount(self) -> Decimal | None:
        try:
            return read_amount(self.cleaned_data["amount"])
        except (ValueError, InvalidOperation) as error:
            raise forms.ValidationError(_("Write the amount in figures, such as 1,562,000.")) from error

    def entry(self, *, content: catalogue.Content, expected: Decimal | None, today: date) -> outcomes.Entry:
        """Return the entry, with the defaults of the result where a field was left alone."""
        data = self.cleaned_data
        result = data["result"]
        fill = outcomes.suggest(result, content=content, expected=expected, today=today)
        step = data["next_step"] or self.data.get(f"next_step_{result}", "")[:80]
        refuses = result in outcomes.REFUSING
        return outcomes.Entry(
            result=result,
            reason=data["reason"] if refuses else "",
            amount=data["amount"] if result in outcomes.PRICED else None,
            discount_percent=data["discount_percent"] if result in outcomes.PRICED else None,
            next_step="" if refuses else step or fill.next_step,
            next_on=None if refuses else self._day("when", fill.next_on),
            quiet_until=self._day("again", fill.quiet_until) if refuses else None,
            note=data["note"].strip(),
        )

    def _day(self, name: str, default: date | None) -> date | None:
        chosen = self.cleaned_data[name]
        if chosen == "other":
            return self.cleaned_data[f"{name}_other"]
        return read_day(chosen) or self.cleaned_data[f"{name}_other"] or default


def read_day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


class SnoozeForm(forms.Form):
    """Until a day, or until the measure rises again."""

    until = forms.CharField(required=False)
    day = forms.DateField(required=False, error_messages={"invalid": gettext_lazy("Write the date as 2026-11-26.")})
    reason = forms.ChoiceField(choices=list(SNOOZE_REASONS.items()))
    version = forms.IntegerField(required=False, min_value=1)

    def moment(self) -> datetime | None:
        """Return the start of the chosen day."""
        chosen = read_day(self.cleaned_data["until"]) or self.cleaned_data["day"]
        return None if chosen is None else clock.start_of(chosen)

    @property
    def waits_for_rise(self) -> bool:
        return self.cleaned_data["until"] == "rise"


class AssignForm(forms.Form):
    """To whom, with an optional note; 0 takes the card from everybody."""

    to = forms.IntegerField(min_value=0)
    note = forms.CharField(required=False, max_length=400)
    version = forms.IntegerField(required=False, min_value=1)


class BulkForm(forms.Form):
    """The same act on several cards.  ``act`` is what the button says: assign:7, snooze:2026-11-24 or dismiss:no_need."""

    act = forms.RegexField(r"^(assign:\d{1,12}|snooze:\d{4}-\d\d-\d\d|dismiss:\w{1,20})$")
    snooze_reason = forms.ChoiceField(choices=list(SNOOZE_REASONS.items()), required=False)

    def ids(self) -> list[int]:
        """Return the ticked alerts, each once, at most five hundred."""
        ticked = self.data.getlist("alert") if isinstance(self.data, QueryDict) else []
        return list(dict.fromkeys(int(value) for value in ticked if value.isdecimal() and len(value) < 19))[:500]

    def chosen(self) -> tuple[str, str]:
        """Return the act and what it is about."""
        name, _colon, about = self.cleaned_data["act"].partition(":")
        return name, about


def read_filters(query: QueryDict | Mapping[str, Any]) -> triage.Filters:
    """Return the filters of an address; what cannot be read is no filter."""

    def many(name: str) -> list[str]:
        if isinstance(query, QueryDict):
            return [str(value) for value in query.getlist(name)]
        return [str(query[name])] if name in query else []

    def known(name: str, values: Any) -> tuple[str, ...]:
        return tuple(dict.fromkeys(value for value in many(name) if value in values))

    try:
        least = read_amount(str(query.get("least", "")))
    except (ValueError, InvalidOperation):
        least = None
    days = str(query.get("renews", ""))
    return triage.Filters(
        plays=known("play", PlayKind.values),
        bands=known("band", Band.values),
        rules=tuple(dict.fromkeys(value[:60] for value in many("rule")))[:20],
        owners=tuple(dict.fromkeys(int(value) for value in many("owner") if value.isdecimal() and len(value) < 12))[:50],
        plan=str(query.get("plan", ""))[:60],
        guard=str(query.get("guard", "")) if query.get("guard") in {"stopped", "caution", "clear"} else "",
        due=str(query.get("due", "")) if query.get("due") in triage.GROUPS else "",
        renewal_days=int(days) if days.isdecimal() and 0 < int(days) <= 730 else None,
        least_amount=least,
        words=unicodedata.normalize("NFKC", str(query.get("q", ""))).strip()[:80],
    )


def reasons_of(result: str) -> tuple[Reason, ...]:
    return outcomes.REASONS.get(result, ())
