"""What the reader of the metrics asks for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext, pgettext_lazy

from accounts.models import Customer, Product
from expansion.dashboards import spans
from expansion.dashboards.scopes import KEYS, Key, Scope
from expansion.dashboards.spans import Comparison, Period, Preset
from expansion.dashboards.targets import METRICS
from expansion.users.models import User
from signals.models import Standing
from signals.models.scores import Segment

CUSTOM = "custom"
_FILTERS = ("team", "segment", "plan", "owner")
_LABELS = {
    "period": gettext_lazy("Period"), "compare": pgettext_lazy("metrics", "Compare"), "team": pgettext_lazy("metrics", "Team"),
    "segment": pgettext_lazy("metrics", "Segment"), "plan": pgettext_lazy("metrics", "Plan"),
    "owner": pgettext_lazy("metrics", "Owner"),
}  # fmt: skip
_EARLIEST = date(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class Filters:
    """The filters of the page as they stand in its address."""

    period: Period
    preset: Preset | None
    comparison: Comparison
    terms: tuple[tuple[Key, str], ...]

    def scope(self, user: User) -> Scope:
        return Scope(terms=self.terms, user=user)

    @property
    def compared(self) -> Period | None:
        return spans.compared(self.period, self.comparison, preset=self.preset)

    def query(self, more: Iterable[tuple[str, object]] = (), *, period: Period | None = None) -> str:
        """Return the filters as a query; another period becomes free dates."""
        asked: list[tuple[str, object]] = []
        shown = period or self.period
        if period is not None or self.preset is None:
            asked += [("period", CUSTOM), ("from", shown.from_day), ("to", shown.to_day)]
        elif self.preset != "12m":
            asked.append(("period", self.preset))
        if self.comparison != "year_before":
            asked.append(("compare", self.comparison))
        asked += [*self.terms, *more]
        return urlencode(asked)


class FilterForm(forms.Form):
    """The bar on top.  What is missing or wrong falls back to the last twelve months of everything visible."""

    to = forms.DateField(label=gettext_lazy("To the close of"), required=False, widget=forms.DateInput(attrs={"type": "date"}))

    def __init__(self, data: Any, *, user: User, as_of: date) -> None:
        super().__init__(data, auto_id="f-%s")
        self.as_of = as_of
        self.fields["from"] = forms.DateField(
            label=_("From the close of"), required=False, widget=forms.DateInput(attrs={"type": "date"})
        )
        self.offered: dict[str, list[tuple[str, str]]] = {
            "period": [*_presets(), (CUSTOM, _("Free dates"))],
            "compare": [
                ("year_before", _("Year before")), ("period_before", _("Period before")), ("none", pgettext("comparison", "None")),
            ],
        }  # fmt: skip
        for key, known in options(user).items():
            chosen = self.data.get(key, "")
            if chosen and chosen not in {value for value, _label in known}:
                known = [*known, (chosen, chosen)]  # what is wrong with it is said where it is read
            self.offered[key] = [("", pgettext("filter", "All")), *known]
        for key, choices in self.offered.items():
            self.fields[key] = forms.ChoiceField(label=_LABELS[key], required=False, choices=choices)
        self.order_fields(["period", "from", "to", "compare", *_FILTERS])

    def filters(self) -> Filters:
        """Return what the reader asked for."""
        self.is_valid()
        asked = self.cleaned_data
        terms = tuple((key, asked[key]) for key in KEYS if asked.get(key))
        comparison: Comparison = asked.get("compare") or "year_before"
        if asked.get("period") == CUSTOM:
            first, last = asked.get("from"), asked.get("to")
            if first and last and _EARLIEST <= first < last:
                return Filters(period=Period(first, last), preset=None, comparison=comparison, terms=terms)
        preset: Preset = next((known for known in spans.PRESETS if known == asked.get("period")), "12m")
        period = spans.of_preset(preset, self.as_of, fiscal_year_start=settings.FISCAL_YEAR_START)
        is_custom = asked.get("period") == CUSTOM
        return Filters(period=period, preset=None if is_custom else preset, comparison=comparison, terms=terms)

    @property
    def is_custom(self) -> bool:
        return bool(self.data.get("period") == CUSTOM)

    @property
    def people(self) -> list[forms.BoundField]:
        """The filters that leave a choice."""
        return [self[key] for key in _FILTERS if len(self.offered[key]) > 1]

    @property
    def said(self) -> dict[str, Any]:
        """Return what is chosen, in words, for the printed page."""

        def chosen(key: str) -> str:
            return next((label for value, label in self.offered[key] if value == (self[key].value() or "")), "")

        return {"compare": chosen("compare"), "people": [(field.label, chosen(field.name)) for field in self.people]}

    def shown(self, filters: Filters) -> FilterForm:
        """Write what counts back into the form, so that it never shows anything else."""
        data: dict[str, str] = {"period": filters.preset or CUSTOM, "compare": filters.comparison}
        data |= {"from": filters.period.from_day.isoformat(), "to": filters.period.to_day.isoformat()}
        data |= {str(key): value for key, value in filters.terms}
        self.data = data
        return self


class TargetForm(forms.Form):
    """A goal as people say it: 110 for 110 %."""

    metric = forms.ChoiceField(choices=[(metric, metric) for metric in METRICS], widget=forms.HiddenInput)
    percent = forms.DecimalField(label=gettext_lazy("Target in percent"), max_digits=6, decimal_places=2, min_value=Decimal("0.01"))

    def fraction(self) -> Decimal:
        return Decimal(self.cleaned_data["percent"]) / 100


def options(user: User) -> dict[str, list[tuple[str, str]]]:
    """Return what each filter offers to a person: only what some visible customer has."""
    visible = Customer.objects.visible_to(user).filter(owner__isnull=False).order_by()
    owners = visible.values_list("owner__email", "owner__name", "owner__team__key", "owner__team__name").distinct()
    people = sorted({(email, name) for email, name, _key, _team in owners}, key=lambda pair: (pair[1], pair[0]))
    teams = sorted({(key, team) for _email, _name, key, team in owners if key}, key=lambda pair: (pair[1], pair[0]))
    plans = Product.objects.filter(kind="plan", lines__isnull=False).distinct().order_by("tier", "name", "code")
    used = set(Standing.objects.visible_to(user).exclude(segment="").order_by().values_list("segment", flat=True).distinct())
    return {
        "team": teams, "owner": people, "plan": [(product.code, product.name) for product in plans],
        "segment": [(value, str(label)) for value, label in Segment.choices if value in used],
    }  # fmt: skip


def _presets() -> list[tuple[str, str]]:
    return [
        ("12m", _("Last 12 months")), ("month", _("This month")), ("last_month", _("Last month")), ("quarter", _("This quarter")),
        ("last_quarter", _("Last quarter")), ("year", _("This fiscal year")), ("last_year", _("Last fiscal year")),
    ]  # fmt: skip
